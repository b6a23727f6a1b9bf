"""`ninth watch`: run commands side by side and show the latest complete line of each."""

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Sequence

from ninth.cli.all_loops import LOOPS, watch
from ninth.ladder.program import Child, LineDisplay, Program, Show, StartError

from .ending import fail, keep_quiet_about_interrupts
from .screen import ScreenDisplay

DEFAULT_LOOP = "ninth"
SHORTEST, LONGEST = 0.001, 86400.0  # seconds; pollers count milliseconds, in 32 bits

DESCRIPTION = """\
Start every COMMAND, a shell command line, and show the current time and the latest complete
line of each: at once when a line arrives, and at least every --interval seconds. On a terminal
the rows are redrawn in place; else each change is written as one line. When all commands have
ended, so does the program. When it is stopped, so are all commands and what they started.
"""
EPILOG = """\
exit status:
  0    all commands ended with 0
  N    the status of the first command that failed; 128+n if signal n ended it
  1    a command could not be started, or the output could not be written
  2    the options or arguments were wrong; nothing was started
  A signal that stops the program (Ctrl-C, TERM, HUP; PIPE when nobody reads the output) ends it
  as that signal does: a shell shows 128+n.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.usage = "ninth watch [OPTIONS] [--] COMMAND..."
    parser.add_argument("commands", metavar="COMMAND", nargs="*", help="a shell command line")
    add_common_arguments(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that do not depend on where the commands come from."""
    parser.add_argument(
        "--loop",
        metavar="NAME",
        choices=LOOPS,
        default=DEFAULT_LOOP,
        help=f"the loop to run on: {', '.join(LOOPS)} (default: %(default)s)",
    )
    parser.add_argument(
        "-i",
        "--interval",
        metavar="SECS",
        type=_positive,
        default=10.0,
        help="show the time at least this often (default: %(default)g)",
    )
    parser.add_argument(
        "--separator",
        metavar="TEXT",
        default=" ",
        help="what stands between the parts of a line (default: a space)",
    )
    parser.add_argument(
        "--stop-timeout",
        metavar="SECS",
        type=_not_negative,
        default=5.0,
        help="how long a command may take to stop before it is killed (default: %(default)g)",
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the commands to their end. Returns: the exit status."""
    if not arguments.commands:
        parser.error("no COMMAND was given: name at least one, each in quotes")
    return run_commands(arguments.commands, arguments)


def run_commands(commands: Sequence[str], arguments: argparse.Namespace) -> int:
    """Run these commands to their end, with the common options. Returns: the exit status."""
    show: Show
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        show = ScreenDisplay()
        # The frame is drawn in place: whatever else a child wrote there would tear it. In its
        # row it is shown like any other line.
        stderr = subprocess.STDOUT if sys.stderr is not None and sys.stderr.isatty() else None
    else:
        show = LineDisplay(separator=arguments.separator, interval=arguments.interval)
        stderr = None
    program = Program(commands, show, arguments.interval, arguments.stop_timeout, stderr)
    keep_quiet_about_interrupts()
    try:
        watch(arguments.loop, program)
    except StartError as error:
        return fail(str(error))
    finally:
        if program.left:
            fail(f"could not stop these processes, not even by SIGKILL: {program.left}")
    return _status(program.children)


def _status(children: Sequence[Child]) -> int:
    failed = sorted((child for child in children if child.returncode), key=lambda one: one.ended)
    for child in failed:
        if child.returncode in {126, 127}:  # what a shell says when it cannot execute or find it
            what = "find" if child.returncode == 127 else "execute"
            fail(
                f"{child.command!r}: the shell could not {what} it (exit status {child.returncode})"
            )
    if not failed:
        return 0
    code = failed[0].returncode or 0
    return code if code > 0 else 128 - code


def _positive(text: str) -> float:
    seconds = _not_negative(text)
    if seconds < SHORTEST:
        raise argparse.ArgumentTypeError(f"must be at least {SHORTEST:g} seconds, not {text!r}")
    return seconds


def _not_negative(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds, at most {LONGEST:g} (a day), not {text!r}"
        )
    return seconds
