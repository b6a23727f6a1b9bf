"""The latest number of each command, and the time: plain callbacks of asyncio, and what they cost.

It looks like latest_callbacks.py, it runs, and four things are wrong with it:

1. A line that is no number raises in show(). The loop logs it, says nothing of who registered
show(),
   and goes on as if nothing had happened.
2. readline() takes all that is there into a buffer, and gives one line of it. The loop looks at the
   pipe, which is empty: the other lines are shown when more comes, or never.
3. The end of a file can be read for ever. Nobody takes the callback out, so it is called as fast
   as the processor can, and each time int("") is logged.
4. Nothing ends it: not the end of the commands, and Ctrl-C leaves what they started running.
"""

import asyncio
import subprocess
import sys
import time
from typing import IO

commands = sys.argv[1:]
latest = [0] * len(commands)


def render() -> None:
    print(time.strftime("%H:%M:%S"), *latest, flush=True)


def show(index: int, output: IO[str]) -> None:
    latest[index] = int(output.readline())
    render()


def tick() -> None:
    loop.call_later(10, tick)
    render()


loop = asyncio.new_event_loop()
for number, command in enumerate(commands):
    child = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    loop.add_reader(child.stdout, show, number, child.stdout)
loop.call_later(10, tick)
loop.run_forever()
