"""Rows that a process measures on itself: nanoseconds of its own CPU per operation.

Each function gets a loop and a count, and returns when that many operations are done. The clock
is the CPU time of the whole process, threads included and children not, so a loop that hides
work in a helper thread pays for it here.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable

from bench.contestants import new_loop

Loop = asyncio.AbstractEventLoop
BATCH = 100


def nothing() -> None:
    """Do nothing, as cheaply as Python can."""


def call_soon_batch(loop: Loop, count: int) -> None:
    """A turn for every hundred thousand: what registering and calling cost."""
    while count > 0:
        for _ in range(min(count, 100_000)):
            loop.call_soon(nothing)
        loop.call_soon(loop.stop)
        loop.run_forever()
        count -= 100_000


def call_soon_chain(loop: Loop, count: int) -> None:
    """A turn per operation: what a turn with one callback costs."""

    def step(left: int) -> None:
        if left:
            loop.call_soon(step, left - 1)
        else:
            loop.stop()

    loop.call_soon(step, count)
    loop.run_forever()


def call_later_cancel(loop: Loop, count: int) -> None:
    """What a timeout costs that never fires; a turn for every hundred."""

    def step(left: int) -> None:
        for _ in range(BATCH):
            loop.call_later(30, nothing).cancel()
        if left > BATCH:
            loop.call_soon(step, left - BATCH)
        else:
            loop.stop()

    loop.call_soon(step, count)
    loop.run_forever()


def call_later_fired(loop: Loop, count: int) -> None:
    """A thousand timers within a millisecond, again and again."""
    left, waiting = count, 0

    def fired() -> None:
        nonlocal left, waiting
        left -= 1
        waiting -= 1
        if not left:
            loop.stop()
        elif not waiting:
            start()

    def start() -> None:
        nonlocal waiting
        waiting = min(left, 1000)
        for index in range(waiting):
            loop.call_later(index * 1e-6, fired)

    start()
    loop.run_forever()


def sleep0(loop: Loop, count: int) -> None:
    """A task that lets others run."""

    async def main() -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    loop.run_until_complete(main())


def gather(loop: Loop, count: int) -> None:
    """A hundred tasks at a time; counted per task."""

    async def child() -> None:
        nothing()

    async def main() -> None:
        for _ in range(max(1, count // BATCH)):
            await asyncio.gather(*[child() for _ in range(BATCH)])

    loop.run_until_complete(main())


def future_set(loop: Loop, count: int) -> None:
    """A task that waits for what a callback brings."""

    async def main() -> None:
        for _ in range(count):
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await future

    loop.run_until_complete(main())


def threadsafe_batch(loop: Loop, count: int) -> None:
    """call_soon_threadsafe as libraries use it, often from the loop's own thread."""

    def step(left: int) -> None:
        for _ in range(BATCH):
            loop.call_soon_threadsafe(nothing)
        if left > BATCH:
            loop.call_soon_threadsafe(step, left - BATCH)
        else:
            loop.stop()

    loop.call_soon(step, count)
    loop.run_forever()


def threadsafe_turn(loop: Loop, count: int) -> None:
    """A thread that wakes the sleeping loop, and waits for its answer, again and again."""
    answered = threading.Semaphore(0)

    def client() -> None:
        for _ in range(count):
            loop.call_soon_threadsafe(answered.release)
            answered.acquire()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=client)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def reader_event(loop: Loop, count: int) -> None:
    """A callback on a pipe that stays registered; with the write and the read."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    left = count

    def on_readable() -> None:
        nonlocal left
        try:
            os.read(reading, 1)
        except BlockingIOError:
            return  # some loops report an event twice
        left -= 1
        if left:
            os.write(writing, b"x")
        else:
            loop.stop()

    loop.add_reader(reading, on_readable)
    os.write(writing, b"x")
    loop.run_forever()
    loop.remove_reader(reading)
    os.close(reading)
    os.close(writing)


def reader_wait(loop: Loop, count: int) -> None:
    """A task that waits for a pipe the way asyncio allows: a future and a reader for each wait."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    async def readable() -> None:
        future = loop.create_future()
        loop.add_reader(reading, future.set_result, None)
        try:
            await future
        finally:
            loop.remove_reader(reading)

    async def main() -> None:
        for _ in range(count):
            loop.call_soon(os.write, writing, b"x")
            await readable()
            os.read(reading, 1)

    loop.run_until_complete(main())
    os.close(reading)
    os.close(writing)


def spawn(loop: Loop, count: int) -> None:
    """A child that ends at once: start it, wait for it; the parent's CPU."""

    async def main() -> None:
        for _ in range(count):
            child = await asyncio.create_subprocess_exec("/bin/true")
            if await child.wait():
                raise RuntimeError("/bin/true failed")

    loop.run_until_complete(main())


def measure(work: Callable[[Loop, int], None], module: str, count: int) -> float:
    """Return nanoseconds of CPU per operation, after a tenth of them to warm up."""
    loop = new_loop(module)
    asyncio.set_event_loop(loop)
    try:
        work(loop, max(1, count // 10))
        start = time.process_time_ns()
        work(loop, count)
        return (time.process_time_ns() - start) / count
    finally:
        asyncio.set_event_loop(None)
        loop.close()


if __name__ == "__main__":
    print(measure(globals()[sys.argv[1]], sys.argv[2], int(sys.argv[3])))
