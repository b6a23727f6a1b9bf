"""Shows a render of a classic loop on a terminal, redrawn in place: the clock, a row per command.

The frame stays in the normal screen, below what was there, so that it is still to be read when
the program has ended. A frame is one write; while it is written the terminal is told not to
wrap, because our idea of a character's width may differ from the terminal's.

Source: ECMA-48 (CUU, EL, ED), DEC private mode 7 (auto-wrap).
"""

import os
from collections.abc import Sequence

from ninth.cli.cells import cut, fit
from ninth.ladder.program import write_all

UP = "\x1b[{}A"
# Before what is written: after a full row the cursor still stands on its last cell.
ERASE_LINE = "\x1b[K"
ERASE_BELOW = "\x1b[J"
NO_WRAP = "\x1b[?7l"
WRAP = "\x1b[?7h"

UNKNOWN_HEIGHT = 24  # of a terminal that says 0, as serial lines do


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
        up = "\r" + UP.format(len(self._last)) if self._last else ""
        body = "".join(f"{ERASE_LINE}{row}\n" for row in rows)
        frame = f"{NO_WRAP}{up}{body}{ERASE_BELOW}{WRAP}"
        write_all(self._descriptor, frame.encode(errors="replace"))
        self._last = rows
