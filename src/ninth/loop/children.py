"""The end of child processes, as an event of a file.

pidfd_open (Linux 5.3) gives a descriptor that is readable when the process has ended: no signal
handler, no thread, no race with a reused pid as long as the child is not reaped. Where it is
missing, or all descriptors are taken, the loop listens to SIGCHLD and asks for each child.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ninth.loop import formatting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninth.loop.core import Core
    from ninth.loop.signals import Signals


def ended(pid: int) -> bool:
    """Return whether a child has ended, without reaping it; also when it is not ours."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None


def exit_code(pid: int) -> int | None:
    """Return the exit code of a child that has ended, minus the signal's number if one killed it.

    The child is not reaped. Returns None if it is not ours, or was reaped already.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def reap(pid: int) -> int | None:
    """Reap a child that has ended and return its exit code; None if somebody else did."""
    try:
        _, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status)


class Children:
    """The children a loop waits for. Thread-safe: no."""

    def __init__(self, core: Core, signals: Signals) -> None:
        self.core = core
        self.signals = signals
        self.by_signal: dict[int, list[ChildWatch]] = {}
        self.by_file: set[ChildWatch] = set()

    def watch(self, pid: int, callback: Callable[[int], object]) -> ChildWatch:
        """Call callback(pid) when a process has ended; it is not reaped.

        Returns: the registration; cancel() is idempotent.
        Raises: ProcessLookupError if there is no such process; ValueError for a number that no
        process has; TypeError for what is no int, or cannot be called.
        """
        if not isinstance(pid, int):
            message = f"watch_child() was given {pid!r}: pass the pid of a process"  # type: ignore[unreachable]
            raise TypeError(message)
        if pid <= 0:
            message = f"watch_child() was given pid {pid}: pass that of one process, above zero"
            raise ValueError(message)
        formatting.refuse_coroutine(callback, "watch_child")
        formatting.refuse_uncallable(callback, "watch_child")
        entry = ChildWatch(self, pid, callback)
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise
        except (AttributeError, OSError):
            entry.listen()
        else:
            entry.fd = fd
            self.by_file.add(entry)
            self.core.set_reader(fd, self.core.make_handle(entry.end, (), "watch_child"))
        return entry

    def look(self) -> None:
        """Ask for each child that has no descriptor: SIGCHLD came."""
        for entries in list(self.by_signal.values()):
            for entry in list(entries):
                if ended(entry.pid):
                    entry.end()

    def close(self) -> None:
        """Forget all children."""
        self.by_signal.clear()
        for entry in list(self.by_file):
            entry.cancel()


class ChildWatch:
    """One process that is waited for."""

    def __init__(self, children: Children, pid: int, callback: Callable[[int], object]) -> None:
        self.children = children
        self.pid = pid
        self.callback: Callable[[int], object] | None = callback
        self.fd = -1

    def listen(self) -> None:
        """Wait for SIGCHLD."""
        children = self.children
        if not children.by_signal:
            handle = children.core.make_handle(children.look, (), "watch_child")
            children.signals.add(signal.SIGCHLD, handle)
        children.by_signal.setdefault(self.pid, []).append(self)
        # It may have ended before the handler was there.
        children.core.call_soon(children.look)

    def end(self) -> None:
        """Call the callback: the process has ended."""
        callback = self.callback
        self.cancel()
        if callback is not None:
            callback(self.pid)

    def cancel(self) -> None:
        """Forget the process; idempotent."""
        self.callback = None
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self.children.by_file.discard(self)
            self.children.core.clear_reader(fd, True)
            os.close(fd)
        entries = self.children.by_signal.get(self.pid)
        if entries is not None and self in entries:
            entries.remove(self)
            if not entries:
                del self.children.by_signal[self.pid]
            if not self.children.by_signal:
                self.children.signals.remove(signal.SIGCHLD)
