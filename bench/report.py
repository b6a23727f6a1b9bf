"""Figures out of samples: medians, ranges, ratios, and which aims are met.

A ratio is the median of the ratios of each round, not the ratio of two medians: what else the
machine did in a round, it did to both.
"""

import statistics
from collections.abc import Iterable

Samples = dict[str, dict[str, list[float]]]  # row -> contestant -> nanoseconds, one per round

# Rows of ninth against a base, with the most that the ratio may be. The first fit counts.
AIMS: dict[tuple[str, str], list[tuple[str, float]]] = {
    ("ninth", "c"): [("protocol-1k-50", 1.15), ("stream-1k-50", 1.3)],
    ("ninth", "uvloop"): [
        ("uvicorn", 0.8),
        ("aiohttp", 0.8),
        ("call_soon", 0.6),
        ("sleep0", 0.6),
        ("call_later-cancel", 0.6),
        ("", 1.0),
    ],
    ("ninth-pure", "asyncio"): [("", 1.0)],
}


def ratio(samples: Samples, row: str, contestant: str, base: str) -> float | None:
    """Return how many times the base's CPU the contestant needs; None where one is missing."""
    mine, other = samples[row].get(contestant), samples[row].get(base)
    if not mine or not other:
        return None
    return statistics.median(a / b for a, b in zip(mine, other, strict=False))


def _amount(nanoseconds: float) -> str:
    return f"{nanoseconds / 1000:.2f}" if nanoseconds < 100_000 else f"{nanoseconds / 1000:.1f}"


def _cell(values: list[float] | None) -> str:
    if not values:
        return ""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{_amount(middle)} ({_amount(low)}-{_amount(high)})"


def _table(head: list[str], lines: Iterable[list[str]]) -> str:
    rows = [head, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def figures(samples: Samples, contestants: list[str]) -> str:
    """Return the table of microseconds: the median, and in brackets the lowest and highest."""
    lines = [[row, *(_cell(of.get(name)) for name in contestants)] for row, of in samples.items()]
    return _table(["CPU µs per operation", *contestants], lines)


def ratios(samples: Samples, contestants: list[str]) -> str:
    """Return the table of ninth's ratios to the others; empty without ninth."""
    pairs = [
        (mine, base)
        for mine in contestants
        if mine.startswith("ninth")
        for base in contestants
        if base != mine and not base.startswith("ninth")
    ]
    lines = []
    for row in samples:
        found = [ratio(samples, row, mine, base) for mine, base in pairs]
        lines.append([row, *("" if one is None else f"{one:.2f}" for one in found)])
    return _table(["times", *(f"{mine}/{base}" for mine, base in pairs)], lines) if pairs else ""


def aims(samples: Samples) -> list[str]:
    """Return a line for every aim that is missed, and one that counts those that are met."""
    met, missed = 0, []
    for (mine, base), limits in AIMS.items():
        for row in samples:
            limit = next((most for start, most in limits if row.startswith(start)), None)
            found = ratio(samples, row, mine, base)
            if limit is None or found is None:
                continue
            if round(found, 2) <= limit:
                met += 1
            else:
                missed.append(f"missed: {row}: {mine} at {found:.2f} of {base}, aim {limit:.2f}")
    return [*missed, f"{met} of {met + len(missed)} aims met"]
