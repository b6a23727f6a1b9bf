"""`ninth man`: the manual page, made from what --help says. Source: man(7), man-pages(7)."""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator

from ninth import __version__

from .grammar import Argument, Subcommand, subcommands
from .parsers import DESCRIPTION as SUMMARY

DESCRIPTION = """\
Print the manual page of ninth with all its subcommands.

to read it, or to keep it:

  ninth man | man -l -
  ninth man > ~/.local/share/man/man1/ninth.1
"""
# `  0    --success is met`: a word, two spaces or more, what it means.
ENTRY = re.compile(r"^(?:  )?(\S+)  +(.+)$")

TITLE = re.compile("[a-z ,]+:$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = DESCRIPTION
    parser.usage = "ninth man"


def run(_arguments: argparse.Namespace, _parser: argparse.ArgumentParser) -> int:
    """Print the page. Returns: the exit status, 0."""
    sys.stdout.write(page(subcommands()))
    return 0


def page(commands: Iterable[Subcommand]) -> str:
    """Return the page, in roff."""
    lines = [
        # Without a date, so that the same source makes the same page.
        f'.TH NINTH 1 "" "ninth {__version__}" "User Commands"',
        ".SH NAME",
        f"ninth \\- {_escaped(SUMMARY[0].lower() + SUMMARY[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
    ]
    commands = list(commands)
    for command in commands:
        for usage in command.usage.splitlines():
            lines += [_escaped(usage.strip()), ".br"]
    lines.pop()
    told: list[Argument] = []  # what all subcommands take, and demo takes with watch, is told once
    for command in commands:
        lines.append(f".SH NINTH {command.name.upper()}")
        lines += _text(command.description)
        for value in command.values:
            lines += _tagged(value)
        for group in command.groups:
            options = [option for option in group.options if option not in told]
            if options:
                lines.append(f'.SS "{_escaped(group.title.capitalize())}"')
            for option in options:
                lines += _tagged(option)
            told += options
        lines += _text(command.epilog)
    return "\n".join(lines) + "\n"


def _tagged(argument: Argument) -> list[str]:
    flags = [f"\\fB{_escaped(flag)}\\fR" for flag in argument.flags]
    value = f"\\fI{_escaped(argument.value)}\\fR" if argument.value else ""
    tag = " ".join(filter(None, [", ".join(flags), value]))
    return [".TP", tag, *_wrapped(argument.help)]


def _text(text: str) -> Iterator[str]:
    """Return a text of --help in roff: its paragraphs, lists of words, examples and titles."""
    paragraph: list[str] = []
    first = True  # right after a title a paragraph needs no mark
    for line in [*text.splitlines(), ""]:
        entry = ENTRY.match(line)
        title = TITLE.match(line) and not paragraph
        example = line.startswith("  ninth")
        goes_on = bool(line) and not (entry or title or example)
        if paragraph and not (goes_on and (line.startswith("   ") or paragraph[0] != ".TP")):
            yield from paragraph[:-1]
            yield from _wrapped(paragraph[-1])
            paragraph = []
        if title:
            yield f'.SS "{_escaped(line.rstrip(":").capitalize())}"'
            first = True
            continue
        if example:
            yield from () if first else (".PP",)
            yield from (".nf", f"    {_escaped(line.strip())}", ".fi")
        elif entry:
            paragraph = [".TP", f"\\fB{_escaped(entry[1])}\\fR", entry[2]]
        elif paragraph:
            paragraph[-1] += f" {line.strip()}"
        elif line:
            paragraph = [line.strip()] if first else [".PP", line.strip()]
        first = first and not line


def _wrapped(text: str) -> list[str]:
    # Beyond 80 columns mandoc complains; what is escaped becomes longer.
    lines = textwrap.wrap(text, 70, break_on_hyphens=False, break_long_words=False)
    return [_escaped(line) for line in lines]


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
