"""What a promise chain costs, beside asyncio's futures with callbacks and coroutines.

    python -m bench.promises [--rounds N] [--links N]

CPU microseconds per link, medians, all contestants in turns; each sample makes a chain of links,
settles its beginning, and runs until the end has come. `create` is to make the chain only.

A link is: what the callback returns goes to the next one. With futures that is a new future for
each link, whose beginning has a callback that sets it: what a promise does for its user.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import ninth

Sample = Callable[[int], Coroutine[Any, Any, tuple[float, float]]]


def add_one(value: int) -> int:
    return value + 1


async def promises(links: int) -> tuple[float, float]:
    start = time.process_time_ns()
    promise, resolve, _ = ninth.Promise.with_resolvers()
    for _ in range(links):
        promise = promise.then(add_one)
    made = time.process_time_ns()
    resolve(0)
    assert await promise == links
    return (made - start) / links / 1000, (time.process_time_ns() - start) / links / 1000


async def futures(links: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    start = time.process_time_ns()
    first = future = loop.create_future()

    def link(source: asyncio.Future[int]) -> asyncio.Future[int]:
        target = loop.create_future()

        def step(source: asyncio.Future[int]) -> None:
            try:
                target.set_result(add_one(source.result()))
            except BaseException as error:
                target.set_exception(error)

        source.add_done_callback(step)
        return target

    for _ in range(links):
        future = link(future)
    made = time.process_time_ns()
    first.set_result(0)
    assert await future == links
    return (made - start) / links / 1000, (time.process_time_ns() - start) / links / 1000


async def tasks(links: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    start = time.process_time_ns()
    first: Any = loop.create_future()

    async def step(source: Any) -> int:
        return add_one(await source)

    task = first
    for _ in range(links):
        task = loop.create_task(step(task))
    made = time.process_time_ns()
    first.set_result(0)
    assert await task == links
    return (made - start) / links / 1000, (time.process_time_ns() - start) / links / 1000


CONTESTANTS: dict[str, tuple[Sample, Any]] = {
    "promises, ninth's loop": (promises, ninth.new_event_loop),
    "futures, ninth's loop": (futures, ninth.new_event_loop),
    "futures, asyncio's loop": (futures, asyncio.SelectorEventLoop),
    "tasks, ninth's loop": (tasks, ninth.new_event_loop),
    "tasks, asyncio's loop": (tasks, asyncio.SelectorEventLoop),
}


def main() -> None:
    """Run all, and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.promises")
    parser.add_argument("--rounds", type=int, default=9, help="samples of each figure (9)")
    parser.add_argument("--links", type=int, default=10_000, help="links of a chain (10000)")
    options = parser.parse_args()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(options.rounds):
        for name, (sample, factory) in CONTESTANTS.items():
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(sample(options.links // 10))
                gc.collect()
                samples[name].append(runner.run(sample(options.links)))
    kind = "compiled" if ninth.is_compiled() else "plain Python"
    print(f"Python {sys.version.split()[0]}, ninth {kind}, CPU microseconds per link")
    print(f"{'':26} create   in all")
    for name, values in samples.items():
        create, everything = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:26} {create:6.2f}   {everything:6.2f}")


if __name__ == "__main__":
    main()
