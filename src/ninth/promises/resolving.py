"""How a promise is settled from outside, and what may settle it."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ninth.promises.home import check_thread, running_loop
from ninth.promises.states import REJECTED

if TYPE_CHECKING:
    from ninth.promises.core import Core


class Resolvers:
    """The two functions that settle a promise; the first call of one of them counts."""

    __slots__ = ("promise",)

    def __init__(self, promise: Core) -> None:
        # None afterwards: these functions must not keep what they have settled.
        self.promise: Core | None = promise

    def take(self) -> Core | None:
        """Return the promise, the first time."""
        promise = self.promise
        self.promise = None
        return promise

    def resolve(self, value: Any = None) -> None:
        """Fulfil the promise with a value, or have it adopt a promise, thenable or awaitable.

        Does nothing once the promise was resolved or rejected. Raises: RuntimeError in another
        thread than the loop's: write ninth.from_thread(resolve, value, loop=loop) there.
        """
        if self.promise is not None:
            check_here(self.promise, "resolve()")
            promise, self.promise = self.promise, None
            promise._resolve(value)

    def reject(self, reason: BaseException) -> None:
        """Reject the promise with an exception.

        Does nothing once the promise was resolved or rejected. Raises: TypeError for what is no
        exception; RuntimeError in another thread than the loop's, as resolve().
        """
        check_reason(reason, "reject()")
        if self.promise is not None:
            check_here(self.promise, "reject()")
            promise, self.promise = self.promise, None
            promise._settle(REJECTED, reason, reason.__traceback__)

    def adopt_reason(self, reason: Any) -> None:
        """Reject the promise with the reason of a thenable, which may be none for us."""
        if self.promise is not None:
            try:
                check_reason(reason, "the second argument of then()")
            except TypeError as error:
                reason = error.with_traceback(None)
            self.reject(reason)


def check_here(promise: Core, function: str) -> None:
    """Refuse another thread than the loop's. Raises: RuntimeError."""
    loop = promise._home.loop
    if running_loop() is not loop:
        check_thread(loop, function)


def check_reason(reason: Any, function: str) -> None:
    """Refuse a reason that is no exception. Raises: TypeError."""
    if not isinstance(reason, BaseException):
        cure = "pass an exception, because await raises it"
        if isinstance(reason, type) and issubclass(reason, BaseException):
            cure = f"pass an instance, {reason.__name__}(...)"
        message = f"{function} was given {reason!r} as the reason of a rejection: {cure}"
        raise TypeError(message)


def then_of(value: Any) -> Any:
    """Return the method `then` of a value, looked up once, or None if it is no thenable.

    Raises: what the look-up raises.
    """
    try:
        then = value.then
    except AttributeError:
        # There is none, or there is and its getter raised.
        if any("then" in vars(kind) for kind in type(value).__mro__):
            raise
        return None
    if not callable(then):
        return None
    if (
        isinstance(value, type)
        and type(inspect.getattr_static(value, "then", None)) is FunctionType
    ):
        # A class has the methods of its instances.
        return None
    return then


def foreign_loop(subject: Any) -> RuntimeError:
    """Return the error for what belongs to another loop."""
    message = (
        f"{subject!r} belongs to another event loop: use it in the loop in which it was made, or "
        f"hand its result over with ninth.from_thread()"
    )
    return RuntimeError(message)
