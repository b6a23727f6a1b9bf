"""The work that all loops are given: children that write lines at times drawn from a seed.

Children with an even index are quick, the others are slow. However many there are, the quick ones
together write a line every QUICK seconds on average (or every DENSE, where costs are compared) and
the slow ones every SLOW seconds: with more children there is not more to do, only more to look at.

The times are drawn beforehand and counted from a common start, so a child that was held up does
not shift what follows, and each loop gets the same lines. The start is given through a folder:

- `0`, `1`, …: for each child its times, in nanoseconds; the last one is when to end;
- `ready`: a FIFO into which every child writes a byte when it is ready;
- `go`: a FIFO from which every child reads the start, GO_SIZE digits of monotonic nanoseconds.
"""

import os
import random
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

QUICK = 0.01  # mean seconds between two lines of all quick children together
# A loop that wakes up rarely pays for cold caches more than for what it does: to see how that grows
# it has to be kept warm.
DENSE = 0.002
SLOW = 2.0  # the same for all slow ones
LINGER = 0.25  # seconds from the end of the measurement to that of the children, which costs CPU
GO_SIZE = 20

Schedule = list[int]  # nanoseconds from the start, ascending


def schedules(children: int, seconds: float, seed: int, mean: float = QUICK) -> list[Schedule]:
    """Return for each child when it is to write a line. The same arguments, the same times.

    seconds: until when. mean: seconds between two lines of all quick children together.
    """
    slow = children // 2
    quick = children - slow
    means = [SLOW * slow if index % 2 else mean * quick for index in range(children)]
    return [_schedule(mean, seconds, f"{seed} {index}") for index, mean in enumerate(means)]


def _schedule(mean: float, seconds: float, seed: str) -> Schedule:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    times = []
    # Gaps differ by half of the mean at most, and we come in at any point of the first.
    moment = chance.random() * mean * chance.uniform(0.5, 1.5)
    while moment < seconds:
        times.append(int(moment * 1e9))
        moment += mean * chance.uniform(0.5, 1.5)
    return times


def prepare(folder: Path, plan: Sequence[Schedule], seconds: float) -> None:
    """Write the files and make the FIFOs that the children need."""
    end = int((seconds + LINGER) * 1e9)
    for index, times in enumerate(plan):
        folder.joinpath(str(index)).write_text("".join(f"{moment}\n" for moment in [*times, end]))
    os.mkfifo(folder / "ready")
    os.mkfifo(folder / "go")


def commands(folder: Path, children: int) -> list[str]:
    """Return the shell commands of the children."""
    python = [sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py")), str(folder)]
    return [f"exec {shlex.join([*python, str(index)])}" for index in range(children)]
