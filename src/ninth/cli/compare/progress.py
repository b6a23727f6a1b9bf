"""Says on standard error how far the measurement is.

On a terminal it is one line, redrawn in place and erased at the end, so that the report stands
alone. Elsewhere it is a line for each loop that has been measured.
"""

import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ninth.cli.cells import cut

from .measuring import Job

BAR = 20  # cells
ERASE_LINE = "\r\x1b[K"
COLOR = "\x1b[36m"
RESET = "\x1b[0m"


class Progress:
    """A watcher of measuring.measure(), and a `with` block that takes the line away again."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._stream = sys.stderr
        self._redraws = (
            self._stream is not None
            and self._stream.isatty()
            and os.environ.get("TERM", "dumb") != "dumb"
        )
        self._colored = self._redraws and not os.environ.get("NO_COLOR")

    def update(self, position: int, elapsed: float) -> None:
        """Redraw the line."""
        if not self._redraws:
            return
        done, total, left = self._times(position, elapsed)
        filled = round(BAR * done / total)
        job = self._jobs[position]
        text = (
            f" {position + 1}/{len(self._jobs)}  {_name(job)}"
            f"  {_duration(done)}, about {_duration(left)} left"
        )
        columns = os.get_terminal_size(self._stream.fileno()).columns
        # A line as wide as the terminal may wrap, and could then not be erased.
        text = cut(text, columns - BAR - 1) if columns > BAR + 10 else ""
        bar = "━" * filled
        rest = "─" * (BAR - filled)
        if not _can_show(bar + rest + "…", self._stream.encoding):
            bar, rest, text = "#" * filled, "." * (BAR - filled), text.replace("…", ">")
        if self._colored:
            bar = f"{COLOR}{bar}{RESET}"
        self._stream.write(f"{ERASE_LINE}{bar}{rest}{text}")
        self._stream.flush()

    def done(self, position: int, elapsed: float) -> None:
        """Write the line for a loop that has been measured, if they are not redrawn."""
        if self._redraws or self._stream is None:
            return
        _, _, left = self._times(position + 1, 0)
        self._stream.write(
            f"{position + 1}/{len(self._jobs)} {_name(self._jobs[position])} took {elapsed:.1f} s,"
            f" about {_duration(left)} left\n"
        )
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._redraws:
            self._stream.write(ERASE_LINE)
            self._stream.flush()

    def _times(self, position: int, elapsed: float) -> tuple[float, float, float]:
        """Return the seconds that are over, of how many, and those that are left."""
        expected = [job.expected for job in self._jobs]
        done = sum(expected[:position])
        if position < len(expected):  # one that takes longer than it should stands still
            done += min(elapsed, expected[position])
        return done, sum(expected), sum(expected) - done


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _name(job: Job) -> str:
    return f"{job.loop}, {job.children} {'child' if job.children == 1 else 'children'}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
