"""The latest number of each command, and the time: coroutines only."""

import sys
import time
from subprocess import PIPE

import ninth

commands = sys.argv[1:]
latest = [0] * len(commands)


def render() -> None:
    print(time.strftime("%H:%M:%S"), *latest, flush=True)


async def follow(command: str, index: int) -> None:
    async with ninth.open_process(command, shell=True, stdout=PIPE) as child:
        assert child.stdout is not None
        async for line in child.stdout:
            latest[index] = int(line)
            render()
        await child.wait()


async def clock() -> None:
    while True:
        await ninth.sleep(10)
        render()


async def main() -> None:
    async with ninth.scope() as scope:
        for index, command in enumerate(commands):
            scope.start(follow, command, index)
        scope.start(clock, background=True)


ninth.run(main)
