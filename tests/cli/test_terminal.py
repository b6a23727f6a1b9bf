"""`ninth watch` on a terminal."""

import os
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.terminals import Terminal, switches, until, until_idle
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


def test_a_resize_draws_anew(ninth: Runner) -> None:
    terminal = Terminal(
        ninth, "watch", "--no-time", f"echo {'a' * 60}; sleep 1000", *["echo b"] * 4
    )
    terminal.until("a" * 39 + "…", "b")
    terminal.resize(10, 70)
    terminal.until("a" * 60)
    terminal.resize(10, 20)
    assert terminal.until("a" * 19 + "…")[-1] == ""
    terminal.resize(4, 20)
    terminal.until("+3 more")
    terminal.interrupt()


def test_commands_learn_the_size_of_their_terminal(ninth: Runner) -> None:
    command = "trap 'stty size <&1' WINCH; stty size <&1; while :; do sleep 0.05; done"
    terminal = Terminal(ninth, "watch", "--pty", "--no-time", command)
    terminal.until("10 40")
    terminal.resize(12, 50)
    terminal.until("12 50")
    terminal.interrupt()


def test_names_and_ends_stand_in_the_rows(ninth: Runner) -> None:
    commands = ["echo fine", "echo bad; exit 3", "kill -SEGV $$", "sleep 1000"]
    terminal = Terminal(ninth, "watch", "--no-time", "-n", "one,two,three,four", *commands)
    rows = terminal.until("fine", "[exit 3]", "[SIGSEGV]")
    assert rows[:4] == ["one   │ fine", "two   │ bad [exit 3]", "three │ [SIGSEGV]", "four  │"]
    terminal.interrupt()


def test_how_it_ended_is_more_than_what_it_said(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "--no-time", f"echo {'x' * 50}; exit 3", columns=20)
    assert terminal.end()[0] == "x" * 10 + "… [exit 3]"


def dimmed(terminal: Terminal, text: str) -> bool:
    """Return whether a text was written dimmed."""
    return f"\x1b[2m{text}\x1b[0m".encode() in terminal.raw


@pytest.mark.parametrize(
    ("options", "env", "colored"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": ""}, True),
        ([], {"NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {}, False),
        (["-o", "tty"], {"TERM": "dumb"}, False),
    ],
)
def test_ended_rows_are_dimmed(
    ninth: Runner, options: list[str], env: dict[str, str], colored: bool
) -> None:
    commands = ["echo gone; exit 3", "echo done", "echo here; sleep 0.5"]
    terminal = Terminal(ninth, "watch", *options, "-n", "a,b,c", *commands, env=env)
    terminal.until("gone [exit 3]", "done", "here")
    assert not dimmed(terminal, "here")
    terminal.end()
    assert dimmed(terminal, "gone [exit 3]") == colored
    assert dimmed(terminal, "done") == colored
    assert (b"\x1b[36ma" in terminal.raw) == colored


def test_a_restarted_command_says_so(ninth: Runner) -> None:
    options = ["--restart", "on-failure", "--restart-after", "1000", "--no-time"]
    terminal = Terminal(ninth, "watch", *options, "echo x; exit 1")
    terminal.until("x [exit 1, again in 1000 s]")
    terminal.interrupt()


def test_errors_keep_their_names_to_the_end(ninth: Runner, tmp_path: Path) -> None:
    # What is written while all is being stopped is read at the very end, all at once; less than the
    # 64 KiB that wait for a slow terminal then.
    late = "seq 10000 13000 >&2; exit 0"
    command = f"trap '{late}' TERM; echo up; while :; do sleep 0.05; done"
    options = ["--no-time", "-k", "-n", "a,b"]
    os.mkfifo(tmp_path / "go")
    terminal = Terminal(ninth, "watch", *options, command, f"read x <{tmp_path}/go; echo early >&2")
    terminal.until("up")
    (tmp_path / "go").write_text("\n")
    rows = terminal.end()
    # The last row is that of the frame.
    assert [row.removeprefix("a │ ") for row in rows[:7]] == [str(n) for n in range(12994, 13001)]
    assert b"b \xe2\x94\x82 early" in terminal.raw
    assert rows[0] == "a │ 12994"


def test_nothing_is_drawn_without_a_change(ninth: Runner) -> None:
    command = "for i in 1 2 3 4 5 6 7 8 9; do echo same; sleep 0.05; done; echo last"
    terminal = Terminal(ninth, "watch", "--no-time", "-i", "0.01", command)
    terminal.end()
    # The empty one, the line, the last line, and perhaps the end on its own.
    assert 2 <= terminal.frames() <= 4


def state(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_ctrl_z_stops_the_commands_too_and_fg_goes_on(ninth: Runner, tmp_path: Path) -> None:
    command = f"echo $$ >{tmp_path}/pid; while :; do echo $((n+=1)); sleep 0.05; done"
    watch = shlex.join([sys.executable, "-m", "ninth", "watch", "--no-time", command])
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash, which has job control, is not installed")
    options = ["--norc", "--noprofile", "-i"]
    terminal = Terminal(ninth, *options, rows=20, program=bash, env={"PS1": "prompt> "})

    def prompted() -> bool:
        return [row for row in terminal.rows if row][-1:] == ["prompt>"]

    terminal.until_true(prompted)
    (tmp_path / "watch").write_text(watch)
    terminal.child.sendline(f". {tmp_path}/watch")
    pid_file = tmp_path / "pid"
    terminal.until_true(lambda: pid_file.exists() and pid_file.read_text().strip())
    terminal.until("1")
    pid = pid_file.read_text().strip()
    terminal.child.sendcontrol("z")
    terminal.until("Stopped")
    terminal.until_true(prompted)
    until(lambda: state(pid) == "T")
    drawn = terminal.frames()
    terminal.child.sendline("echo alive")
    terminal.until("alive")
    assert terminal.frames() == drawn
    terminal.child.sendline("fg")
    terminal.until_true(lambda: terminal.frames() > drawn + 2)
    assert state(pid) != "T"
    # The frame stands below what the shell wrote meanwhile.
    assert any("Stopped" in row for row in terminal.rows)
    assert any("alive" in row for row in terminal.rows)
    terminal.child.sendintr()
    terminal.until_true(prompted)
    terminal.child.sendline("echo status $?; exit")
    terminal.until("status 130")
    terminal.end()


def test_ctrl_z_where_nobody_could_go_on_with_it(ninth: Runner) -> None:
    # Without a shell in the session the system ignores it, or the program would be lost.
    command = "while :; do echo $((n+=1)); sleep 0.05; done"
    terminal = Terminal(ninth, "watch", "--no-time", command)
    terminal.until("1")
    terminal.child.sendcontrol("z")
    drawn = terminal.frames()
    terminal.until_true(lambda: terminal.frames() > drawn + 2)
    terminal.interrupt()


def test_it_sleeps_until_something_happens(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "-i", "86400", "echo up; sleep 1000", "exit 3")
    terminal.until("up", "[exit 3]")
    pid = terminal.child.pid
    until_idle(pid)
    before, drawn = switches(pid), len(terminal.raw)
    with pytest.raises(pexpect.TIMEOUT):
        terminal.child.read_nonblocking(1, timeout=1)
    assert (switches(pid), len(terminal.raw)) == (before, drawn)
    terminal.interrupt()
