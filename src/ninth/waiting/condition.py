"""Waiting for conditions: what all of them share, and what combines them.

Awaiting a condition makes a Wait, which is told when the condition becomes true and then wakes the
task; what its value is, is asked only when the task runs again. So a task that is cancelled in
between has taken nothing away: a signal is kept for the next one that awaits it.

Awaiting several gives all that are true at that moment, whether or not something has told so, so
that one that is always true cannot hide another for ever.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

T_co = TypeVar("T_co", covariant=True)


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
