"""Every rung runs the same program, to the end, over real children."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from ninth.cli.all_loops import watch
from ninth.ladder import RUNGS, rung
from ninth.ladder.program import Interrupted, Program
from tests.conftest import LOOPS

pytestmark = pytest.mark.usefixtures("no_leaks")


class Recorder:
    """Keeps what was shown."""

    def __init__(self) -> None:
        self.shown: list[list[str]] = []

    def __call__(self, _clock: str, lines: Sequence[str]) -> None:
        if not self.shown or self.shown[-1] != list(lines):
            self.shown.append(list(lines))

    def column(self, index: int) -> list[str]:
        """Return the different lines of one command, in order."""
        texts = [lines[index] for lines in self.shown]
        return [
            text for number, text in enumerate(texts) if number == 0 or text != texts[number - 1]
        ]


def alive(pid: int) -> bool:
    """Return whether the process is there, and no zombie that its new parent has yet to reap."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def record(loop: str, *commands: str, grace: float = 5.0) -> tuple[Recorder, Program]:
    recorder = Recorder()
    program = Program(commands, recorder, grace=grace)
    watch(loop, program)
    return recorder, program


def test_the_tests_know_all_rungs() -> None:
    assert (*RUNGS, "ninth") == LOOPS


def test_an_unknown_rung_is_refused() -> None:
    with pytest.raises(ValueError, match="no loop 'tenth'; choose from blocking, busy"):
        rung("tenth")


def test_the_last_lines_are_shown(loop: str) -> None:
    recorder, _ = record(loop, "echo one; echo two", "printf 'no newline'", "true")
    assert recorder.shown[-1] == ["two", "no newline", ""]


def test_split_lines_and_characters_are_joined(loop: str) -> None:
    command = (
        r"printf 'spl'; sleep 0.1; printf 'it\n'; sleep 0.1; printf '\303'; sleep 0.1;"
        r" printf '\251\n'; sleep 0.1; printf '\377\033[2Jlast'"
    )
    recorder, _ = record(loop, command)
    assert set(recorder.column(0)) <= {"", "split", "é", "\ufffdlast"}
    assert recorder.column(0)[-1] == "\ufffdlast"


def test_a_child_that_ends_does_not_end_the_others(loop: str) -> None:
    recorder, program = record(loop, "exit 3", "sleep 0.3; echo late; exit 4", "kill -9 $$")
    assert recorder.shown[-1] == ["", "late", ""]
    assert [child.returncode for child in program.children] == [3, 4, -9]


def test_end_of_output_is_not_the_end_of_the_child(loop: str) -> None:
    recorder, program = record(loop, "echo done; exec >&-; sleep 0.3; exit 6", "echo other")
    assert recorder.shown[-1] == ["done", "other"]
    assert program.children[0].returncode == 6


def test_the_end_of_the_child_is_not_the_end_of_its_output(loop: str) -> None:
    recorder, program = record(loop, "(sleep 0.3; echo from behind) & exit 8")
    assert recorder.shown[-1] == ["from behind"]
    assert program.children[0].returncode == 8


def test_what_children_leave_behind_is_stopped(loop: str) -> None:
    _, program = record(loop, "sleep 1000 >/dev/null & echo $!")
    pid = int(program.children[0].latest.text)
    assert not alive(pid)


def test_no_commands_at_all(loop: str) -> None:
    recorder, _ = record(loop)
    assert recorder.shown == [[]]


def test_two_hundred_children(loop: str) -> None:
    recorder, program = record(loop, *(f"echo {number}; exit 0" for number in range(200)))
    assert recorder.shown[-1] == [str(number) for number in range(200)]
    assert {child.returncode for child in program.children} == {0}


def test_an_exception_while_rendering_has_a_caller(loop: str) -> None:
    class BrokenError(Exception):
        pass

    def show(_clock: str, lines: Sequence[str]) -> None:
        if any(lines):
            raise BrokenError

    program = Program(["echo one; sleep 1000", "echo two; sleep 1000"], show)
    with pytest.raises(BrokenError):
        watch(loop, program)
    assert {child.returncode for child in program.children} <= {-signal.SIGTERM}


def test_an_exception_while_starting_stops_the_others(loop: str) -> None:
    program = Program(["sleep 1000", "sleep 1000", "bad\0command"], lambda *_: None)
    with pytest.raises(Exception, match="cannot start command 3 of 3"):
        watch(loop, program)
    assert [child.returncode for child in program.children] == [-signal.SIGTERM] * 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
# Where Python drops the exception of a handler (a weak reference's callback), render() raises it
# again; that it was dropped is reported all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_stops_everything(loop: str, signum: signal.Signals) -> None:
    # The child signals us when it is there, so that no time has to be guessed.
    command = f"trap '' TERM; sleep 1000 & kill -{signum.value} {os.getpid()}; echo up; wait"
    program = Program([command, "sleep 1000"], lambda *_: None, grace=0.2)
    with pytest.raises(Interrupted) as caught:
        watch(loop, program)
    assert caught.value.signum == signum
    assert all(child.returncode in {-9, -15} for child in program.children)
