"""A child process, from its start until it is reaped.

It leads a process group of its own, unless it shares our terminal, and three things happen to it
in this order. It *ends*: its status is read with WNOWAIT, and whoever waits is told at once, for
waiting never waits for pipes. What it left running in its group is stopped when its scope ends:
asked with SIGTERM, and after a grace killed. Only then, with nobody left to signal, it is
*reaped*; as long as there is somebody, the unreaped child keeps the number of the group from going
to strangers. After a child that left nothing behind, which is nearly every child, both come at
once.

Stopping is made of callbacks, so that it works where no coroutine runs, and cannot be cancelled:
`stop()` begins it, `hurry()` skips the grace, `when_gone()` tells the end.

Source: waitid(2), killpg(3), pidfd_open(2); cpython#119710, cpython#125502, foreman#628.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
from typing import TYPE_CHECKING

from ninth.children import groups
from ninth.children.exits import child_status, watch_exit
from ninth.children.groups import Group
from ninth.streams import Stream

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from ninth.children.exits import ExitWatch

# For how many seconds what was killed with its group is waited for; it is not our child, and a
# process that hangs in the kernel would hold us up for ever.
SECONDS_AFTER_KILL = 1.0

# The children that were not reaped yet. They are held here, so that nobody needs to hold them.
_living: set[Process] = set()


class Registration:
    """A callback for the end of a process; cancel() is idempotent."""

    __slots__ = ("callback", "callbacks")

    def __init__(self, callbacks: list[Registration], callback: Callable[[], object]) -> None:
        self.callback = callback
        self.callbacks = callbacks
        callbacks.append(self)

    def cancel(self) -> None:
        """Do not call it."""
        if self in self.callbacks:
            self.callbacks.remove(self)


class Process:
    """A child that was started; open_process() and Scope.process() make them.

    pid: its process id. args: the command.
    returncode: None while it runs, then its exit status, or -n when signal n ended it.
    stdin, stdout, stderr: a Stream where PIPE was given, else None.
    Thread-safe: no.

    Example:
        async with ninth.open_process(["sleep", "60"]) as child:
            assert child.pid > 0 and child.returncode is None
            child.send_signal(signal.SIGSTOP)
            child.terminate()
            child.send_signal(signal.SIGCONT)
            print(await child.wait(), child.returncode)  # -> -15 -15
        async with ninth.open_process(["sleep", "60"]) as child:
            child.kill()
            print(await child.wait())  # -> -9
    """

    background = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        popen: subprocess.Popen[bytes],
        group: Group,
        grace: float,
        started: float,
    ) -> None:
        self.pid = popen.pid
        self.args = popen.args
        self.returncode: int | None = None
        self.gone = False
        self._loop = loop
        self._popen = popen
        self._group = group
        self._grace = grace
        self._started = started
        self._ended = False
        self._stopping = False
        self._killed = False
        self._timer: asyncio.TimerHandle | None = None
        self._watch: ExitWatch | None = None
        self._at_end: list[Registration] = []
        self._at_gone: list[Registration] = []
        self._at_left_behind: list[Registration] = []
        self._at_over: list[Registration] = []
        _living.add(self)
        try:
            self.stdin = Stream(popen.stdin) if popen.stdin else None
            self.stdout = Stream(popen.stdout) if popen.stdout else None
            self.stderr = Stream(popen.stderr) if popen.stderr else None
            self._watch = watch_exit(loop, popen.pid, self._on_end)
        except BaseException:
            self.kill_now()
            for pipe in (popen.stdin, popen.stdout, popen.stderr):
                if pipe is not None:
                    pipe.close()
            raise

    def __repr__(self) -> str:
        state = "runs" if not self._ended else f"ended with {self.returncode}"
        return f"<Process {self.pid} {self.args!r} {state}>"

    # For everybody

    async def wait(self) -> int:
        """Wait until the process has ended, and return its return code; waits for no pipe.

        Several may wait; being cancelled does nothing to the process.
        Raises: ChildProcessError if other code of this program has taken the exit status.
        """
        if not self._ended:
            waiter = asyncio.get_running_loop().create_future()
            registration = self.when_ended(functools.partial(wake, waiter))
            try:
                await waiter
            finally:
                registration.cancel()
        if self.returncode is None:
            message = (
                f"how process {self.pid} ended is lost: other code of this program reaped it, "
                "with os.wait() or the like; leave the children of ninth alone there"
            )
            raise ChildProcessError(message)
        return self.returncode

    def send_signal(self, signum: int, *, child_only: bool = False) -> None:
        """Send a signal to the process and, unless it has group "ours", to its whole group.

        child_only: to the process alone. After the end nothing happens, unless something of the
        group is left.
        Raises: PermissionError if the process runs as somebody else.
        """
        if self.gone or (child_only and self._ended):
            return
        group = Group.OURS if child_only else self._group
        groups.send(self.pid, group, signum, self._started)

    def terminate(self) -> None:
        """Ask the process and its group to end: SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and its group: SIGKILL."""
        self.send_signal(signal.SIGKILL)

    # For who owns it: a scope, open_process(), run_process()

    def when_ended(self, callback: Callable[[], object]) -> Registration:
        """Call back when the process has ended; through the loop, if it has already."""
        registration = Registration(self._at_end, callback)
        if self._ended:
            self._loop.call_soon(self._call, self._at_end)
        return registration

    def when_gone(self, callback: Callable[[], object]) -> Registration:
        """Call back when the process was reaped; through the loop, if it was already."""
        registration = Registration(self._at_gone, callback)
        if self.gone:
            self._loop.call_soon(self._call, self._at_gone)
        return registration

    def when_left_behind(self, callback: Callable[[], object]) -> Registration:
        """Call back when the process has ended, and left something that stop() will end.

        That is something of its group that still runs, or a pipe that is still open.
        """
        return Registration(self._at_left_behind, callback)

    def when_over(self, callback: Callable[[], object]) -> Registration:
        """Call back when the process was reaped and its pipes are closed: nothing of it is left."""
        return Registration(self._at_over, callback)

    def stop(self) -> None:
        """Begin to end the process and what is left of its group; idempotent."""
        if self._stopping:
            return
        self._stopping = True
        if self.gone:
            self.close_pipes()
            self._call(self._at_over)
            return
        self._send(signal.SIGTERM)
        # A stopped process cannot act on the request.
        self._send(signal.SIGCONT)
        if self._grace > 0:
            self._timer = self._loop.call_later(self._grace, self.hurry)
        else:
            self.hurry()
        if self._ended:
            self._await_members()

    def hurry(self) -> None:
        """Skip what is left of the grace: kill; begins to stop, if that was not done."""
        self._killed = True
        self._cancel_timer()
        if not self._stopping:
            self.stop()
        if self.gone:
            return
        self._send(signal.SIGKILL)
        if self._ended:
            self._timer = self._loop.call_later(SECONDS_AFTER_KILL, self._reap)

    def kill_now(self) -> None:
        """Kill and reap without a loop: when there is no time left for anything else."""
        if self.gone:
            return
        self._send(signal.SIGKILL)
        if not self._ended:
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self._ended = True
            self.returncode = child_status(self.pid)[1]
        # What the session started in other groups may have been missed while it was being found.
        self._send(signal.SIGKILL)
        self._reap()

    def has_open_pipes(self) -> bool:
        """Return whether one of the pipes was not closed yet."""
        streams = (self.stdin, self.stdout, self.stderr)
        return any(stream is not None and not stream.closed for stream in streams)

    def close_pipes(self) -> None:
        """Close our ends of the pipes; who waits for one is woken with FileClosedError."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                # Closed behind our back: then there is nothing left to close.
                with contextlib.suppress(OSError):
                    stream.close()

    # How it goes on

    def _on_end(self, code: int | None) -> None:
        self._ended = True
        self.returncode = code
        self._watch = None
        self._call(self._at_end)
        if self.gone:
            return
        if code is None:
            # It was reaped by somebody else: the number is no longer ours to signal.
            self._reap()
        elif self._stopping:
            self._await_members()
        elif not self._members():
            self._reap()
        else:
            self._call(self._at_left_behind)

    def _members(self) -> list[int]:
        return groups.members(self.pid, self._group, self._started)

    def _await_members(self) -> None:
        """Wait for one process of the group after the other; reap when none is left."""
        self._watch = None
        while not self.gone and (left := self._members()):
            try:
                self._watch = watch_exit(self._loop, left[0], lambda _: self._await_members())
            except ProcessLookupError:
                continue
            if self._killed:
                # One that was started while we killed, and a limit to the wait.
                self._send(signal.SIGKILL)
                if self._timer is None:
                    self._timer = self._loop.call_later(SECONDS_AFTER_KILL, self._reap)
            return
        self._reap()

    def _reap(self) -> None:
        """Let go of the number: from here on nobody is signalled. The only place that reaps."""
        if self.gone:
            return
        self.gone = True
        self._cancel_timer()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._popen.poll()
        _living.discard(self)
        over = self._stopping or not self.has_open_pipes()
        if over:
            self.close_pipes()
        self._call(self._at_gone)
        self._call(self._at_over if over else self._at_left_behind)

    def _send(self, signum: int) -> None:
        # Who runs as somebody else cannot be stopped by us, only waited for.
        with contextlib.suppress(PermissionError, ProcessLookupError):
            groups.send(self.pid, self._group, signum, self._started)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call(self, registrations: list[Registration]) -> None:
        while registrations:
            registrations.pop(0).callback()


def kill_all(loop: asyncio.AbstractEventLoop) -> None:
    """Kill and reap every child of a loop, without running it."""
    for process in list(_living):
        if process._loop is loop:  # noqa: SLF001
            process.kill_now()


def wake(waiter: asyncio.Future[None]) -> None:
    """Wake who waits, unless it was cancelled."""
    if not waiter.done():
        waiter.set_result(None)


async def until_gone(process: Process) -> None:
    """Stop a process and wait until it is reaped; a cancellation skips the grace."""
    process.stop()
    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    while not process.gone:
        waiter = loop.create_future()
        registration = process.when_gone(functools.partial(wake, waiter))
        try:
            await waiter
        except asyncio.CancelledError as error:
            cancelled = error
            process.hurry()
        finally:
            registration.cancel()
    if cancelled is not None:
        raise cancelled
