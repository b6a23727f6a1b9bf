"""The tables and plots of the benchmarks page, from the run that `bench/` wrote."""

import json
import math
import statistics
from html import escape
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent / "bench"
RESULTS = BENCH / "results.json"
RUNNERS = BENCH / "runners.md"
NETWORK = RESULTS.with_name("network.json")
ORDER = ("c", "asyncio", "uvloop", "ninth", "ninth-pure", "rloop")


def _results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def _ratio(samples: dict[str, list[float]], loop: str, other: str) -> float | None:
    """Return the median over the rounds of one loop's cost as a multiple of another's."""
    if loop not in samples or other not in samples:
        return None
    pairs = zip(samples[loop], samples[other], strict=True)
    return statistics.median(one / two for one, two in pairs)


def _cost(values: list[float] | None) -> str:
    if not values:
        return ""
    microseconds = statistics.median(values) / 1000
    return f"{microseconds:.{2 if microseconds < 10 else 1}f}"


def table() -> str:
    """Return the medians of all rows, and ninth's ratio to uvloop; bold where it costs more."""
    lines = [
        "| CPU µs per operation | " + " | ".join(ORDER) + " | ninth / uvloop |",
        "|---|" + "---:|" * (len(ORDER) + 1),
    ]
    for row, samples in _results()["samples"].items():
        ratio = _ratio(samples, "ninth", "uvloop")
        shown = "" if ratio is None else f"{ratio:.2f}"
        if ratio is not None and ratio > 1.0:
            shown = f"**{shown}**"
        costs = " | ".join(_cost(samples.get(loop)) for loop in ORDER)
        lines.append(f"| `{row}` | {costs} | {shown} |")
    return "\n".join(lines)


def losses() -> str:
    """Return the rows in which ninth costs more than a peer, with the ratio to each."""
    lines = []
    for row, samples in _results()["samples"].items():
        lost = [
            f"{ratio:.2f} of {peer}"
            for peer in ("uvloop", "asyncio", "rloop")
            if (ratio := _ratio(samples, "ninth", peer)) is not None and ratio > 1.005
        ]
        if lost:
            lines.append(f"- `{row}`: {', '.join(lost)}")
    return "\n".join(lines)


def versions() -> str:
    """Return on what the run was made."""
    results = _results()
    loops = "; ".join(f"{name}: {what}" for name, what in results["versions"].items())
    return f"Python {results['python']}, {results['machine']}, {results['rounds']} rounds. {loops}."


def plot() -> str:
    """Return ninth's cost as a multiple of asyncio's and of uvloop's, one row of dots each, SVG."""
    width, left, step, low, high = 760.0, 170.0, 20.0, 1 / 16, 2.0
    rows = list(_results()["samples"].items())
    height = step * len(rows) + 40

    def x(ratio: float) -> float:
        share = math.log(min(max(ratio, low), high) / low) / math.log(high / low)
        return round(left + share * (width - left - 20), 1)

    parts = [
        f'<svg class="bench" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'aria-label="The cost of ninth as a multiple of that of asyncio and of uvloop">'
    ]
    for mark in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2):
        kind = "one" if mark == 1 else "lane"
        parts.append(
            f'<path class="{kind}" d="M{x(mark)} 4V{height - 26}"/>'
            f'<text class="tick" x="{x(mark)}" y="{height - 10}">{mark:g}</text>'
        )
    for index, (row, samples) in enumerate(rows):
        y = 14 + index * step
        parts.append(f'<text x="0" y="{y + 4}">{escape(row)}</text>')
        for peer in ("asyncio", "uvloop"):
            ratio = _ratio(samples, "ninth", peer)
            if ratio is not None:
                parts.append(
                    f'<circle class="{peer}" cx="{x(ratio)}" cy="{y}" r="4.5">'
                    f"<title>{escape(row)}: {ratio:.2f} of {peer}</title></circle>"
                )
    parts.append("</svg>")
    return "".join(parts)


def runners() -> str:
    """Return the run of bench/runners.py that is kept, without its title."""
    return RUNNERS.read_text().partition("\n")[2].strip()


def network() -> str:
    """Return the medians of servers written for several libraries; bold where ninth costs more."""
    samples: dict[str, dict[str, list[float]]] = json.loads(NETWORK.read_text())
    names = ("c", "asyncio", "uvloop", "trio", "gevent", "ninth")
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for row, figures in samples.items():
        medians = {name: statistics.median(values) for name, values in figures.items()}
        best = min(value for name, value in medians.items() if name != "c")
        cells = []
        for name in names:
            value = medians.get(name)
            text = "" if value is None else f"{value:.{2 if value < 10 else 1}f}"
            cells.append(f"**{text}**" if name == "ninth" and value and value > best else text)
        lines.append(f"| `{row}` | {' | '.join(cells)} |")
    return "\n".join(lines)
