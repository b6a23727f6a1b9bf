"""What a line of a child costs its parent, beside how many other children that watches."""

import asyncio
import importlib
import os
import random
import select
import subprocess
import time
from collections.abc import Callable
from typing import Any

from bench.tools import allow_descriptors

DESCRIPTORS_OF_A_CHILD = 3  # its input, its output, its end
ASKED = b"another line\n"


def lines_by_epoll(children: int, count: int) -> float:
    """Measure the same as lines() with nothing but epoll: what the system itself takes."""
    allow_descriptors(children * DESCRIPTORS_OF_A_CHILD)
    choose = random.Random(1)
    pipe = subprocess.PIPE
    cats = [subprocess.Popen(["cat"], stdin=pipe, stdout=pipe) for _ in range(children)]
    inputs = [cat.stdin.fileno() for cat in cats if cat.stdin is not None]
    poller = select.epoll()
    for cat in cats:
        if cat.stdout is not None:
            poller.register(cat.stdout, select.EPOLLIN)

    def ask(fd: int) -> None:
        os.write(fd, ASKED)
        for ready, _ in poller.poll():
            os.read(ready, 65536)

    result = timed(inputs, lambda: choose.choice(inputs), ask, count)
    for cat in cats:
        cat.communicate()
    return result


def timed(inputs: list[int], choose: Callable[[], int], ask: Callable[[int], Any], n: int) -> float:
    """Return CPU microseconds per call of ask(); all children have begun before."""
    for fd in inputs:
        ask(fd)
    start = time.process_time_ns()
    for _ in range(n):
        ask(choose())
    return (time.process_time_ns() - start) / n / 1000


def lines(children: int, count: int) -> float:
    """Return the parent's CPU microseconds per line that one of many children writes.

    Each child is `cat`, asked for a line at a time. That it can be asked costs a write, the same
    for any number of children. Raises: RuntimeError if a child is left over.
    """
    ninth = importlib.import_module("ninth")
    allow_descriptors(children * DESCRIPTORS_OF_A_CHILD)
    choose = random.Random(1)
    result = 0.0

    async def main() -> None:
        nonlocal result
        loop = asyncio.get_running_loop()
        came = loop.create_future()

        def on_line(_line: str) -> None:
            came.set_result(None)

        async with ninth.scope() as scope:
            inputs = []
            for _ in range(children):
                child = scope.process(
                    ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, background=True
                )
                scope.on_line(child.stdout, on_line, background=True)
                inputs.append(child.stdin.fileno())

            async def work(left: int) -> None:
                nonlocal came
                for _ in range(left):
                    came = loop.create_future()
                    os.write(choose.choice(inputs), ASKED)
                    await came

            # Each has to have begun before what it costs is measured.
            for fd in inputs:
                came = loop.create_future()
                os.write(fd, ASKED)
                await came
            start = time.process_time_ns()
            await work(count)
            result = (time.process_time_ns() - start) / count / 1000

    ninth.run(main)
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return result
    raise RuntimeError("a child is left over")
