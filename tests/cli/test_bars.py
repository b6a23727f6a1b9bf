"""What bars ask for: signals that pause the output, clicks, and no markup from commands."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.terminals import Terminal, status_of, until, until_idle, waiting_in
from tests.conftest import Runner


def blocks(line: str) -> list[dict[str, Any]]:
    """Return a status line of i3bar."""
    found: list[dict[str, Any]] = json.loads(line.lstrip(","))
    return found


def texts_until(output: IO[str], last: str) -> list[str]:
    """Return what the first block shows, until it shows the last one."""
    found = [""]
    while found[-1] != last:
        found.append(blocks(output.readline())[0]["full_text"])
    return found


def test_i3bar_pauses_the_output_only(ninth: Runner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    command = "echo $$; read x <go; echo b; echo c; touch said; read x <go; echo d; sleep 1000"
    process = ninth.start("watch", "-o", "i3bar", "--no-time", command, cwd=tmp_path)
    output = process.stdout
    assert output is not None
    header = json.loads(output.readline())
    assert header["version"] == 1
    output.readline()
    child = 0
    while not child:
        child = int(blocks(output.readline())[0]["full_text"] or 0)
    process.send_signal(header["stop_signal"])
    until(lambda: int(status_of(process.pid, "ShdPnd"), 16) == 0)
    until_idle(process.pid)
    (tmp_path / "go").write_text("\n")
    until((tmp_path / "said").exists)
    pipe = os.open(f"/proc/{child}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    until(lambda: waiting_in(pipe) == 0)
    os.close(pipe)
    until_idle(process.pid)
    assert waiting_in(output) == 0
    process.send_signal(header["cont_signal"])
    assert texts_until(output, "c") == ["", "c"]
    (tmp_path / "go").write_text("\n")
    texts_until(output, "d")
    ninth.stop(process, signal.SIGTERM)


def test_it_can_be_stopped_while_it_is_paused(ninth: Runner) -> None:
    process = ninth.start("watch", "-o", "i3bar", "echo up; sleep 1000")
    assert process.stdout is not None
    while "up" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGUSR1)
    ninth.stop(process, signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


def test_clicks_reach_their_command(ninth: Runner) -> None:
    commands = ["sleep 1000", 'while read -r click; do echo "$click"; done; echo closed']
    read, write = os.pipe()
    process = ninth.start("watch", "-o", "i3bar", "-n", "a,b", "--no-time", *commands, stdin=read)
    os.close(read)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["click_events"]
    process.stdout.readline()
    click = json.dumps({"name": "command", "instance": "b", "button": 1})
    other = json.dumps({"name": "time", "button": 3})
    os.write(write, f"[\n{other}\n,nonsense\n,[3]\n,{click}\n".encode())
    shown = ""
    while "button" not in shown:
        shown = blocks(process.stdout.readline())[1]["full_text"]
    assert json.loads(shown.removeprefix("b ")) == json.loads(click)
    os.close(write)
    while shown != "b closed":
        shown = blocks(process.stdout.readline())[1]["full_text"]
    ninth.stop(process, signal.SIGTERM)


def test_clicks_for_who_does_not_read_are_lost(ninth: Runner) -> None:
    read, write = os.pipe()
    process = ninth.start("watch", "-o", "i3bar", "--no-time", "exec sleep 1000", stdin=read)
    os.close(read)
    click = json.dumps({"name": "command", "instance": "1", "x": "x" * 1000})
    with open(write, "w") as clicks:
        for _ in range(1000):  # more than a pipe holds: that it all can be written is the test
            clicks.write(f"{click}\n")
            clicks.flush()
        ninth.stop(process, signal.SIGTERM)


def test_without_a_pipe_there_are_no_clicks(ninth: Runner) -> None:
    result = ninth.run("watch", "-o", "i3bar", "cat; echo ended")
    header, _, *statuses = result.stdout.splitlines()
    assert not json.loads(header)["click_events"]
    assert blocks(statuses[-1])[0]["full_text"] == "ended"


def test_tmux_shows_what_was_written(ninth: Runner, tmp_path: Path) -> None:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not installed")
    said = "#[fg=red]a #(touch proof) ##b #S %H #{pane_id} #"
    command = shlex.join(["printf", "%s\\n", said])
    watch = [sys.executable, "-m", "ninth", "watch", "-o", "tmux", "--no-time"]
    script = tmp_path / "status"
    # tmux would take what stands in the line itself for its own.
    script.write_text(f"#!/bin/sh\nexec {shlex.join([*watch, command + '; sleep 1000'])}\n")
    script.chmod(0o755)
    config = tmp_path / "tmux.conf"
    config.write_text(
        "set -g status-left ''\n"
        "set -g status-right-length 70\n"
        f"set -g status-right '#({script})'\n"
        "set -g window-status-current-format ''\n"
        "set -g status-interval 1\n"
    )
    socket = str(tmp_path / "socket")
    terminal = Terminal(
        ninth,
        "-S",
        socket,
        "-f",
        str(config),
        "new",
        "sleep 1000",
        rows=5,
        columns=80,
        program=tmux,
    )
    try:
        rows = terminal.until("#[fg=red]")
        assert rows[-1].strip() == said
    finally:
        subprocess.run([tmux, "-S", socket, "kill-server"], check=True)
        terminal.end()
    until(lambda: not ninth.survivors())
    assert not (tmp_path / "proof").exists()
