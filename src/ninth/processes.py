"""Child processes: started, waited for, stopped with all that they started, and always reaped.

A child leads a process group of its own, unless it shares our terminal, and three things happen to
it in this order. It *ends*: its status is read with WNOWAIT, and whoever waits is told at once,
for waiting never waits for pipes. What it left running in its group is stopped when its scope
ends: asked with SIGTERM, and after a grace killed. Only then, with nobody left to signal, it is
*reaped*; as long as there is somebody, the unreaped child keeps the number of the group from going
to strangers. After a child that left nothing behind, which is nearly every child, both come at
once.

Stopping is made of callbacks, so that it works where no coroutine runs, and cannot be cancelled:
`stop()` begins it, `hurry()` skips the grace, `when_gone()` tells the end.

Source: waitid(2), killpg(3), pidfd_open(2); why the rules: cpython#119710, cpython#125502,
foreman#628.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from ninth import groups
from ninth.exits import child_status, watch_exit
from ninth.groups import Group
from ninth.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from ninth.exits import ExitWatch
    from ninth.scope import Scope

    Command = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]

# For how many seconds what was killed with its group is waited for; it is not our child, and a
# process that hangs in the kernel would hold us up for ever.
SECONDS_AFTER_KILL = 1.0

# The children that were not reaped yet. They are held here, so that nobody needs to hold them.
_living: set[Process] = set()


class Options:
    """How a child is to be started, checked; the arguments of open_process()."""

    def __init__(
        self,
        command: Command,
        *,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        shell: bool = False,
        cwd: str | bytes | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        group: str | None = None,
        grace: float = 5.0,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.command = check_command(command, shell=shell)
        self.grace = check_grace(grace)
        self.group = choose_group(group, stdin)
        self.popen_options: dict[str, Any] = {
            "stdin": stdin,
            "stdout": stdout,
            "stderr": stderr,
            "shell": shell,
            "cwd": cwd,
            "env": env,
            "pass_fds": pass_fds,
            "process_group": 0 if self.group is Group.GROUP else None,
            "start_new_session": self.group is Group.SESSION,
            "bufsize": 0,
        }

    def start(self, loop: asyncio.AbstractEventLoop) -> Process:
        """Start the child. Raises: OSError if that fails, RuntimeError if SIGCHLD is ignored."""
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            message = (
                "SIGCHLD is ignored, and the kernel then forgets how children ended: "
                "signal.signal(signal.SIGCHLD, signal.SIG_DFL) before starting any"
            )
            raise RuntimeError(message)
        started = time.monotonic()
        try:
            popen = subprocess.Popen(self.command, **self.popen_options)
        except FileNotFoundError as error:
            if isinstance(self.command, str) and " " in self.command.strip():
                error.add_note("a command line with arguments needs shell=True, or a list")
            raise
        return Process(loop, popen, self.group, self.grace, started)


def check_command(command: Any, *, shell: bool) -> Any:
    """Return a command as it is. Raises: TypeError, ValueError for what cannot be one."""
    if isinstance(command, str | bytes | os.PathLike):
        if not command:
            raise ValueError("the command is empty: pass a program, or a line with shell=True")
        return command
    try:
        parts = list(command)
    except TypeError:
        message = f"the command is {command!r}: pass a string, or a list of program and arguments"
        raise TypeError(message) from None
    if not parts:
        raise ValueError("the command is an empty list: pass the program and its arguments")
    for part in parts:
        if not isinstance(part, str | bytes | os.PathLike):
            message = f"the command has {part!r} in it: pass strings, such as {str(part)!r}"
            raise TypeError(message)
    if shell:
        message = "shell=True was given a list: pass one string, shlex.join() makes one"
        raise TypeError(message)
    return parts


def check_grace(grace: float) -> float:
    """Return the grace as it is. Raises: TypeError, ValueError for what is no time to wait."""
    if isinstance(grace, bool) or not isinstance(grace, int | float):
        message = f"grace is {grace!r}: pass seconds, 0 to kill at once"
        raise TypeError(message)
    if not grace >= 0:
        message = f"grace is {grace}: pass seconds, 0 to kill at once"
        raise ValueError(message)
    return grace


def choose_group(group: str | None, stdin: Any) -> Group:
    """Return which group a child with this stdin gets.

    A process of a group in the background that reads its terminal is stopped by the kernel
    (SIGTTIN), so a child that shares ours stays in our group.
    Raises: ValueError for a name that does not exist, and for "group" with a terminal.
    """
    shares = shares_terminal(stdin)
    if group is None:
        return Group.OURS if shares else Group.GROUP
    try:
        chosen = Group(group)
    except ValueError:
        message = f'group is {group!r}: pass "group", "session", "ours" or None'
        raise ValueError(message) from None
    if chosen is Group.GROUP and shares:
        message = (
            'group="group" with a terminal as stdin would have the kernel stop the child when it '
            'reads: pass stdin=subprocess.DEVNULL, or group="ours" to let it use the terminal'
        )
        raise ValueError(message)
    return chosen


def shares_terminal(stdin: Any) -> bool:
    """Return whether a child with this stdin reads from our terminal."""
    if stdin is None:
        return os.isatty(0)
    if stdin in {subprocess.PIPE, subprocess.DEVNULL}:
        return False
    fd = stdin if isinstance(stdin, int) else stdin.fileno()
    try:
        # Fails for terminals that do not control our session: reading those stops nobody.
        os.tcgetpgrp(fd)
    except OSError:
        return False
    return True


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

    def stop(self) -> None:
        """Begin to end the process and what is left of its group; idempotent."""
        if self._stopping:
            return
        self._stopping = True
        if self.gone:
            self.close_pipes()
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

    def close_pipes(self) -> None:
        """Close our ends of the pipes; who waits for one is woken with FileClosedError."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
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
        if self._stopping:
            self.close_pipes()
        self._call(self._at_gone)

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


class open_process:  # noqa: N801  (a function, to all who use it)
    """Start a child for the time of an `async with` block.

        async with ninth.open_process("make", stdout=subprocess.PIPE) as child:
            async for line in child.stdout:
                print(line)

    The block is not left until the child has ended, been reaped, and nothing of its group is left.
    Left normally, it closes the pipes, waits for the child, and stops what that left running.
    Left by an exception or a cancellation, it stops the child: SIGTERM to the group, SIGKILL after
    the grace. A further cancellation skips the grace, never the reaping.

    command: a program, a list of a program and its arguments, or with shell=True a command line.
    stdin, stdout, stderr: as in subprocess.Popen; PIPE makes a Stream of it.
    group: "group", a process group of its own; "session", a session of its own; "ours", and only
    the child is stopped; None, a group of its own unless it inherits a terminal as stdin.
    grace: seconds between SIGTERM and SIGKILL.
    pass_fds: descriptors that the child inherits.
    Returns: a Process, from `async with`.
    Raises: TypeError and ValueError for wrong arguments, among them "group" with an inherited
    terminal as stdin; on entry OSError if the child cannot be started. Thread-safe: no.
    """

    def __init__(self, command: Command, **options: Any) -> None:
        self._options = Options(command, **options)
        self._process: Process | None = None

    async def __aenter__(self) -> Process:
        if self._process is not None:
            raise RuntimeError("this open_process() was entered before: make one for each block")
        self._process = self._options.start(asyncio.get_running_loop())
        return self._process

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._process
        assert process is not None  # noqa: S101
        try:
            if error is None:
                process.close_pipes()
                with contextlib.suppress(ChildProcessError):
                    await process.wait()
        finally:
            await until_gone(process)


def start_process(
    scope: Scope, command: Command, *, background: bool = False, **options: Any
) -> Process:
    """Start a child that a scope owns; see Scope.process()."""
    process = Options(command, **options).start(scope.loop)
    process.background = background
    try:
        scope._enter(process)  # noqa: SLF001
    except BaseException:
        process.kill_now()
        process.close_pipes()
        raise
    process.when_gone(lambda: scope._leave(process))  # noqa: SLF001
    return process
