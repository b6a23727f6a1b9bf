"""A line for each change: the time and the latest line of each command. For pipes."""

import time
from collections.abc import Sequence

from ninth.cli.options import Settings
from ninth.cli.watched import Watched

from .base import Output


class LineOutput(Output):
    """Lines of parts with the separator between them, and only when one differs from the last."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._last = ""
        # For so long a first line of a command is waited for, before a line without any is shown.
        self._start = time.monotonic() + settings.interval

    def draw(self, watched: Sequence[Watched]) -> bytes:
        texts = [one.latest.text for one in watched]
        if not any(texts) and not self._last and time.monotonic() < self._start:
            return b""
        line = self.settings.separator.join([*self.clock(), *map(self.neutral, texts)])
        if line == self._last:
            return b""
        self._last = line
        return line.encode(errors="replace") + b"\n"

    def neutral(self, text: str) -> str:
        """Return what a command said without what our reader would take for markup.

        In the separator and the time it stays: they are the user's own.
        """
        return text
