"""What comes of several promises: all, all_settled, race and any, as in ECMA-262.

Once a combinator is settled, it takes back what it left with promises that are still pending:
racing the same one again and again costs no memory.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ninth.promises.states import FULFILLED, PENDING, REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ninth.promises.core import Core

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fulfilled(Generic[T]):
    """What all_settled() says of a promise that was fulfilled: status, and its value."""

    value: T
    status: Literal["fulfilled"] = field(default="fulfilled", init=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """What all_settled() says of a promise that was rejected: status, and its reason."""

    reason: BaseException
    status: Literal["rejected"] = field(default="rejected", init=False)


class Collector:
    """Gathers outcomes for one promise, the result."""

    __slots__ = ("elements", "left", "result", "values")

    def __init__(self, result: Core) -> None:
        self.result: Core | None = result
        self.values: list[Any] = []
        # Those to come; one more while the input is being read.
        self.left = 1
        self.elements: list[tuple[weakref.ref[Core], weakref.ref[Element]]] = []

    def take(self, index: int, source: Core) -> None:
        """Take in what came of the promise at an index."""
        raise NotImplementedError

    def complete(self) -> None:
        """Settle the result: all have come."""

    def read(self, iterable: Iterable[Any], promise_of: Callable[[Any], Core]) -> None:
        """Take in promises, or what they can be made of."""
        result = self.result
        assert result is not None  # noqa: S101
        try:
            for index, value in enumerate(iterable):
                self.values.append(None)
                self.left += 1
                promise = promise_of(value)
                promise._handle()
                element = Element(self, index, result)
                if promise._state is PENDING:
                    # Held by the promise: here it would be a cycle.
                    self.elements.append((weakref.ref(promise), weakref.ref(element)))
                promise._subscribe(element)
        except Exception as error:
            # As in ECMAScript: also for what cannot be iterated.
            self.end()
            result._reject_raised(error)
            return
        self.count()

    def count(self) -> None:
        """Take note that one more has come."""
        self.left -= 1
        if not self.left and self.result is not None:
            self.complete()

    def end(self) -> Core | None:
        """Return the result, the first time, and leave nothing behind."""
        result, self.result = self.result, None
        elements, self.elements = self.elements, []
        for promise_reference, element_reference in elements:
            promise, element = promise_reference(), element_reference()
            if promise is not None and element is not None:
                promise._unsubscribe(element)
        return result

    def fulfil(self, value: Any) -> None:
        """Fulfil the result."""
        result = self.end()
        self.values = []
        if result is not None:
            result._settle(FULFILLED, value, None)

    def reject(self, source: Core) -> None:
        """Reject the result as a promise was."""
        result = self.end()
        self.values = []
        if result is not None:
            result._settle(REJECTED, source._value, source._traceback)


class Element:
    """The reaction of a collector to one promise."""

    __slots__ = ("__weakref__", "collector", "home", "index")

    def __init__(self, collector: Collector, index: int, result: Core) -> None:
        self.collector = collector
        self.index = index
        self.home = result._home

    def _settled(self, source: Core) -> None:
        self.home.post(self._react, source, None)

    def _react(self, source: Core) -> None:
        try:
            if self.collector.result is not None:
                self.collector.take(self.index, source)
        finally:
            self.home.finish()


class All(Collector):
    """Fulfilled with all values, or rejected with the first reason."""

    __slots__ = ()

    def take(self, index: int, source: Core) -> None:
        """Keep a value, or reject."""
        if source._state is REJECTED:
            self.reject(source)
        else:
            self.values[index] = source._value
            self.count()

    def complete(self) -> None:
        """Fulfil with the values, in the order of the input."""
        self.fulfil(self.values)


class AllSettled(Collector):
    """Fulfilled with what came of each."""

    __slots__ = ()

    def take(self, index: int, source: Core) -> None:
        """Keep an outcome."""
        value = source._value
        fulfilled = source._state is FULFILLED
        self.values[index] = Fulfilled(value) if fulfilled else Rejected(value)
        self.count()

    def complete(self) -> None:
        """Fulfil with the outcomes, in the order of the input."""
        self.fulfil(self.values)


class Race(Collector):
    """Settled as the first is."""

    __slots__ = ()

    def take(self, index: int, source: Core) -> None:  # noqa: ARG002
        """Settle."""
        if source._state is REJECTED:
            self.reject(source)
        else:
            self.fulfil(source._value)


class Any_(Collector):  # noqa: N801
    """Fulfilled with the first value, or rejected with all reasons."""

    __slots__ = ()

    def take(self, index: int, source: Core) -> None:
        """Fulfil, or keep a reason."""
        if source._state is FULFILLED:
            self.fulfil(source._value)
        else:
            self.values[index] = source._value
            self.count()

    def complete(self) -> None:
        """Reject with the reasons, in the order of the input."""
        reasons, self.values = self.values, []
        result = self.end()
        if result is None:
            return
        error: BaseException
        if reasons:
            error = BaseExceptionGroup("all promises given to Promise.any() were rejected", reasons)
        else:
            error = ValueError("Promise.any() was given nothing, so none can be fulfilled")
        result._settle(REJECTED, error, None)
