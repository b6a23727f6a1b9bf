"""How the process ends when a signal made it end."""

import os
import signal
from typing import NoReturn


def die_by(signum: int) -> NoReturn:
    """End this process by the signal, so that its parent sees what happened.

    A shell tells `exit 130` from a death by SIGINT: only the latter stops a loop around it.
    Source: https://www.cons.org/cracauer/sigint.html
    """
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # only where the default action does not end a process
