"""`ninth completion`: a script for a shell, made from what the parsers of the subcommands know."""

import argparse
import sys
from collections.abc import Iterable, Iterator

from .grammar import FILES, PROGRAMS, Argument, Subcommand, subcommands
from .parsers import COMMANDS

DESCRIPTION = """\
Print a script that makes a shell complete the arguments of ninth.

where it belongs:

  bash   ninth completion bash > ~/.local/share/bash-completion/completions/ninth
  zsh    ninth completion zsh > ~/.zfunc/_ninth      with ~/.zfunc in $fpath
  fish   ninth completion fish > ~/.config/fish/completions/ninth.fish
"""
BASH = """\
# bash completion for ninth, made by: ninth completion bash
_ninth() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "{names} --help --version" -- "$current"))
        return
    fi
    # bash takes --output=json apart into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
}}
complete -F _ninth ninth
"""
BASH_CASE = """\
    {name})
        case $previous in
{values}
        esac
        if [[ $current == -* ]]; then
            COMPREPLY=($(compgen -W "{options}" -- "$current"))
        else
            {rest}
        fi
        ;;
"""
ZSH = """\
#compdef ninth
# zsh completion for ninth, made by: ninth completion zsh
_ninth() {{
    local -a names=(
{names}
    )
    if (( CURRENT == 2 )); then
        _describe command names
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
{cases}
    esac
}}
if [[ $funcstack[1] == _ninth ]]; then
    _ninth "$@"
else
    compdef _ninth ninth
fi
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = DESCRIPTION
    parser.usage = "ninth completion SHELL"
    parser.add_argument(
        "shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish"
    )


def run(arguments: argparse.Namespace, _parser: argparse.ArgumentParser) -> int:
    """Print the script. Returns: the exit status, 0."""
    make = {"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell]
    sys.stdout.write(make(list(subcommands())))
    return 0


def bash(commands: Iterable[Subcommand]) -> str:
    """Return a script for bash."""
    cases = []
    for command in commands:
        values = [
            f"        {'|'.join(option.flags)}) {_bash_reply(option)}; return ;;"
            for option in command.options
            if option.value
        ]
        rest = _bash_reply(command.values[0]) if command.values else ":"
        options = " ".join(flag for option in command.options for flag in option.flags)
        cases.append(
            BASH_CASE.format(
                name=command.name, values="\n".join(values), options=options, rest=rest
            )
        )
    return BASH.format(names=" ".join(COMMANDS), cases="".join(cases).rstrip("\n"))


def _bash_reply(argument: Argument) -> str:
    if argument.choices:
        return f'COMPREPLY=($(compgen -W "{" ".join(argument.choices)}" -- "$current"))'
    if argument.kind == FILES:
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$current"))'
    if argument.kind == PROGRAMS:
        return 'COMPREPLY=($(compgen -c -- "$current"))'
    return ":"


def zsh(commands: Iterable[Subcommand]) -> str:
    """Return a script for zsh."""
    names = [f"        {_quoted(f'{name}:{text}')}" for name, text in COMMANDS.items()]
    cases = []
    for command in commands:
        lines = [f"    {command.name})", "        _arguments -s \\"]
        lines += [f"            {spec} \\" for spec in _zsh_specs(command)]
        lines[-1] = lines[-1].removesuffix(" \\")
        cases.append("\n".join([*lines, "        ;;"]))
    return ZSH.format(names="\n".join(names), cases="\n".join(cases))


def _zsh_specs(command: Subcommand) -> Iterator[str]:
    """Return the specifications of _arguments, quoted. Source: zshcompsys(1)."""
    for option in command.options:
        label = option.flags[-1].lstrip("-")
        action = f":{label}:{_zsh_action(option)}" if option.value else ""
        excluded = f"({' '.join(option.flags)})"
        for flag in option.flags:
            equals = "=" if option.value and flag.startswith("--") else ""
            yield _quoted(f"{excluded}{flag}{equals}[{option.summary}]{action}")
    for value in command.values:
        yield _quoted(f"*:{value.value}:{_zsh_action(value)}")


def _zsh_action(argument: Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    return {FILES: "_files", PROGRAMS: "_cmdstring"}.get(argument.kind, "")


def fish(commands: Iterable[Subcommand]) -> str:
    """Return a script for fish."""
    lines = ["# fish completion for ninth, made by: ninth completion fish", "complete -c ninth -f"]
    for command in commands:
        lines.append(
            "complete -c ninth -n __fish_use_subcommand"
            f" -a {command.name} -d {_fish_quoted(command.summary)}"
        )
        here = f"complete -c ninth -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            flags = "".join(
                f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}"
                for flag in option.flags
            )
            lines.append(f"{here}{flags}{_fish_action(option)} -d {_fish_quoted(option.summary)}")
        lines += [f"{here}{_fish_action(value)}" for value in command.values if value.value]
    return "\n".join(lines) + "\n"


def _fish_action(argument: Argument) -> str:
    required = " -x" if argument.flags and argument.value else ""
    if argument.choices:
        return f"{required} -a '{' '.join(argument.choices)}'"
    if argument.kind == FILES:
        return " -r -F"
    if argument.kind == PROGRAMS:
        return f"{required} -a '(__fish_complete_command)'"
    return required


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
