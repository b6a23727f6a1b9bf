"""What the subcommands take, read off the parsers that read it: for completion and man page."""

import argparse
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from .all_loops import LOOPS
from .parsers import COMMANDS, subcommand

# What to propose, by the word that stands for a value in --help.
FILES, PROGRAMS = "files", "programs"
KINDS = {"FILE": FILES, "COMMAND": PROGRAMS}


class Argument(NamedTuple):
    """An option, or what is not one.

    flags: `-o` and `--output`, none for what is no option. value: the word for what follows, ""
    for nothing. choices: what that can be. kind: "files", "programs", or "" for neither.
    """

    flags: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    kind: str
    help: str

    @property
    def summary(self) -> str:
        """What it is for, without the details."""
        return re.split("[:;] | \\(", self.help)[0]


class Group(NamedTuple):
    """Options that stand together under a title."""

    title: str
    options: list[Argument]


class Subcommand(NamedTuple):
    """A subcommand. values: the arguments that are no options."""

    name: str
    summary: str
    usage: str
    description: str
    epilog: str
    groups: list[Group]
    values: list[Argument]

    @property
    def options(self) -> list[Argument]:
        """All options, as they follow each other in --help."""
        return [option for group in self.groups for option in group.options]


def subcommands() -> Iterator[Subcommand]:
    """Return all of them."""
    for name, summary in COMMANDS.items():
        _, parser = subcommand(name)
        usage = textwrap.dedent(parser.format_usage().removeprefix("usage: ")).strip()
        groups, values = [], []
        for group in parser._action_groups:  # noqa: SLF001 - there is no public way to ask
            arguments = [_argument(parser, action) for action in group._group_actions]  # noqa: SLF001
            options = [one for one in arguments if one.flags]
            values += [one for one in arguments if not one.flags]
            if options:
                groups.append(Group(group.title or "", options))
        description = parser.description or ""
        yield Subcommand(name, summary, usage, description, parser.epilog or "", groups, values)


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    metavar = action.metavar or action.dest.upper()
    if not isinstance(metavar, str):
        metavar = " ".join(metavar)
    choices = tuple(map(str, action.choices or ()))
    if metavar.startswith("LOOP"):
        choices = LOOPS
    elif choices and action.metavar is None:
        metavar = "{" + ",".join(choices) + "}"
    return Argument(
        flags=tuple(action.option_strings),
        value="" if action.nargs == 0 else metavar,
        choices=choices,
        kind=KINDS.get(metavar, ""),
        help=parser._get_formatter()._expand_help(action),  # noqa: SLF001
    )
