"""The command line of the conformance runner; see the package's docstring."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from conformance import exclusions, pythons, report, runner

# What touches the loop most, in the least time; enough to notice a break, not to claim conformance.
QUICK = (
    *("test_buffered_proto", "test_events", "test_runners", "test_sendfile", "test_server"),
    *("test_sock_lowlevel", "test_streams", "test_subprocess", "test_unix_events"),
)
DESCRIPTION = """\
Run CPython's own test_asyncio on ninth's loop, on every Python at hand, compiled and pure.
Exit status 1 if a test fails, an exclusion is stale, or something is left behind."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("patterns", nargs="*", help="only tests with one of these in their name")
    add("--python", action="append", metavar="EXE", help="this one; may be given again (all found)")
    add("--mode", choices=("compiled", "pure", "both"), default="both")
    add("--module", action="append", choices=runner.MODULES, help="only this one; again for more")
    add("--quick", action="store_true", help="on the running Python, what matters most: for CI")
    add(
        "--no-build",
        action="store_true",
        help="take the source tree as it is, with what is compiled in it",
    )
    add("--factory", default="ninth:new_event_loop", help="MODULE:NAME (%(default)s)")
    add("--no-exclusions", action="store_true", help="run what is excluded as well")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="workers at a time (%(default)s)")
    add("--time-limit", type=float, default=60, help="seconds for one test (%(default)s)")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> list[pythons.Python]:
    """Return the Pythons to run on."""
    if options.python or options.quick:
        return [pythons.probe(path) for path in options.python or [sys.executable]]
    return pythons.found()


def main() -> int:
    """Run, print, and return the exit status."""
    options = arguments()
    stock = not options.factory.startswith("ninth")
    modules = QUICK if options.quick else runner.MODULES
    plan = runner.Plan(
        factory=options.factory,
        modules=tuple(options.module or modules),
        patterns=tuple(options.patterns),
        jobs=options.jobs,
        time_limit=options.time_limit,
        exclude=not (stock or options.no_exclusions),
    )
    modes = ("compiled", "pure") if options.mode == "both" else (options.mode,)
    rows = []
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        try:
            usable = chosen(options)
        except pythons.UnusableError as error:
            sys.exit(str(error))
        if not usable:
            sys.exit("no Python with test.test_asyncio found: name one with --python")
        if options.no_build:
            usable = [pythons.in_place(python) for python in usable]
        elif not stock:
            usable = [pythons.install(python, Path(directory)) for python in usable]
        for row in runner.run(plan, usable, ("stock",) if stock else modes):
            rows.append(row)
            print(f"{row.python} {row.mode}: {'good' if row.good else 'NOT GOOD'}", flush=True)
            if not row.good:
                print(report.defects(row) or f"== {row.python} {row.mode}: nothing ran")
    print(report.table(rows))
    dead = []
    if plan.exclude and not (options.module or options.patterns or options.quick or options.python):
        dead = report.unused(rows, exclusions.EXCLUSIONS)
        for test in dead:
            print(f"excluded, but no such test: {test}")
    return 0 if all(row.good for row in rows) and not dead else 1


if __name__ == "__main__":
    sys.exit(main())
