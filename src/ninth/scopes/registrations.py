"""Callbacks that a scope owns: what registers them, pauses them, and calls them.

A registration is a plain object. It is told by the loop that its event has come, calls the callback
itself, and treats what comes of it: an exception stops the scope; STOP ends the registration; a
coroutine, or whatever else can be awaited, runs as a task of the scope, and until it is done the
registration hears of no event, or keeps those that would be lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ninth.scopes import callbacks
from ninth.scopes.callbacks import STOP
from ninth.scopes.current import innermost
from ninth.waiting import files, watchers
from ninth.waiting.fanout import listen
from ninth.waiting.watchers import READ, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ninth.errors import FileClosedError
    from ninth.scope import Scope


class Registration:
    """A callback that a scope owns, as on_readable() and its kind return it.

    done: whether the callback will not be called again, and no coroutine of it is running.
    background: whether it does not keep the scope open.
    `await registration` waits until it is done. Thread-safe: no.

    Example:
        async with ninth.scope() as scope:
            ticking = scope.every(60, print, "tick")
            print(ticking.done)  # -> False
            ticking.cancel()
            await ticking
            print(ticking.done)  # -> True
    """

    __slots__ = (
        "__weakref__",
        "_active",
        "_args",
        "_callback",
        "_context",
        "_futures",
        "_place",
        "_scope",
        "_task",
        "background",
    )

    def __init__(
        self,
        scope: Scope,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
    ) -> None:
        self._scope = scope
        self._callback = callback
        self._args = args
        self.background = background
        self._place = callbacks.caller()
        self._context = context_in(scope)
        self._active = True
        self._task: asyncio.Task[Any] | None = None
        self._futures: list[asyncio.Future[None]] | None = None

    @property
    def done(self) -> bool:
        """Whether the callback will not be called again, and no coroutine of it is running."""
        return not self._active and self._task is None

    def cancel(self) -> None:
        """Do not call the callback again; a coroutine of it that runs is left alone. Idempotent."""
        if self._active:
            self._active = False
            try:
                self._unregister()
            finally:
                if self._task is None:
                    self._end()

    # What a scope asks of what it owns.
    stop = cancel

    def hurry(self) -> None:
        """Do nothing: stopping takes no time."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until it is done."""
        if not self.done:
            future: asyncio.Future[None] = self._scope.loop.create_future()
            if self._futures is None:
                self._futures = []
            self._futures.append(future)
            yield from future

    def __repr__(self) -> str:
        state = "done" if self.done else "running" if self._task is not None else "waiting"
        return f"<{type(self).__name__} of {callbacks.name_of(self._callback)} {state}>"

    # Kinds of registrations say these.

    def _begin(self) -> None:
        """Wait for the event. Raises: what is wrong with it, before anything has changed."""
        raise NotImplementedError

    def _unregister(self) -> None:
        """Let go of the event, for good."""
        raise NotImplementedError

    def _pause(self) -> None:
        """Let go of the event while a coroutine runs."""

    def _resume(self) -> None:
        """Wait for the event again."""

    def _call(self, *values: Any) -> None:
        """Call the callback; the only place where callbacks of scopes run."""
        if not self._active:
            return
        try:
            result = self._callback(*values, *self._args)
            if result is not None:
                self._returned(result)
        except BaseException as error:
            self._failed(error)

    def _returned(self, result: object) -> None:
        if result is STOP:
            self.cancel()
        elif type(result) is CoroutineType or inspect.isawaitable(result):
            if not self._active or not self._scope._takes_more():
                # The callback itself ended the scope, or this registration, and has returned.
                callbacks.decline(result)
                return
            if not asyncio.iscoroutine(result):
                result = callbacks.outcome_of(result)
            # The task gets a copy of this context, in which we are.
            task = self._scope._add_task(result, None, self.background, None, self._task_done)
            self._task = task
            if self._active:
                self._pause()

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        """Take note that the coroutine is done."""
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            callbacks.blame(error, self._place)
        elif self._active:
            if not task.cancelled() and task.result() is STOP:
                self.cancel()
            else:
                self._resume()
        if self.done:
            self._end()
        self._scope._task_done(task)

    def _failed(self, error: BaseException) -> None:
        """End, and stop the scope with what the callback raised."""
        error.__traceback__ = callbacks.without_own(error.__traceback__)
        callbacks.blame(error, self._place)
        self._scope._fail(error)
        self.cancel()

    def _end(self) -> None:
        """Tell those who wait, and the scope, that this is done."""
        if self._futures is not None:
            for future in self._futures:
                if not future.done():
                    future.set_result(None)
            self._futures = None
        self._scope._leave(self)


def context_in(scope: Scope) -> contextvars.Context:
    """Return a copy of the context, in which a scope is the innermost."""
    context = contextvars.copy_context()
    if innermost.get() is not scope:
        context.run(innermost.set, scope)
    return context


class FileWatch(Watcher):
    """Tells a registration that its file is ready."""

    __slots__ = ("owner",)

    owner: FileRegistration

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Call the callback, or see to it that it is called in the step for callbacks."""
        if self.is_open():
            self.owner._ready()
        return False

    def on_closed(self, error: FileClosedError) -> None:
        """End the registration."""
        self.owner._closed(error)


class FileRegistration(Registration):
    """A callback for a file that is ready: on_readable and on_writable."""

    __slots__ = ("_hidden", "_soon", "_table", "_watch")

    def __init__(
        self,
        scope: Scope,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
        file: Any,
        interest: int,
        method: str,
    ) -> None:
        watch = FileWatch()
        watch.file = file
        watch.fd = files.descriptor(file, method)
        watch.interest = interest
        watch.function = method
        watch.owner = self
        super().__init__(scope, callback, args, background)
        self._watch = watch
        self._table = watch.table = watchers.table_of(scope.loop)
        self._hidden = interest == READ and files.can_hold_data(file)
        # The call that is under way, where the event itself may not make it.
        self._soon: asyncio.Handle | None = None

    def _begin(self) -> None:
        self._table.add(self._watch)
        if self._hidden:
            self._look()

    def _ready(self) -> None:
        """Call the callback in its context, when its turn comes."""
        if self._soon is None:
            if self._table.direct:
                self._call_soon()
            else:
                self._context.run(self._event)

    def _call_soon(self) -> None:
        self._soon = self._scope.loop.call_soon(self._event, context=self._context)

    def _event(self) -> None:
        self._soon = None
        self._call()
        if self._hidden:
            self._look()

    def _look(self) -> None:
        """Call again if the file holds data that its descriptor does not show."""
        if self._active and self._task is None and self._soon is None:
            watch = self._watch
            try:
                held = files.holds_data(watch.file, watch.fd)
            except ValueError:
                # Closed by the callback itself.
                self._closed(files.closed(watch.file, "on_readable"))
            except BaseException as error:
                self._failed(error)
            else:
                if held:
                    self._call_soon()

    def _closed(self, _error: FileClosedError) -> None:
        self.cancel()

    def _unregister(self) -> None:
        self._pause()

    def _pause(self) -> None:
        self._table.remove(self._watch)
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _resume(self) -> None:
        if not files.is_same(self._watch.file, self._watch.fd):
            # The number may be another file's by now.
            self._closed(files.closed(self._watch.file, "on_readable"))
            return
        try:
            self._again()
        except OSError as error:
            self._failed(error)

    def _again(self) -> None:
        """Wait for the event once more."""
        self._begin()


class TimerRegistration(Registration):
    """A callback for a time: after and every.

    seconds: from now, and, if it repeats, between the times at which the calls are due.
    """

    __slots__ = ("_count", "_handle", "_repeats", "_seconds", "_start")

    def __init__(
        self,
        scope: Scope,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
        seconds: float,
        repeats: bool,
    ) -> None:
        super().__init__(scope, callback, args, background)
        self._seconds = seconds
        self._repeats = repeats
        self._start = scope.loop.time()
        self._count = 0
        self._handle: asyncio.Handle | None = None

    def _begin(self) -> None:
        """Set the timer for the next call, which is counted from the start: it cannot drift."""
        self._count += 1
        when = self._start + self._count * self._seconds
        if when == float("inf"):
            return
        self._handle = self._scope.loop.call_at(when, self._due, context=self._context)

    def _resume(self) -> None:
        if self._repeats:
            self._begin()

    def _due(self) -> None:
        self._handle = None
        if self._repeats:
            self._call()
            if self._active and self._task is None:
                self._resume()
        else:
            self._call()
            # A coroutine that it became keeps it going, until it is done.
            self.cancel()

    def _unregister(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class SignalRegistration(Registration):
    """A callback for a signal; one that comes while a coroutine of it runs is kept."""

    __slots__ = ("_kept", "_listener", "_signum")

    def __init__(
        self,
        scope: Scope,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
        signum: int,
    ) -> None:
        super().__init__(scope, callback, args, background)
        self._signum = signum
        self._kept = False

    def _begin(self) -> None:
        self._listener = listen(self._scope.loop, self._signum, self._arrived)

    def _arrived(self, _signum: int) -> None:
        if self._task is not None:
            self._kept = True
        else:
            self._context.run(self._call)

    def _resume(self) -> None:
        if self._kept:
            self._kept = False
            self._scope.loop.call_soon(self._call, context=self._context)

    def _unregister(self) -> None:
        self._listener.cancel()


class ExitRegistration(Registration):
    """A callback for the end of a child."""

    __slots__ = ("_child", "_watch")

    def __init__(
        self,
        scope: Scope,
        callback: Callable[..., object],
        background: bool,
        child: Any,
    ) -> None:
        super().__init__(scope, callback, (), background)
        self._child = child

    def _begin(self) -> None:
        from ninth.children.exits import watch_exit  # noqa: PLC0415

        self._watch = watch_exit(self._scope.loop, self._child, self._ended)

    def _ended(self, returncode: int | None) -> None:
        self._context.run(self._call, returncode)
        self.cancel()

    def _unregister(self) -> None:
        self._watch.cancel()
