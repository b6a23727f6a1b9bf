"""The full tool, over real children: outputs, ends, restarts."""

import json
import signal
from pathlib import Path

import pytest

from tests.conftest import Runner


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
    [("tmux", "#[fg=red]#(id)", "##[fg=red]##(id)"), ("polybar", "%{A1:id:}", "%\u200b{A1:id:}")],
)
def test_markup_of_bars_is_only_text(ninth: Runner, output: str, text: str, shown: str) -> None:
    result = ninth.run("watch", "-o", output, "--no-time", f"echo '{text}'")
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
