"""Every example runs, and the broken one shows what it says."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TAG, tagged

EXAMPLES = Path(__file__).parent.parent / "examples"
LATEST = ("latest_callbacks", "latest_coroutines", "latest_both")
NUMBERS = "printf '1\\n2\\n3\\n'"


class Examples:
    """Starts examples in processes that can be found again, with all that they start."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.started: list[subprocess.Popen[str]] = []

    def start(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        example = subprocess.Popen(
            [sys.executable, EXAMPLES / f"{name}.py", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {TAG: self.tag},
            **({"stdin": subprocess.DEVNULL} | options),
        )
        self.started.append(example)
        return example

    def run(self, name: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        """Run an example to its end; return its status, output and errors."""
        example = self.start(name, *arguments, **options)
        output, errors = example.communicate(timeout=60)
        return example.returncode, output, errors

    def left(self) -> list[int]:
        return tagged(self.tag)

    def kill(self, example: subprocess.Popen[str]) -> tuple[str, str]:
        """Kill an example and all that it started; return the rest of its output and errors."""
        # What it started has its pipes, too, and would keep them open.
        while left := self.left():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return example.communicate(timeout=60)


@pytest.fixture
def examples() -> Iterator[Examples]:
    found = Examples(f"examples-{os.getpid()}-{time.monotonic_ns()}")
    yield found
    for example in found.started:
        found.kill(example)


def numbers(output: str) -> list[str]:
    """Return the lines of the output without the time."""
    lines = []
    for line in output.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d ", line)
        lines.append(line[9:])
    return lines


def read_until(example: subprocess.Popen[str], end: str) -> list[str]:
    """Read the output of an example until a line ends like this."""
    assert example.stdout is not None
    lines = []
    for line in example.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1].endswith(end):
            return lines
    raise AssertionError(f"{end!r} did not come; the output was {lines}")


def test_all_are_here() -> None:
    """A test for each example, so that a new one is not forgotten."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {*LATEST, "latest_broken", "everything_is_a_file"}


# The first program


@pytest.mark.parametrize("name", LATEST)
def test_the_first_program(name: str, examples: Examples) -> None:
    status, output, errors = examples.run(name, NUMBERS, "echo 7; sleep 0.1; echo 8")
    assert (status, errors) == (0, "")
    shown = numbers(output)
    assert len(shown) == 5
    assert shown[-1] == "3 8"
    assert {line.split()[0] for line in shown} >= {"1", "2", "3"}


@pytest.mark.parametrize("name", LATEST)
def test_a_failing_line_ends_it_and_says_where(name: str, examples: Examples) -> None:
    status, _, errors = examples.run(name, "echo 1; echo oops; sleep 60", "sleep 60 & sleep 61")
    assert status == 1
    assert "ValueError: invalid literal for int() with base 10: " in errors
    if name == "latest_callbacks":
        assert "registered at " in errors
        assert "latest_callbacks.py:" in errors
    assert not examples.left()


@pytest.mark.parametrize("name", LATEST)
def test_ctrl_c_leaves_nothing(name: str, examples: Examples) -> None:
    example = examples.start(name, "echo 5; sleep 60 & wait")
    read_until(example, " 5")
    example.send_signal(signal.SIGINT)
    _, errors = example.communicate(timeout=60)
    assert example.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not examples.left()


def test_each_is_short() -> None:
    for name in LATEST:
        text = (EXAMPLES / f"{name}.py").read_text()
        code = [
            line for line in text.splitlines() if line and not line.startswith(("import", "from"))
        ]
        assert len(code) <= 25, name


def test_the_broken_one_shows_one_line_of_three(examples: Examples) -> None:
    example = examples.start("latest_broken", f"{NUMBERS}; sleep 60")
    read_until(example, " 1")
    output, _ = examples.kill(example)
    assert output == ""


def test_the_broken_one_logs_an_error_and_goes_on(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo oops; sleep 0.2; echo 9; sleep 60")
    read_until(example, " 9")
    assert example.poll() is None
    _, errors = examples.kill(example)
    assert errors.count("ValueError: invalid literal for int()") == 1
    assert "Exception in callback show(" in errors
    assert "registered" not in errors


def test_the_broken_one_spins_and_does_not_end(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo 1")
    assert example.stderr is not None
    logged = 0
    for line in example.stderr:
        logged += line.startswith("ValueError")
        if logged == 1000:
            break
    assert example.poll() is None


def test_the_broken_one_leaves_processes_behind(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo 5; sleep 60 & wait")
    read_until(example, " 5")
    example.send_signal(signal.SIGINT)
    example.wait(60)
    assert examples.left()


# Files of every kind


@pytest.mark.parametrize("stdin", ["here-document", "file", "null", "pipe"])
def test_everything_is_a_file(stdin: str, examples: Examples, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("hello\n")
    reading, writing = os.pipe()
    os.write(writing, b"hello\n")
    os.close(writing)
    given: dict[str, Any] = {"null": subprocess.DEVNULL, "pipe": reading}
    with data.open() as file:
        given["file"] = file
        if stdin == "here-document":
            # What a shell makes of one: a file that has no name any more.
            data.unlink()
            given[stdin] = file
        status, output, errors = examples.run("everything_is_a_file", stdin=given[stdin])
    os.close(reading)
    assert (status, errors) == (0, "")
    assert [line.removesuffix(" is readable") for line in output.splitlines()] == [
        "pipe",
        "terminal",
        "unix_socket",
        "listening_socket",
        "datagram_socket",
        "pidfd",
        "eventfd",
        "timerfd",
        "inotify",
        "device",
        "regular_file",
        "standard_input",
    ]
