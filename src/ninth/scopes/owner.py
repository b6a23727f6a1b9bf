"""What a scope owns, and when it ends: the machine behind scopes.

An owner has *items* (registrations, children, scopes within it) and *tasks*, and counts those that
hold it open; the body of a block is one more that holds. It goes through these states, in this
order only:

    NEW       made, not entered
    OPEN      the body runs; things may be started
    LEAVING   the body is over; what holds goes on, and may start more
    STOPPING  nothing may be started; items were told to stop, tasks were cancelled
    ENDED     nothing of it exists

OPEN and LEAVING end in STOPPING when an error is recorded, the timeout is over, cancel() is called
or the task is cancelled; LEAVING also when the last that holds has ended, then without an error.
STOPPING ends when the last item and the last task are gone: the owner is then *complete*.

Nothing here waits: all of it is driven by callbacks. Who waits for the end is in block.py.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any, Protocol

from ninth.numbers import seconds_of

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable, Coroutine

    from ninth.promises.home import Home


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


class Owner:
    """The items and tasks of a scope, and its state. Thread-safe: no."""

    __slots__ = (
        "__weakref__",
        "_complete",
        "_errors",
        "_expired",
        "_fatal",
        "_future",
        "_holding",
        "_host",
        "_in_body",
        "_items",
        "_on_end",
        "_promises",
        "_requested",
        "_saw_reason",
        "_starting",
        "_state",
        "_tasks",
        "_timeout",
        "_timer",
        "cancelled",
        "loop",
        "name",
        "reason",
    )

    loop: asyncio.AbstractEventLoop

    def __init__(self, timeout: float | None, name: str | None) -> None:
        self._timeout = None if timeout is None else seconds_of(timeout, "scope")
        self.name = name
        self.cancelled = False
        self.reason: object = None
        # Whether the reason is an exception that came to us, and not what cancel() was given.
        self._saw_reason = False
        self._state = NEW
        self._items: set[Item] = set()
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        self._holding = 1
        self._errors: list[BaseException] = []
        self._fatal: BaseException | None = None
        self._expired = False
        self._complete = False
        # Tasks that are just being made.
        self._starting = 0
        # The task that runs the body, whether it does now, and whether we have cancelled it.
        self._host: asyncio.Task[Any] | None = None
        self._in_body = False
        self._requested = False
        self._timer: asyncio.TimerHandle | None = None
        # Its promises, once there are any.
        self._promises: Home | None = None
        # Who waits for the end: a coroutine, or a scope around this one.
        self._future: asyncio.Future[None] | None = None
        self._on_end: Callable[[], object] | None = None

    # What happens to it

    def _start_timer(self) -> None:
        if self._timeout is not None and self._timeout != float("inf"):
            self._timer = self.loop.call_later(self._timeout, self._expire)

    def _expire(self) -> None:
        """Stop: the timeout is over."""
        self._timer = None
        if self._state is OPEN or self._state is LEAVING:
            self._expired = True
            self._stop(TimeoutError(f"longer than {self._timeout} seconds"), seen=True)

    def _fail(self, error: BaseException) -> None:
        """Record an error, and stop."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            if self._fatal is None:
                self._fatal = error
        elif isinstance(error, BaseExceptionGroup) and isinstance(error.message, Message):
            self._errors.extend(one for one in error.exceptions if one not in self._errors)
            error = error.exceptions[0]
        elif not any(error is one for one in self._errors):
            self._errors.append(error)
        self._stop(error, seen=True)

    def _stop(self, reason: object, *, early: bool = True, seen: bool = False) -> None:
        """Stop everything: from now on nothing is started.

        early: before the contents have ended by themselves. seen: the reason is an exception that
        came to us.
        """
        if self._state is STOPPING or self._state is ENDED:
            return
        self._state = STOPPING
        if early:
            self.cancelled = True
            self.reason = reason
            self._saw_reason = seen
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
        if self._promises is not None:
            self._take_rejections(self._promises)
        if self._state is LEAVING and self._holding == 0:
            self._stop(None, early=False)
        elif self._state is STOPPING and not self._items and not self._tasks:
            self._complete = True
            if self._future is not None and not self._future.done():
                self._future.set_result(None)
            if self._on_end is not None and not self._holding:
                self._on_end()

    def _take_rejections(self, promises: Home) -> None:
        """Fail with the rejections that nobody handled, if this is about to end."""
        if (
            self._holding == 0
            if self._state is LEAVING
            else self._state is STOPPING and not self._items and not self._tasks
        ):
            # All of them, before anything comes of the first.
            self._starting += 1
            try:
                for error in promises.rejections():
                    self._fail(error)
            finally:
                self._starting -= 1

    def _release_body(self) -> None:
        """Let go of the body's hold: it is over."""
        self._holding -= 1
        if self._state is OPEN:
            self._state = LEAVING
        self._settle()

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

    def _forget_errors(self) -> None:
        """Let go of all exceptions: they have left, and whoever caught them has them.

        Their tracebacks hold frames that nearly always know this scope, so that holding one would
        keep it, and all that the failing code knew, until the next collection.
        """
        self._errors = []
        self._fatal = None
        if self._saw_reason and isinstance(self.reason, BaseException):
            self.reason = bare(self.reason)

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
        """Let an item hold the scope open no longer, as if it were in the background."""
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
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._fail(error)
        self._forget_task(task)

    def _forget_task(self, task: asyncio.Task[Any]) -> None:
        """Let go of a task that has ended."""
        if not self._tasks.pop(task):
            self._holding -= 1
        if self._state is not OPEN:
            self._settle()

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
            why = "its contents have ended"
            if self.cancelled:
                why = "cancel() was called" if self.reason is None else repr(self.reason)
            cure = f"nothing can be started in it any more ({why})"
        else:
            cure = "use it inside its block, or make a new one"
        verb = "is" if state is STOPPING else "has"
        message = f"{method}() was called on {self._describe()}, which {verb} {state.value}: {cure}"
        raise RuntimeError(message)

    def _describe(self) -> str:
        return "a scope" if self.name is None else f"scope {self.name!r}"

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        contents = f"{len(self._tasks)} tasks, {len(self._items)} others"
        return f"<Scope{name} {self._state.name.lower()}: {contents}>"


def bare(error: BaseException) -> BaseException:
    """Return a likeness of an exception that knows no traceback, cause or context.

    The exception itself where none can be made.
    """
    kind: Any = type(error)
    likeness: BaseException
    try:
        if isinstance(error, BaseExceptionGroup):
            likeness = error.derive([bare(one) for one in error.exceptions])
        else:
            likeness = kind.__new__(kind, *error.args)
            likeness.args = error.args
        vars(likeness).update(vars(error))
    except Exception:
        # Its class makes its objects in a way of its own.
        return error
    return likeness


def group_of(errors: list[BaseException], where: str) -> BaseExceptionGroup[BaseException]:
    """Return the group that leaves a scope."""
    group = BaseExceptionGroup(Message(f"errors in {where}"), errors)
    group.__suppress_context__ = True
    return group
