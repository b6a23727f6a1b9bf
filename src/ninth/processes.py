"""Starting children: for a block, for a scope, or to their end.

What happens to a child afterwards is told in children.py.

Source: subprocess.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from ninth.children.groups import Group
from ninth.children.process import Process, kill_all, until_gone
from ninth.errors import FileClosedError
from ninth.numbers import seconds_of
from ninth.waiting.files import HasFileno

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Unpack

    from ninth.scope import Scope
    from ninth.streams import Stream

__all__ = ["Process", "kill_all", "open_process", "run_process", "start_process"]

Command = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]
FileForChild = int | HasFileno | None
PathOrNone = str | bytes | os.PathLike[str] | None
Environment = Mapping[str, str] | None


class ProcessOptions(TypedDict, total=False):
    """The options of open_process() and of Scope.process(), for type checkers."""

    stdin: FileForChild
    stdout: FileForChild
    stderr: FileForChild
    shell: bool
    cwd: PathOrNone
    env: Environment
    group: str | None
    grace: float
    pass_fds: Sequence[int]


class Options:
    """How a child is to be started, checked; the arguments of open_process()."""

    def __init__(
        self,
        command: Command,
        *,
        stdin: FileForChild = None,
        stdout: FileForChild = None,
        stderr: FileForChild = None,
        shell: bool = False,
        cwd: PathOrNone = None,
        env: Environment = None,
        group: str | None = None,
        grace: float = 5.0,
        pass_fds: Sequence[int] = (),
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown)
        for name, file in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if not (file is None or isinstance(file, int) or hasattr(file, "fileno")):
                message = f"{name} is {file!r}: pass PIPE, DEVNULL, an open file or a descriptor"
                raise TypeError(message)
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


def refuse_unknown(options: Mapping[str, object]) -> None:
    """Refuse options that do not exist. Raises: TypeError."""
    for name in options:
        if name in {"text", "encoding", "errors", "universal_newlines"}:
            message = f"there is no option {name!r}: output is bytes, decode() it"
        else:
            message = f"there is no option {name!r}; see ninth.open_process()"
        raise TypeError(message)


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


class open_process:  # noqa: N801  (a function, to all who use it)
    """Start a child for the time of an `async with` block.

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

    Example:
        async with ninth.open_process("cat", stdin=PIPE, stdout=PIPE) as child:
            await child.stdin.write(b"hello")
            await child.stdin.write_eof()
            print(await child.stdout.read())  # -> b'hello'
            print(await child.wait())  # -> 0
    """

    def __init__(self, command: Command, **options: Unpack[ProcessOptions]) -> None:
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
    scope: Scope, command: Command, *, background: bool = False, **options: Unpack[ProcessOptions]
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
    process.when_left_behind(lambda: scope._release(process))  # noqa: SLF001
    process.when_over(lambda: scope._leave(process))  # noqa: SLF001
    return process


async def run_process(
    command: Command,
    *,
    input: bytes | bytearray | memoryview | None = None,  # noqa: A002  (subprocess's name for it)
    capture_output: bool = False,
    check: bool = False,
    timeout: float | None = None,
    **options: Unpack[ProcessOptions],
) -> subprocess.CompletedProcess[bytes]:
    r"""Run a child to its end, and return how it ended and what it wrote.

    Input and output of any size pass side by side. All that the child wrote before it ended is
    returned; what else still holds its pipes open is not waited for, and what it left running in
    its group is stopped. Cancelling stops the child as leaving open_process() does.
    input: bytes for its stdin; a child that does not read them all is no error.
    capture_output: the same as stdout=PIPE and stderr=PIPE.
    check: whether a return code other than 0 is an error.
    timeout: seconds after which the child and its group are killed.
    Other options are those of open_process().
    Returns: a CompletedProcess with `returncode`, and with `stdout` and `stderr` as bytes where
    piped.
    Raises: subprocess.TimeoutExpired, and with check subprocess.CalledProcessError; both have what
    was written so far as `stdout` and `stderr`. ChildProcessError if other code has taken the exit
    status. TypeError and ValueError for wrong arguments; OSError if the child cannot be started.
    Thread-safe: no.

    Example:
        done = await ninth.run_process(["sort"], input=b"b\na\n", capture_output=True)
        print(done.stdout)  # -> b'a\nb\n'
    """
    check_run_options(input, options, capture_output=capture_output)
    if timeout is not None:
        seconds_of(timeout, "run_process")
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    child = Options(command, **options).start(asyncio.get_running_loop())
    outputs = (bytearray(), bytearray())
    piped = (child.stdout, child.stderr)
    pumps = [asyncio.ensure_future(feed(child.stdin, input))]
    pumps += [
        asyncio.ensure_future(collect(stream, output))
        for stream, output in zip(piped, outputs, strict=True)
    ]
    for pump in pumps:
        pump.add_done_callback(functools.partial(stop_if_failed, child))
    expired = False
    try:
        try:
            async with asyncio.timeout(timeout):
                await child.wait()
        except TimeoutError:
            expired = True
        await end(pumps)
        for stream, output in zip(piped, outputs, strict=True):
            if stream is not None:
                output.extend(stream.read_available())
        if expired:
            child.hurry()
    finally:
        # Until it is gone the pumps go on, so that a child that is asked to stop can still write.
        await until_gone(child)
        await end(pumps)
    stdout, stderr = (
        None if stream is None else bytes(output)
        for stream, output in zip(piped, outputs, strict=True)
    )
    if expired:
        assert timeout is not None  # noqa: S101
        raise subprocess.TimeoutExpired(child.args, timeout, stdout, stderr)
    code = await child.wait()
    if check and code:
        raise subprocess.CalledProcessError(code, child.args, stdout, stderr)
    return subprocess.CompletedProcess(child.args, code, stdout, stderr)


def check_run_options(data: object, options: ProcessOptions, *, capture_output: bool) -> None:
    """Refuse options of run_process() that contradict each other. Raises: TypeError, ValueError."""
    if data is not None and not isinstance(data, bytes | bytearray | memoryview):
        message = f"input is {type(data).__name__}: pass bytes, as from text.encode()"
        raise TypeError(message)
    if data is not None and options.get("stdin") is not None:
        raise ValueError(
            "input and stdin were both given: input makes its own pipe, leave out stdin"
        )
    if capture_output and not options.keys().isdisjoint({"stdout", "stderr"}):
        message = "capture_output and stdout or stderr were both given: leave out capture_output"
        raise ValueError(message)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def stop_if_failed(child: Process, pump: asyncio.Task[None]) -> None:
    """Kill a child that cannot be written to or read from: it might wait for that for ever."""
    if not pump.cancelled() and pump.exception() is not None:
        child.hurry()


async def feed(stream: Stream | None, data: bytes | bytearray | memoryview | None) -> None:
    """Write all of the data to a child that may have enough before, and close the pipe."""
    if stream is None:
        return
    with contextlib.suppress(BrokenPipeError, FileClosedError):
        if data is not None:
            await stream.write(data)
        await stream.write_eof()


async def collect(stream: Stream | None, output: bytearray) -> None:
    """Read all that a child writes."""
    if stream is None:
        return
    with contextlib.suppress(FileClosedError):
        while data := await stream.read():
            output += data
