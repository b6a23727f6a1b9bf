"""All timers of a loop, in one heap.

Cancelling only marks a timer. It leaves the heap at once if it is the last entry (a timeout
around something quick), or when it comes up, or when the dead ones are half of the heap and all
are swept in one go; so a cancel costs constant time and the heap at most twice its live size.

Plain Python keeps entries `(when, order, timer)` for heapq, whose comparisons then run in C.
Compiled, the heap holds the timers themselves and sifts here: a comparison of two C doubles costs
less than building the entry.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from ninth.loop.handles import Handle

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable

    import cython

    from ninth.loop.core import Core
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.contextvars import PyContext_CopyCurrent

# Below this many dead timers a sweep is not worth its while.
SWEEP_ABOVE = 64


class Timer(Handle):
    """A handle that becomes ready at a loop time. Thread-safe: no."""

    __slots__ = ("_scheduled", "_timers", "_when", "order")

    _when: float
    _scheduled: bool
    _timers: Timers
    order: int

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: Core,
        context: contextvars.Context | None,
    ) -> None:
        if cython.compiled:
            Handle.__init__(self, callback, args, loop, context)
        else:
            super().__init__(callback, args, loop, context)
        self._when = when
        self._scheduled = False
        self.order = 0

    def cancel(self) -> None:
        """See to it that the callback is not called; idempotent, in constant time."""
        if not self._cancelled:
            Handle.cancel(self)
            if self._scheduled:
                self._timers.forget(self)

    def when(self) -> float:
        """Return the loop time, in seconds, at which the callback is due."""
        return self._when

    # Timers compare as asyncio's do: by when they are due, and equal ones by what they call.

    def __hash__(self) -> int:
        return hash(self._when)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timer):
            return NotImplemented
        return (
            self._when == other._when
            and self._callback == other._callback
            and self._args == other._args
            and self._cancelled == other._cancelled
        )

    def __lt__(self, other: object) -> bool:
        return self._when < other._when if isinstance(other, Timer) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._when > other._when if isinstance(other, Timer) else NotImplemented

    def __le__(self, other: object) -> bool:
        if not isinstance(other, Timer):
            return NotImplemented
        return self._when < other._when or self == other

    def __ge__(self, other: object) -> bool:
        if not isinstance(other, Timer):
            return NotImplemented
        return self._when > other._when or self == other

    def describe(self) -> list[str]:
        """Return the parts of the timer's representation."""
        parts = Handle.describe(self)
        # asyncio's name of it, which people search their logs for.
        parts[0] = "TimerHandle"
        parts.insert(2 if self._cancelled else 1, f"when={self._when}")
        return parts


class Timers:
    """A heap of timers by `when`; equal ones come out in the order they went in."""

    __slots__ = ("dead", "heap", "order")

    heap: list[Any]

    def __init__(self) -> None:
        self.heap = []
        self.dead = 0
        self.order = 0

    def __len__(self) -> int:
        return len(self.heap)

    def push(self, timer: Timer) -> None:
        """Add a timer."""
        timer._scheduled = True
        timer._timers = self
        self.order += 1
        if cython.compiled:
            timer.order = self.order
            self.heap.append(timer)
            self.sift_up(len(self.heap) - 1)
        else:
            heapq.heappush(self.heap, (timer._when, self.order, timer))

    def next_when(self) -> float:
        """Return when the earliest live timer is due, in loop time; infinity if there is none."""
        while self.heap:
            timer = self.first()
            if not timer._cancelled:
                return timer._when
            self.pop()
        return float("inf")

    def pop_due(self, now: float) -> Timer | None:
        """Take and return the earliest live timer that is due at `now`, None if there is none."""
        while self.heap:
            timer = self.first()
            if timer._cancelled:
                self.pop()
            elif timer._when <= now:
                self.pop()
                return timer
            else:
                return None
        return None

    def forget(self, timer: Timer) -> None:
        """Take note that a timer in the heap was cancelled."""
        last = self.heap[len(self.heap) - 1]
        if last is timer or (not cython.compiled and last[2] is timer):
            self.heap.pop()
            timer._scheduled = False
            return
        self.dead += 1
        if self.dead > SWEEP_ABOVE and self.dead * 2 > len(self.heap):
            self.sweep()

    def clear(self) -> None:
        """Drop all timers."""
        for timer in self.timers():
            timer._scheduled = False
        self.heap.clear()
        self.dead = 0

    def timers(self) -> list[Timer]:
        """Return the timers in the heap, cancelled ones included, in no useful order."""
        if cython.compiled:
            return list(self.heap)
        return [entry[2] for entry in self.heap]

    def first(self) -> Timer:
        """Return the earliest timer of a heap that is not empty."""
        if cython.compiled:
            return cython.cast(Timer, self.heap[0])
        return self.heap[0][2]

    def pop(self) -> None:
        """Remove the earliest timer of a heap that is not empty."""
        if cython.compiled:
            timer = self.heap[0]
            last = self.heap.pop()
            if self.heap:
                self.heap[0] = last
                self.sift_down(0)
        else:
            timer = heapq.heappop(self.heap)[2]
        timer._scheduled = False
        if timer._cancelled:
            self.dead -= 1

    def sweep(self) -> None:
        """Remove all cancelled timers; takes time in proportion to the heap."""
        alive = []
        for timer in self.timers():
            if timer._cancelled:
                timer._scheduled = False
            else:
                alive.append(timer)
        self.dead = 0
        if cython.compiled:
            self.heap = alive
            for index in range(len(alive) // 2 - 1, -1, -1):
                self.sift_down(index)
        else:
            self.heap = [entry for entry in self.heap if not entry[2]._cancelled]
            heapq.heapify(self.heap)

    def sift_up(self, index: int) -> None:
        """Move a timer of the compiled heap up to its place."""
        heap = self.heap
        timer = cython.cast(Timer, heap[index])
        while index > 0:
            up = (index - 1) >> 1
            parent = cython.cast(Timer, heap[up])
            if not earlier(timer, parent):
                break
            heap[index] = parent
            index = up
        heap[index] = timer

    def sift_down(self, index: int) -> None:
        """Move a timer of the compiled heap down to its place.

        The hole goes down to a leaf first, and the timer, which mostly came from a leaf, up
        again from there: that takes half of the comparisons.
        """
        heap = self.heap
        size = len(heap)
        timer = cython.cast(Timer, heap[index])
        top = index
        down = 2 * index + 1
        while down < size:
            child = cython.cast(Timer, heap[down])
            if down + 1 < size:
                other = cython.cast(Timer, heap[down + 1])
                if earlier(other, child):
                    child = other
                    down += 1
            heap[index] = child
            index = down
            down = 2 * index + 1
        while index > top:
            up = (index - 1) >> 1
            parent = cython.cast(Timer, heap[up])
            if not earlier(timer, parent):
                break
            heap[index] = parent
            index = up
        heap[index] = timer


def earlier(one: Timer, other: Timer) -> bool:
    """Return whether one timer comes out before another."""
    return one._when < other._when or (one._when == other._when and one.order < other.order)


def new_timer(
    when: float,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    loop: Core,
    context: contextvars.Context | None,
) -> Timer:
    """Return Timer(when, callback, args, loop, context); compiled, at less cost."""
    if not cython.compiled:
        return Timer(when, callback, args, loop, context)
    timer = Timer.__new__(Timer)
    timer._context = PyContext_CopyCurrent() if context is None else context
    timer._callback = callback
    timer._args = args
    timer._loop = loop
    timer._when = when
    return timer
