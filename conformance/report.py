"""Print what came of it: a table, and everything that is to be mended."""

from collections.abc import Sequence

from conformance.exclusions import Exclusion, exclusion
from conformance.runner import Outcome, Row

HEADINGS = ("Python", "mode", "ran", "passed", "on our loop", "failed", "skipped", "excluded")


def table(rows: Sequence[Row]) -> str:
    """Return a line per Python and mode.

    ran: all but what CPython itself skips here and what is excluded. on our loop: of those that
    passed, how many made a loop of ours; the others test tasks over a fake loop and the like.
    """
    lines = [HEADINGS]
    for row in rows:
        passed, failed = row.count(Outcome.PASSED), row.count(Outcome.FAILED)
        skipped = row.count(Outcome.SKIPPED)
        excluded = row.count(Outcome.EXCLUDED) + row.count(Outcome.STALE)
        counts = (passed + failed, passed, row.ours, failed, skipped, excluded)
        lines.append((str(row.python), row.mode, *map(str, counts)))  # type: ignore[arg-type]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def defects(row: Row) -> str:
    """Return what is to be mended in one row, nothing if all is well."""
    where = f"{row.python} {row.mode}"
    parts = [f"== {where}: {trouble}" for trouble in row.troubles]
    for result in row.results:
        if result.outcome is Outcome.FAILED:
            parts.append(f"== {where}: {result.test} failed\n{result.text}")
        elif result.outcome is Outcome.STALE:
            parts.append(f"== {where}: {result.test} passes: take it off the exclusions")
    return "\n".join(parts)


def unused(rows: Sequence[Row], exclusions: Sequence[Exclusion]) -> list[str]:
    """Return the exclusions that apply to the Pythons of these rows, but to none of their tests."""
    newest = max(row.python.version for row in rows)
    needed = {exclusion(result.test, row.python.version) for row in rows for result in row.results}
    return [entry.test for entry in exclusions if entry.since <= newest and entry not in needed]
