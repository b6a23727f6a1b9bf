"""The figure: how late each loop is, what it takes of a CPU, and how its cost grows.

Drawn without pyplot, which would look for a screen. The same figures give the same bytes, so that
a drawing under version control changes only when what it shows does.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .results import Measurement

INK = "#24292f"
FAINT = "#d0d7de"
QUIET = "#57606a"
COLORS = {
    "blocking": "#8a6d3b",
    "busy": "#cf222e",
    "sleepy": "#d97706",
    "select": "#0a7d5a",
    "callback": "#1a9e9e",
    "generator": "#8250df",
    "coroutine": "#bf3989",
    "asyncio": "#0969da",
    "ninth": "#1f2328",
}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "grid.color": "#eaeef2",
    "svg.hashsalt": "ninth",
}
ROW = 0.31  # inches for a loop


def plot(path: str, main: Sequence[Measurement], growth: Sequence[Measurement]) -> None:
    """Draw the figure into a file, whose name ends in .svg or .png.

    main: one measurement for each loop. growth: for each loop one for every size; without any,
    that part is left out. Raises OSError when the file cannot be written.
    """
    upper = 1.0 + ROW * len(main)
    lower = 3.3 if growth else 0.0
    kind = Path(path).suffix.lower().removeprefix(".")
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(8.8, upper + lower), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.12)
        )
        heights = [upper, lower] if growth else [upper]
        grid = figure.add_gridspec(len(heights), 2, width_ratios=[2, 1], height_ratios=heights)
        delays = figure.add_subplot(grid[0, 0])
        _draw_delays(delays, main)
        _draw_cpu(figure.add_subplot(grid[0, 1], sharey=delays), main)
        if growth:
            _draw_growth(figure.add_subplot(grid[1, :]), growth)
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(path, format=kind, dpi=150, metadata=metadata)


def _draw_delays(axes: Any, main: Sequence[Measurement]) -> None:
    for row, one in enumerate(main):
        color = _color(one.loop)
        least, quarter, median, most_of, largest = (
            max(one.delay(share) or math.nan, 1e-6) for share in (1e-9, 0.25, 0.5, 0.75, 1.0)
        )
        if math.isnan(median):
            continue
        axes.plot([least, largest], [row, row], color=color, linewidth=1.3, alpha=0.65, zorder=2)
        axes.plot(
            [quarter, most_of],
            [row, row],
            color=color,
            linewidth=7,
            alpha=0.35,
            solid_capstyle="butt",
            zorder=2,
        )
        axes.plot([median], [row], "o", color=color, markersize=5.5, zorder=3)
        axes.annotate(
            _duration(median),
            (median, row),
            (0, 4.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=INK,
        )
    axes.set_xscale("log")
    axes.set_yticks(range(len(main)), [one.loop for one in main], color=INK)
    axes.set_ylim(len(main) - 0.5, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _duration(seconds)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", zorder=0)
    axes.spines["left"].set_visible(False)
    axes.set_title("Delay from a line being written to its being shown", pad=8)
    axes.set_xlabel("dot: median, bar: the middle half, line: all")


def _draw_cpu(axes: Any, main: Sequence[Measurement]) -> None:
    for row, one in enumerate(main):
        share = max(one.cpu_share, 1e-6)
        axes.plot([share], [row], "o", color=_color(one.loop), markersize=5.5, zorder=3)
        axes.annotate(
            _percent(one.cpu_share),
            (share, row),
            (0, 4.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=INK,
        )
    axes.set_xscale("log")
    shares = [max(one.cpu_share, 1e-6) for one in main]
    axes.set_xlim(min([*shares, 0.001]) / 3, max([*shares, 1.0]) * 2.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.grid(axis="x", zorder=0)
    axes.spines["left"].set_visible(False)
    axes.set_title("Share of a CPU", pad=8)


def _draw_growth(axes: Any, growth: Sequence[Measurement]) -> None:
    sizes = sorted({one.children for one in growth})
    ends: list[tuple[float, int, str]] = []  # cost, children, loop
    for loop in dict.fromkeys(one.loop for one in growth):
        points = sorted((one.children, one.cost) for one in growth if one.loop == loop and one.cost)
        if len(points) < len(sizes):  # blocking, with more children than it gets round to
            continue
        children, costs = zip(*points, strict=True)
        axes.plot(children, costs, "-o", color=_color(loop), markersize=4, linewidth=1.8, alpha=0.9)
        ends.append((costs[-1], children[-1], loop))
    axes.set_xscale("log")
    axes.set_yscale("log")
    # Room for the names, to the right of the last points.
    span = math.log(sizes[-1] / sizes[0]) or 1.0
    axes.set_xlim(sizes[0] / math.exp(0.03 * span), sizes[-1] * math.exp(0.16 * span))
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _duration(seconds)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.margins(y=0.1)
    axes.grid(zorder=0)
    axes.set_xlabel("children, which together write as many lines whatever their number")
    axes.set_title("CPU time per wake-up (busy: per round), with more and more children", pad=8)
    left, right = (math.log(limit) for limit in axes.get_xlim())
    low, high = (math.log(limit) for limit in axes.get_ylim())
    places = spread([(math.log(cost) - low) / (high - low) for cost, _, _ in ends], 0.07)
    for (cost, size, loop), place in zip(ends, places, strict=True):
        axes.annotate(
            loop,
            (size, cost),
            ((math.log(sizes[-1]) - left) / (right - left) + 0.035, place),
            textcoords="axes fraction",
            va="center",
            color=_color(loop),
            fontweight="bold",
            arrowprops={
                "arrowstyle": "-",
                "color": _color(loop),
                "linewidth": 0.7,
                "alpha": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 2,
                "shrinkB": 4,
            },
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return places near the given ones, in the same order, at least a gap apart."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    clusters: list[tuple[list[int], float]] = []  # members, and the place of their middle
    for index in order:
        members, middle = [index], places[index]
        # A cluster that reaches into the one below joins it, and both move to their mean.
        while (
            clusters and middle - clusters[-1][1] < gap * (len(members) + len(clusters[-1][0])) / 2
        ):
            members = clusters.pop()[0] + members
            middle = sum(places[one] for one in members) / len(members)
        clusters.append((members, middle))
    result = [0.0] * len(places)
    for members, middle in clusters:
        for number, index in enumerate(members):
            result[index] = middle + gap * (number - (len(members) - 1) / 2)
    return result


def _color(loop: str) -> str:
    return COLORS.get(loop, INK)


def _percent(share: float) -> str:
    return f"{_two_digits(100 * share) if share >= 0.001 else f'{100 * share:.1g}'} %"


def _duration(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit * 0.95:
            return f"{_two_digits(seconds / unit)} {name}"
    return f"{_two_digits(seconds * 1e6)} µs"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):g}"
