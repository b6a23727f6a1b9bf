"""The command `ninth`: what it is asked, and how it ends.

Each subcommand is a module with `add_arguments(parser)` and `run(arguments, parser) -> int`,
imported only when it is the one that is asked for: a status line should start at once.
"""

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from ninth import __version__

from .ending import die_by, fail

COMMANDS = {
    "watch": "run commands side by side and show the latest line of each",
    "demo": "watch two bundled commands that print random numbers",
    "compare": "measure all loops on the same work",
    "loops": "list the loops, print one, or show what changes between two",
}

MINIMAL_COLUMNS = 40  # of --help


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
        parser = _main_parser()
        parser.parse_args(arguments)  # --help, --version, or an error
        parser.error(f"no command was given: choose from {', '.join(COMMANDS)}")
    module = importlib.import_module(f".{name}", __name__)
    parser = _parser(f"ninth {name}")
    module.add_arguments(parser)
    parser.add_argument("-V", "--version", action=_Version, help="show the version and exit")
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


def _parser(prog: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=prog,
        # Abbreviations would make every new option a possible break of somebody's script.
        allow_abbrev=False,
        formatter_class=_Formatter,
    )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Finds the width out by itself: argparse, which makes one for each option, imports shutil."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    columns = 0
    with contextlib.suppress(KeyError, ValueError):
        columns = int(os.environ["COLUMNS"])
    if columns <= 0:
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size().columns
    return max(columns or 80, MINIMAL_COLUMNS)


def _version() -> str:
    import platform  # noqa: PLC0415 - both cost time that a status line has not got

    from ninth import is_compiled  # noqa: PLC0415

    kind = "compiled" if is_compiled() else "pure Python"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"ninth {__version__} ({kind}, {python})"


def _main_parser() -> argparse.ArgumentParser:
    parser = _parser("ninth")
    parser.usage = "ninth COMMAND [OPTIONS]"
    parser.description = "Run commands side by side and always show the latest line of each."
    parser.epilog = "commands (each knows --help):\n" + "".join(
        f"  {name:<8}  {text}\n" for name, text in COMMANDS.items()
    )
    parser.add_argument("command", metavar="COMMAND", nargs="?", choices=COMMANDS, help="see below")
    parser.add_argument("-V", "--version", action=_Version, help="show the version and exit")
    return parser


class _Version(argparse.Action):
    """Looks the version up when it is asked for, not whenever there is a parser."""

    def __init__(self, option_strings: Sequence[str], **options: Any) -> None:
        super().__init__(option_strings, nargs=0, **options | {"dest": argparse.SUPPRESS})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        _values: object,
        _option: str | None = None,
    ) -> None:
        sys.stdout.write(f"{_version()}\n")
        parser.exit()
