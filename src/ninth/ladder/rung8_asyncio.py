"""Asyncio: coroutines driven by callbacks, with a future in between.

New here: a `Future` is a result that is not there yet; it completes once and then calls back.
A `Task` is a coroutine that awaits futures, and a future itself: each future that the coroutine
awaits calls the task's next step. So coroutines run on any loop of callbacks, here on the
callback layer of asyncio (`call_soon`, `call_later`, `add_reader`), and whoever can make a
future can be waited for. Nobody passes conditions through layers any more: a wake-up concerns
one task, and costs the same with two children or two hundred.

Future and task are our own, to show that there is no magic in them; asyncio's do the same.

Still wrong: futures complete once, files are ready again and again. The bridge, `readable`, arms
and disarms the loop for every single wait. There are coroutines, tasks, futures, awaitables,
handles and a loop to learn before the first line is shown; a callback that fails is logged and
forgotten; and nothing waits for several things at once, or for a child, in one expression.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any

from .program import Child, Program


class Future:
    """A result that is not there yet. Completes once, and calls back through the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done = False
        self._loop = loop
        self._result: Any = None
        self.exception: BaseException | None = None
        self._callbacks: list[Callable[[Future], object]] = []

    def result(self) -> Any:
        """Return the result or raise the exception that it was completed with."""
        if not self.done:
            raise asyncio.InvalidStateError("the future has no result yet: await it first")
        if self.exception is not None:
            raise self.exception
        return self._result

    def set_result(self, result: Any) -> None:
        """Complete it. Raises asyncio.InvalidStateError the second time."""
        self._complete(result, None)

    def set_exception(self, exception: BaseException) -> None:
        """Complete it with a failure. Raises asyncio.InvalidStateError the second time."""
        self._complete(None, exception)

    def add_done_callback(self, callback: Callable[["Future"], object]) -> None:
        """Call back soon after it is completed, or soon if it is already."""
        if self.done:
            self._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def __await__(self) -> Generator["Future", None, Any]:
        """Wait for it and return its result: the only place that yields."""
        if not self.done:
            yield self
        return self.result()

    def _complete(self, result: Any, exception: BaseException | None) -> None:
        if self.done:
            raise asyncio.InvalidStateError("a future completes only once")
        self.done = True
        self._result = result
        self.exception = exception
        for callback in self._callbacks:
            self._loop.call_soon(callback, self)


Waiting = Coroutine[Future, None, Any]


class Task(Future):
    """A coroutine on its way; as a future, its result."""

    def __init__(self, routine: Waiting, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.routine = routine
        loop.call_soon(self._go_on)

    def close(self) -> None:
        """Make the coroutine clean up, wherever it is."""
        if not self.done:
            self.set_exception(asyncio.CancelledError())
        self.routine.close()

    def _go_on(self, _: Future | None = None) -> None:
        if self.done:  # closed meanwhile
            return
        try:
            future = self.routine.send(None)
        except StopIteration as stop:
            self.set_result(stop.value)
        except BaseException as error:
            self.set_exception(error)
        else:
            future.add_done_callback(self._go_on)


def run(routine: Waiting) -> Any:
    """Run a coroutine to its end, and return its result."""
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        with contextlib.closing(Task(routine, loop)) as task:
            task.add_done_callback(lambda _: loop.stop())
            loop.run_forever()
        return task.result()


async def readable(file: int) -> None:
    """Wait for a file."""
    loop = asyncio.get_running_loop()
    future = Future(loop)

    def on_readable() -> None:
        # Disarmed at once: the file stays ready until somebody reads, the future completes once.
        loop.remove_reader(file)
        future.set_result(None)

    loop.add_reader(file, on_readable)
    try:
        await future
    finally:
        loop.remove_reader(file)


async def sleep(seconds: float) -> None:
    """Wait for a time."""
    loop = asyncio.get_running_loop()
    future = Future(loop)
    timer = loop.call_later(seconds, future.set_result, None)
    try:
        await future
    finally:
        timer.cancel()


async def gather(routines: Sequence[Waiting], background: Sequence[Waiting] = ()) -> None:
    """Run coroutines side by side until all (but those in the background) have ended.

    Whatever happens, all of them are closed: if one fails, the others clean up.
    """
    loop = asyncio.get_running_loop()
    all_done = Future(loop)

    def on_done(task: Future) -> None:
        unfinished.discard(task)
        if task.exception is not None and not all_done.done:
            all_done.set_exception(task.exception)
        elif not unfinished and not all_done.done:
            all_done.set_result(None)

    with contextlib.ExitStack() as stack:
        tasks: list[Future] = []
        for routine in [*background, *routines]:
            task = stack.enter_context(contextlib.closing(Task(routine, loop)))
            task.add_done_callback(on_done)
            tasks.append(task)
        unfinished = set(tasks[len(background) :])
        if unfinished:
            await all_done


async def follow(program: Program, command: str) -> None:
    """Show the lines of one command: the whole story of a child."""
    child = program.start(command)
    try:
        await gather([show_lines(program, child), wait_for_end(child)])
    finally:
        if child.running():
            child.stop()


async def show_lines(program: Program, child: Child) -> None:
    """Show each line as it comes."""
    goes_on = True
    while goes_on:
        await readable(child.output.fileno())
        goes_on = child.read()
        program.render()


async def wait_for_end(child: Child) -> None:
    """Take the exit status when there is one."""
    while child.running():
        await readable(child.end)


async def clock(program: Program) -> None:
    """Show the time, also when nothing else happens."""
    due = time.monotonic() + program.interval
    while True:
        await sleep(due - time.monotonic())
        program.render()
        # From when it was due, or it would drift; what was missed is not made up for.
        missed = max(0.0, time.monotonic() - due) // program.interval
        due += (missed + 1) * program.interval


def watch(program: Program) -> None:
    """Run the program to its end."""
    with program:
        followers = [follow(program, command) for command in program.commands]
        run(gather(followers, background=[clock(program)]))
