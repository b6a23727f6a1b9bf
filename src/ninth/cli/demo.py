"""`ninth demo`: watch two bundled commands that print random numbers at random intervals."""

import argparse
import shlex
import sys

from .commands import numbered
from .options import add_common_arguments
from .watch import run_commands

DESCRIPTION = """\
Watch two bundled commands that print random numbers at random intervals, until Ctrl-C. It is
the same as `ninth watch` with these two commands, so it takes the same options.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.usage = "ninth demo [OPTIONS]"
    add_common_arguments(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run until it is stopped. Returns: the exit status."""
    command = shlex.join([sys.executable, "-m", "ninth.cli.numbers"])
    return run_commands(numbered([f"exec {command}"] * 2), arguments, parser)
