"""Generator: functions that can wait in the middle.

New here: a generator can stop at a `yield` and go on later, with all its variables. So it yields
what it waits for, as `(files, times)`, and gets back those that came true. The story of a child
is one function again, from set-up to clean-up, with `try … finally` around it. `run` does the
waiting, for one generator; `gather` is a generator that stands between: it yields all that
its children wait for and passes on to each what concerns it.

An exception leaves the generator, then `gather`, which closes the others, then `run`. It has a
caller at every step, and its traceback is the story that failed.

Still wrong: `yield from` in front of every call that may wait. Forget it, and nothing happens,
without a word. And every wake-up passes all files through all layers: the cost grows with their
number.
"""

import contextlib
import select
import time
from collections.abc import Generator, Sequence
from typing import Any

from .program import Child, Program

Files = frozenset[int]
Times = frozenset[float]
Condition = tuple[Files, Times]  # wait until one of these is readable, or one of these has come
Waiting = Generator[Condition, Condition, None]

NOTHING: Condition = (frozenset(), frozenset())


class Task:
    """A generator on its way, and what it waits for."""

    def __init__(self, routine: Waiting) -> None:
        self.routine = routine
        self.files, self.times = NOTHING
        self.done = False
        self._go_on(None)  # the first step takes no value

    def wake_up(self, files: Files, times: Times) -> None:
        """Go on if something that the generator waits for is among these."""
        mine = (self.files & files, self.times & times)
        if not self.done and any(mine):
            self._go_on(mine)

    def _go_on(self, came_true: Any) -> None:
        try:
            self.files, self.times = self.routine.send(came_true)
        except StopIteration:
            self.files, self.times = NOTHING
            self.done = True


def run(routine: Waiting) -> None:
    """Run a generator to its end: the only place that waits."""
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


def readable(file: int) -> Waiting:
    """Wait for a file."""
    yield frozenset({file}), frozenset()


def sleep(seconds: float) -> Waiting:
    """Wait for a time."""
    yield frozenset(), frozenset({time.monotonic() + seconds})


def gather(routines: Sequence[Waiting], background: Sequence[Waiting] = ()) -> Waiting:
    """Run generators side by side until all (but those in the background) have ended.

    Whatever happens, all of them are closed: if one fails, the others clean up.
    """
    with contextlib.ExitStack() as stack:
        for routine in [*background, *routines]:
            stack.callback(routine.close)
        helpers = [Task(routine) for routine in background]
        tasks = [Task(routine) for routine in routines]
        while not all(task.done for task in tasks):
            everyone = helpers + tasks
            files, times = yield (
                frozenset().union(*(task.files for task in everyone)),
                frozenset().union(*(task.times for task in everyone)),
            )
            for task in everyone:
                task.wake_up(files, times)


def follow(program: Program, command: str) -> Waiting:
    """Show the lines of one command: the whole story of a child."""
    child = program.start(command)
    try:
        yield from gather([show_lines(program, child), wait_for_end(child)])
    finally:
        if child.running():
            child.stop()


def show_lines(program: Program, child: Child) -> Waiting:
    """Show each line as it comes."""
    goes_on = True
    while goes_on:
        yield from readable(child.output.fileno())
        goes_on = child.read()
        program.render()


def wait_for_end(child: Child) -> Waiting:
    """Take the exit status when there is one."""
    while child.running():
        yield from readable(child.end)


def clock(program: Program) -> Waiting:
    """Show the time, also when nothing else happens."""
    due = time.monotonic() + program.interval
    while True:
        yield from sleep(due - time.monotonic())
        program.render()
        # From when it was due, or it would drift; what was missed is not made up for.
        missed = max(0.0, time.monotonic() - due) // program.interval
        due += (missed + 1) * program.interval


def watch(program: Program) -> None:
    """Run the program to its end."""
    with program:
        followers = [follow(program, command) for command in program.commands]
        run(gather(followers, background=[clock(program)]))
