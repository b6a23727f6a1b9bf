"""The figures as text: two tables, and sentences that are printed only if the figures bear them.

What each loop is said to be, the textbook's claims, stands here as conditions on what was measured.
A loop that does not meet one, on a busy machine say, is not in the sentence.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from .results import Measurement

LATE = 0.1  # seconds of delay that a user notices
PROMPT = 0.05  # seconds of delay that nobody does
IDLE = 0.25  # share of a CPU that a loop stays below if it waits for nothing in vain
WIDTH = 88  # characters of a line of text
# Times the cost, from the fewest to the most children. Of a loop in between nothing is said: caches
# and other programs can make as much of a difference.
GROWS = 2.0
FLAT = 1.6

Growth = dict[str, dict[int, Measurement]]  # loop, children


def report(main: Sequence[Measurement], growth: Sequence[Measurement]) -> str:
    """Return all that is printed.

    main: one measurement for each loop. growth: for each loop one for every size, or none.
    """
    by_loop: Growth = {}
    for one in growth:
        by_loop.setdefault(one.loop, {})[one.children] = one
    sizes = sorted({one.children for one in growth})
    parts = [_heading(main), delay_table(main)]
    if sizes:
        parts += ["CPU microseconds per wake-up\n", growth_table(by_loop, sizes)]
    sentences = [*_claims(main), *_growth_claims(by_loop, sizes)]
    if sentences:
        wrapper = textwrap.TextWrapper(WIDTH, initial_indent="- ", subsequent_indent="  ")
        parts.append("".join(f"{wrapper.fill(one).replace('~', ' ')}\n" for one in sentences))
    return "\n".join(parts)


def _heading(main: Sequence[Measurement]) -> str:
    one = main[0]
    return (
        f"{one.lines} lines of {_children(one.children)} in {one.seconds:g} s,"
        " the same for each loop\n"
    )


# --- tables --------------------------------------------------------------------------------------

COLUMNS: dict[str, Callable[[Measurement], str]] = {
    "|loop": lambda one: one.loop,
    "median|delay ms": lambda one: _milliseconds(one.delay(0.5)),
    "99 %|delay ms": lambda one: _milliseconds(one.delay(0.99)),
    "largest|delay ms": lambda one: _milliseconds(one.delay(1)),
    "CPU|%": lambda one: _significant(100 * one.cpu_share),
    "wake-ups|per s": lambda one: _significant(one.wakeups / one.seconds),
    "renders|per s": lambda one: _significant(one.renders / one.seconds),
    "lines|superseded": lambda one: f"{one.superseded:,}",
}


def delay_table(main: Sequence[Measurement]) -> str:
    """Return the table of the loops on the same work."""
    columns = dict(COLUMNS)
    if any(one.unshown for one in main):
        columns["lines|unshown"] = lambda one: f"{one.unshown:,}"
    heads = [title.rpartition("|") for title in columns]
    rows = [[cell(one) for cell in columns.values()] for one in main]
    return _table([[above for above, _, _ in heads], [below for _, _, below in heads], *rows])


def growth_table(growth: Growth, sizes: Sequence[int]) -> str:
    """Return the table of what a wake-up costs with few and with many children."""
    rows = [["loop", *(_children(size) for size in sizes), "growth"]]
    for loop, by_size in growth.items():
        costs = [by_size[size].cost for size in sizes]
        cells = ["-" if cost is None else f"{_significant(cost * 1e6)}" for cost in costs]
        times = _times(by_size, sizes)
        rows.append([loop, *cells, "-" if times is None else f"x {_significant(times)}"])
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


# --- sentences -----------------------------------------------------------------------------------


def _claims(main: Sequence[Measurement]) -> Iterator[str]:
    loops = {one.loop: one for one in main if one.delays}
    blocking, busy, sleepy = (loops.pop(name, None) for name in ("blocking", "busy", "sleepy"))
    if blocking and blocking.children > 1 and _median(blocking) > LATE:
        yield (
            f"blocking is held up by the slow {_those(blocking.children // 2)}: half of the lines"
            f" waited {_duration(_median(blocking))} or longer,"
            f" one {_duration(_largest(blocking))}."
        )
    if busy and busy.never_sleeps and busy.cpu_share > 0.5:
        yield (
            f"busy takes a CPU: {_percent(busy.cpu_share)} of one, for"
            f" {round(busy.renders / busy.lines):,} rounds per line."
        )
    if sleepy and _median(sleepy) > LATE and 0.5 < _largest(sleepy) < 1.5:
        yield (
            f"sleepy is late by up to a second: {_duration(_largest(sleepy))} at most,"
            f" {_duration(_median(sleepy))} in the median, and {sleepy.superseded} of"
            f" {sleepy.lines} lines were superseded before they were shown."
        )
    neither = [one for one in loops.values() if _median(one) < PROMPT and one.cpu_share < IDLE]
    if neither:
        names, are = _list([one.loop for one in neither]), "are" if len(neither) > 1 else "is"
        yield (
            f"{names} {are} neither late nor busy: half of the lines were shown within"
            f" {_duration(max(map(_median, neither)))}, at"
            f" {_percent(max(one.cpu_share for one in neither))} of a CPU or less."
        )


def _growth_claims(growth: Growth, sizes: Sequence[int]) -> Iterator[str]:
    if len(sizes) < 2:
        return
    # Blocking looks at one child and no other, which is worse than looking at all.
    times = {loop: _times(by_size, sizes) for loop, by_size in growth.items() if loop != "blocking"}
    grown = {loop: ratio for loop, ratio in times.items() if ratio is not None and ratio > GROWS}
    flat = {loop: ratio for loop, ratio in times.items() if ratio is not None and ratio <= FLAT}
    span = f"From {sizes[0]} to {_children(sizes[-1])}"
    if grown:
        ratios = _list([f"{_significant(ratio)} times in {loop}" for loop, ratio in grown.items()])
        look = "they look" if len(grown) > 1 else "it looks"
        yield f"{span}, the cost of a wake-up grew to {ratios}: {look} at every child each time."
    if flat:
        look = "they look" if len(flat) > 1 else "it looks"
        yield (
            f"{span}, it stayed within {_significant(max(1.0, *flat.values()))} times in"
            f" {_list(list(flat))}: {look} only at what is ready."
        )


def _times(by_size: dict[int, Measurement], sizes: Sequence[int]) -> float | None:
    """Return how many times as much a wake-up costs with the most children as with the fewest."""
    fewest, most = by_size[sizes[0]].cost, by_size[sizes[-1]].cost
    return most / fewest if fewest and most and len(sizes) > 1 else None


def _median(one: Measurement) -> float:
    return one.delay(0.5) or 0.0


def _largest(one: Measurement) -> float:
    return one.delay(1) or 0.0


# --- words and numbers ---------------------------------------------------------------------------


def _significant(number: float) -> str:
    """Return a number of at least 0 with about two digits that say something."""
    if number == 0:
        return "0"
    return (
        f"{number:,.0f}" if number >= 9.95 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"
    )


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else _significant(seconds * 1e3)


def _duration(seconds: float) -> str:
    """Return a time of at least 0 s in words; a line is not to be broken at a ~."""
    return f"{seconds:.1f}~s" if seconds >= 0.95 else f"{_significant(seconds * 1e3)}~ms"


def _percent(share: float) -> str:
    """Return a share, 1 being all, in words, with a ~ like duration()."""
    return f"{_significant(100 * share)}~%"


def _children(number: int) -> str:
    return f"{number} child" if number == 1 else f"{number} children"


def _those(number: int) -> str:
    return "child" if number == 1 else "children"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
