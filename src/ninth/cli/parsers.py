"""The subcommands and the parsers of their arguments, of which everything else about them is made.

--help by argparse, man page and completion by way of grammar.py.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ninth import __version__

COMMANDS = {
    "watch": "run commands side by side and show the latest line of each",
    "demo": "watch two bundled commands that print random numbers",
    "compare": "measure all loops on the same work",
    "loops": "list the loops, print one, or show what changes between two",
    "completion": "print what makes a shell complete the arguments of ninth",
    "man": "print the manual page",
}
DESCRIPTION = "Run commands side by side and always show the latest line of each."
MINIMAL_COLUMNS = 40  # of --help


def subcommand(name: str) -> tuple[ModuleType, argparse.ArgumentParser]:
    """Return the module of a subcommand, and a parser of its arguments."""
    module = importlib.import_module(f"ninth.cli.{name}")
    parser = _parser(f"ninth {name}")
    module.add_arguments(parser)
    parser.add_argument("-V", "--version", action=_Version, help="show the version and exit")
    return module, parser


def main_parser() -> argparse.ArgumentParser:
    """Return a parser for what stands before a subcommand."""
    parser = _parser("ninth")
    parser.usage = "ninth COMMAND [OPTIONS]"
    parser.description = DESCRIPTION
    parser.epilog = "commands (each knows --help):\n" + "".join(
        f"  {name:<10}  {text}\n" for name, text in COMMANDS.items()
    )
    parser.add_argument("command", metavar="COMMAND", nargs="?", choices=COMMANDS, help="see below")
    parser.add_argument("-V", "--version", action=_Version, help="show the version and exit")
    return parser


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
