"""Promises: what comes later, as a value that callbacks can be chained to; see promises/core.py."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from ninth.promises.combinators import (
    All,
    AllSettled,
    Any_,
    Collector,
    Fulfilled,
    Race,
    Rejected,
)
from ninth.promises.core import Core
from ninth.promises.home import Home, home_of_context
from ninth.promises.reactions import DoneCallback
from ninth.promises.resolving import Resolvers, check_reason
from ninth.promises.states import FULFILLED, PENDING, REJECTED

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Generator, Iterable

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

__all__ = ["Fulfilled", "Promise", "Rejected"]


class Thenable(Protocol):
    """What a promise adopts, whoever made it: then(resolve, reject) calls one of the two."""

    @property
    def then(self) -> Callable[..., object]:
        """What is called with the two functions."""


class Promise(Core, Generic[T]):
    """A value that comes later, or the exception that came instead, as in JavaScript.

    Promise(awaitable): for the outcome of a coroutine, which runs as a task, or of a task or a
    future. For a value there is Promise.resolve(), for callbacks Promise.with_resolvers().

    Promises/A+ and ECMAScript in all but two: a reason is an exception (else TypeError), and the
    constructor takes no function. Callbacks are called by the loop, never within resolve(), and may
    be coroutine functions. Awaiting a promise gives its value or raises its reason; cancelling the
    task that awaits does not reject it.

    It belongs to the scope that made it (scope.promise()), or the innermost scope, else to the
    running loop; and what then() returns belongs to the scope of a scope.promise(), or the
    innermost, or that of its promise. Pending, it does not hold the scope open; callbacks that are
    due and coroutines do. A rejection that nobody handles fails the scope, when the promise is
    collected or the scope is about to end; without a scope it goes to the loop's exception handler.
    A cancelled coroutine rejects with CancelledError, which is never reported, as with a task. In a
    scope that is being stopped or has ended callbacks are not called: a promise that waits for one
    is rejected with RuntimeError, a rejection passes it by.

    Raises: TypeError for what cannot be awaited; RuntimeError without a scope and a running loop,
    and for a coroutine in a scope that is being stopped. Thread-safe: no; from another thread write
    ninth.from_thread(resolve, value, loop=loop).

    Example:
        async with ninth.scope():
            promise = ninth.Promise(asyncio.sleep(0.01, 6)).then(lambda six: six * 7)
            print(await promise)  # -> 42
    """

    __slots__ = ()

    def __init__(self, awaitable: Awaitable[T]) -> None:
        check_awaitable(awaitable, "Promise()")
        try:
            home = home_of_context()
            self._begin(home, awaitable, False, False)
        except BaseException:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise

    def _begin(self, home: Home, awaitable: Any, pinned: bool, background: bool) -> None:
        self._set_up(home, pinned)
        if asyncio.isfuture(awaitable) or isinstance(awaitable, Core):
            self._resolve(awaitable)
            return
        if home.scope is not None:
            home.scope._require_open("promise")
        self._run(awaitable, background, None)

    @classmethod
    def _pending(cls) -> Promise[Any]:
        """Return a pending promise."""
        promise = cls.__new__(cls)
        promise._set_up(home_of_context(), False)
        return promise

    @overload
    def then(
        self, on_fulfilled: Callable[[T], Awaitable[U]], on_rejected: None = None, /
    ) -> Promise[U]: ...
    @overload
    def then(self, on_fulfilled: Callable[[T], U], on_rejected: None = None, /) -> Promise[U]: ...
    @overload
    def then(
        self,
        on_fulfilled: Callable[[T], Awaitable[U]],
        on_rejected: Callable[[Any], Awaitable[V]],
        /,
    ) -> Promise[U | V]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[T], Awaitable[U]], on_rejected: Callable[[Any], V], /
    ) -> Promise[U | V]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[T], U], on_rejected: Callable[[Any], Awaitable[V]], /
    ) -> Promise[U | V]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[T], U], on_rejected: Callable[[Any], V], /
    ) -> Promise[U | V]: ...
    @overload
    def then(
        self, on_fulfilled: None, on_rejected: Callable[[Any], Awaitable[V]], /
    ) -> Promise[T | V]: ...
    @overload
    def then(self, on_fulfilled: None, on_rejected: Callable[[Any], V], /) -> Promise[T | V]: ...
    @overload
    def then(self, on_fulfilled: None = None, on_rejected: None = None, /) -> Promise[T]: ...
    @overload
    def then(self, on_fulfilled: Any = None, on_rejected: Any = None) -> Promise[Any]: ...
    def then(self, on_fulfilled: Any = None, on_rejected: Any = None) -> Promise[Any]:
        """Call one of two callbacks once this is settled: with its value, or with its reason.

        What is not callable is ignored.
        Returns: a promise for what the callback returns, which it adopts if that is a promise, a
        thenable or awaitable, and which is rejected with what it raises; without a callback for the
        case, it is settled as this one. Raises: RuntimeError when the loop is closed, or is another
        thread's.

        Example:
            async with ninth.scope():
                promise = ninth.Promise.resolve(6).then(lambda six: six * 7, print)
                print(await promise)  # -> 42
        """
        promise: Promise[Any] = self._then(on_fulfilled, on_rejected)
        return promise

    @overload
    def catch(self, on_rejected: Callable[[Any], Awaitable[V]]) -> Promise[T | V]: ...
    @overload
    def catch(self, on_rejected: Callable[[Any], V]) -> Promise[T | V]: ...
    @overload
    def catch(self, on_rejected: None = None) -> Promise[T]: ...
    def catch(self, on_rejected: Any = None) -> Promise[Any]:
        """Call a callback with the reason if this is rejected: then(None, on_rejected).

        Example:
            async with ninth.scope():
                failed = ninth.Promise.reject(ValueError("no"))
                print(await failed.catch(lambda reason: f"caught: {reason}"))  # -> caught: no
        """
        return self.then(None, on_rejected)

    def finally_(self, on_finally: Callable[[], object] | None = None) -> Promise[T]:
        """Call a callback without arguments once this is settled.

        Returns: a promise settled as this one, once what the callback returned is; if the callback
        raises, or returns what gets rejected, it is rejected with that.

        Example:
            async with ninth.scope():
                promise = ninth.Promise.resolve(6).finally_(lambda: print("cleaned up"))
                print(await promise)
            # -> cleaned up
            # -> 6
        """
        fn: Any = on_finally
        if not callable(fn):
            return self.then(fn, fn)
        kind = type(self)

        def then_finally(value: T) -> Any:
            return kind.resolve(fn()).then(lambda _: value)

        def catch_finally(reason: BaseException) -> Any:
            def throw(_: object) -> None:
                raise reason

            return kind.resolve(fn()).then(throw)

        promise: Promise[T] = self._then(then_finally, catch_finally)
        return promise

    @overload
    @classmethod
    def resolve(cls, value: Awaitable[U], /) -> Promise[U]: ...
    @overload
    @classmethod
    def resolve(cls, value: Thenable, /) -> Promise[Any]: ...
    @overload
    @classmethod
    def resolve(cls, value: U, /) -> Promise[U]: ...
    @overload
    @classmethod
    def resolve(cls) -> Promise[None]: ...
    @classmethod
    def resolve(cls, value: Any = None) -> Promise[Any]:
        """Return a promise for a value; a promise itself; what adopts a thenable or awaitable.

        Raises: RuntimeError without a scope and a running loop.

        Example:
            async with ninth.scope():
                print(await ninth.Promise.resolve(asyncio.sleep(0.01, "adopted")))  # -> adopted
        """
        if type(value) is cls:
            return value
        try:
            promise = cls._pending()
        except BaseException:
            if asyncio.iscoroutine(value):
                value.close()
            raise
        promise._resolve(value)
        return promise

    @classmethod
    def reject(cls, reason: BaseException) -> Promise[Any]:
        """Return a promise that is rejected. Raises: TypeError for what is no exception.

        Example:
            async with ninth.scope():
                try:
                    await ninth.Promise.reject(ValueError("no"))
                except ValueError as error:
                    print(error)  # -> no
        """
        check_reason(reason, "Promise.reject()")
        promise = cls._pending()
        promise._settle(REJECTED, reason, reason.__traceback__)
        return promise

    @classmethod
    def with_resolvers(
        cls,
    ) -> tuple[Promise[Any], Callable[..., None], Callable[[BaseException], None]]:
        """Return a pending promise, and the functions resolve(value) and reject(reason) for it.

        The first call of one of them counts. Raises: RuntimeError without a scope and a running
        loop.

        Example:
            with ninth.scope() as scope:
                promise, resolve, reject = ninth.Promise.with_resolvers()
                promise.then(print)  # -> later
                scope.after(0.01, resolve, "later")
        """
        promise = cls._pending()
        resolvers = Resolvers(promise)
        return promise, resolvers.resolve, resolvers.reject

    @classmethod
    def _combine(cls, kind: type[Collector], iterable: Any) -> Promise[Any]:
        result = cls._pending()
        kind(result).read(iterable, cls.resolve)
        return result

    @classmethod
    def all(cls, iterable: Iterable[Any]) -> Promise[list[Any]]:
        """Return a promise for the list of all values, rejected with the first reason.

        iterable: promises, tasks, futures, coroutines, thenables and values. After a rejection the
        others go on, as in JavaScript; coroutines belong to the scope. What cannot be iterated, and
        what iterating raises, is a rejection too; so it is with the other combinators.

        Example:
            async with ninth.scope():
                print(await ninth.Promise.all([1, asyncio.sleep(0.01, 2)]))  # -> [1, 2]
        """
        return cls._combine(All, iterable)

    @classmethod
    def all_settled(cls, iterable: Iterable[Any]) -> Promise[list[Fulfilled[Any] | Rejected]]:
        """Return a promise for what came of each: objects with `status`, and `value` or `reason`.

        status: "fulfilled" or "rejected".

        Example:
            async with ninth.scope():
                failed = ninth.Promise.reject(ValueError("no"))
                for one in await ninth.Promise.all_settled([1, failed]):
                    print(one.value if one.status == "fulfilled" else one.reason)
            # -> 1
            # -> no
        """
        return cls._combine(AllSettled, iterable)

    @classmethod
    def race(cls, iterable: Iterable[Any]) -> Promise[Any]:
        """Return a promise that is settled as the first of several; never, if there is none.

        Example:
            async with ninth.scope():
                slow, quick = asyncio.sleep(0.2, "slow"), asyncio.sleep(0.01, "quick")
                print(await ninth.Promise.race([slow, quick]))
            # -> quick
        """
        return cls._combine(Race, iterable)

    @classmethod
    def any(cls, iterable: Iterable[Any]) -> Promise[Any]:
        """Return a promise for the first value; rejected with a group of reasons if there is none.

        The group has the order of the input. Of an empty input: rejected with ValueError.

        Example:
            async with ninth.scope():
                print(await ninth.Promise.any([ninth.Promise.reject(ValueError()), 2]))  # -> 2
        """
        return cls._combine(Any_, iterable)

    # What a future has, for conditions and asyncio

    def __await__(self) -> Generator[Any, None, T]:
        """Wait; return the value or raise the reason."""
        return self._wait()

    def done(self) -> bool:
        """Return whether it is fulfilled or rejected."""
        return self._state is not PENDING

    def cancelled(self) -> bool:
        """Return whether it is rejected with CancelledError."""
        return self._state is REJECTED and isinstance(self._value, asyncio.CancelledError)

    def result(self) -> T:
        """Return the value or raise the reason. Raises: asyncio.InvalidStateError if pending."""
        self._require_settled()
        value: T = self._outcome()
        return value

    def exception(self) -> BaseException | None:
        """Return the reason, None of a value. Raises: asyncio.InvalidStateError if pending."""
        self._require_settled()
        if self._state is FULFILLED:
            return None
        self._handle()
        reason: BaseException = self._value
        return reason

    def add_done_callback(
        self,
        callback: Callable[[Promise[T]], object],
        *,
        context: contextvars.Context | None = None,
    ) -> None:
        """Have the loop call callback(promise) once it is settled; this handles no rejection."""
        self._subscribe(DoneCallback(callback, context))

    def remove_done_callback(self, callback: Callable[[Promise[T]], object]) -> int:
        """Do not call a callback; return how often it had been added."""
        waiting: Any = self._reactions
        found = [
            one
            for one in (waiting if type(waiting) is dict else (waiting,))
            if isinstance(one, DoneCallback) and one.callback == callback
        ]
        for one in found:
            self._unsubscribe(one)
        return len(found)

    def _require_settled(self) -> None:
        if self._state is PENDING:
            message = "the promise is pending: await it, or ask done() first"
            raise asyncio.InvalidStateError(message)

    def __repr__(self) -> str:
        if self._state is PENDING:
            return "<Promise pending>"
        return f"<Promise {self._state.value}: {self._value!r}>"


def check_awaitable(value: Any, function: str) -> None:
    """Refuse what a promise cannot be made of. Raises: TypeError."""
    if inspect.isawaitable(value):
        return
    if callable(value):
        cure = "call the coroutine function; for callbacks there is Promise.with_resolvers()"
    else:
        cure = "pass a coroutine, a task or a future; for values there is Promise.resolve()"
    message = f"{function} was given {value!r}, which cannot be awaited: {cure}"
    raise TypeError(message)
