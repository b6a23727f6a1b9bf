"""Shows a render of a classic loop on a terminal: a frame of the clock and a row per command."""

import os
from collections.abc import Sequence

from ninth.cli.cells import cut, fit
from ninth.cli.frame import UNKNOWN_HEIGHT, redrawn
from ninth.ladder.program import write_all


class ScreenDisplay:
    """Draws the clock and one row for each command, cut to the terminal's size.

    descriptor: the terminal.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._last: list[str] = []

    def __call__(self, clock: str, lines: Sequence[str]) -> None:
        """Draw a frame if it differs from the last one. Raises OSError if that is impossible."""
        size = os.get_terminal_size(self._descriptor)
        height = (size.lines or UNKNOWN_HEIGHT) - 1  # the cursor stands below the frame
        rows = [cut(row, size.columns) for row in fit([clock, *lines], height)]
        if rows == self._last:
            return
        write_all(self._descriptor, redrawn(rows, len(self._last)).encode(errors="replace"))
        self._last = rows
