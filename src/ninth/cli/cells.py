"""Text measured in the cells of a terminal: how wide it is, and cut to a width.

Source: Unicode Standard Annex 11, East Asian Width.
"""

import unicodedata


def fit(rows: list[str], height: int) -> list[str]:
    """Return at most height rows (at least one), the last of which says how many are missing."""
    height = max(1, height)
    if len(rows) <= height:
        return rows
    if height == 1:
        return rows[:1]
    return [*rows[: height - 1], f"+{len(rows) - height + 1} more"]


def cut(text: str, columns: int) -> str:
    """Return the text as far as it fits into that many cells, with an ellipsis if it was cut."""
    text = text.expandtabs()
    if columns <= 0 or (text.isascii() and len(text) <= columns):
        return text
    used = 0
    fitting = 0  # characters that leave a cell for the ellipsis
    for index, character in enumerate(text):
        used += _cells(character)
        if used > columns:
            return text[:fitting] + "…"
        if used <= columns - 1:
            fitting = index + 1
    return text


def width(text: str) -> int:
    """Return how many cells a text without tabs and controls takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
