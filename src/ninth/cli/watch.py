"""`ninth watch`: run commands side by side and show the latest complete line of each."""

import argparse
import importlib
import subprocess
import sys
from collections.abc import Sequence

from ninth.ladder.program import Child, LineDisplay, Program, Show, StartError

from .commands import BadCommandsError, Command, numbered, read_procfile, split_names
from .ending import exit_status, fail, keep_quiet_about_interrupts, say_if_not_run
from .options import add_common_arguments, beyond_classic, output_of, settings_of

DESCRIPTION = """\
Start every COMMAND, a shell command line, and show the current time and the latest complete
line of each: at once when a line arrives, and at least every --interval seconds. On a terminal
the rows are redrawn in place; else each change is written as one line. When all commands have
ended, so does the program. When it is stopped, so are all commands and what they started.
"""
EPILOG = """\
exit status:
  0    --success is met: all commands ended with 0, or the first, or the last
  N    the status of the first command that failed; 128+n if signal n ended it; commands that
       --kill-others stopped do not count
  1    a command could not be started, or the output could not be written
  2    the options or arguments were wrong; nothing was started
  A signal that stops the program (Ctrl-C, TERM, HUP; PIPE when nobody reads the output) ends it
  as that signal does: a shell shows 128+n. A second one kills what has not stopped yet.

environment:
  NO_COLOR          if not empty, no colours unless --color always
  TERM              if dumb or not set, --output auto means line
  PYTHONUNBUFFERED  is set to 1 for commands, if it is not set
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.usage = (
        "ninth watch [OPTIONS] [--] COMMAND...\n       ninth watch [OPTIONS] -f Procfile [NAME...]"
    )
    parser.add_argument(
        "commands",
        metavar="COMMAND",
        nargs="*",
        help="a shell command line; with --procfile, the NAME of an entry to run (default: all)",
    )
    parser.add_argument(
        "-f",
        "--procfile",
        metavar="FILE",
        help="take the commands from a file with lines NAME: COMMAND",
    )
    parser.add_argument(
        "-n",
        "--names",
        metavar="A,B",
        help="names for the commands, one each (default: their numbers)",
    )
    add_common_arguments(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the commands to their end. Returns: the exit status."""
    named = arguments.names is not None or arguments.procfile is not None
    try:
        if arguments.procfile is not None:
            if arguments.names is not None:
                raise BadCommandsError("--names and --procfile were both given: a Procfile names")
            commands = read_procfile(arguments.procfile, arguments.commands)
        else:
            if not arguments.commands:
                parser.error("no COMMAND was given: name at least one, each in quotes")
            names = None if arguments.names is None else split_names(arguments.names)
            commands = numbered(arguments.commands, names)
    except BadCommandsError as error:
        parser.error(str(error))
    return run_commands(commands, arguments, parser, named=named)


def run_commands(
    commands: Sequence[Command],
    arguments: argparse.Namespace,
    parser: argparse.ArgumentParser,
    *,
    named: bool = False,
) -> int:
    """Run these commands to their end, with the common options. Returns: the exit status."""
    try:
        settings = settings_of(arguments, named=named)
    except ValueError as error:
        parser.error(str(error))
    keep_quiet_about_interrupts()
    if arguments.loop != "ninth":
        return _run_classic(commands, arguments, parser)
    from .watcher import Watcher  # noqa: PLC0415 - a classic loop has no use for it

    try:
        return Watcher(commands, settings).run()
    except StartError as error:
        return fail(str(error))


def _run_classic(
    commands: Sequence[Command], arguments: argparse.Namespace, parser: argparse.ArgumentParser
) -> int:
    """Run the small program of the ladder, which knows but a few of the options."""
    all_loops = importlib.import_module("ninth.cli.all_loops")
    if arguments.loop not in all_loops.LOOPS:
        choices = ", ".join(all_loops.LOOPS)
        parser.error(f"argument --loop: invalid choice: {arguments.loop!r} (choose from {choices})")
    refused = beyond_classic(arguments, parser)
    if refused:
        parser.error(
            f"--loop {arguments.loop} cannot serve {', '.join(refused)}: leave --loop out, or those"
        )
    show: Show
    if output_of(arguments.output) == "tty":
        show = importlib.import_module("ninth.cli.screen").ScreenDisplay()
        # The frame is drawn in place: whatever else a child wrote there would tear it. In its
        # row it is shown like any other line.
        stderr = subprocess.STDOUT if sys.stderr is not None and sys.stderr.isatty() else None
    else:
        show = LineDisplay(separator=arguments.separator, interval=arguments.interval)
        stderr = None
    lines = [command.line for command in commands]
    program = Program(lines, show, arguments.interval, arguments.stop_timeout, stderr)
    try:
        all_loops.watch(arguments.loop, program)
    except StartError as error:
        return fail(str(error))
    finally:
        if program.left:
            fail(f"could not stop these processes, not even by SIGKILL: {program.left}")
    return _status(program.children)


def _status(children: Sequence[Child]) -> int:
    failed = sorted((child for child in children if child.returncode), key=lambda one: one.ended)
    for child in failed:
        say_if_not_run(child.command, child.returncode or 0)
    return exit_status(failed[0].returncode or 0) if failed else 0
