"""The commands to watch, and their names: as given on the command line, or from a Procfile."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ninth.ladder.program import printable

# What foreman and honcho take: NAME, a colon, and a line for the shell.
ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)\s*:\s*(.+)$")
COMMENT = "#"


class Command(NamedTuple):
    """A shell command line, and the name by which it is shown."""

    name: str
    line: str


class BadCommandsError(ValueError):
    """What was given cannot be run; the text says why and what helps."""


def numbered(lines: Sequence[str], names: Sequence[str] | None = None) -> list[Command]:
    """Return commands with these names; without, their numbers from 1 on.

    Raises: BadCommandsError for names that do not fit.
    """
    if names is None:
        names = [str(number) for number in range(1, len(lines) + 1)]
    elif len(names) != len(lines):
        message = f"--names has {len(names)} names for {len(lines)} commands: give one for each"
        raise BadCommandsError(message)
    commands = [Command(*pair) for pair in zip(names, lines, strict=True)]
    _refuse_duplicates(command.name for command in commands)
    return commands


def split_names(text: str) -> list[str]:
    """Return the names in `A,B`. Raises: BadCommandsError for an empty or unprintable one."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name or name != printable(name):
            message = f"--names has the name {name!r}: give printable ones, separated by commas"
            raise BadCommandsError(message)
    return names


def read_procfile(path: str, wanted: Sequence[str] = ()) -> list[Command]:
    """Return the commands of a Procfile, all of them or those with the wanted names.

    A line is `NAME: COMMAND`; empty lines and those that start with # are skipped. The order is
    that of the file.
    Raises: BadCommandsError for a file that cannot be read, a line that is none (with its
    number), a name twice or an unknown one.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        message = f"cannot read {path}: it is not UTF-8 (byte {error.start})"
        raise BadCommandsError(message) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot read {path}: {reason}"
        raise BadCommandsError(message) from error
    commands: dict[str, tuple[int, Command]] = {}
    # Not splitlines(), which knows more line ends than an editor shows.
    for number, line in enumerate(map(str.strip, text.removeprefix("\ufeff").split("\n")), 1):
        if not line or line.startswith(COMMENT):
            continue
        entry = ENTRY.match(line)
        if entry is None or "\0" in line:
            message = f"{path}, line {number}: {line[:60]!r} is not of the form NAME: COMMAND"
            raise BadCommandsError(message)
        name, command = entry.groups()
        if name in commands:
            first = commands[name][0]
            message = f"{path}, line {number}: the name {name!r} is taken by line {first}"
            raise BadCommandsError(message)
        commands[name] = (number, Command(name, command))
    if not commands:
        message = f"{path} has no commands: write lines of the form NAME: COMMAND"
        raise BadCommandsError(message)
    _refuse_duplicates(wanted)
    for name in wanted:
        if name not in commands:
            message = f"{path} has no {name!r}: choose from {', '.join(commands)}"
            raise BadCommandsError(message)
    return [one for name, (_, one) in commands.items() if not wanted or name in wanted]


def _refuse_duplicates(names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            message = f"the name {name!r} is given twice: names have to differ"
            raise BadCommandsError(message)
        seen.add(name)
