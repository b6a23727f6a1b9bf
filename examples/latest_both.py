"""The latest number of each command, and the time: coroutines and a callback."""

import sys
import time
from subprocess import PIPE

import ninth

commands = sys.argv[1:]
latest = [0] * len(commands)


def render() -> None:
    print(time.strftime("%H:%M:%S"), *latest, flush=True)


async def follow(child: ninth.Process, index: int) -> None:
    assert child.stdout is not None
    async for line in child.stdout:
        latest[index] = int(line)
        render()


async def main() -> None:
    async with ninth.scope() as scope:
        for index, command in enumerate(commands):
            child = scope.process(command, shell=True, stdout=PIPE)
            scope.start(follow, child, index)
        scope.every(10, render, background=True)


ninth.run(main)
