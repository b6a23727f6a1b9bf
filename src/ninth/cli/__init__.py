"""The command `ninth`: what it is asked, and how it ends.

Each subcommand is a module with `add_arguments(parser)` and `run(arguments, parser) -> int`,
imported only when it is the one that is asked for: a status line should start at once.
"""

import io
import os
import signal
import sys
from collections.abc import Sequence

from .ending import die_by, fail
from .parsers import COMMANDS, main_parser, subcommand


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process).

    Returns: the exit status. Does not return when a signal ended the work: the process then ends
    by that signal too, so that a shell sees 128+n and stops its own loops.
    """
    try:
        if sys.stdout is None:
            return fail("there is no standard output to write to")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        status = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        die_by(getattr(error, "signum", signal.SIGINT))
    except BrokenPipeError:
        die_by(signal.SIGPIPE)
    except OSError as error:
        # What could not be written is still buffered, and would fail again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return fail(f"cannot go on: {error.strerror or error}")
    return status


def _run(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        parser = main_parser()
        parser.parse_args(arguments)  # --help, --version, or an error
        parser.error(f"no command was given: choose from {', '.join(COMMANDS)}")
    module, parser = subcommand(name)
    options, literal = list(arguments[1:]), []
    if "--" in options:  # what follows is never an option
        position = options.index("--")
        options, literal = options[:position], options[position + 1 :]
    namespace = parser.parse_intermixed_args(options)
    if literal:
        if not hasattr(namespace, "commands"):
            parser.error(f"nothing can follow --, but there is {literal[0]!r}")
        namespace.commands = [*namespace.commands, *literal]
    status: int = module.run(namespace, parser)
    return status
