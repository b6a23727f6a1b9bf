"""Coroutine: the same with `async` and `await`.

New here: the language tells functions that wait from others. `await` cannot be forgotten without
a warning, and a coroutine is no longer mistaken for something to iterate over. One small class,
`Condition`, is the only place that yields; all else awaits.

Still wrong: nothing is cheaper than before, every wake-up still passes all files through all
layers. And our coroutines run on our `run` only: a library that was written for another
loop waits for something that ours does not know.
"""

import contextlib
import select
import time
from collections.abc import Coroutine, Generator, Sequence
from typing import Any, NamedTuple

from .program import Child, Program

Files = frozenset[int]
Times = frozenset[float]


class Condition(NamedTuple):
    """Waits until one of the files is readable, or one of the times has come."""

    files: Files
    times: Times

    def __await__(self) -> Generator["Condition", "Condition", "Condition"]:
        """Return what came true: the only place that yields."""
        return (yield self)


Waiting = Coroutine[Condition, Condition, None]

NOTHING = Condition(frozenset(), frozenset())


class Task:
    """A coroutine on its way, and what it waits for."""

    def __init__(self, routine: Waiting) -> None:
        self.routine = routine
        self.files, self.times = NOTHING
        self.done = False
        self._go_on(None)  # the first step takes no value

    def wake_up(self, files: Files, times: Times) -> None:
        """Go on if something that the coroutine waits for is among these."""
        mine = Condition(self.files & files, self.times & times)
        if not self.done and any(mine):
            self._go_on(mine)

    def _go_on(self, came_true: Any) -> None:
        try:
            self.files, self.times = self.routine.send(came_true)
        except StopIteration:
            self.files, self.times = NOTHING
            self.done = True


def run(routine: Waiting) -> None:
    """Run a coroutine to its end: the only place that waits."""
    with contextlib.closing(routine):
        task = Task(routine)
        while not task.done:
            poll = select.poll()
            for file in task.files:
                poll.register(file, select.POLLIN)
            timeout = None
            if task.times:
                # Rounded up: woken a moment early, we would spin until the time has come.
                timeout = max(0, int((min(task.times) - time.monotonic()) * 1000) + 1)
            files = frozenset(file for file, _ in poll.poll(timeout))
            now = time.monotonic()
            task.wake_up(files, frozenset(when for when in task.times if when <= now))


async def readable(file: int) -> None:
    """Wait for a file."""
    await Condition(frozenset({file}), frozenset())


async def sleep(seconds: float) -> None:
    """Wait for a time."""
    await Condition(frozenset(), frozenset({time.monotonic() + seconds}))


async def gather(routines: Sequence[Waiting], background: Sequence[Waiting] = ()) -> None:
    """Run coroutines side by side until all (but those in the background) have ended.

    Whatever happens, all of them are closed: if one fails, the others clean up.
    """
    with contextlib.ExitStack() as stack:
        for routine in [*background, *routines]:
            stack.callback(routine.close)
        helpers = [Task(routine) for routine in background]
        tasks = [Task(routine) for routine in routines]
        while not all(task.done for task in tasks):
            everyone = helpers + tasks
            files, times = await Condition(
                frozenset().union(*(task.files for task in everyone)),
                frozenset().union(*(task.times for task in everyone)),
            )
            for task in everyone:
                task.wake_up(files, times)


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
