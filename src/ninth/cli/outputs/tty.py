"""On a terminal: the time and a row for each command, redrawn in place.

What commands write to standard error scrolls by above the frame, which is one write; see frame.py.

When a terminal becomes narrower, most wrap the rows that stand there anew, so the old frame
becomes higher; the next one begins above all of it. xterm and the console cut rows off instead.

Source: ECMA-48 (SGR).
"""

import os
from collections.abc import Sequence

from ninth.cli.cells import cut, fit, width
from ninth.cli.frame import ERASE_BELOW, UNKNOWN_HEIGHT, back_over, redrawn, written
from ninth.cli.options import Settings
from ninth.cli.watched import Watched

from .base import Output
from .log import ending_of
from .styles import color_of, dim

CUTTING_TERMINALS = {"linux", "vt100", "vt220"}


class TtyOutput(Output):
    """Frames, cut to the terminal's size.

    descriptor: the terminal.
    """

    def __init__(self, settings: Settings, descriptor: int = 1) -> None:
        super().__init__(settings)
        self._descriptor = descriptor
        self._rows: list[str] = []  # as they stand there, styles left out
        self._styled: list[str] = []
        self._columns = 0
        self._wraps_anew = (
            os.environ.get("TERM") not in CUTTING_TERMINALS and "XTERM_VERSION" not in os.environ
        )

    def draw(self, watched: Sequence[Watched]) -> bytes:
        columns, lines = _size(self._descriptor)
        clock = self.clock()
        # The cursor stands below the frame.
        kept = fit([*clock, *("" for _ in watched)], (lines or UNKNOWN_HEIGHT) - 1)
        shown = len(kept) - len(clock)
        more = kept[-1] if kept and kept[-1].startswith("+") else ""
        if more:
            shown -= 1
        name_width = max(map(width, (one.name for one in watched))) if self.settings.named else 0
        name_width = min(name_width, columns // 3 if columns else name_width)
        rows = [cut(text, columns) for text in clock]
        styled = list(rows)
        for one in watched[: max(shown, 0)]:
            row, style = self._row(one, columns, name_width)
            rows.append(row)
            styled.append(style)
        if more:
            rows.append(cut(more, columns))
            styled.append(rows[-1])
        if styled == self._styled and columns == self._columns:
            return b""
        frame = redrawn(styled, self._height(columns))
        self._rows, self._styled, self._columns = rows, styled, columns
        return frame.encode(errors="replace")

    def above(self, lines: Sequence[str]) -> bytes:
        """Return what shows lines above the frame, which has to be drawn anew after them."""
        up = back_over(self._height(_size(self._descriptor)[0]))
        self._rows, self._styled = [], []
        return f"{up}{ERASE_BELOW}{written(lines)}".encode(errors="replace")

    def resized(self) -> None:
        self._styled = []

    def moved(self) -> None:
        self._rows, self._styled = [], []

    def _row(self, watched: Watched, columns: int, name_width: int) -> tuple[str, str]:
        """Return a row without and with styles."""
        name = ""
        if name_width:
            name = cut(watched.name, name_width)
            name += " " * (name_width - width(name)) + " │ "
        left = max(columns - width(name), 1) if columns else 0
        ended = watched.code is not None
        ending = ending_of(watched) if watched.again is not None or watched.ending else ""
        text = watched.latest.text
        if ended and ending:
            # How it ended is more than what it said last: that gives way.
            room = left - width(ending) - 1
            if not text or (left and room < 1):
                text = cut(ending, left)
            else:
                text = f"{cut(text, room if left else 0)} {ending}"
        else:
            text = cut(text, left)
        row = f"{name}{text}"
        if not self.settings.color:
            return row, row
        styled_name = color_of(watched.index, name) if name else ""
        return row, styled_name + (dim(text) if ended else text)

    def _height(self, columns: int) -> int:
        """Return how many rows the old frame takes on a terminal that has so many columns now."""
        if self._wraps_anew and 0 < columns < self._columns:
            return sum(max(1, -(-width(row) // columns)) for row in self._rows)
        return len(self._rows)


def _size(descriptor: int) -> tuple[int, int]:
    """Return columns and lines of a terminal, 0 where they are not known."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return 0, 0  # it was asked for where there is no terminal
    return size.columns, size.lines
