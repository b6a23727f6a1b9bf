"""Commands and their names, from the command line and from a Procfile."""

from pathlib import Path

import pytest

from ninth.cli.commands import numbered, read_procfile, split_names
from tests.conftest import Runner


def test_numbers_are_the_names_of_those_without() -> None:
    assert numbered(["a", "b"]) == [("1", "a"), ("2", "b")]
    assert numbered(["a", "b"], split_names("x, y")) == [("x", "a"), ("y", "b")]


def test_a_procfile_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# web\n\nweb: serve: 80\nworker:work\r\nclock: tick")
    everything = read_procfile(str(path))
    assert everything == [("web", "serve: 80"), ("worker", "work"), ("clock", "tick")]
    assert read_procfile(str(path), ["clock", "web"]) == [everything[0], everything[2]]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-n", "a", "x", "y"], "1 names for 2 commands"),
        (["-n", "a,a", "x", "y"], "'a' is given twice"),
        (["-n", "a,", "x", "y"], "has the name ''"),
        (["-f", "/no/such", "x"], "cannot read /no/such: No such file"),
        (["-f", "/"], "cannot read /: Is a directory"),
        (["-f", "broken"], "broken, line 2: 'nonsense' is not of the form"),
        (["-f", "twice"], "twice, line 2: the name 'a' is taken by line 1"),
        (["-f", "twice", "-n", "a"], "--names and --procfile were both given"),
        (["-f", "good", "b"], "good has no 'b'"),
        (["-f", "empty"], "empty has no commands"),
        (["--loop", "select", "--restart", "always", "x"], "select cannot serve --restart"),
        (["--loop", "select", "-o", "json", "x"], "cannot serve --output json"),
        (["--restart-tries", "2", "x"], "--restart-tries needs --restart"),
        (["--max-fps", "0", "x"], "must be a number from 0.01"),
        (["--time-format", "%H%n", "x"], "one printable line"),
    ],
)
def test_bad_input_starts_nothing(
    ninth: Runner, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    (tmp_path / "broken").write_text("a: touch proof\nnonsense\n")
    (tmp_path / "twice").write_text("a: touch proof\na: touch proof\n")
    (tmp_path / "good").write_text("a: touch proof\n")
    (tmp_path / "empty").write_text("# nothing\n")
    result = ninth.run("watch", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert reason in result.stderr
    assert not (tmp_path / "proof").exists()
