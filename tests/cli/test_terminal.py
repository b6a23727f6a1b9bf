"""`ninth watch` on a terminal."""

import os
import re
import signal
import sys

import pexpect

from tests.cli.terminals import Terminal, until
from tests.conftest import TAG, Runner

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( .*)?$")


def test_the_frame_is_redrawn_in_place(ninth: Runner, loop: str) -> None:
    commands = ["for i in 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.05; done", "echo other"]
    terminal = Terminal(ninth, "watch", "--loop", loop, *commands)
    rows = terminal.end()
    assert LINE.match(rows[0])
    assert rows[1:] == ["line 9", "other"] + [""] * 7
    assert terminal.child.exitstatus == 0


def test_there_is_a_frame_before_the_first_line(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "sleep 0.5; echo x")
    assert LINE.match(terminal.until("20")[0])
    terminal.end()


def test_rows_are_cut_to_the_width(ninth: Runner, loop: str) -> None:
    rows = [f"echo {'a' * 100}", f"echo {'漢' * 50}", f"echo {'b' * 40}"]
    terminal = Terminal(ninth, "watch", "--loop", loop, *rows)
    rows = terminal.end()
    assert rows[1] == "a" * 39 + "…"
    assert rows[2].replace(" ", "") == "漢" * 19 + "…"
    assert rows[3:] == ["b" * 40] + [""] * 6
    # Real terminals, unlike the one here, would erase the last cell of a full row.
    assert "…\x1b[K" not in terminal.raw.decode()


def test_more_rows_than_the_terminal_has(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", *[f"echo {n}" for n in range(30)], rows=6)
    rows = terminal.end()
    assert LINE.match(rows[0])
    assert rows[1:] == ["0", "1", "2", "+27 more", ""]


def test_a_terminal_that_nobody_has_sized(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "echo hello; sleep 0.2", "echo x", size=(0, 0))
    assert terminal.end()[1:3] == ["hello", "x"]


def test_errors_of_children_stand_above_the_frame(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "printf '\\033[2Joops\\n' >&2; sleep 0.3", "echo fine")
    rows = terminal.end()
    assert rows[0] == "oops"
    assert LINE.match(rows[1])
    assert rows[2:4] == ["", "fine"]


def test_ctrl_c_leaves_the_frame_and_the_terminal_as_they_were(ninth: Runner, loop: str) -> None:
    terminal = Terminal(ninth, "watch", "--loop", loop, "echo up; sleep 1.2; echo x; sleep 100")
    terminal.until("up" if loop != "blocking" else "20")
    terminal.child.sendintr()
    rows = terminal.end()
    assert not any("Traceback" in row for row in rows)
    assert terminal.child.signalstatus == signal.SIGINT
    assert b"\x1b[?1049h" not in terminal.raw
    assert terminal.raw.count(b"\x1b[?7l") == terminal.raw.count(b"\x1b[?7h")


def test_a_hang_up_stops_everything(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "echo up; sleep 1000 & wait")
    terminal.until("up")
    terminal.child.close(force=False)
    until(lambda: not ninth.survivors())


def test_a_dumb_terminal_gets_lines(ninth: Runner) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "ninth", "watch", "echo x"],
        env={**os.environ, "TERM": "dumb", TAG: ninth.tag},
        timeout=30,
    )
    output = child.read().decode()
    child.close()
    assert "\x1b" not in output
    assert LINE.match(output.splitlines()[-1])
