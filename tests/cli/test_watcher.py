"""The full tool, over real children: outputs, ends, restarts."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import TAG, Runner


def test_log_tells_every_line(ninth: Runner) -> None:
    result = ninth.run("watch", "-o", "log", "--no-time", "-n", "a,bb", "seq 50000", "exit 3")
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("a ")] == [
        f"a  | {n}" for n in range(1, 50001)
    ]
    assert "bb | [exit 3]" in lines
    assert result.returncode == 3


def test_json_tells_lines_and_exits(ninth: Runner) -> None:
    result = ninth.run("watch", "-o", "json", "echo '\"x\"'; kill -SEGV $$")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    told = [(e["event"], e["name"], e["text"], e["code"]) for e in events if e["event"] != "tick"]
    assert told == [("line", "1", '"x"', None), ("exit", "1", "SIGSEGV", -signal.SIGSEGV)]
    assert result.returncode == 128 + signal.SIGSEGV


def test_i3bar_says_what_is_urgent(ninth: Runner) -> None:
    result = ninth.run("watch", "-o", "i3bar", "--no-time", "echo '<b>'; exit 3")
    header, opening, *statuses = result.stdout.splitlines()
    assert json.loads(header)["stop_signal"] == signal.SIGUSR1
    assert opening == "["
    block = json.loads(statuses[-1].lstrip(","))[0]
    assert (block["full_text"], block["markup"], block["urgent"]) == ("<b> [exit 3]", "none", True)


@pytest.mark.parametrize(
    ("output", "text", "shown"),
    [
        ("tmux", "#[fg=red]#(id)", "#\u200b[fg=red]#\u200b(id)"),
        ("polybar", "%{A1:id:}", "%\u200b{A1:id:}"),
    ],
)
def test_markup_of_bars_is_only_text(ninth: Runner, output: str, text: str, shown: str) -> None:
    result = ninth.run("watch", "-o", output, "--no-time", f"echo '{text}'")
    assert result.stdout.splitlines()[-1] == shown


@pytest.mark.parametrize(
    ("output", "separator", "texts", "shown"),
    [
        ("tmux", "#[fg=red]|", ["#1", "2"], "#\u200b1#[fg=red]|2"),
        ("polybar", "%{F-}", ["50%", "%{A1:id:}"], "50%\u200b%{F-}%\u200b{A1:id:}"),
        ("polybar", "", ["50%", "{A1:id:}"], "50%\u200b{A1:id:}"),
    ],
)
def test_only_the_separator_may_have_markup(
    ninth: Runner, output: str, separator: str, texts: list[str], shown: str
) -> None:
    commands = [f"echo '{text}'" for text in texts]
    result = ninth.run("watch", "-o", output, "--no-time", "--separator", separator, *commands)
    assert result.stdout.splitlines()[-1] == shown


def test_restarts_until_the_tries_are_over(ninth: Runner, tmp_path: Path) -> None:
    options = ["--restart", "on-failure", "--restart-tries", "2", "--restart-after", "0"]
    proof = tmp_path / "proof"
    result = ninth.run("watch", "-o", "json", *options, f"echo x >>{proof}; exit 4", "exit 0")
    assert proof.read_text() == "x\n" * 3
    assert result.stdout.count('"restart"') == 2
    assert result.returncode == 4


@pytest.mark.parametrize(
    ("options", "commands", "status"),
    [
        (["-k"], ["exit 0", "sleep 1000"], 0),
        (["-k"], ["exit 5", "sleep 1000"], 5),
        (["--kill-others-on-fail"], ["exit 6", "sleep 1000"], 6),
        (["-k", "-s", "first"], ["exit 0", "sleep 1000"], 0),
    ],
)
def test_one_may_end_the_others(
    ninth: Runner, options: list[str], commands: list[str], status: int
) -> None:
    assert ninth.run("watch", *options, *commands).returncode == status


def test_what_made_a_session_of_its_own_is_stopped_too(ninth: Runner) -> None:
    ninth.run("watch", "setsid sh -c 'sleep 1000' >/dev/null 2>&1 & echo x")
    process = ninth.start("watch", "setsid sleep 1000 & echo up; wait")
    assert process.stdout is not None
    process.stdout.readline()
    ninth.stop(process)


def test_a_closed_output_is_noticed_at_once(ninth: Runner) -> None:
    process = ninth.start("watch", "-i", "86400", "echo up; sleep 1000")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == -signal.SIGPIPE


def test_stderr_is_merged_or_hidden(ninth: Runner) -> None:
    merged = ninth.run("watch", "--stderr", "merge", "--no-time", "echo oops >&2")
    assert (merged.stdout, merged.stderr) == ("oops\n", "")
    hidden = ninth.run("watch", "--stderr", "hide", "--no-time", "echo oops >&2; echo x")
    assert (hidden.stdout, hidden.stderr) == ("x\n", "")


def test_commands_may_have_a_terminal(ninth: Runner) -> None:
    result = ninth.run("watch", "--pty", "--no-time", "test -t 1 && echo terminal")
    assert result.stdout == "terminal\n"


def test_timings_say_how_long_each_ran(ninth: Runner) -> None:
    options = ["--timings", "--restart", "on-failure", "--restart-tries", "1"]
    result = ninth.run(
        "watch", *options, "--restart-after", "0", "-n", "a,b", "sleep 0.2", "exit 3"
    )
    seconds = r"\d+\.\d{3} s"
    said = re.findall(
        rf"^ninth: (\w) ran ({seconds}) from ({seconds}) on: (.*)$", result.stderr, re.MULTILINE
    )
    assert [(name, ending) for name, _, _, ending in said] == [
        ("a", "exit 0"),
        ("b", "exit 3, 1 restart"),
    ]
    assert float(said[0][1].split()[0]) >= 0.2


def test_timings_are_said_after_a_signal_too(ninth: Runner) -> None:
    process = ninth.start("watch", "--timings", "echo up; sleep 1000")
    assert process.stdout is not None
    process.stdout.readline()
    assert "ninth: 1 ran " in ninth.stop(process, signal.SIGTERM)


def test_the_time_as_one_likes_it(ninth: Runner) -> None:
    result = ninth.run("watch", "--time-format", "in %Y", "echo x")
    assert re.fullmatch(r"in 2\d\d\d x", result.stdout.splitlines()[-1])
    log = ninth.run("watch", "-o", "log", "--time-format", "%H-%M", "echo x")
    assert re.fullmatch(r"\d\d-\d\d 1 \| x\n", log.stdout)


@pytest.mark.parametrize("output", ["line", "tmux", "polybar"])
def test_separator_and_no_time(ninth: Runner, output: str) -> None:
    options = ["-o", output, "--no-time", "--separator", " <> "]
    result = ninth.run("watch", *options, "echo 1", "echo 2", "exit 0")
    assert result.stdout.splitlines()[-1] == "1 <> 2 <> "


@pytest.mark.parametrize(
    ("success", "commands", "status"),
    [
        ("all", ["exit 0", "sleep 0.5; exit 3"], 3),
        ("first", ["exit 0", "sleep 0.5; exit 3"], 0),
        ("first", ["sleep 0.5; exit 0", "exit 3"], 3),
        ("last", ["sleep 0.5; exit 0", "exit 3"], 0),
        ("last", ["exit 0", "sleep 0.5; exit 3"], 3),
    ],
)
def test_who_decides_about_success(
    ninth: Runner, success: str, commands: list[str], status: int
) -> None:
    assert ninth.run("watch", "-s", success, *commands).returncode == status


def test_restart_always_also_after_success(ninth: Runner) -> None:
    options = ["--restart", "always", "--restart-tries", "2", "--restart-after", "0.05"]
    result = ninth.run("watch", "-o", "log", "--no-time", *options, "echo x")
    lines = result.stdout.splitlines()
    assert lines == [
        "1 | x",
        "1 | [exit 0, again in 0.05 s]",
        "1 | [restarted]",
        "1 | x",
        "1 | [exit 0, again in 0.1 s]",
        "1 | [restarted]",
        "1 | x",
    ]
    assert result.returncode == 0


def test_a_signal_ends_what_waits_to_be_restarted(ninth: Runner) -> None:
    options = ["--restart", "always", "--restart-after", "1000"]
    process = ninth.start("watch", "-o", "log", *options, "echo x")
    assert process.stdout is not None
    while "again in 1000 s" not in process.stdout.readline():
        pass
    assert ninth.stop(process, signal.SIGTERM) == ""
    assert process.returncode == -signal.SIGTERM


def test_what_a_run_left_is_stopped_before_the_next(ninth: Runner) -> None:
    options = ["--restart", "on-failure", "--restart-tries", "1", "--restart-after", "0"]
    left = "sleep 1000 >/dev/null 2>&1 &"
    command = f"{left} ps -o pid= -s $$ | wc -l; exit 1"
    result = ninth.run("watch", "-o", "log", "--no-time", *options, command)
    counts = [line.split()[-1] for line in result.stdout.splitlines() if "[" not in line]
    assert len(counts) == 2
    assert len(set(counts)) == 1


def test_what_a_run_left_is_killed_if_need_be(ninth: Runner) -> None:
    options = ["--restart", "on-failure", "--restart-tries", "1", "--restart-after", "0"]
    left = "(trap '' TERM; exec sleep 1000) >/dev/null 2>&1 &"
    command = f"{left} until ps -o args= -s $$ | grep -q '^sleep'; do :; done; exit 4"
    result = ninth.run("watch", "-o", "log", "--stop-timeout", "0.1", *options, command)
    assert "[restarted]" in result.stdout
    assert "ninth: killed 2 processes that did not stop when asked" in result.stderr
    assert result.returncode == 4


@pytest.mark.parametrize(
    ("choice", "no_color", "colored"),
    [("auto", "", False), ("always", "", True), ("always", "1", True), ("never", "", False)],
)
def test_color_in_a_pipe(ninth: Runner, choice: str, no_color: str, colored: bool) -> None:
    env = os.environ | {TAG: ninth.tag, "NO_COLOR": no_color}
    result = ninth.run("watch", "-o", "log", "--color", choice, "echo x; exit 3", env=env)
    assert ("\x1b[36m" in result.stdout) == colored
    assert ("\x1b[2m[exit 3]\x1b[0m" in result.stdout) == colored


def test_not_oftener_than_max_fps(ninth: Runner) -> None:
    began = time.monotonic()
    command = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done"
    result = ninth.run("watch", "--max-fps", "5", "--no-time", command)
    lines = result.stdout.splitlines()
    # One at once, and the last state at the end; a slow machine only allows for more.
    assert len(lines) <= (time.monotonic() - began) * 5 + 2
    assert lines[-1] == "9"


def test_nothing_is_written_without_a_change(ninth: Runner) -> None:
    command = "for i in 1 2 3 4 5 6 7 8 9; do echo same; sleep 0.05; done"
    result = ninth.run("watch", "--no-time", "-i", "0.01", command)
    assert result.stdout == "same\n"
