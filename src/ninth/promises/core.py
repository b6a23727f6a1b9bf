"""A promise without its public face: its state, its callbacks, and the resolution procedure.

A promise is *pending*, *fulfilled* with a value or *rejected* with a reason; the last two are
*settled*. While it is pending it has *reactions*, which are told when it is settled. What then()
returns is one of them: a promise keeps its own two callbacks until the promise that it is derived
from is settled, and then is due to call one. So a promise knows those derived from it, and never
the other way: what was settled is held by nobody but its users.

All that is due is called by the loop, one callback at a time, never from within another. So nothing
here recurses, however long the chain is, and the order is that of JavaScript: the loop's queue is
its queue of jobs. Each step of the specification that is a job there is one here.

A frame is not kept by what is raised through it: a traceback holds its frames, a frame its promise,
the promise its reason and that its traceback, which would be a cycle. So tracebacks begin where
ninth's own frames end, and `self` is let go of where a reason is raised. And a frame that a
traceback holds keeps the frames that called it: those are emptied as soon as they have ended.

Sources: Promises/A+ 1.1 (the numbers in comments); ECMA-262, "Promise Objects".
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ninth.promises.home import Guard, Home, check_thread, home_of, running_loop, scope_of_context
from ninth.promises.reactions import Waiter
from ninth.promises.resolving import Resolvers, foreign_loop, then_of
from ninth.promises.states import FULFILLED, PENDING, REJECTED, State
from ninth.scopes.callbacks import OWN_FILES, PACKAGE, Place, calling_frame, outcome_of
from ninth.scopes.registrations import context_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import CodeType, FrameType, TracebackType

    from ninth.promises.reactions import Reaction


# What is surely neither thenable nor awaitable, for speed.
PLAIN = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        bytearray,
        list,
        tuple,
        dict,
        set,
        frozenset,
    }
)


OURS_AND_THE_LOOPS = (PACKAGE, os.path.dirname(asyncio.__file__))
SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Core:
    """A promise: its state and its reactions. Thread-safe: no."""

    __slots__ = (
        "__weakref__",
        "_code",
        "_context",
        "_guard",
        "_handled",
        "_home",
        "_offset",
        "_on_fulfilled",
        "_on_rejected",
        "_pinned",
        "_reactions",
        "_state",
        "_traceback",
        "_value",
    )

    _value: Any
    _code: CodeType

    def _set_up(self, home: Home, pinned: bool) -> None:
        """Be a pending promise; instead of __init__(), which is the users'.

        pinned: belongs to its scope because that made it, and so does what is derived from it.
        """
        self._home = home
        self._pinned = pinned
        self._state = PENDING
        self._value = None
        # Of the reason, as it was when it came: each time it is raised it would grow.
        self._traceback: TracebackType | None = None
        # One, or several in their order.
        self._reactions: Reaction | dict[Reaction, None] | None = None
        # Whether somebody takes care of a rejection, and who watches over one otherwise.
        self._handled = False
        self._guard: Any = None
        # What a derived promise calls, and where.
        self._on_fulfilled: Callable[[Any], object] | None = None
        self._on_rejected: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None
        frame = calling_frame()
        self._code = frame.f_code
        self._offset = frame.f_lasti

    @property
    def _place(self) -> Place:
        # Made when it is asked for: most promises are never blamed, and one object more costs.
        return Place(self._code, self._offset)

    # Deriving

    def _then(self, on_fulfilled: object, on_rejected: object) -> Any:
        """Return a new promise for what comes of the callbacks (2.2)."""
        home = self._home
        loop = home.loop
        running = running_loop()
        if running is not loop:
            check_thread(loop, "then()")
            if loop.is_closed():
                message = (
                    f"then() was called on {self!r}, whose loop is closed, so nothing could call "
                    f"the callback: use it while its scope or its loop runs"
                )
                raise RuntimeError(message)
        context = contextvars.copy_context()
        if self._pinned:
            if home.scope is not None and scope_of_context() is not home.scope:
                context = context_in(home.scope)
        else:
            scope = scope_of_context()
            if scope is not None and scope is not home.scope and scope.loop is loop:
                home = home_of(scope)
        derived = type(self).__new__(type(self))
        derived._set_up(home, self._pinned)
        # 2.2.1: what is not callable is ignored.
        if callable(on_fulfilled):
            derived._on_fulfilled = on_fulfilled
        if callable(on_rejected):
            derived._on_rejected = on_rejected
        derived._context = context
        self._handle()
        self._subscribe(derived)
        return derived

    def _handle(self) -> None:
        """Take note that somebody takes care of a rejection."""
        self._handled = True
        if self._guard is not None:
            self._guard.disarm()
            self._guard = None

    def _subscribe(self, reaction: Reaction) -> None:
        """Tell a reaction when this is settled, at once if it is."""
        reactions = self._reactions
        if self._state is not PENDING:
            reaction._settled(self)
        elif reactions is None:
            self._reactions = reaction
        elif type(reactions) is dict:
            reactions[reaction] = None
        else:
            # 2.2.6: in the order of the calls to then().
            self._reactions = {reactions: None, reaction: None}  # type: ignore[dict-item]

    def _unsubscribe(self, reaction: Reaction) -> None:
        """Forget a reaction."""
        reactions = self._reactions
        if reactions is reaction:
            self._reactions = None
        elif type(reactions) is dict:
            reactions.pop(reaction, None)

    def _settled(self, source: Core) -> None:
        """Be due: what this is derived from, or adopts, is settled (2.2.4)."""
        self._home.post(self._react, source, self._context)

    def _react(self, source: Core) -> None:
        """Call the callback for the state of the source, or take the state over.

        The only place where callbacks of promises run.
        """
        home = self._home
        fulfilled = source._state is FULFILLED
        callback = self._on_fulfilled if fulfilled else self._on_rejected
        value = source._value
        try:
            if callback is not None:
                self._on_fulfilled = self._on_rejected = self._context = None
                if home.is_open():
                    if not fulfilled:
                        value.__traceback__ = source._traceback
                    self._call(callback, value)
                    return
                if fulfilled:
                    self._refuse()
                    return
            # 2.2.7.3 and 4; a rejection whose handler cannot run any more goes on to be reported.
            self._on_fulfilled = self._on_rejected = self._context = None
            self._settle(source._state, value, source._traceback)
        finally:
            home.finish()

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        """Be resolved with what a callback returns, or rejected with what it raises (2.2.7)."""
        try:
            value = callback(*args)
        except BaseException as error:
            self._reject_raised(error)
        else:
            self._resolve(value)

    def _refuse(self) -> None:
        """Be rejected, because a callback cannot run any more; it is nobody's fault."""
        self._handle()
        self._settle(REJECTED, self._home.ended_error(self._place), None)

    # Resolving

    def _resolve(self, value: Any) -> None:
        """Be fulfilled with a value, or adopt it: the promise resolution procedure (2.3).

        To be called once; see Resolvers.
        """
        kind = type(value)
        if kind in PLAIN:
            self._settle(FULFILLED, value, None)
        elif value is self:
            message = f"{self!r} was resolved with itself, and would wait for itself for ever"
            self._settle(REJECTED, TypeError(message), None)
        elif isinstance(value, Core):
            if value._state is PENDING and value._home.loop is not self._home.loop:
                self._settle(REJECTED, foreign_loop(value), None)
            else:
                value._handle()
                self._home.post(self._adopt, value, None)
        elif kind is CoroutineType:
            self._run(value, False, None)
        else:
            self._resolve_other(value)

    def _adopt(self, other: Core) -> None:
        """Take over the state of another promise once it is settled (2.3.2)."""
        try:
            other._subscribe(self)
        finally:
            self._home.finish()

    def _resolve_other(self, value: Any) -> None:
        """Look whether a value is thenable, or awaitable, or neither."""
        try:
            then = then_of(value)
        except Exception as error:
            # 2.3.3.2
            self._reject_raised(error)
            return
        if then is not None:
            # 2.3.3.3
            self._home.post(self._call_then, then, None)
        elif asyncio.isfuture(value):
            if value.get_loop() is not self._home.loop:
                self._settle(REJECTED, foreign_loop(value), None)
            else:
                self._follow(value)
        elif inspect.isawaitable(value):
            self._run(value, False, None)
        else:
            # 2.3.3.4 and 2.3.4
            self._settle(FULFILLED, value, None)

    def _call_then(self, then: Callable[..., object]) -> None:
        """Let a foreign thenable settle this."""
        try:
            if not self._home.is_open():
                self._refuse()
                return
            resolvers = Resolvers(self)
            try:
                then(resolvers.resolve, resolvers.adopt_reason)
            except BaseException as error:
                # 2.3.3.3.4: ignored once one of both was called.
                if resolvers.take() is not None or isinstance(
                    error, KeyboardInterrupt | SystemExit
                ):
                    self._reject_raised(error)
        finally:
            self._home.finish()

    def _follow(self, future: asyncio.Future[Any]) -> None:
        """Take over the outcome of a future; a task of the scope still holds that then."""
        scope: Any = self._home.scope
        if scope is not None and scope._tasks.get(future) is False:
            self._home.jobs += 1
            if self._home.jobs == 1:
                scope._enter(self._home)
            future.add_done_callback(self._held_done)
        else:
            future.add_done_callback(self._future_done)

    def _held_done(self, future: asyncio.Future[Any]) -> None:
        try:
            self._future_done(future)
        finally:
            self._home.finish()

    def _future_done(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            try:
                future.result()
            except asyncio.CancelledError as error:
                self._reject_raised(error)
            return
        reason = future.exception()
        if reason is None:
            self._resolve(future.result())
        else:
            self._settle(REJECTED, reason, reason.__traceback__)

    def _run(self, awaitable: Any, background: bool, context: contextvars.Context | None) -> None:
        """Take over the outcome of an awaitable, which runs as a task where this belongs."""
        home = self._home
        coroutine = awaitable if asyncio.iscoroutine(awaitable) else outcome_of(awaitable)
        if not home.is_open():
            coroutine.close()
            self._refuse()
            return
        try:
            home.start(coroutine, background, context, self._task_done)
        except BaseException as error:
            coroutine.close()
            self._reject_raised(error)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        """Take over the outcome of our own task, and let the scope go."""
        scope = self._home.scope
        try:
            if task.cancelled() or not isinstance(task.exception(), KeyboardInterrupt | SystemExit):
                self._future_done(task)
            else:
                reason: Any = task.exception()
                self._handle()
                self._settle(REJECTED, reason, reason.__traceback__)
                if scope is not None:
                    scope._fail(reason)
        finally:
            if scope is not None:
                scope._forget_task(task)

    def _reject_raised(self, error: BaseException) -> None:
        """Be rejected with what was raised through our own frames."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename in OWN_FILES:
            trace = trace.tb_next
        error.__traceback__ = trace
        if isinstance(error, KeyboardInterrupt | SystemExit):
            # Not for handlers: it ends the scope, or the loop.
            self._handle()
            self._settle(REJECTED, error, trace)
            if self._home.scope is None:
                raise error
            self._home.scope._fail(error)
        else:
            if trace is not None and not self._home.loop.is_closed():
                self._home.loop.call_soon(empty_callers, trace.tb_frame)
            self._settle(REJECTED, error, trace)

    def _settle(self, state: State, value: Any, traceback: TracebackType | None) -> None:
        """Be settled, for good (2.1)."""
        self._state = state
        self._value = value
        if state is REJECTED:
            self._traceback = traceback
            if not self._handled and not isinstance(value, asyncio.CancelledError):
                self._watch()
        reactions = self._reactions
        if reactions is not None:
            self._reactions = None
            if type(reactions) is dict:
                for reaction in reactions:
                    reaction._settled(self)
            else:
                reactions._settled(self)  # type: ignore[union-attr]

    def _watch(self) -> None:
        """Have a rejection reported if nobody handles it."""
        self._guard = Guard(self._home, self._value, self._place)

    # Waiting

    def _wait(self) -> Generator[Any, None, Any]:
        """Wait until this is settled, then return its value or raise its reason."""
        if self._state is PENDING:
            loop = asyncio.get_running_loop()
            if loop is not self._home.loop:
                raise foreign_loop(self)
            waiter = Waiter(loop.create_future())
            was_handled = self._handled
            self._handled = True
            self._subscribe(waiter)
            try:
                yield from waiter.future
            except BaseException:
                # Cancelled: this task does not take care of it after all.
                self._unsubscribe(waiter)
                self._neglect(was_handled)
                raise
        try:
            return self._outcome()
        finally:
            self = None  # type: ignore[assignment]  # noqa: PLW0642

    def _neglect(self, was_handled: bool) -> None:
        """Take back that a rejection is handled, if nobody else does."""
        if was_handled:
            return
        reactions = self._reactions
        if reactions is None or (type(reactions) is dict and not reactions):
            self._handled = False
            if self._state is REJECTED and not isinstance(self._value, asyncio.CancelledError):
                self._watch()

    def _outcome(self) -> Any:
        """Return the value or raise the reason of a settled promise."""
        if self._state is FULFILLED:
            return self._value
        self._handle()
        reason, traceback = self._value, self._traceback
        try:
            raise reason.with_traceback(traceback)
        finally:
            del reason, traceback, self


def empty_callers(frame: FrameType) -> None:
    """Empty the frames from which the loop and we called what raised, and which have ended.

    Those of users, and of coroutines, are left alone.
    """
    caller = frame.f_back
    while caller is not None:
        code = caller.f_code
        if code.co_flags & SUSPENDABLE or not code.co_filename.startswith(OURS_AND_THE_LOOPS):
            return
        try:
            caller.clear()
        except RuntimeError:
            # From here on they are still running.
            return
        caller = caller.f_back
