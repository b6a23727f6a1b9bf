"""The latest number of each command, and the time: callbacks only."""

import functools
import sys
import time
from subprocess import PIPE

import ninth

commands = sys.argv[1:]
latest = [0] * len(commands)


def render() -> None:
    print(time.strftime("%H:%M:%S"), *latest, flush=True)


def show(index: int, line: str) -> None:
    latest[index] = int(line)
    render()


with ninth.scope() as scope:
    for index, command in enumerate(commands):
        child = scope.process(command, shell=True, stdout=PIPE)
        assert child.stdout is not None
        scope.on_line(child.stdout, functools.partial(show, index))
    scope.every(10, render, background=True)
