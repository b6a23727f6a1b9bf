"""What was measured of a loop, worked out from what its process recorded.

The *delay* of a line is the time from its being written until a render showed it, or a later one
of the same child. It is counted for every line: were it counted for those only that came to be
shown, the loop that skips most lines would look best, for the last line before a render is young.

A line is *shown* if it was the latest of its child at some render, else *superseded*, or *unshown*
if no render came after it. Every line that was to be written is one of the three.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .recorder import Recording
from .workload import Schedule


@dataclass(frozen=True)
class Measurement:
    """The figures of one loop on one workload.

    seconds: length of the window in which CPU time (in seconds), wake-ups (voluntary context
    switches) and renders were counted. delays: seconds, ascending, one for each line but the
    unshown.
    """

    loop: str
    children: int
    seconds: float
    lines: int
    shown: int
    superseded: int
    unshown: int
    renders: int
    wakeups: int
    cpu: float
    delays: tuple[float, ...]

    @property
    def cpu_share(self) -> float:
        """CPU time of the loop as a share of the time that passed; 1 is all of one CPU."""
        return self.cpu / self.seconds

    @property
    def never_sleeps(self) -> bool:
        """Whether the loop goes round and round: next to no wake-up, but renders all the time."""
        return self.renders > 10 * self.wakeups and self.renders > 1000 * self.seconds

    @property
    def cost(self) -> float | None:
        """CPU seconds per wake-up, or per round of a loop that never sleeps.

        None if there were not even two: what the alarms cost would weigh too much.
        """
        turns = self.renders if self.never_sleeps else self.wakeups
        return self.cpu / turns if turns >= 2 else None

    def delay(self, share: float) -> float | None:
        """Return the delay in seconds that this share of the lines stayed within."""
        return percentile(self.delays, share)

    def as_json(self) -> dict[str, Any]:
        """Return the figures in plain types, with the units in the names."""
        return {
            "loop": self.loop,
            "children": self.children,
            "seconds": self.seconds,
            "delay_median_ms": _milliseconds(self.delay(0.5)),
            "delay_p99_ms": _milliseconds(self.delay(0.99)),
            "delay_largest_ms": _milliseconds(self.delay(1)),
            "cpu_percent": round(100 * self.cpu_share, 4),
            "wakeups_per_second": round(self.wakeups / self.seconds, 3),
            "renders_per_second": round(self.renders / self.seconds, 3),
            "never_sleeps": self.never_sleeps,
            "cpu_us_per_wakeup": None if self.cost is None else round(self.cost * 1e6, 3),
            "lines": self.lines,
            "shown": self.shown,
            "superseded": self.superseded,
            "unshown": self.unshown,
        }

    def delays_ms(self) -> list[float]:
        """Return all delays in milliseconds, to the microsecond."""
        return [round(delay * 1e3, 3) for delay in self.delays]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 4)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the least of these values that at least this share of them does not exceed.

    ordered: ascending. share: more than 0, at most 1. Returns: None if there are no values.
    """
    if not ordered:
        return None
    # Rounded before it is raised: 0.07 * 100 is a trifle more than 7.
    return ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]


def evaluate(
    loop: str, plan: Sequence[Schedule], seconds: float, recording: Recording
) -> Measurement:
    """Work out the figures. Raises ValueError if lines were lost, doubled or out of order."""
    delays: list[float] = []
    shown = unshown = 0
    renders = _renders_by_child(recording)
    for index, (times, output) in enumerate(zip(plan, recording.outputs, strict=True)):
        written = _written(index, output)
        if len(written) != len(times):
            raise ValueError(
                f"of child {index}, {len(written)} lines were read but {len(times)} written"
            )
        seen = 0
        for moment, count in renders.get(index, []):
            if count > seen:
                shown += 1
                delays += [(moment - when) / 1e9 for when in written[seen:count]]
                seen = count
        unshown += len(written) - seen
    lines = sum(len(times) for times in plan)
    return Measurement(
        loop=loop,
        children=len(plan),
        seconds=seconds,
        lines=lines,
        shown=shown,
        superseded=lines - shown - unshown,
        unshown=unshown,
        renders=recording.renders,
        wakeups=recording.wakeups,
        cpu=recording.cpu / 1e9,
        delays=tuple(sorted(delays)),
    )


def _renders_by_child(recording: Recording) -> Mapping[int, list[tuple[int, int]]]:
    renders: dict[int, list[tuple[int, int]]] = {}
    for moment, index, count in recording.shown:
        renders.setdefault(index, []).append((moment, count))
    return renders


def _written(index: int, output: str) -> list[int]:
    """Return when the lines of a child were written, having checked that they are all there."""
    written = []
    for number, line in enumerate(output.splitlines()):
        child, sequence, moment = line.split(" ")
        if (int(child), int(sequence)) != (index, number):
            raise ValueError(f"line {number} of child {index} reads {line!r}")
        written.append(int(moment))
    return written
