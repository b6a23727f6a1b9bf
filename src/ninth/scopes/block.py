"""The block of a scope: entering it, and leaving it when everything in it has ended.

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

Without coroutines, the same is done by a task of a loop that the block makes for itself.

Sources: asyncio/taskgroups.py and asyncio/timeouts.py of CPython 3.13; PEP 654; trio's nurseries.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import types
from typing import TYPE_CHECKING, Any, Self

from ninth.run import drive, is_running, new_loop, wind_up
from ninth.scopes.current import innermost
from ninth.scopes.owner import ENDED, NEW, OPEN, STOPPING, Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@types.coroutine
def one_turn() -> Generator[None, None, None]:
    """Let the loop take one turn."""
    yield


class Block(Owner):
    """A scope as a context manager, for `async with` and for `with`. Thread-safe: no."""

    __slots__ = ("_baseline", "_loop_factory", "_outside", "_plain", "_token")

    def __init__(
        self, timeout: float | None, name: str | None, loop_factory: LoopFactory | None
    ) -> None:
        super().__init__(timeout, name)
        factory: Any = loop_factory
        if factory is not None and not callable(factory):
            message = (
                f"scope() was given loop_factory={loop_factory!r}: pass a function that returns "
                f"a new event loop"
            )
            raise TypeError(message)
        self._loop_factory = loop_factory
        self._plain = False
        # How often the task had been cancelled before, and has been from outside since.
        self._baseline = 0
        self._outside = 0

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
            self._stop(error, seen=True)
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
        assert host is not None  # noqa: S101  (it has been entered)
        seen: BaseException | None = None
        self._in_body = False
        if isinstance(error, asyncio.CancelledError):
            seen = error
            self._outside = self._count_outside()
            self._stop(error, seen=True)
        elif isinstance(error, GeneratorExit):
            # An asynchronous generator is being closed, which may await: an end, not an error.
            self._stop(error, seen=True)
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
        if left is None and isinstance(error, GeneratorExit):
            left = error
        if outside and self._errors and self._fatal is None and sys.version_info >= (3, 13):
            host.uncancel()
            host.cancel()
        return left

    def __enter__(self) -> Self:
        self._require_new()
        if is_running():
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
        # By way of a list, not as the result of the task: asyncio's frames hold the task, and what
        # a callback raised holds those frames, which were above it.
        leaving: list[BaseException] = []
        try:
            drive(self.loop, self._run_plain(error, leaving))
        finally:
            self._end()
            wind_up(self.loop)
        left = leaving.pop() if leaving else None
        if left is None or left is error:
            return left is None
        try:
            raise left
        finally:
            # As in __aexit__.
            del left, error

    async def _run_plain(self, error: BaseException | None, leaving: list[BaseException]) -> None:
        """Run what the block registered; append what leaves it."""
        self._host = asyncio.current_task()
        if self._takes_more():
            self._start_timer()
        left = await self._leave_block(error)
        if isinstance(left, asyncio.CancelledError):
            # What cancelled us knows what to make of it.
            raise left
        if left is not None:
            leaving.append(left)

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
            self._stop(error, seen=True)
        elif outside > self._outside:
            for item in list(self._items):
                item.hurry()
            if outside > 1:
                for task in list(self._tasks):
                    task.cancel()
        self._outside = outside

    def _count_outside(self) -> int:
        """Return how many cancellations since entry are not ours."""
        assert self._host is not None  # noqa: S101  (it has been entered)
        return self._host.cancelling() - self._baseline - self._requested

    def _end(self) -> None:
        """Let go of everything."""
        self._state = ENDED
        self._forget_errors()
        self._host = None
        self._future = None
        if self._promises is not None:
            self._promises.close()
            self._promises = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._plain:
            # Not so where an asynchronous generator is left in another context than it was entered.
            with contextlib.suppress(ValueError):
                innermost.reset(self._token)

    def _require_new(self) -> None:
        if self._state is not NEW:
            message = (
                f"{self._describe()} was entered before, and a scope is entered once: make a new "
                f"one with ninth.scope(), or use subscope() for one within it"
            )
            raise RuntimeError(message)
