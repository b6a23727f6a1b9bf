"""What waiting costs: for a pipe, for a callback in a scope, for many files, for many children.

    python -m bench.waiting [--rounds N] [--scale X] [--rows PREFIX,...] [--json FILE]

CPU microseconds per operation, each sample in a fresh process, all contestants of a row in turns,
as in the rest of the bench. The contestants are libraries here, not loops, so this has a command of
its own.

`pipe`: a coroutine writes a byte to a pipe, waits until it is readable, and reads it; every wait
goes through the poller. `callback` rows do the same in a callback that stays registered.
`scope`: a scope is entered, a callback is registered in it, and it is left.
`files`: events on randomly chosen ones of many files that one scope watches.
`children`: lines of randomly chosen ones of many children that one scope owns.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import random
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from bench.children import lines, lines_by_epoll
from bench.contestants import ROOT
from bench.sample import _place
from bench.tools import allow_descriptors

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


def on_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


def on_uvloop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop = importlib.import_module("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def on_ninth(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    importlib.import_module("ninth").run(main)


def on_trio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    importlib.import_module("trio").run(main)


def on_curio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    importlib.import_module("curio").run(main)


def pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing


def timed(work: Callable[[int], None], count: int) -> float:
    """Return CPU microseconds per operation, after a tenth of them to warm up."""
    work(max(1, count // 10))
    start = time.process_time_ns()
    work(count)
    return (time.process_time_ns() - start) / count / 1000


async def timed_async(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Do the same for a coroutine function."""
    await work(max(1, count // 10))
    start = time.process_time_ns()
    await work(count)
    return (time.process_time_ns() - start) / count / 1000


# Waiting for a pipe


def awaiting(run: Run, wait_of: Callable[[int], Callable[[], Awaitable[Any]]], count: int) -> float:
    """Measure a coroutine that waits for a pipe and reads it."""
    reading, writing = pipe()
    result = 0.0

    async def main() -> None:
        nonlocal result
        wait = wait_of(reading)
        write, read = os.write, os.read

        async def work(left: int) -> None:
            for _ in range(left):
                write(writing, b"x")
                await wait()
                read(reading, 1)

        result = await timed_async(work, count)

    run(main)
    return result


def pipe_epoll(count: int) -> float:
    """Wait with nothing in between: the least that Python can do."""
    reading, writing = pipe()
    epoll = select.epoll()
    epoll.register(reading, select.EPOLLIN)

    def work(left: int) -> None:
        for _ in range(left):
            os.write(writing, b"x")
            epoll.poll()
            os.read(reading, 1)

    return timed(work, count)


def calling(run: Run, register: Callable[[int, Callable[[], object]], object], count: int) -> float:
    """Measure a callback that stays registered."""
    reading, writing = pipe()
    result = 0.0

    async def main() -> None:
        nonlocal result
        left = 0
        done = asyncio.get_running_loop().create_future()

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
                done.set_result(None)

        async def work(count: int) -> None:
            nonlocal left, done
            left = count
            done = asyncio.get_running_loop().create_future()
            os.write(writing, b"x")
            await done

        registered = register(reading, on_readable)
        result = await timed_async(work, count)
        if hasattr(registered, "__aexit__"):
            await registered.__aexit__(None, None, None)

    run(main)
    return result


def future_of(fd: int) -> Callable[[], Awaitable[None]]:
    """Return how asyncio waits for a file: a future, and a reader for each wait."""
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        future = loop.create_future()
        loop.add_reader(fd, future.set_result, None)
        try:
            await future
        finally:
            loop.remove_reader(fd)

    return wait


def ninth_of(fd: int) -> Callable[[], Awaitable[Any]]:
    readable = importlib.import_module("ninth").readable
    return lambda: readable(fd)


def ninth_file_of(fd: int) -> Callable[[], Awaitable[Any]]:
    """Wait through a file object, which is known to be still the same file."""
    file = os.fdopen(fd, "rb", buffering=0)
    readable = importlib.import_module("ninth").readable
    return lambda: readable(file)


def trio_of(fd: int) -> Callable[[], Awaitable[None]]:
    wait_readable = importlib.import_module("trio").lowlevel.wait_readable
    return lambda: wait_readable(fd)


def curio_of(fd: int) -> Callable[[], Awaitable[None]]:
    read_wait = importlib.import_module("curio.traps")._read_wait
    return lambda: read_wait(fd)


def anyio_of(fd: int) -> Callable[[], Awaitable[None]]:
    wait_readable = importlib.import_module("anyio").wait_readable
    return lambda: wait_readable(fd)


def register_in_loop(fd: int, callback: Callable[[], object]) -> None:
    asyncio.get_running_loop().add_reader(fd, callback)


# Scopes


def scope_with(register: Callable[[Any, int], object], count: int) -> float:
    """Measure entering a scope, registering one callback in it, and leaving it."""
    ninth = importlib.import_module("ninth")
    reading, _ = pipe()
    result = 0.0

    async def main() -> None:
        nonlocal result

        async def work(left: int) -> None:
            for _ in range(left):
                async with ninth.scope() as scope:
                    register(scope, reading)

        result = await timed_async(work, count)

    on_ninth(main)
    return result


def nothing() -> None:
    """Be a callback."""


def task_group(count: int) -> float:
    """Measure the same with what asyncio has: a TaskGroup with one task."""
    result = 0.0

    async def one() -> None:
        nothing()

    async def main() -> None:
        nonlocal result

        async def work(left: int) -> None:
            for _ in range(left):
                async with asyncio.TaskGroup() as group:
                    group.create_task(one())

        result = await timed_async(work, count)

    on_asyncio(main)
    return result


def many(files: int, count: int) -> float:
    """Measure events on randomly chosen ones of many files; a hundred are ready at a time."""
    ninth = importlib.import_module("ninth")
    allow_descriptors(files)
    counters = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(files)]
    choose = random.Random(1)
    result = 0.0

    async def main() -> None:
        nonlocal result
        left = 0
        done = asyncio.get_running_loop().create_future()

        def on_event(fd: int) -> None:
            nonlocal left
            os.eventfd_read(fd)
            left -= 1
            if not left:
                done.set_result(None)

        async def work(events: int) -> None:
            nonlocal left, done
            while events > 0:
                chosen = choose.sample(counters, min(100, files))
                left = len(chosen)
                done = asyncio.get_running_loop().create_future()
                for fd in chosen:
                    os.eventfd_write(fd, 1)
                await done
                events -= len(chosen)

        async with ninth.scope() as scope:
            for fd in counters:
                scope.on_readable(fd, on_event, fd, background=True)
            result = await timed_async(work, count)

    on_ninth(main)
    return result


def many_epoll(files: int, count: int) -> float:
    """Do the same with nothing in between: what the kernel and Python's own calls cost of it."""
    allow_descriptors(files)
    counters = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(files)]
    choose = random.Random(1)
    epoll = select.epoll()
    for fd in counters:
        epoll.register(fd, select.EPOLLIN)

    def work(events: int) -> None:
        while events > 0:
            chosen = choose.sample(counters, min(100, files))
            for fd in chosen:
                os.eventfd_write(fd, 1)
            left = len(chosen)
            while left:
                for fd, _ in epoll.poll(maxevents=256):
                    os.eventfd_read(fd)
                    left -= 1
            events -= len(chosen)

    return timed(work, count)


def in_scope(fd: int, callback: Callable[[], object]) -> Any:
    """Register a callback in a scope of its own."""
    scope = importlib.import_module("ninth").scope()
    # Nothing is awaited on entry.
    entering = scope.__aenter__()
    with contextlib.suppress(StopIteration):
        entering.send(None)
    scope.on_readable(fd, callback, background=True)
    return scope


ROWS: dict[str, tuple[int, Callable[[int], float]]] = {
    "pipe epoll": (200_000, pipe_epoll),
    "pipe asyncio callback": (100_000, lambda n: calling(on_asyncio, register_in_loop, n)),
    "pipe ninth callback": (100_000, lambda n: calling(on_ninth, register_in_loop, n)),
    "pipe ninth on_readable": (100_000, lambda n: calling(on_ninth, in_scope, n)),
    "pipe ninth": (100_000, lambda n: awaiting(on_ninth, ninth_of, n)),
    "pipe ninth, file object": (100_000, lambda n: awaiting(on_ninth, ninth_file_of, n)),
    "pipe ninth on asyncio": (30_000, lambda n: awaiting(on_asyncio, ninth_of, n)),
    "pipe ninth on uvloop": (30_000, lambda n: awaiting(on_uvloop, ninth_of, n)),
    "pipe asyncio future": (30_000, lambda n: awaiting(on_asyncio, future_of, n)),
    "pipe uvloop future": (30_000, lambda n: awaiting(on_uvloop, future_of, n)),
    "pipe trio": (30_000, lambda n: awaiting(on_trio, trio_of, n)),
    "pipe curio": (30_000, lambda n: awaiting(on_curio, curio_of, n)),
    "pipe anyio": (20_000, lambda n: awaiting(on_asyncio, anyio_of, n)),
    "scope empty": (50_000, lambda n: scope_with(lambda *_: None, n)),
    "scope after": (
        50_000,
        lambda n: scope_with(lambda s, _: s.after(60, nothing, background=True), n),
    ),
    "scope on_readable": (
        50_000,
        lambda n: scope_with(lambda s, fd: s.on_readable(fd, nothing, background=True), n),
    ),
    "scope TaskGroup of asyncio": (30_000, task_group),
    "files 100, epoll": (100_000, lambda n: many_epoll(100, n)),
    "files 10000, epoll": (100_000, lambda n: many_epoll(10_000, n)),
    "files 10": (100_000, lambda n: many(10, n)),
    "files 100": (100_000, lambda n: many(100, n)),
    "files 1000": (100_000, lambda n: many(1000, n)),
    "files 10000": (100_000, lambda n: many(10_000, n)),
    "children 1": (20_000, lambda n: lines(1, n)),
    "children 1 by epoll": (20_000, lambda n: lines_by_epoll(1, n)),
    "children 10": (20_000, lambda n: lines(10, n)),
    "children 10 by epoll": (20_000, lambda n: lines_by_epoll(10, n)),
    "children 100": (20_000, lambda n: lines(100, n)),
    "children 100 by epoll": (20_000, lambda n: lines_by_epoll(100, n)),
    "children 1000": (20_000, lambda n: lines(1000, n)),
    "children 1000 by epoll": (20_000, lambda n: lines_by_epoll(1000, n)),
}


def sample(name: str, scale: float) -> float | None:
    """Run one row in a fresh process; None if it cannot run here."""
    command = [sys.executable, "-m", "bench.waiting", "--one", name, "--scale", str(scale)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _place(process.pid)
    output, errors = process.communicate()
    if process.returncode:
        sys.stderr.write(f"{name}: not here: {errors.strip().splitlines()[-1]}\n")
        return None
    return float(output)


def main() -> None:
    """Run the rows that were asked for, and print their medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.waiting")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each figure (7)")
    parser.add_argument("--scale", type=float, default=1.0, help="length of a sample (1)")
    parser.add_argument("--rows", default="", help="rows by their beginning, with commas")
    parser.add_argument("--json", metavar="FILE", help="write all samples there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        count, work = ROWS[options.one]
        print(work(max(1, round(count * options.scale))))
        return
    wanted = [name for name in ROWS if name.startswith(tuple(options.rows.split(",")))]
    samples: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(options.rounds):
        for name in list(samples):
            value = sample(name, options.scale)
            if value is None:
                del samples[name]
            else:
                samples[name].append(value)
    ninth = importlib.import_module("ninth")
    kind = "compiled" if ninth.is_compiled() else "plain Python"
    print(f"Python {sys.version.split()[0]}, ninth {kind}, CPU microseconds per operation")
    for name, values in samples.items():
        middle = statistics.median(values)
        print(f"{name:28} {middle:7.2f} [{min(values):.2f}, {max(values):.2f}]")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(samples, file, indent=1)


if __name__ == "__main__":
    main()
