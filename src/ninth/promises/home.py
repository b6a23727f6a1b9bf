"""Where a promise belongs: a scope, or a loop alone.

A home runs the callbacks of its promises, through the loop and in the order in which they became
due, and takes the rejections that nobody handles. A scope is held open by callbacks that are due,
not by promises that are pending.

A rejected promise without a handler has a Guard. When the promise is collected, its guard is
too, and reports; when the scope is about to end, it asks for the guards that are left. Collection
may happen anywhere, in the midst of the scope's own work and in any thread, so it only takes note,
and wakes up the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Any

from ninth.scopes import callbacks
from ninth.scopes.callbacks import Place
from ninth.scopes.current import innermost
from ninth.scopes.owner import ENDED, NEW

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable, Coroutine

    from ninth.scope import Scope

# Tasks without a scope; the loop itself has but a weak reference to them.
_tasks: set[asyncio.Task[Any]] = set()


class Home:
    """A scope, or a loop alone, as the place of promises; an item of the scope while it has jobs.

    loop: runs the callbacks. scope: None without one, and once it has ended.
    Thread-safe: no, but for what guards call.
    """

    __slots__ = ("__weakref__", "background", "guards", "jobs", "loop", "lost", "scope")

    def __init__(self, loop: asyncio.AbstractEventLoop, scope: Scope | None) -> None:
        self.loop = loop
        self.scope = scope
        self.background = False
        # Callbacks that are due.
        self.jobs = 0
        # By their ids, in the order of the rejections.
        self.guards: dict[int, weakref.ref[Guard]] = {}
        # Reasons of promises that were collected, not reported yet.
        self.lost: list[BaseException] = []

    def post(
        self, job: Callable[..., object], argument: object, context: contextvars.Context | None
    ) -> None:
        """Have the loop call job(argument), which calls finish() at its end."""
        try:
            self.loop.call_soon(job, argument, context=context)
        except RuntimeError:
            if self.loop.is_closed():
                # Nobody is left who could care.
                return
            raise
        self.jobs += 1
        if self.jobs == 1 and self.scope is not None:
            self.scope._enter(self)

    def finish(self) -> None:
        """Take note that a job is done."""
        self.jobs -= 1
        if not self.jobs and self.scope is not None:
            self.scope._leave(self)

    def is_open(self) -> bool:
        """Return whether callbacks may run: not in a scope that is being stopped, or has ended."""
        scope = self.scope
        return scope is None or scope._takes_more()

    def start(
        self,
        coroutine: Coroutine[Any, Any, Any],
        background: bool,
        context: contextvars.Context | None,
        done: Callable[[asyncio.Task[Any]], object],
    ) -> None:
        """Run a coroutine as a task, which calls done(task), and nobody else, at its end."""
        if self.scope is not None:
            self.scope._add_task(coroutine, None, background, context, done)
            return
        task = self.loop.create_task(coroutine)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        task.add_done_callback(done)

    def ended_error(self, place: Place) -> RuntimeError:
        """Return the reason of a promise whose callback cannot run any more."""
        scope = self.scope
        message = f"the callback registered at {place} was not called: "
        if scope is None:
            message += "the scope of its promise has ended; await the promise before"
        else:
            message += f"{scope._describe()} {verb(scope)}; await the promise before"
        return RuntimeError(message)

    # What a scope asks of what it owns.

    def stop(self) -> None:
        """Do nothing: what is due runs, and sees that callbacks do not run any more."""

    hurry = stop

    def rejections(self) -> list[BaseException]:
        """Return the reasons that nobody handled so far: the scope is about to end."""
        reasons = self.lost
        self.lost = []
        guards, self.guards = self.guards, {}
        for reference in guards.values():
            guard = reference()
            if guard is not None and guard.armed:
                guard.armed = False
                callbacks.blame(guard.reason, guard.place)
                reasons.append(guard.reason)
        return reasons

    def close(self) -> None:
        """Let go of the scope: it has ended."""
        self.scope = None

    def report(self, guard: Guard) -> None:
        """Take a rejection whose promise was collected; from any thread."""
        callbacks.blame(guard.reason, guard.place)
        if self.scope is None:
            where = "at" if guard.place.code.co_name == "<module>" else "by"
            context = {
                "message": (
                    f"Unhandled rejection of a promise that was registered {where} {guard.place}"
                ),
                "exception": guard.reason,
            }
            self.loop.call_exception_handler(context)
            return
        self.lost.append(guard.reason)
        # A loop that is closed reports nothing, and its scope is over.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.fail)

    def fail(self) -> None:
        """Stop the scope with what was lost."""
        if self.scope is not None:
            reasons, self.lost = self.lost, []
            for reason in reasons:
                self.scope._fail(reason)


class Guard:
    """Watches over a rejection that nobody has handled so far."""

    __slots__ = ("__weakref__", "armed", "home", "place", "reason")

    def __init__(self, home: Home, reason: BaseException, place: Place) -> None:
        self.armed = True
        self.home = home
        self.reason = reason
        self.place = place
        home.guards[id(self)] = weakref.ref(self)

    def disarm(self) -> None:
        """Be silent: somebody handles it."""
        self.armed = False
        self.home.guards.pop(id(self), None)

    def __del__(self) -> None:
        """Report: the promise was collected."""
        if self.armed:
            self.disarm()
            self.home.report(self)


def verb(scope: Scope) -> str:
    """Return what a scope that takes nothing more is doing."""
    return f"{'has' if scope._state is ENDED or scope._state is NEW else 'is'} {scope._state.value}"


# A home holds its loop, so the loop may be the key: both go when the last promise goes.
_homes: weakref.WeakValueDictionary[asyncio.AbstractEventLoop, Home] = weakref.WeakValueDictionary()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def home_of(scope: Scope) -> Home:
    """Return the home that a scope is."""
    home = scope._promises
    if home is None:
        home = scope._promises = Home(scope.loop, scope)
    return home


def scope_of_context() -> Scope | None:
    """Return the innermost scope, None if there is none or it has ended."""
    scope: Any = innermost.get()
    return None if scope is None or scope._state is ENDED or scope._complete else scope


def home_of_context() -> Home:
    """Return where a promise that is made here belongs.

    Raises: RuntimeError without a scope and a running loop, and in another thread than the scope's.
    """
    loop = running_loop()
    scope = scope_of_context()
    if scope is not None:
        if loop is scope.loop:
            return home_of(scope)
        if loop is None:
            check_thread(scope.loop, "Promise()")
            return home_of(scope)
    if loop is None:
        message = (
            "a promise was made without a scope and outside a running loop, so nothing could run "
            "its callbacks: make it inside `with ninth.scope()`, or in a coroutine or a callback"
        )
        raise RuntimeError(message)
    home = _homes.get(loop)
    if home is None:
        home = _homes[loop] = Home(loop, None)
    return home


def check_thread(loop: asyncio.AbstractEventLoop, function: str) -> None:
    """Refuse a call from another thread than the loop's.

    Raises: RuntimeError.
    """
    if running_loop() is not loop and loop.is_running():
        message = (
            f"{function} was called in another thread than that of the promise's loop: write "
            f"ninth.from_thread(function, *args, loop=loop), which calls it in the loop"
        )
        raise RuntimeError(message)
