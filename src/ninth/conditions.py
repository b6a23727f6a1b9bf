"""Conditions: what a coroutine can wait for, alone or several at once.

A condition is a value: it says what is waited for, and holds nothing while nobody awaits it.
(signalled() is the exception: signals come whether or not somebody waits.)
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Any, TypeVar

from ninth.children.exits import check_child, watch_exit
from ninth.numbers import seconds_of
from ninth.waiting import files, watchers
from ninth.waiting.condition import Condition
from ninth.waiting.direct import FileCondition
from ninth.waiting.signalled import Signalled
from ninth.waiting.watchers import READ, WRITE, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ninth.children.exits import ExitWatch
    from ninth.errors import FileClosedError
    from ninth.waiting.condition import Cancellable, Wait
    from ninth.waiting.files import File

T = TypeVar("T")
F = TypeVar("F", bound="File")


class FileWait(Watcher):
    """A Wait that waits for a file."""

    __slots__ = ("index", "wait")

    wait: Wait
    index: int

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Wake the task."""
        if not self.is_open():
            return False
        self.wait.fire(self.index)
        return True

    def on_closed(self, error: FileClosedError) -> None:
        """Wake the task with the error."""
        self.wait.fail(error)

    def cancel(self) -> None:
        """Stop waiting; idempotent."""
        self.table.remove(self)


class OfFile(FileCondition, Condition[F]):
    """A condition of a file."""

    __slots__ = ()

    _subject: F

    def _await_anywhere(self) -> Generator[Any, None, F]:
        return Condition.__await__(self)

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        file = self._subject
        fd = files.descriptor(file, self._function)
        if self._interest == READ and files.holds_data(file, fd):
            # By way of the loop, so that who reads a full buffer lets others run.
            return wait.loop.call_soon(wait.fire, index)
        watcher = FileWait()
        watcher.file = file
        watcher.fd = fd
        watcher.interest = self._interest
        watcher.wait = wait
        watcher.index = index
        watcher.function = self._function
        watcher.table = watchers.table_of(wait.loop)
        watcher.table.add(watcher)
        return watcher

    def _is_true(self, _start: float, _now: float) -> bool:
        fd = files.descriptor(self._subject, self._function)
        return files.is_ready(fd, select.POLLIN if self._interest == READ else select.POLLOUT)

    def _value(self) -> F:
        return self._subject


class Readable(OfFile[F]):
    """A file can be read without blocking, has ended, or has an error to tell."""

    __slots__ = ()


class Writable(OfFile[F]):
    """A file can be written without blocking, or has an error to tell."""

    __slots__ = ()


class After(Condition[None]):
    """Some seconds have passed, counted from each await."""

    __slots__ = ("__weakref__", "_subject")

    def __init__(self, seconds: float) -> None:
        self._subject = seconds_of(seconds, "after")

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        if self._subject == float("inf"):
            return None
        return wait.loop.call_later(self._subject, wait.fire, index)

    def _is_true(self, start: float, now: float) -> bool:
        return now >= start + float(self._subject)

    def _value(self) -> None:
        return None

    def _identity(self) -> object:
        return self._subject


class At(After):
    """The loop's time has reached a moment."""

    __slots__ = ()

    def __init__(self, when: float) -> None:
        self._subject = seconds_of(when, "at")

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        if self._subject == float("inf"):
            return None
        return wait.loop.call_at(self._subject, wait.fire, index)

    def _is_true(self, _start: float, now: float) -> bool:
        return now >= float(self._subject)


class DoneCallback:
    """A done callback that can be cancelled."""

    __slots__ = ("callback", "subject")

    def __init__(self, subject: asyncio.Future[Any], callback: Callable[[Any], object]) -> None:
        self.subject = subject
        self.callback = callback
        subject.add_done_callback(callback)

    def cancel(self) -> None:
        """Stop waiting; idempotent."""
        self.subject.remove_done_callback(self.callback)


class Finished(Condition[T]):
    """A task has ended, in whatever way."""

    __slots__ = ("__weakref__", "_subject")

    _subject: asyncio.Future[T]

    def __init__(self, task: asyncio.Future[T]) -> None:
        if asyncio.iscoroutine(task):
            task.close()
            message = (
                f"finished() was given the coroutine {task!r}: start it first, with scope.start(), "
                f"and pass the task"
            )
            raise TypeError(message)
        if not (hasattr(task, "add_done_callback") and hasattr(task, "remove_done_callback")):
            message = (
                f"finished() was given {task!r}: pass a task, as scope.start() returns it, "
                f"or a promise"
            )
            raise TypeError(message)
        self._subject = task

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        return DoneCallback(self._subject, lambda _: wait.fire(index))

    def _is_true(self, _start: float, _now: float) -> bool:
        return self._subject.done()

    def _value(self) -> T:
        return self._subject.result()

    def _value_of_several(self) -> asyncio.Future[T]:
        return self._subject


class Exited(Condition[int | None]):
    """A process has ended."""

    __slots__ = ("__weakref__", "_code", "_subject", "_watch")

    _watch: ExitWatch | None

    def __init__(self, child: Any) -> None:
        check_child(child, "exited()")
        self._subject = child

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        def ended(code: int | None) -> None:
            self._code = code
            wait.fire(index)

        self._watch = None
        try:
            self._watch = watch_exit(wait.loop, self._subject, ended)
        except ProcessLookupError:
            # There was one when the condition was made; its parent has reaped it since.
            return wait.loop.call_soon(ended, None)
        return self._watch

    def _is_true(self, _start: float, _now: float) -> bool:
        if self._watch is None:
            return False
        _, code = self._watch.look()
        if code is not None:
            self._code = code
        return code is not None

    def _value(self) -> int | None:
        return self._code


def readable(file: F) -> Readable[F]:
    """Return the condition that a file can be read without blocking.

    True as well at the end of the file, and when reading will tell an error. A BufferedReader and a
    TLS socket that hold data already are readable; regular files always are.

    file: a descriptor, or anything with fileno() whose buffer hides nothing.
    Returns: a condition; awaiting it gives the file.
    Raises: TypeError for what is no file or hides data, FileClosedError for a closed one. The await
    raises FileClosedError when it is closed meanwhile, IsADirectoryError, and OSError for what
    cannot be polled.

    Example:
        reading, writing = os.pipe()
        os.write(writing, b"hello")
        print(os.read(await ninth.readable(reading), 100))  # -> b'hello'
    """
    return Readable(file, READ, "readable")


def writable(file: F) -> Writable[F]:
    """Return the condition that a file can be written without blocking; see readable().

    Example:
        reading, writing = os.pipe()
        os.write(await ninth.writable(writing), b"hello")
        print(os.read(reading, 100))  # -> b'hello'
    """
    return Writable(file, WRITE, "writable")


def after(seconds: float) -> After:
    """Return the condition that some seconds have passed, counted from each await.

    seconds: zero or less means the next turn of the loop.
    Returns: a condition; awaiting it gives None.
    Raises: TypeError and ValueError for what is no number of seconds.

    Example:
        reading, writing = os.pipe()
        late = ninth.after(0.01)
        fired = await (ninth.readable(reading) | late)
        print(late in fired)  # -> True
    """
    return After(seconds)


def at(when: float) -> At:
    """Return the condition that the loop's time, time.monotonic() seconds, has reached `when`.

    Returns: a condition; awaiting it gives None.
    Raises: TypeError and ValueError for what is no time.

    Example:
        loop = asyncio.get_running_loop()
        soon = loop.time() + 0.01
        await ninth.at(soon)
        assert loop.time() >= soon
    """
    return At(when)


def finished(task: asyncio.Future[T]) -> Finished[T]:
    """Return the condition that a task, or a promise, has ended.

    Awaiting it gives the result, or raises what the task raised; cancelling the await does not
    cancel the task. In a `|` its value is the task, and nothing is raised.

    Returns: a condition. Raises: TypeError for what is no task.

    Example:
        async with ninth.scope() as scope:
            task = scope.start(asyncio.sleep, 0.01, "slept")
            fired = await (ninth.finished(task) | ninth.after(10))
            print(fired[ninth.finished(task)].result())  # -> slept
    """
    return Finished(task)


def exited(child: Any) -> Exited:
    """Return the condition that a process has ended.

    child: a Process, subprocess.Popen, multiprocessing.Process or a pid. A Popen's `returncode` is
    set; a child given as a pid is not reaped.
    Returns: a condition; awaiting it gives the return code, minus n when signal n ended it; None
    for a pid that is not our child.
    Raises: TypeError and ValueError for what is no child, ProcessLookupError if there is no such
    process.

    Example:
        child = subprocess.Popen(["sh", "-c", "exit 3"])
        print(await ninth.exited(child))  # -> 3
    """
    return Exited(child)


def signalled(*signums: int) -> Signalled:
    """Return the condition that one of some signals has come.

    It listens from now on until the innermost scope ends: what comes between two awaits is kept for
    the next; equal signals that wait merge, as in the kernel.

    Returns: a condition; awaiting it gives the signal.Signals.
    Raises: TypeError and ValueError for what is no signal; RuntimeError without a scope, outside
    the main thread, and for a signal that the loop keeps to itself.

    Example:
        async with ninth.scope():
            hangup = ninth.signalled(signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            print((await hangup).name)  # -> SIGHUP
    """
    return Signalled(signums)
