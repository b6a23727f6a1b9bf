"""How the process ends: with words for what went wrong, and by the signal that made it end."""

import os
import signal
import sys
from typing import NoReturn


def fail(text: str) -> int:
    """Say what went wrong. Returns: the exit status for it, 1."""
    if sys.stderr is not None:
        sys.stderr.write(f"ninth: {text}\n")
    return 1


def exit_status(code: int) -> int:
    """Return what a shell makes of a return code."""
    return code if code >= 0 else 128 - code


def say_if_not_run(line: str, code: int) -> None:
    """Say so if a return code means that the shell could not execute a command, or find it."""
    if code in {126, 127}:
        what = "find" if code == 127 else "execute"
        fail(f"{line!r}: the shell could not {what} it (exit status {code})")


def keep_quiet_about_interrupts() -> None:
    """Do not report a KeyboardInterrupt that Python drops, as it does in a __del__.

    The program that it was meant for has taken a note, and stops all the same.
    """
    report = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            report(unraisable)

    sys.unraisablehook = hook


def die_by(signum: int) -> NoReturn:
    """End this process by the signal, so that its parent sees what happened.

    A shell tells `exit 130` from a death by SIGINT: only the latter stops a loop around it.
    Source: https://www.cons.org/cracauer/sigint.html
    """
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # only where the default action does not end a process
