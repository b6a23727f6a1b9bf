"""What a chapter of the ladder takes from its rung: its docstring, its figures, its diff."""

import ast
import difflib
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LADDER = ROOT / "src/ninth/ladder"
LOOPS = ("blocking", "busy", "sleepy", "select", "callback", "generator", "coroutine", "asyncio")


def source(name: str) -> Path:
    """Return the file of a rung."""
    if name == "ninth":
        return ROOT / "src/ninth/cli/on_ninth.py"
    return LADDER / f"rung{LOOPS.index(name) + 1}_{name}.py"


def _part(name: str, label: str) -> str:
    """Return the paragraphs of a rung's docstring from a label on, up to the next label."""
    text = ast.get_docstring(ast.parse(source(name).read_text())) or ""
    paragraphs: list[str] = []
    for paragraph in text.split("\n\n")[1:]:
        if paragraph.startswith(label):
            paragraphs = [paragraph.removeprefix(label).strip()]
        elif paragraph.startswith(("New here:", "Still wrong:")):
            if paragraphs:
                break
        elif paragraphs:
            paragraphs.append(paragraph)
    if not paragraphs:
        raise LookupError(f"the docstring of {source(name).name} does not say {label!r}")
    paragraphs[0] = paragraphs[0][0].upper() + paragraphs[0][1:]
    return "\n\n".join(paragraphs)


def new(name: str) -> str:
    """Return what is new in a rung."""
    return _part(name, "New here:")


def wrong(name: str) -> str:
    """Return what is still wrong in a rung."""
    return _part(name, "Still wrong:")


def _results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs/compare.json").read_text())
    return found


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def _row(loop: dict[str, Any]) -> str:
    asleep = "never asleep" if loop["never_sleeps"] else _number(loop["wakeups_per_second"])
    return (
        f"| {loop['loop']} | {_number(loop['delay_median_ms'])} | {_number(loop['delay_p99_ms'])} "
        f"| {_number(loop['cpu_percent'])} | {asleep} "
        f"| {loop['superseded'] + loop['unshown']:,} of {loop['lines']:,} |"
    )


HEAD = (
    "| loop | delay, median ms | delay, 99 % ms | CPU % | wake-ups/s | never shown |\n"
    "|---|---:|---:|---:|---:|---:|"
)


def table() -> str:
    """Return the table of all loops that were compared."""
    return "\n".join([HEAD, *(_row(loop) for loop in _results()["loops"])])


def cost(name: str) -> str:
    """Return what a rung costs, as `ninth compare` measured it."""
    results = _results()
    rows = [loop for loop in results["loops"] if loop["loop"] == name]
    if not rows:
        return (
            "The committed run of `ninth compare` does not have this loop yet; "
            f"`ninth compare --loops asyncio,{name}` measures it beside another."
        )
    growth = [
        f"{_number(run['cpu_us_per_wakeup'])} µs with {run['children']}"
        for run in results["growth"]
        if run["loop"] == name and run["cpu_us_per_wakeup"] is not None
    ]
    text = "\n".join([HEAD, *map(_row, rows)])
    if len(growth) > 1:
        unit = "round" if rows[0]["never_sleeps"] else "wake-up"
        text += f"\n\nCPU per {unit}, by the number of children: {', '.join(growth)}."
    elif growth:
        text += f"\n\nCPU per wake-up: {growth[0]} children; with more it hardly ever wakes."
    return text + (
        f"\n\nMeasured by `ninth compare`: {rows[0]['children']} children, {rows[0]['lines']} "
        f"lines in {_number(rows[0]['seconds'])} seconds, {results['python']}, {results['cpus']} "
        "processors. *Never shown*: a later line of the same child came first."
    )


def diff(before: str, after: str) -> str:
    """Return what changes between two rungs, in the code alone."""
    lines = [
        line
        for line in difflib.unified_diff(
            _code(before), _code(after), f"{before}.py", f"{after}.py", n=2, lineterm=""
        )
        if not line.startswith("@@")
    ]
    return "\n".join(["```diff", *lines, "```"])


def _code(name: str) -> list[str]:
    """Return the lines of a rung without its docstring, which the chapter has told already."""
    text = source(name).read_text()
    first = ast.parse(text).body[0]
    assert first.end_lineno is not None  # noqa: S101 - the parser gives it
    return "\n".join(text.splitlines()[first.end_lineno :]).strip().splitlines()
