"""`ninth loops`: list the loops, print the source of one, or show what changes between two."""

import argparse
import difflib
import inspect
import os
import sys
from collections.abc import Iterable, Iterator

from ninth.cli.all_loops import LOOPS, module_of

DESCRIPTION = """\
Without arguments, list the loops with one line each. With a LOOP, print the source of that loop.
With --diff, show what changes from loop A to loop B.
"""
COLORS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
RESET = "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.usage = "ninth loops [LOOP | --diff A B]"
    parser.add_argument("name", metavar="LOOP", nargs="?", help=f"one of {', '.join(LOOPS)}")
    parser.add_argument("--diff", metavar=("A", "B"), nargs=2, help="show what changes from A to B")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print what was asked for. Returns: the exit status, 0."""
    names = [*filter(None, [arguments.name]), *(arguments.diff or [])]
    for name in names:
        if name not in LOOPS:
            parser.error(f"there is no loop {name!r}: choose from {', '.join(LOOPS)}")
    if arguments.diff and arguments.name:
        parser.error("give either a LOOP or --diff A B")
    if arguments.diff:
        sys.stdout.writelines(_colored(_diff(*arguments.diff)))
    elif arguments.name:
        sys.stdout.write(inspect.getsource(module_of(arguments.name)))
    else:
        for number, name in enumerate(LOOPS, 1):
            # The first line of each is "Name: what it does."
            summary = (module_of(name).__doc__ or "").partition("\n")[0].partition(": ")[2]
            sys.stdout.write(f"{number}  {name:<10}  {summary}\n")
    return 0


def _diff(old: str, new: str) -> Iterator[str]:
    before, after = module_of(old), module_of(new)
    return difflib.unified_diff(
        inspect.getsource(before).splitlines(keepends=True),
        inspect.getsource(after).splitlines(keepends=True),
        before.__name__.rpartition(".")[2],
        after.__name__.rpartition(".")[2],
    )


def _colored(lines: Iterable[str]) -> Iterator[str]:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        yield from lines
        return
    for line in lines:
        color = COLORS.get(line[0], "")
        yield f"{color}{line.rstrip()}{RESET}\n" if color else line
