"""run(): one coroutine on a new loop, from its start to a clean end; also what plain `with` uses.

SIGINT. The first one cancels the main task, which then has the time it needs for its clean-up. A
second one says that this takes too long: children are killed and reaped, whatever is left is
cancelled once more and given a moment, and KeyboardInterrupt is raised. The handler takes note;
the loop does the rest. It is installed only where Python's own handler is, in the main thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ninth.numbers import seconds_of
from ninth.scopes import callbacks
from ninth.scopes.current import innermost

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType

T = TypeVar("T")

# What tasks get, after a second SIGINT, to end once they were cancelled again.
MOMENT = 0.2


def run(
    main: Callable[..., Coroutine[Any, Any, T]] | Coroutine[Any, Any, T],
    *args: Any,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run a coroutine on a new loop and return its result; nothing is left running afterwards.

    main: a coroutine function, which is called with args, or a coroutine.
    loop_factory: what makes the loop; ninth's by default.
    Raises: whatever main raises; TypeError for what is no coroutine; RuntimeError inside a running
    loop. SIGINT cancels main, waits for its clean-up, then raises KeyboardInterrupt; a second one
    raises at once, and children are still killed and reaped. If main returns although it was
    cancelled, its result is returned.
    Thread-safe: yes; each call has a loop of its own. SIGINT is for the main thread.

    Example:
        async def main(name):
            await ninth.sleep(0.01)
            return f"hello {name}"

        print(ninth.run(main, "you"))  # -> hello you
    """
    if is_running():
        if asyncio.iscoroutine(main):
            main.close()
        message = (
            "ninth.run() was called inside a running loop: write `await main()` there, or start "
            "it in a scope"
        )
        raise RuntimeError(message)
    context = contextvars.copy_context()
    # A scope around this call belongs to another loop.
    context.run(innermost.set, None)
    coroutine: Coroutine[Any, Any, T] = context.run(callbacks.coroutine_of, main, args, "run")
    try:
        loop = new_loop(loop_factory)
    except BaseException:
        coroutine.close()
        raise
    try:
        return drive(loop, coroutine, context)
    finally:
        wind_up(loop)


async def sleep(seconds: float) -> None:
    """Do nothing for some seconds, while others run; zero or less: for one turn of the loop.

    Raises: TypeError and ValueError for what is no number of seconds.

    Example:
        before = time.monotonic()
        await ninth.sleep(0.01)
        assert time.monotonic() - before >= 0.01
    """
    if seconds_of(seconds, "sleep") == float("inf"):
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(seconds)


def timeout(seconds: float | None) -> asyncio.Timeout:
    """Return a time limit, for `async with`: its block raises TimeoutError when it takes longer.

    seconds: from the start of the block; None for no limit.
    Returns: asyncio's own object, whose reschedule() and expired() work.
    Raises: TypeError and ValueError for what is no number of seconds.

    Example:
        try:
            async with ninth.timeout(0.01):
                await ninth.sleep(60)
        except TimeoutError:
            print("too late")  # -> too late
    """
    if seconds is not None and seconds_of(seconds, "timeout") == float("inf"):
        seconds = None
    return asyncio.timeout(seconds)


def is_running() -> bool:
    """Return whether a loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def new_loop(
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> asyncio.AbstractEventLoop:
    """Return a new loop, ninth's own by default. Raises: TypeError if the factory makes none."""
    if loop_factory is None:
        from ninth.asyncio_loop import new_event_loop  # noqa: PLC0415

        return new_event_loop()
    loop: Any = loop_factory()
    if not isinstance(loop, asyncio.AbstractEventLoop):
        message = f"loop_factory returned {loop!r}: pass a function that returns a new event loop"
        raise TypeError(message)
    return loop


class Interrupts:
    """What SIGINT does while a main task runs; a context manager."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self.loop = loop
        self.task = task
        self.count = 0
        self.installed = False
        self.abandoning = False

    @property
    def forced(self) -> bool:
        """Whether a second SIGINT came."""
        return self.count > 1

    def __enter__(self) -> Self:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            # In the main interpreter only; elsewhere signals do not come here.
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGINT, self.arrive)
                self.installed = True
        return self

    def __exit__(self, *_: object) -> None:
        # A bound method is made anew each time, so it is compared by value.
        if self.installed and signal.getsignal(signal.SIGINT) == self.arrive:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def arrive(self, _signum: int, _frame: FrameType | None) -> None:
        """Take note of a SIGINT; the handler."""
        self.count += 1
        if self.abandoning:
            # It takes but a moment, and then raises what this one would raise.
            return
        if self.count == 1 and not self.task.done():
            self.loop.call_soon_threadsafe(self.task.cancel)
            return
        # Whatever catches the exception on its way out of the loop: the loop stops.
        self.loop.stop()
        raise KeyboardInterrupt


def drive(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T],
    context: contextvars.Context | None = None,
) -> T:
    """Run a coroutine on a loop to its end, with SIGINT as described above."""
    if context is None:
        task = loop.create_task(coroutine)
    else:
        task = loop.create_task(coroutine, context=context)
    with Interrupts(loop, task) as interrupts:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupts.count:
                raise KeyboardInterrupt from None
            raise
        except BaseException:
            if interrupts.forced:
                interrupts.abandoning = True
                abandon(loop)
                raise KeyboardInterrupt from None
            if not task.done():
                # Something else than main stopped the loop: KeyboardInterrupt in a task, say.
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                    loop.run_until_complete(task)
            raise
        finally:
            # Frames of callbacks have this one above them, and this one would have their errors.
            del task, interrupts.task


def abandon(loop: asyncio.AbstractEventLoop) -> None:
    """End at once what runs on a loop: nobody wants to wait any more."""
    processes = sys.modules.get("ninth.processes")
    if processes is not None:
        processes.kill_all(loop)
    tasks: set[Any] = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=MOMENT))
    for task in tasks:
        if task.done():
            if not task.cancelled():
                # KeyboardInterrupt is the one that leaves.
                task.exception()
        else:
            # asyncio would complain of what nobody waits for.
            task._log_destroy_pending = False  # noqa: SLF001
            task.get_coro().close()


def wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left on a loop, and close it."""
    try:
        # Those that were abandoned have said that nobody is to complain of them.
        left = {
            task for task in asyncio.all_tasks(loop) if getattr(task, "_log_destroy_pending", True)
        }
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        for task in left:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                context = {
                    "message": "unhandled exception in a task that main left behind",
                    "exception": error,
                    "task": task,
                }
                loop.call_exception_handler(context)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
