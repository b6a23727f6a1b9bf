"""Runs one loop on the workload and records what it does; has a process for itself.

`python -m ninth.cli.compare.recorder LOOP FOLDER CHILDREN SECONDS` writes a Recording to its
standard output. How it is made sure that only the loop is measured:

- *A common start.* The start of the last child does not return before all are ready. Then the
  start is set LEAD seconds ahead, in which the loop sets up what it needs.
- *A window.* CPU time and context switches are read at the start of the lines and SECONDS later,
  by an alarm signal: it interrupts whatever the loop does, so no loop has to lend a hand. Python
  goes on with an interrupted call by itself (PEP 475).
- *A lean render.* What is drawn is the same for all loops and takes longer the more rows there
  are. It would hide how the loops themselves grow, so here a render takes note of the children
  that have something new, and looks at no other.

Wake-ups are voluntary context switches: how often the kernel put the process to sleep.
"""

import contextlib
import dataclasses
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ninth.cli.all_loops import watch
from ninth.ladder.program import Child, Interrupted, LatestLine, Program, StartError

from . import workload

LEAD = 0.3  # seconds from when all children are ready to the start
PATIENCE = 120.0  # seconds for all children to become ready

Counts: TypeAlias = tuple[int, int, int]  # CPU nanoseconds, voluntary switches, renders


@dataclass
class Recording:
    """What one loop did.

    cpu, wakeups, renders: CPU nanoseconds, voluntary context switches and calls of render() in
    the window. outputs: for each child all that was read of it. shown: in order of time, the
    monotonic nanoseconds of a render, a child that had something new, and how many lines of it
    had been read by then.
    """

    cpu: int = 0
    wakeups: int = 0
    renders: int = 0
    outputs: list[str] = field(default_factory=list)
    shown: list[tuple[int, int, int]] = field(default_factory=list)


class RecordedLine(LatestLine):
    """A latest line that remembers all that it was fed, and enters itself as new."""

    def __init__(self, index: int, news: set["RecordedLine"]) -> None:
        super().__init__()
        self.index = index
        self.chunks: list[bytes] = []
        self._news = news

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        super().feed(data)
        self.chunks.append(data)
        self._news.add(self)


class RecordingProgram(Program):
    """The program of the ladder with children of the workload, and a render that takes notes."""

    def __init__(self, folder: Path, children: int, seconds: float) -> None:
        # A render for the time alone would come once in ten seconds, in some loops and not in
        # others; the interval is longer than any measurement so that only lines are compared.
        super().__init__(workload.commands(folder, children), interval=seconds + 3600)
        self.recording = Recording()
        self._folder = folder
        self._seconds = seconds
        self._news: set[RecordedLine] = set()
        self._lines: list[RecordedLine] = []
        self._renders = 0
        self._counts: list[Counts] = []

    def start(self, command: str) -> Child:
        """Start one child; with the last one, wait until all are ready and give the start."""
        child = super().start(command)
        line = RecordedLine(len(self._lines), self._news)
        child.latest = line
        self._lines.append(line)
        if len(self._lines) == len(self.commands):
            self._give_start()
        return child

    def render(self) -> None:
        """Take note of what is new."""
        self.raise_if_asked()
        self._renders += 1
        if self._news:
            now = time.monotonic_ns()
            self.recording.shown += [(now, line.index, line.count) for line in self._news]
            self._news.clear()

    def finish(self) -> Recording:
        """Return the recording. Raises StartError if the children did not do what was planned."""
        for index, child in enumerate(self.children):
            if child.returncode:
                raise StartError(f"child {index} of the workload ended with {child.returncode}")
        if len(self._counts) != 2:
            raise StartError("the loop ended before its children did")
        (cpu, switches, renders), end = self._counts
        self.recording.cpu = end[0] - cpu
        # The alarm at the start cut one sleep in two.
        self.recording.wakeups = max(0, end[1] - switches - 1)
        self.recording.renders = end[2] - renders
        self.recording.outputs = [b"".join(line.chunks).decode("ascii") for line in self._lines]
        return self.recording

    def _give_start(self) -> None:
        with _fifo(self._folder / "ready") as ready, _fifo(self._folder / "go") as go:
            self._await_children(ready)
            zero = time.monotonic_ns() + int(LEAD * 1e9)
            signal.signal(signal.SIGALRM, lambda *_: self._on_alarm(zero))
            signal.setitimer(signal.ITIMER_REAL, LEAD)
            digits = str(zero).zfill(workload.GO_SIZE).encode()
            os.write(go, digits * len(self.commands))

    def _await_children(self, ready: int) -> None:
        deadline = time.monotonic() + PATIENCE
        missing = len(self.commands)
        while missing:
            self.raise_if_asked()  # a loop may keep signals from raising by themselves
            if select.select([ready], [], [], 0.5)[0]:
                missing -= len(os.read(ready, missing))
                continue
            for index, child in enumerate(self.children):
                if not child.running():
                    status = child.returncode
                    raise StartError(f"child {index} of the workload ended at once with {status}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"after {PATIENCE:g} s {missing} of {len(self.commands)} children"
                    " were not ready: this machine is too busy to measure"
                )

    def _on_alarm(self, zero: int) -> None:
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        self._counts.append((time.process_time_ns(), switches, self._renders))
        if len(self._counts) == 1:
            left = zero / 1e9 + self._seconds - time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))


@contextlib.contextmanager
def _fifo(path: Path) -> Iterator[int]:
    # For reading and writing: opening it then never waits for the other side.
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def main(loop: str, folder: str, children: str, seconds: str) -> int:
    """Run the loop and write the recording. Returns: the exit status."""
    program = RecordingProgram(Path(folder), int(children), float(seconds))
    try:
        watch(loop, program)
        recording = program.finish()
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Interrupted as error:
        return 128 + error.signum
    json.dump(dataclasses.asdict(recording), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
