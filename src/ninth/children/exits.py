"""The end of a process, seen from any loop.

A pidfd (pidfd_open, Linux 5.3) is a file that becomes readable when its process has ended: no
signal handler, no thread, and it works for processes that are not our children. Where there is
none (an older kernel, all descriptors taken), SIGCHLD makes us ask for each child; where SIGCHLD
cannot be listened to either (uvloop keeps it, other threads never see it), or the process is not
our child, a timer does.

Whose status it is decides how it is read. A pid belongs to somebody else: it is read with WNOWAIT,
and stays to be reaped. A Popen and a multiprocessing.Process reap by themselves when they are
asked, so
they are asked: their own `returncode` or `exitcode` is then set.

Source: pidfd_open(2), waitid(2).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING, Any

from ninth.waiting.fanout import listen

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninth.waiting.fanout import Listener

# How often a process is asked for that nothing tells us about.
SECONDS_PER_LOOK = 0.05

# (whether it has ended, its exit code, which is None if it cannot be known)
Status = tuple[bool, int | None]

_looks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Looks] = weakref.WeakKeyDictionary()


def child_status(pid: int) -> Status:
    """Return the status of a process without reaping it; it counts as ended if it is not our child.

    The code is minus the number of the signal that ended the process, if one did.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True, None
    if found is None:
        return False, None
    return True, found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def is_our_child(pid: int) -> bool:
    """Return whether a process is a child of ours that has not been reaped."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def exists(pid: int) -> bool:
    """Return whether there is such a process, zombies included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def check_child(child: Any, asker: str) -> None:
    """Refuse what cannot be waited for as a child.

    Raises: TypeError for what is no process; ValueError for a number that is no pid and for a
    process that was not started; ProcessLookupError if there is no process with that pid.
    """
    if isinstance(child, bool) or not (
        isinstance(child, int | subprocess.Popen)
        or hasattr(child, "when_ended")
        or is_multiprocessing(child)
    ):
        message = (
            f"{asker} was given {child!r}: pass a ninth Process, a subprocess.Popen, "
            "a multiprocessing.Process or a pid"
        )
        raise TypeError(message)
    if isinstance(child, int):
        if child <= 0:
            message = f"{asker} was given {child}: a pid is greater than zero"
            raise ValueError(message)
        if not exists(child):
            message = f"{asker}: there is no process {child}: it has ended and was reaped already"
            raise ProcessLookupError(message)
    elif is_multiprocessing(child) and child.pid is None:
        message = f"{asker} was given {child!r}, which does not run: call its start() first"
        raise ValueError(message)


def watch_exit(
    loop: asyncio.AbstractEventLoop, child: Any, callback: Callable[[int | None], object]
) -> ExitWatch:
    """Call callback(returncode) once, in the loop, when a process has ended.

    child: a Process, a Popen, a multiprocessing.Process or a pid. The return code is minus the
    number of the signal that ended it, if one did; None for a pid that is not our child, and if
    somebody else has taken the status. A child given as a pid is not reaped.
    Returns: the registration; cancel() is idempotent.
    Raises: as check_child().
    Thread-safe: no.
    """
    check_child(child, "watch_exit()")
    if isinstance(child, int):
        pid = child
        watch = ExitWatch(loop, callback, lambda: child_status(pid))
        watch.begin(pid)
    elif isinstance(child, subprocess.Popen):
        watch = ExitWatch(loop, callback, lambda: popen_status(child))
        watch.begin(child.pid, ended=child.poll() is not None)
    elif is_multiprocessing(child):
        watch = ExitWatch(loop, callback, lambda: multiprocessing_status(child))
        ended = child.exitcode is not None
        if ended or is_our_child(child.pid):
            watch.begin(child.pid, ended=ended)
        else:
            # A forkserver's child is not ours: its status comes through this file, a moment
            # after its end.
            watch.watch_file(int(child.sentinel), own=False)
    else:
        watch = ExitWatch(loop, callback, lambda: (True, child.returncode))
        watch.forget = child.when_ended(watch.end).cancel
    return watch


def is_multiprocessing(child: Any) -> bool:
    """Return whether this is a multiprocessing.Process; imports nothing, for that is slow."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and isinstance(child, module.BaseProcess)


def popen_status(child: subprocess.Popen[Any]) -> Status:
    """Ask a Popen, which reaps if it has ended."""
    code = child.poll()
    return code is not None, code


def multiprocessing_status(child: Any) -> Status:
    """Ask a multiprocessing.Process, which reaps if it has ended."""
    code = child.exitcode
    return code is not None, code


class ExitWatch:
    """One wait for the end of one process.

    look: returns the status; called when the process has probably ended.
    forget: takes back how the end is noticed.
    """

    __slots__ = ("callback", "fd", "forget", "look", "loop", "pid")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        callback: Callable[[int | None], object],
        look: Callable[[], Status],
    ) -> None:
        self.loop = loop
        self.callback: Callable[[int | None], object] | None = callback
        self.look = look
        self.forget: Callable[[], object] | None = None
        self.fd = -1
        self.pid = 0

    def begin(self, pid: int, *, ended: bool = False) -> None:
        """Wait for the process by the best means there is; ended: it was reaped already."""
        self.pid = pid
        if ended:
            # The number may be another's by now: it must not be opened.
            self.forget = self.loop.call_soon(self.end).cancel
            return
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.forget = self.loop.call_soon(self.end).cancel
        except (AttributeError, OSError):
            looks = _looks.get(self.loop)
            if looks is None:
                looks = _looks[self.loop] = Looks(self.loop)
            looks.add(self)
            self.forget = lambda: looks.remove(self)
        else:
            self.watch_file(fd, own=True)

    def watch_file(self, fd: int, *, own: bool) -> None:
        """Wait for a file that becomes readable at the end; own: it is ours to close."""

        def forget() -> None:
            self.loop.remove_reader(fd)
            if own:
                os.close(fd)

        self.forget = forget
        self.loop.add_reader(fd, self.end)

    def end(self, *_: object) -> None:
        """Take in that the process has probably ended, and tell who waits."""
        ended, code = self.look()
        if not ended:
            return
        callback = self.callback
        self.cancel()
        if callback is not None:
            callback(code)

    def cancel(self) -> None:
        """Stop waiting; idempotent."""
        self.callback = None
        forget, self.forget = self.forget, None
        if forget is not None and not self.loop.is_closed():
            forget()


class Looks:
    """The processes of one loop that have to be asked for, where there is no pidfd."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.watches: dict[ExitWatch, bool] = {}
        self.listener: Listener | None = None
        self.timer: asyncio.TimerHandle | None = None

    def add(self, watch: ExitWatch) -> None:
        """Begin to ask for a process."""
        loop = watch.loop
        by_signal = is_our_child(watch.pid)
        if by_signal and self.listener is None:
            try:
                self.listener = listen(loop, signal.SIGCHLD, self.look_at_all)
            except RuntimeError:
                by_signal = False
        self.watches[watch] = by_signal
        self.set_timer()
        # It may have ended before the handler was there.
        loop.call_soon(self.look_at_all)

    def remove(self, watch: ExitWatch) -> None:
        """Ask no more for a process."""
        self.watches.pop(watch, None)
        if self.listener is not None and True not in self.watches.values():
            self.listener.cancel()
            self.listener = None
        if self.timer is not None and False not in self.watches.values():
            self.timer.cancel()
            self.timer = None

    def set_timer(self) -> None:
        """Look again after a while, if there is a process that no signal tells about."""
        loop = self.loop()
        if self.timer is None and loop is not None and False in self.watches.values():
            self.timer = loop.call_later(SECONDS_PER_LOOK, self.on_timer)

    def on_timer(self) -> None:
        """Look, and look again later."""
        self.timer = None
        self.look_at_all()
        self.set_timer()

    def look_at_all(self, *_: object) -> None:
        """Ask for every process."""
        for watch, by_signal in list(self.watches.items()):
            if watch in self.watches and (by_signal or not is_alive(watch.pid)):
                watch.end()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; of one that is not our child only whether it exists."""
    return exists(pid) and not (is_our_child(pid) and child_status(pid)[0])
