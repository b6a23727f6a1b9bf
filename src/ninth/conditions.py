"""Conditions: what a coroutine can wait for, alone or several at once.

A condition is a value: it says what is waited for, and holds nothing while nobody awaits it.
(signalled() is the exception: signals come whether or not somebody waits.) Awaiting one makes a
Wait, which is told when a condition becomes true and then wakes the task; what the value of the
condition is, is asked only when the task runs again. So a task that is cancelled in between has
taken nothing away: a signal is kept for the next one that awaits it.

Awaiting several gives all that are true at that moment, so that one that is always true cannot
hide another for ever.
"""

from __future__ import annotations

import asyncio
import select
import signal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ninth import files, watchers
from ninth.current import innermost
from ninth.direct import FileCondition
from ninth.exits import check_child, watch_exit
from ninth.numbers import seconds_of
from ninth.signals import check_signal, listen
from ninth.signals import name_of as signal_name
from ninth.watchers import READ, WRITE, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from ninth.errors import FileClosedError
    from ninth.files import File

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
F = TypeVar("F", bound="File")


class Cancellable(Protocol):
    """What a condition leaves with a Wait."""

    def cancel(self) -> object:
        """Stop waiting; idempotent."""


class Wait:
    """One await of one condition or several. Thread-safe: no."""

    __slots__ = ("error", "fired", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.fired: set[int] = set()
        self.error: BaseException | None = None

    def fire(self, index: int) -> None:
        """Take note that the condition at this index is true."""
        self.fired.add(index)
        if not self.future.done():
            self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Take note that waiting failed."""
        self.error = error
        if not self.future.done():
            self.future.set_result(None)


class Condition(Generic[T_co]):
    """Something that can be waited for; conditions of one kind and subject are equal.

    Await it, or several with `|`. Thread-safe: no.
    """

    # Subclasses have `_subject`, and __weakref__; no slots here, for one has a compiled base.
    __slots__ = ()

    _subject: Any

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait until it is true, and return its value."""
        while True:
            fired = yield from wait_for((self,))
            try:
                return self._value()
            except NotTrueError:
                # Another task took it first.
                del fired

    def __or__(self, other: Condition[Any] | AnyOf) -> AnyOf:
        """Return what is true when at least one of both is."""
        if not isinstance(other, (Condition, AnyOf)):
            return NotImplemented
        return AnyOf((self, *other._members()))

    def _members(self) -> tuple[Condition[Any], ...]:
        return (self,)

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        """Tell wait.fire(index) when it is true; return what can be cancelled."""
        raise NotImplementedError

    def _is_true(self, start: float, now: float) -> bool:  # noqa: ARG002
        """Return whether it is true, although nothing has told so yet.

        start, now: loop times, of the beginning of the wait and of this moment.
        """
        return False

    def _value(self) -> T_co:
        """Return the value, now that it is true. Raises: NotTrueError if it no longer is."""
        raise NotImplementedError

    def _value_of_several(self) -> Any:
        """Return the value for a mapping."""
        return self._value()

    def _identity(self) -> object:
        return self._subject if isinstance(self._subject, int) else id(self._subject)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def __repr__(self) -> str:
        return f"{type(self).__name__.lower()}({self._subject!r})"


class NotTrueError(Exception):
    """A condition that was true is not any more."""


class AnyOf:
    """Several conditions; awaiting it gives a mapping of those that are true."""

    __slots__ = ("_conditions",)

    def __init__(self, conditions: tuple[Condition[Any], ...]) -> None:
        self._conditions = tuple(dict.fromkeys(conditions))

    def _members(self) -> tuple[Condition[Any], ...]:
        return self._conditions

    def __or__(self, other: Condition[Any] | AnyOf) -> AnyOf:
        """Return these conditions and others."""
        if not isinstance(other, (Condition, AnyOf)):
            return NotImplemented
        return AnyOf((*self._conditions, *other._members()))

    def __await__(self) -> Generator[Any, None, Mapping[Condition[Any], Any]]:
        """Wait until one of them is true; return all that are, with their values."""
        conditions = self._conditions
        while True:
            fired = yield from wait_for(conditions)
            values = {}
            for index in sorted(fired):
                try:
                    values[conditions[index]] = conditions[index]._value_of_several()
                except NotTrueError:
                    continue
            if values:
                return MappingProxyType(values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AnyOf):
            return NotImplemented
        return set(self._conditions) == set(other._conditions)

    def __hash__(self) -> int:
        return hash(frozenset(self._conditions))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._conditions))


def wait_for(conditions: tuple[Condition[Any], ...]) -> Generator[Any, None, set[int]]:
    """Wait until one of some conditions is true; return the indices of those that are."""
    loop = asyncio.get_running_loop()
    wait = Wait(loop)
    start = loop.time()
    begun: list[Cancellable] = []
    try:
        for index, condition in enumerate(conditions):
            registration = condition._begin(wait, index)
            if registration is not None:
                begun.append(registration)
        yield from wait.future
        if wait.error is not None:
            raise wait.error
        if len(conditions) > 1:
            now = loop.time()
            for index, condition in enumerate(conditions):
                if index not in wait.fired and condition._is_true(start, now):
                    wait.fired.add(index)
    finally:
        for registration in begun:
            registration.cancel()
    return wait.fired


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

    def __init__(self, child: Any) -> None:
        check_child(child, "exited()")
        self._subject = child

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        def ended(code: int | None) -> None:
            self._code = code
            wait.fire(index)

        self._watch = watch_exit(wait.loop, self._subject, ended)
        return self._watch

    def _is_true(self, _start: float, _now: float) -> bool:
        _, code = self._watch.look()
        if code is not None:
            self._code = code
        return code is not None

    def _value(self) -> int | None:
        return self._code


class Signalled(Condition[signal.Signals]):
    """One of some signals has come.

    It is an item of the innermost scope, and listens until that ends or stops.
    """

    __slots__ = (
        "__weakref__",
        "_arrived",
        "_listeners",
        "_scope",
        "_subject",
        "_waits",
        "background",
    )

    _subject: frozenset[signal.Signals]

    def __init__(self, signums: tuple[int, ...]) -> None:
        if not signums:
            raise TypeError("signalled() was given no signal: pass one or more, like SIGTERM")
        checked = [check_signal(signum, "signalled()") for signum in signums]
        scope = innermost.get()
        if scope is None:
            message = (
                "signalled() keeps listening between two awaits, so it needs a scope to end with: "
                "make it inside `async with ninth.scope()`"
            )
            raise RuntimeError(message)
        scope._require_open("signalled")
        self._subject = frozenset(checked)
        self.background = True
        self._scope = scope
        # What came and was not awaited yet, oldest first; equal ones merge, as in the kernel.
        self._arrived: dict[signal.Signals, None] = {}
        self._waits: dict[Wait, int] = {}
        self._listeners: list[Cancellable] = []
        try:
            for signum in self._subject:
                self._listeners.append(listen(scope.loop, signum, self._arrive))
        except BaseException:
            self._unlisten()
            raise
        scope._enter(self)

    def stop(self) -> None:
        """Stop listening: the scope ends."""
        self._unlisten()
        for wait in self._waits:
            wait.fail(RuntimeError(f"{self!r} is over: the scope it was made in has ended"))
        self._scope._leave(self)

    def hurry(self) -> None:
        """Do nothing: stopping takes no time."""

    def _unlisten(self) -> None:
        for listener in self._listeners:
            listener.cancel()
        self._listeners.clear()

    def _arrive(self, signum: signal.Signals) -> None:
        self._arrived[signum] = None
        for wait, index in self._waits.items():
            wait.fire(index)

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        if not self._listeners:
            message = (
                f"{self!r} is over: the scope it was made in has ended; make it in the scope "
                f"that awaits it"
            )
            raise RuntimeError(message)
        if self._arrived:
            return wait.loop.call_soon(wait.fire, index)
        self._waits[wait] = index
        return SignalWait(self._waits, wait)

    def _is_true(self, _start: float, _now: float) -> bool:
        return bool(self._arrived)

    def _value(self) -> signal.Signals:
        if not self._arrived:
            raise NotTrueError
        signum = next(iter(self._arrived))
        del self._arrived[signum]
        return signum

    def _identity(self) -> object:
        return self._subject

    def __repr__(self) -> str:
        return f"signalled({', '.join(map(signal_name, sorted(self._subject)))})"


class SignalWait:
    """A Wait among those of a condition."""

    __slots__ = ("wait", "waits")

    def __init__(self, waits: dict[Wait, int], wait: Wait) -> None:
        self.waits = waits
        self.wait = wait

    def cancel(self) -> None:
        """Stop waiting; idempotent."""
        self.waits.pop(self.wait, None)


def readable(file: F) -> Readable[F]:
    """Return the condition that a file can be read without blocking.

    True as well at the end of the file, and when reading will tell an error. A BufferedReader and a
    TLS socket that hold data already are readable; regular files always are.

    file: a descriptor, or anything with fileno() whose buffer hides nothing.
    Returns: a condition; awaiting it gives the file.
    Raises: TypeError for what is no file or hides data, FileClosedError for a closed one. The await
    raises FileClosedError when it is closed meanwhile, IsADirectoryError, and OSError for what
    cannot be polled.

        while chunk := os.read(await ninth.readable(fd), 65536):
            ...
    """
    return Readable(file, READ, "readable")


def writable(file: F) -> Writable[F]:
    """Return the condition that a file can be written without blocking; see readable()."""
    return Writable(file, WRITE, "writable")


def after(seconds: float) -> After:
    """Return the condition that some seconds have passed, counted from each await.

    seconds: zero or less means the next turn of the loop.
    Returns: a condition; awaiting it gives None.
    Raises: TypeError and ValueError for what is no number of seconds.

        if ninth.readable(file) not in await (ninth.readable(file) | ninth.after(10)):
            print("nothing for ten seconds")
    """
    return After(seconds)


def at(when: float) -> At:
    """Return the condition that the loop's time, time.monotonic() seconds, has reached `when`.

    Returns: a condition; awaiting it gives None.
    Raises: TypeError and ValueError for what is no time.
    """
    return At(when)


def finished(task: asyncio.Future[T]) -> Finished[T]:
    """Return the condition that a task, or a promise, has ended.

    Awaiting it gives the result, or raises what the task raised; cancelling the await does not
    cancel the task. In a `|` its value is the task, and nothing is raised.

    Returns: a condition. Raises: TypeError for what is no task.
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

        code = await ninth.exited(subprocess.Popen(["make"]))
    """
    return Exited(child)


def signalled(*signums: int) -> Signalled:
    """Return the condition that one of some signals has come.

    It listens from now on until the innermost scope ends: what comes between two awaits is kept for
    the next; equal signals that wait merge, as in the kernel.

    Returns: a condition; awaiting it gives the signal.Signals.
    Raises: TypeError and ValueError for what is no signal; RuntimeError without a scope, outside the
    main thread, and for a signal that the loop keeps to itself.

        hangup = ninth.signalled(signal.SIGHUP)
        while hangup in await (hangup | ninth.exited(child)):
            reload()
    """
    return Signalled(signums)
