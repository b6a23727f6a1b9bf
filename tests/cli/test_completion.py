"""Completion, in the shells that it is for, and that it knows what the parsers know."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ninth.cli.completion import bash, fish, zsh
from ninth.cli.grammar import subcommands
from ninth.cli.parsers import COMMANDS
from tests.cli.terminals import Terminal
from tests.conftest import Runner

SHELLS = ["bash", "zsh", "fish"]
# What completes a line in bash, called as bash calls it.
IN_BASH = """
source ninth.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
_ninth
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the scripts, and a `ninth` that can be called."""
    for shell, make in (("bash", bash), ("zsh", zsh), ("fish", fish)):
        (tmp_path / f"ninth.{shell}").write_text(make(list(subcommands())))
    (tmp_path / "Procfile").write_text("a: true\n")
    return tmp_path


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def completed(directory: Path, *words: str) -> list[str]:
    done = subprocess.run(
        [shell("bash"), "-c", IN_BASH, "bash", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("name", SHELLS)
def test_the_shell_takes_the_script(ninth: Runner, directory: Path, name: str) -> None:
    result = ninth.run("completion", name)
    assert result.stdout == (directory / f"ninth.{name}").read_text()
    subprocess.run([shell(name), "-n", directory / f"ninth.{name}"], check=True)


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["wa"], ["watch"]),
        (["watch", "--outp"], ["--output"]),
        (["watch", "-o", "j"], ["json"]),
        (["watch", "--output", "=", "t"], ["tty", "tmux"]),
        (["watch", "--stderr", "="], ["show", "merge", "hide"]),
        (["watch", "-f", "Proc"], ["Procfile"]),
        (["watch", "--loop", "s"], ["sleepy", "select"]),
        (["watch", "--interval", ""], []),
        (["loops", "cal"], ["callback"]),
        (["completion", ""], SHELLS),
        (["man", ""], []),
    ],
)
def test_bash_proposes(directory: Path, words: list[str], proposed: list[str]) -> None:
    assert completed(directory, "ninth", *words) == proposed


def test_bash_proposes_all_options_and_commands(directory: Path) -> None:
    assert completed(directory, "ninth", "")[: len(COMMANDS)] == list(COMMANDS)
    for command in subcommands():
        flags = {flag for option in command.options for flag in option.flags}
        assert set(completed(directory, "ninth", command.name, "-")) == flags
    assert "printf" in completed(directory, "ninth", "watch", "printf")


def test_bash_completes_what_is_typed(ninth: Runner, directory: Path) -> None:
    options = ["--norc", "--noprofile", "-i"]
    terminal = Terminal(ninth, *options, program=shell("bash"), env={"PS1": "> "}, columns=60)
    terminal.until(">")
    terminal.child.sendline(f"source {directory}/ninth.bash; echo ready")
    terminal.until("ready")
    terminal.child.send("ninth wat\t--kill-others-\t")
    terminal.until("> ninth watch --kill-others-on-fail")
    terminal.child.sendcontrol("u")  # not Ctrl-C: that throws away what is typed right after it
    terminal.child.sendline("exit")
    terminal.end()


def test_zsh_completes_what_is_typed(ninth: Runner, directory: Path) -> None:
    terminal = Terminal(ninth, "-f", program=shell("zsh"), env={"PS1": "> "}, columns=60)
    terminal.until(">")
    terminal.child.sendline(f"autoload -Uz compinit; compinit -D; . {directory}/ninth.zsh; clear")
    terminal.until_true(lambda: terminal.rows[0] == ">")
    terminal.child.send("ninth wat\t--kill-others-\t-o js\t")
    terminal.until("> ninth watch --kill-others-on-fail -o json")
    terminal.child.sendcontrol("u")  # not Ctrl-C: that throws away what is typed right after it
    terminal.child.sendline("exit")
    terminal.end()


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("ninth wa", ["watch"]),
        ("ninth watch --outp", ["--output"]),
        ("ninth watch -o j", ["json"]),
        ("ninth watch --loop sl", ["sleepy"]),
        ("ninth loops cal", ["callback"]),
    ],
)
def test_fish_proposes(directory: Path, line: str, proposed: list[str]) -> None:
    script = f"source ninth.fish; complete -C '{line}'"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(directory), "PATH": f"{directory}:/usr/bin:/bin", "TERM": "dumb"},
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == proposed


def test_other_shells_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ninth", "completion", "csh"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "invalid choice: 'csh'" in done.stderr
