"""A scope: tasks, callbacks and children with one lifetime.

Theory of operation. A scope owns *items* (registrations, children, scopes within it) and *tasks*,
and counts those that hold it open; the body of the block is one more that holds. It goes through
these states, in this order only:

    NEW       made, not entered
    OPEN      the body runs; things may be started
    LEAVING   the body is over; what holds goes on, and may start more
    STOPPING  nothing may be started; items were told to stop, tasks were cancelled
    ENDED     nothing of it exists

OPEN and LEAVING end in STOPPING when an error is recorded, the timeout is over, cancel() is called
or the task is cancelled; LEAVING also when the last that holds has ended, and then without an error.
STOPPING ends when the last item and the last task are gone. The block is left then, and not before.

Cancellation. While the body runs, stopping the scope cancels the task that runs it, once; asyncio
counts that in `Task.cancelling()`. On leaving, our request is taken back with `uncancel()`, and
what is above the count at entry has come from outside, and is passed on. Two things are strange:

- A request that the body never saw, because it did not await any more, would break into the next
  await after the block (Python 3.13 takes it back by itself, if no other is left). So after a
  request of ours one turn of the loop is taken, and what breaks in there is ours, or counted.
- With errors, the group of them leaves, and the cancellation from outside stays counted. From 3.13
  on it is requested anew, so that it breaks into the next await; before, nothing could take it back
  again, and a timeout around the scope would leave it behind.

asyncio.TaskGroup is not used: in 3.11 and 3.12 it loses a cancellation from outside when a child
fails meanwhile, it waits for background children, and it knows nothing but tasks.

Sources: asyncio/taskgroups.py and asyncio/timeouts.py of CPython 3.13; PEP 654; trio's nurseries.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import sys
import types
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ninth import callbacks
from ninth.current import innermost
from ninth.numbers import seconds_of
from ninth.registrations import (
    ExitRegistration,
    FileRegistration,
    Registration,
    SignalRegistration,
    TimerRegistration,
    context_in,
)
from ninth.run import drive, new_loop, wind_up
from ninth.watchers import READ, WRITE

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    from ninth.files import File
    from ninth.processes import Command, Process

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]

T = TypeVar("T")

__all__ = ["Registration", "Scope", "scope"]


class Item(Protocol):
    """What a scope asks of the things that it owns, tasks apart."""

    background: bool

    def stop(self) -> None:
        """Begin to end; Scope._leave() is called when it has ended, now or later."""

    def hurry(self) -> None:
        """End without any grace: a second cancellation came."""


class State(enum.Enum):
    """Where a scope is in its life; see the head of this module."""

    NEW = "not been entered"
    OPEN = "open"
    LEAVING = "leaving"
    STOPPING = "being stopped"
    ENDED = "ended"


NEW, OPEN, LEAVING, STOPPING, ENDED = State


class Message(str):
    """The message of a scope's exception group.

    derive(), split() and `except*` keep the very object, so a scope knows the groups of scopes
    within it, and parts of them, and can put their errors into its own group.
    """

    __slots__ = ()


@types.coroutine
def one_turn() -> Generator[None, None, None]:
    """Let the loop take one turn."""
    yield


class Scope:
    """Tasks, callbacks and children that end together; see ninth.scope().

    name: for errors. loop: the event loop that runs it; None before it is entered.
    cancelled: whether it was stopped before its contents had ended, by cancel(), its timeout, an
    error or from outside. reason: what was given to cancel(), or the exception that stopped it.
    Thread-safe: no; from another thread use from_thread().
    """

    __slots__ = (
        "__weakref__",
        "_baseline",
        "_complete",
        "_errors",
        "_expired",
        "_fatal",
        "_future",
        "_holding",
        "_host",
        "_in_body",
        "_items",
        "_loop_factory",
        "_outside",
        "_parent",
        "_plain",
        "_requested",
        "_starting",
        "_state",
        "_tasks",
        "_timeout",
        "_timer",
        "_token",
        "background",
        "cancelled",
        "loop",
        "name",
        "reason",
    )

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        *,
        timeout: float | None = None,
        name: str | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        self._timeout = None if timeout is None else seconds_of(timeout, "scope")
        self.name = name
        factory: Any = loop_factory
        if factory is not None and not callable(factory):
            message = (
                f"scope() was given loop_factory={loop_factory!r}: pass a function that returns "
                f"a new event loop"
            )
            raise TypeError(message)
        self._loop_factory = loop_factory
        self.cancelled = False
        self.reason: object = None
        self._state = NEW
        self._items: set[Item] = set()
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        self._holding = 1
        self._errors: list[BaseException] = []
        self._fatal: BaseException | None = None
        self._expired = False
        self._complete = False
        self._starting = 0
        self._requested = False
        self._in_body = False
        self._outside = 0
        self._host: asyncio.Task[Any] | None = None
        self._parent: Subscope | None = None
        self._plain = False
        self._timer: asyncio.TimerHandle | None = None
        self._future: asyncio.Future[None] | None = None

    # Starting things

    def start(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]] | Coroutine[Any, Any, T],
        /,
        *args: Any,
        background: bool = False,
        name: str | None = None,
    ) -> asyncio.Task[T]:
        """Run a coroutine as a task of the scope.

        fn: a coroutine function, which is called with args, or a coroutine.
        background: it does not keep the scope open; name: the task's.
        Returns: the task. Its exception stops the scope; it may be cancelled on its own.
        Raises: TypeError for what is no coroutine; RuntimeError when the scope is not open.
        """
        if not self._takes_more():
            if asyncio.iscoroutine(fn):
                fn.close()
            self._require_open("start")
        coroutine = callbacks.coroutine_of(fn, args, "start")
        context = None if innermost.get() is self else context_in(self)
        task: asyncio.Task[T] = self._add_task(
            coroutine, name, background, context, self._task_done
        )
        return task

    def process(self, command: Command, *, background: bool = False, **options: Any) -> Process:
        """Start a child, at once; the scope owns it: stops it when it stops, and always reaps it.

        command, options: as in ninth.open_process(). background: it does not keep the scope open.
        Returns: the Process.
        Raises: what open_process() raises; RuntimeError when the scope is not open.
        """
        from ninth.processes import start_process  # noqa: PLC0415

        self._require_open("process")
        return start_process(self, command, background=background, **options)

    def on_readable(
        self, file: File, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a file can be read without blocking.

        Until the callback returns ninth.STOP, the registration is cancelled or the file is closed
        by ninth.close(). The end of a file is readable, and stays so: the callback has to see it.

        file: a descriptor, or anything with fileno() whose buffer hides nothing.
        Returns: a Registration. Raises: TypeError for what is no file, hides data or cannot be
        called like that; FileClosedError for a closed file; OSError for what cannot be polled;
        RuntimeError when the scope is not open.
        """
        return self._on_file(file, callback, args, background, READ, "on_readable")

    def on_writable(
        self, file: File, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a file can be written without blocking; see on_readable."""
        return self._on_file(file, callback, args, background, WRITE, "on_writable")

    def on_line(
        self,
        file: File | None,
        callback: Callable[[str], object],
        *,
        encoding: str = "utf-8",
        errors: str = "replace",
        limit: int = 65536,
        on_end: Callable[[], object] | None = None,
        background: bool = False,
    ) -> Registration:
        r"""Call callback(line) with each line of a file, and on_end() at its end.

        Lines end with "\n" or "\r\n", which the callback does not get; a last line without one
        counts. The registration ends with the file. It reads ahead: what the callback leaves unread
        by returning ninth.STOP stays in the file only if that is a Stream.

        file: a Stream, or what one can be made of. limit: how many bytes a line may have.
        encoding, errors: as in bytes.decode(); only encodings that keep ASCII as it is.
        Returns: a Registration. Raises: as on_readable(), and as Stream(): BusyError if somebody
        reads the Stream; LookupError and ValueError for an encoding. The scope fails with
        LineTooLong for a longer line, and with OSError when reading fails.
        """
        from ninth.lines import LineRegistration  # noqa: PLC0415

        self._check(callback, 1, "on_line")
        if on_end is not None:
            callbacks.check(on_end, 0, "on_line")
        return self._begin(
            LineRegistration(self, callback, background, file, encoding, errors, limit, on_end)
        )

    def after(
        self, seconds: float, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) once, some seconds from now; zero or less: in the next turn.

        Returns: a Registration. Raises: TypeError and ValueError for what is no number of seconds,
        TypeError for what cannot be called like that; RuntimeError when the scope is not open.
        """
        seconds_of(seconds, "after")
        self._check(callback, len(args), "after")
        return self._begin(TimerRegistration(self, callback, args, background, seconds, False))

    def every(
        self, seconds: float, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) every so many seconds: the n-th call is due at start + n*seconds.

        A call that comes late does not move those after it, and none is left out: what became due
        meanwhile follows at once. Until the callback returns ninth.STOP or it is cancelled.

        seconds: more than zero.
        Returns: a Registration. Raises: as after(); ValueError for zero or less.
        """
        if seconds_of(seconds, "every") <= 0:
            message = f"every() was given {seconds} seconds: pass more than zero"
            raise ValueError(message)
        self._check(callback, len(args), "every")
        return self._begin(TimerRegistration(self, callback, args, background, seconds, True))

    def on_signal(
        self, signum: int, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a signal has come; several owners may listen to one.

        Returns: a Registration. Raises: TypeError, ValueError and RuntimeError as signals();
        TypeError for what cannot be called like that; RuntimeError when the scope is not open.
        """
        from ninth.signals import check_signal  # noqa: PLC0415

        self._check(callback, len(args), "on_signal")
        check_signal(signum, "on_signal()")
        return self._begin(SignalRegistration(self, callback, args, background, signum))

    def on_exit(
        self, child: Any, callback: Callable[[int | None], object], *, background: bool = False
    ) -> Registration:
        """Call callback(returncode) once, when a process has ended.

        child: a Process, subprocess.Popen, multiprocessing.Process or a pid; see exited().
        Returns: a Registration. Raises: TypeError for what is no child or cannot be called like
        that; ProcessLookupError if there is no such process; RuntimeError when the scope is not
        open.
        """
        self._check(callback, 1, "on_exit")
        return self._begin(ExitRegistration(self, callback, background, child))

    def subscope(
        self,
        *,
        timeout: float | None = None,
        name: str | None = None,
        background: bool = False,
    ) -> Scope:
        """Return a scope within this one that needs no block: it ends when its contents do.

        It is open at once, and at least until the loop has taken a turn. What goes wrong in it
        leaves it and stops this one; cancel() ends it alone.

        timeout, name: as in ninth.scope(). background: it does not keep this scope open.
        Raises: TypeError and ValueError for a bad timeout; RuntimeError when this one is not open.
        """
        self._require_open("subscope")
        child = Scope(timeout=timeout, name=name)
        child.loop = self.loop
        child._state = LEAVING
        child._plain = self._plain
        child._parent = self._enter(Subscope(self, child, background))
        child._start_timer()
        self.loop.call_soon(child._release_body)
        return child

    def cancel(self, reason: object = None) -> None:
        """Stop everything in the scope and leave it, without an error.

        The body is cancelled at its next await. reason: anything; kept in `reason`. Idempotent, and
        nothing happens in a scope that has ended.
        Raises: RuntimeError if the scope has not been entered.
        """
        if self._state is NEW:
            message = f"{self} has not been entered: write `async with` it, or `with` it, first"
            raise RuntimeError(message)
        self._stop(reason)

    # The block

    async def __aenter__(self) -> Self:
        if self._loop_factory is not None:
            message = "loop_factory is for plain `with`: in `async with` the running loop is used"
            raise TypeError(message)
        self._require_new()
        host = asyncio.current_task()
        if host is None:
            raise RuntimeError("a scope needs a task: enter it in a coroutine that a loop runs")
        if host.cancelling():
            # A cancellation that has not been delivered yet would be taken for one of ours.
            await one_turn()
        self._host = host
        self.loop = asyncio.get_running_loop()
        self._baseline = host.cancelling()
        self._state = OPEN
        self._in_body = True
        self._token = innermost.set(self)
        if self._timeout is not None:
            self._start_timer()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, GeneratorExit) and asyncio.current_task() is not self._host:
            # The coroutine is being thrown away: nobody can wait any more.
            self._in_body = False
            self._stop(error)
            self._end()
            return False
        try:
            left = await self._leave_block(error)
        finally:
            self._end()
        if left is None or left is error:
            return left is None
        try:
            raise left
        finally:
            # The frame is in the traceback of what it raises: a cycle, if it kept it.
            del left, error

    async def _leave_block(self, error: BaseException | None) -> BaseException | None:
        """Wait for the end of everything, and return what leaves the block, None for nothing.

        error: what left the body.
        """
        host = self._host
        assert host is not None
        seen: BaseException | None = None
        self._in_body = False
        if isinstance(error, asyncio.CancelledError):
            seen = error
            self._outside = self._count_outside()
            self._stop(error)
        elif error is not None:
            self._fail(error)
        self._release_body()
        seen = await self._wait() or seen
        if self._requested:
            host.uncancel()
            try:
                await one_turn()
            except asyncio.CancelledError as late:
                seen = late
        outside = host.cancelling() > self._baseline
        cancelled = seen is not None and (outside or not self._requested)
        left = self._outcome(seen, cancelled)
        if outside and self._errors and self._fatal is None and sys.version_info >= (3, 13):
            host.uncancel()
            host.cancel()
        return left

    def _outcome(self, seen: BaseException | None, cancelled: bool) -> BaseException | None:
        """Return what leaves the block, None for nothing."""
        errors = self._errors
        expired = self._expired
        if expired:
            late = TimeoutError(f"{self._describe()} took longer than {self._timeout} seconds")
            late.__cause__ = seen
            late.__suppress_context__ = True
        if self._fatal is not None:
            if errors and self._fatal.__cause__ is None:
                self._fatal.__cause__ = group_of(errors, self._describe())
            return self._fatal
        if errors:
            return group_of([late, *errors] if expired else errors, self._describe())
        if cancelled:
            return seen
        return late if expired else None

    def __enter__(self) -> Self:
        self._require_new()
        if asyncio._get_running_loop() is not None:
            message = (
                "`with ninth.scope()` inside a running loop would stop that loop: write "
                "`async with ninth.scope()`, or use subscope() of the scope you are in"
            )
            raise RuntimeError(message)
        outer = innermost.get()
        if outer is not None and outer._plain and outer._in_body:
            message = (
                f"`with ninth.scope()` inside the block of {outer._describe()} would wait before "
                f"that one runs: use its subscope(), or leave its block first"
            )
            raise RuntimeError(message)
        self.loop = new_loop(self._loop_factory)
        self._plain = True
        self._baseline = 0
        self._state = OPEN
        self._in_body = True
        self._token = innermost.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._in_body = False
        innermost.reset(self._token)
        if error is not None:
            # Before the loop runs, so that no task takes its first step.
            self._fail(error)
        try:
            left = drive(self.loop, self._run_plain(error))
        finally:
            self._end()
            wind_up(self.loop)
        if left is None or left is error:
            return left is None
        try:
            raise left
        finally:
            # As in __aexit__.
            del left, error

    async def _run_plain(self, error: BaseException | None) -> BaseException | None:
        """Run what the block registered; return what leaves it."""
        self._host = asyncio.current_task()
        if self._takes_more():
            self._start_timer()
        left = await self._leave_block(error)
        if isinstance(left, asyncio.CancelledError):
            # What cancelled us knows what to make of it.
            raise left
        return left

    # What happens to it

    def _start_timer(self) -> None:
        if self._timeout is not None and self._timeout != float("inf"):
            self._timer = self.loop.call_later(self._timeout, self._expire)

    def _expire(self) -> None:
        """Stop: the timeout is over."""
        self._timer = None
        if self._state is OPEN or self._state is LEAVING:
            self._expired = True
            self._stop(TimeoutError(f"longer than {self._timeout} seconds"))

    def _fail(self, error: BaseException) -> None:
        """Record an error, and stop."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            if self._fatal is None:
                self._fatal = error
        elif isinstance(error, BaseExceptionGroup) and isinstance(error.message, Message):
            self._errors.extend(one for one in error.exceptions if one not in self._errors)
        elif not any(error is one for one in self._errors):
            self._errors.append(error)
        self._stop(error)

    def _stop(self, reason: object, *, early: bool = True) -> None:
        """Stop everything: from now on nothing is started.

        early: before the contents have ended by themselves.
        """
        if self._state is STOPPING or self._state is ENDED:
            return
        self._state = STOPPING
        if early:
            self.cancelled = True
            self.reason = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Callbacks first: none of them shall run while the tasks wind up.
        for item in list(self._items):
            try:
                item.stop()
            except BaseException as error:
                # It is an error like any other, and must not keep the rest from being stopped.
                self._leave(item, error)
        for task in list(self._tasks):
            task.cancel()
        if self._in_body and self._host is not None:
            self._requested = True
            self._host.cancel()
        self._settle()

    def _settle(self) -> None:
        """See whether the next state is due."""
        if self._starting:
            return
        if self._state is LEAVING and self._holding == 0:
            self._stop(None, early=False)
        elif self._state is STOPPING and not self._items and not self._tasks:
            self._complete = True
            if self._future is not None and not self._future.done():
                self._future.set_result(None)
            if self._parent is not None and not self._holding:
                self._parent.finish()

    def _release_body(self) -> None:
        """Let go of the body's hold: it is over."""
        self._holding -= 1
        if self._state is OPEN:
            self._state = LEAVING
        self._settle()

    async def _wait(self) -> BaseException | None:
        """Wait until everything has ended; return the last CancelledError that broke in."""
        seen = None
        while not self._complete:
            self._future = self.loop.create_future()
            try:
                await self._future
            except asyncio.CancelledError as error:
                seen = error
                self._interrupted(error)
        return seen

    def _interrupted(self, error: BaseException) -> None:
        """Act on a cancellation that came while the end was waited for."""
        outside = self._count_outside()
        if self._state is not STOPPING:
            self._stop(error)
        elif outside > self._outside:
            for item in list(self._items):
                item.hurry()
            if outside > 1:
                for task in list(self._tasks):
                    task.cancel()
        self._outside = outside

    def _count_outside(self) -> int:
        """Return how many cancellations since entry are not ours."""
        assert self._host is not None
        return self._host.cancelling() - self._baseline - self._requested

    def _end(self) -> None:
        """Let go of everything."""
        self._state = ENDED
        self._errors = []
        self._fatal = None
        self._host = None
        self._future = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._plain:
            # Not so where an asynchronous generator is left in another context than it was entered.
            with contextlib.suppress(ValueError):
                innermost.reset(self._token)

    # What it owns

    def _enter(self, item: Any) -> Any:
        """Own an item."""
        self._items.add(item)
        if not item.background:
            self._holding += 1
        return item

    def _leave(self, item: Item, error: BaseException | None = None) -> None:
        """Take note that an item has ended."""
        if item in self._items:
            self._items.remove(item)
            if not item.background:
                self._holding -= 1
        if error is not None:
            self._fail(error)
        if self._state is not OPEN:
            self._settle()

    def _release(self, item: Item) -> None:
        """Let an item hold the scope open no longer, as if it had been started in the background."""
        if item in self._items and not item.background:
            item.background = True
            self._holding -= 1
            if self._state is not OPEN:
                self._settle()

    def _add_task(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str | None,
        background: bool,
        context: contextvars.Context | None,
        done: Callable[[asyncio.Task[Any]], object],
    ) -> asyncio.Task[Any]:
        """Own a task; the loop itself keeps only a weak reference."""
        # An eager task takes its first step in here, before we can know it.
        self._starting += 1
        try:
            if context is None:
                task = self.loop.create_task(coroutine, name=name)
            else:
                task = self.loop.create_task(coroutine, name=name, context=context)
        finally:
            self._starting -= 1
        self._tasks[task] = background
        if not background:
            self._holding += 1
        task.add_done_callback(done)
        if not self._takes_more() and not task.done():
            task.cancel()
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        """Take note that a task has ended."""
        if not self._tasks.pop(task):
            self._holding -= 1
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._fail(error)
        if self._state is not OPEN:
            self._settle()

    def _on_file(
        self,
        file: Any,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
        interest: int,
        method: str,
    ) -> Registration:
        self._check(callback, len(args), method)
        return self._begin(
            FileRegistration(self, callback, args, background, file, interest, method)
        )

    def _begin(self, registration: Registration) -> Registration:
        """Own a registration, and have it wait for its event."""
        self._enter(registration)
        try:
            registration._begin()
        except BaseException:
            registration._active = False
            self._leave(registration)
            raise
        return registration

    def _check(self, callback: Any, count: int, method: str) -> None:
        """Refuse what cannot be registered."""
        self._require_open(method)
        callbacks.check(callback, count, method)

    def _takes_more(self) -> bool:
        return self._state is OPEN or self._state is LEAVING

    def _require_open(self, method: str) -> None:
        """Raise RuntimeError unless things may be started."""
        state = self._state
        if state is OPEN or state is LEAVING:
            return
        if state is NEW:
            cure = "write `async with` it, or `with` it, first"
        elif state is STOPPING:
            why = "its contents have ended" if not self.cancelled else repr(self.reason)
            cure = f"nothing can be started in it any more ({why})"
        else:
            cure = "use it inside its block, or make a new one"
        verb = "is" if state is STOPPING else "has"
        message = f"{method}() was called on {self._describe()}, which {verb} {state.value}: {cure}"
        raise RuntimeError(message)

    def _require_new(self) -> None:
        if self._state is not NEW:
            message = (
                f"{self._describe()} was entered before, and a scope is entered once: make a new "
                f"one with ninth.scope(), or use subscope() for one within it"
            )
            raise RuntimeError(message)

    def _describe(self) -> str:
        return "a scope" if self.name is None else f"scope {self.name!r}"

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        contents = f"{len(self._tasks)} tasks, {len(self._items)} others"
        return f"<Scope{name} {self._state.name.lower()}: {contents}>"


def group_of(errors: list[BaseException], where: str) -> BaseExceptionGroup[BaseException]:
    """Return the group that leaves a scope."""
    group = BaseExceptionGroup(Message(f"errors in {where}"), errors)
    group.__suppress_context__ = True
    return group


class Subscope:
    """A scope as an item of the scope around it."""

    __slots__ = ("background", "outer", "scope")

    def __init__(self, outer: Scope, scope: Scope, background: bool) -> None:
        self.outer = outer
        self.scope = scope
        self.background = background

    def stop(self) -> None:
        """Stop what is in it."""
        self.scope._stop(None)

    def hurry(self) -> None:
        """Pass on a second cancellation."""
        for item in list(self.scope._items):
            item.hurry()
        for task in list(self.scope._tasks):
            task.cancel()

    def finish(self) -> None:
        """Pass on what went wrong: everything in it has ended."""
        scope = self.scope
        scope._state = ENDED
        left = scope._outcome(None, False)
        scope._errors = []
        self.outer._leave(self, left)


def scope(
    *,
    timeout: float | None = None,
    name: str | None = None,
    loop_factory: LoopFactory | None = None,
) -> Scope:
    """Return a scope: what is started in its block ends with the block.

    For `async with` in a coroutine, or `with` where no loop runs.

    timeout: seconds until everything in it is stopped and TimeoutError is raised; None for never.
    name: for errors. loop_factory: for plain `with` only: what makes the loop; ninth's by default.
    Raises: TypeError and ValueError for a bad timeout. The block raises one flat ExceptionGroup
    with the errors of its body, its tasks and its callbacks; a bare TimeoutError for its timeout
    alone; KeyboardInterrupt and SystemExit bare; CancelledError when it was cancelled from outside.

        async with ninth.scope() as scope:
            scope.start(follow, command)
            scope.every(10, render, background=True)
    """
    return Scope(timeout=timeout, name=name, loop_factory=loop_factory)
