"""A frame of rows on a terminal, drawn again in place of the one before.

It stays in the normal screen, below what was there, so that it is still to be read when the
program has ended. While rows are written the terminal is told not to wrap, because our idea of a
character's width may differ from the terminal's.

Source: ECMA-48 (CUU, EL, ED), DEC private mode 7 (auto-wrap).
"""

from collections.abc import Iterable

UP = "\x1b[{}A"
# Before what is written: after a full row the cursor still stands on its last cell.
ERASE_LINE = "\x1b[K"
ERASE_BELOW = "\x1b[J"
NO_WRAP = "\x1b[?7l"
WRAP = "\x1b[?7h"

UNKNOWN_HEIGHT = 24  # of a terminal that says 0, as serial lines do


def back_over(height: int) -> str:
    """Return what moves the cursor to the first row of a frame of that height."""
    return "\r" + UP.format(height) if height else ""


def written(rows: Iterable[str]) -> str:
    """Return what writes rows, each over what stood in its place."""
    return "".join(f"{ERASE_LINE}{row}\n" for row in rows)


def redrawn(rows: Iterable[str], height: int) -> str:
    """Return what draws a frame where one of that height stands; the cursor ends below it."""
    return f"{NO_WRAP}{back_over(height)}{written(rows)}{ERASE_BELOW}{WRAP}"
