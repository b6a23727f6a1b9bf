"""Measures one loop after the other, each in a fresh process.

In a process of its own a loop is charged with its own CPU time and its own context switches, and
finds no memory that another has left behind. That process is in a session of its own, so a Ctrl-C
reaches only us; we ask it to stop, it stops its children, and only then do we end. Our signal
handlers never raise: they leave a note, which is looked at PATIENCE seconds later at the latest,
when there is certainly no process half started.
"""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from ninth.ladder.program import GRACE, STOP_SIGNALS, Interrupted

from . import recorder, workload
from .recorder import Recording
from .results import Measurement, evaluate

TICK = 0.2  # seconds between two looks at the clock and the notes


class MeasuringError(Exception):
    """A loop could not be measured; the text says which, and why."""


@dataclass(frozen=True)
class Job:
    """One loop to be measured on one workload."""

    loop: str
    children: int
    seconds: float
    seed: int
    mean: float = workload.QUICK  # seconds between two lines of the quick children

    @property
    def expected(self) -> float:
        """Seconds that it will take, start and end included: an estimate."""
        return 0.6 + recorder.LEAD + workload.LINGER + self.seconds + 0.015 * self.children


class Watcher(Protocol):
    """Is told how far the measurement is."""

    def update(self, position: int, elapsed: float) -> None:
        """Note that the job at that position has been running for so many seconds."""

    def done(self, position: int, elapsed: float) -> None:
        """Note that the job at that position has ended after so many seconds."""


class Notes:
    """The signals that asked us to stop."""

    def __init__(self) -> None:
        self.signums: list[int] = []

    def take(self, signum: int, _frame: FrameType | None) -> None:
        """Note a signal: the handler."""
        self.signums.append(signum)

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.signums:
            raise Interrupted(self.signums[0])


def measure(jobs: Sequence[Job], watcher: Watcher) -> list[Measurement]:
    """Do all jobs and return what came out, in the same order.

    Raises: MeasuringError; Interrupted after a signal. Either way nothing is left running.
    """
    measurements = []
    with _noting_signals() as notes:
        for position, job in enumerate(jobs):
            notes.check()
            measurements.append(_measure(job, position, watcher, notes))
    return measurements


@contextlib.contextmanager
def _noting_signals() -> Iterator[Notes]:
    notes = Notes()
    # What our parent has set to be ignored (nohup) stays so.
    signums = [one for one in STOP_SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    previous = {one: signal.signal(one, notes.take) for one in signums}
    try:
        yield notes
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
    notes.check()  # it may have come after the last look


def _measure(job: Job, position: int, watcher: Watcher, notes: Notes) -> Measurement:
    plan = workload.schedules(job.children, job.seconds, job.seed, job.mean)
    with tempfile.TemporaryDirectory(prefix="ninth-compare-") as name:
        workload.prepare(Path(name), plan, job.seconds)
        arguments = [job.loop, name, str(job.children), repr(job.seconds)]
        # -P: a module in the current directory must not replace one of the standard library.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", recorder.__name__, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        start = time.monotonic()
        try:
            while True:
                notes.check()
                elapsed = time.monotonic() - start
                watcher.update(position, elapsed)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=TICK)
                    break
            notes.check()
        finally:
            _stop(process, notes)
    name = f"{job.loop} with {job.children} {'child' if job.children == 1 else 'children'}"
    if process.returncode:
        last = errors.strip().rpartition("\n")[2] or f"it ended with {process.returncode}"
        raise MeasuringError(f"cannot measure {name}: {last}")
    try:
        measurement = evaluate(job.loop, plan, job.seconds, Recording(**json.loads(output)))
    except ValueError as error:
        raise MeasuringError(f"cannot measure {name}: {error}") from error
    watcher.done(position, time.monotonic() - start)
    return measurement


def _stop(process: subprocess.Popen[str], notes: Notes) -> None:
    """Stop and reap a process that may have ended. Another signal meanwhile cuts the grace."""
    asked = 0
    deadline = time.monotonic() + 2 * GRACE
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        elif asked < max(1, len(notes.signums)):
            process.terminate()
            asked += 1
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TICK)
    for file in (process.stdout, process.stderr):
        if file is not None:
            file.close()
