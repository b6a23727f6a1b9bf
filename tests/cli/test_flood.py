"""Commands that write without pause, readers that do not read, and hours in which nothing happens.

What is counted is the order of events, sleeps and bytes, none of which depends on how fast this
machine is.
"""

import json
import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.terminals import Terminal, status_of, switches, until, until_idle, waiting_in
from tests.conftest import Runner

# Writes numbered lines without pause, and at some of them another line, at once, into the pipe of
# the other command: so it is known what was written before what.
FLOOD = """
import os, sys, time
while not os.path.exists("quiet"):
    time.sleep(0.01)
quiet = os.open(f"/proc/{open('quiet').read().strip()}/fd/1", os.O_WRONLY)
for batch in range(400):
    if batch % 20 == 10:
        os.write(quiet, b"%d\\n" % (batch * 1000))
    os.write(1, b"".join(b"%07d\\n" % (batch * 1000 + n) for n in range(1000)))
"""
QUIET = "echo $$ >made; mv made quiet; sleep 1000"
MEBIBYTE = 1 << 20


def python(script: str) -> str:
    return "exec " + shlex.join([sys.executable, "-c", script])


@pytest.mark.parametrize("output", ["log", "json"])
def test_a_flood_delays_nobody(ninth: Runner, tmp_path: Path, output: str) -> None:
    options = ["-o", output, "--no-time", "-k", "-n", "flood,quiet", "--stop-timeout", "0"]
    result = ninth.run("watch", *options, python(FLOOD), QUIET, cwd=tmp_path)
    if output == "json":
        events = [json.loads(line) for line in result.stdout.splitlines()]
        told = [(e["name"], int(e["text"])) for e in events if e["event"] == "line"]
    else:
        lines = re.findall(r"^(flood|quiet) *\| (\d+)$", result.stdout, re.MULTILINE)
        told = [(name, int(number)) for name, number in lines]
    shown = 0
    delays = []
    for name, number in told:
        if name == "flood":
            assert number == shown  # nothing is lost
            shown += 1
        else:
            delays.append(shown - number)
    assert shown == 400_000
    assert len(delays) == 20
    # It is told before anything that was not in the pipe yet when it was written, but for what
    # is read in that turn and the next. Each line has 8 bytes.
    assert max(delays) * 8 <= 65536 + 2 * 16384


@pytest.mark.parametrize("output", ["tty", "line", "log", "json"])
def test_ctrl_c_ends_a_flood(ninth: Runner, output: str) -> None:
    terminal = Terminal(ninth, "watch", "-o", output, "yes", "yes no", rows=4)
    terminal.until("no")
    terminal.interrupt()


def test_a_slow_reader_makes_commands_wait(ninth: Runner, tmp_path: Path) -> None:
    script = """
import os
os.write(2, b"%d\\n" % os.getpid())
line = b"x" * 1023 + b"\\n"
for _ in range(40):
    os.write(1, line * 1024)
open("written", "w").close()
"""
    process = ninth.start("watch", "-o", "log", "--no-time", python(script), cwd=tmp_path)
    assert process.stderr is not None
    assert process.stdout is not None
    child = int(process.stderr.readline())
    until(lambda: waiting_in(process.stdout))
    until_idle(child)
    until_idle(process.pid)
    assert not (tmp_path / "written").exists()
    before = int(status_of(process.pid, "VmRSS").split()[0]) * 1024
    for _ in range(39 * 1024):
        process.stdout.readline()
    peak = int(status_of(process.pid, "VmHWM").split()[0]) * 1024
    assert peak - before < 8 * MEBIBYTE
    assert sum(1 for _ in process.stdout) == 1024
    assert process.wait(30) == 0


def test_ctrl_c_ends_it_though_nobody_reads(ninth: Runner) -> None:
    process = ninth.start("watch", "-o", "log", "yes")
    until(lambda: waiting_in(process.stdout))
    until_idle(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == -signal.SIGINT


def test_a_flood_of_errors_is_bounded(ninth: Runner) -> None:
    terminal = Terminal(ninth, "watch", "--no-time", "yes oops >&2", "echo fine")
    terminal.until("oops", "fine")
    pid = terminal.child.pid
    # Nobody reads the terminal for a while: then the command has to wait.
    until_idle(pid)
    before = int(status_of(pid, "VmHWM").split()[0])
    terminal.until_true(lambda: len(terminal.raw) > 4 * MEBIBYTE)
    assert int(status_of(pid, "VmHWM").split()[0]) - before < 8 * 1024
    terminal.interrupt()


@pytest.mark.parametrize("output", ["line", "log", "json", "i3bar"])
def test_it_sleeps_until_something_happens(ninth: Runner, output: str) -> None:
    options = ["-o", output, "-i", "86400", "--no-time", "--restart", "always"]
    process = ninth.start("watch", *options, "echo up; sleep 1000", "sleep 1000")
    assert process.stdout is not None
    while "up" not in process.stdout.readline():
        pass
    until_idle(process.pid)
    before = switches(process.pid)
    with pytest.raises(Exception, match="timed out"):
        process.wait(1)
    assert switches(process.pid) == before
    ninth.stop(process, signal.SIGTERM)


def test_it_wakes_up_once_for_a_tick(ninth: Runner) -> None:
    process = ninth.start("watch", "-o", "json", "-i", "0.05", "sleep 1000")
    assert process.stdout is not None
    process.stdout.readline()
    before = switches(process.pid)
    for _ in range(20):
        process.stdout.readline()
    # It may be late for one, and be interrupted by what reads.
    assert switches(process.pid) - before <= 2 * 20
    ninth.stop(process, signal.SIGTERM)


def test_ticks_that_were_missed_are_not_made_up_for(ninth: Runner) -> None:
    interval = 0.05
    process = ninth.start("watch", "-o", "json", "-i", str(interval), "sleep 1000")
    assert process.stdout is not None
    output = process.stdout.fileno()
    os.read(output, 65536)
    process.send_signal(signal.SIGSTOP)
    until(lambda: status_of(process.pid, "State")[0] == "T")
    while waiting_in(output):
        os.read(output, 65536)
    time.sleep(20 * interval)
    began = time.monotonic()
    process.send_signal(signal.SIGCONT)
    ticks = 0
    while ticks < 10:
        ticks += os.read(output, 65536).count(b"tick")
    assert time.monotonic() - began >= (ticks - 2) * interval
    ninth.stop(process, signal.SIGTERM)
