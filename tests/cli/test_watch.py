"""`ninth watch` as a person uses it: over real children, pipes, signals and a terminal."""

import fcntl
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pexpect
import pyte
import pytest

from tests.conftest import TAG, Runner

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( .*)?$")


def until(true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting_in(pipe: IO[str] | None) -> int:
    """Return how many bytes are in a pipe."""
    size = bytearray(4)
    assert pipe is not None
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return int.from_bytes(size, sys.byteorder)


class TestPiped:
    def test_a_render_is_one_line(self, ninth: Runner, loop: str) -> None:
        result = ninth.run("watch", "--loop", loop, "echo 8812", "echo 20517")
        lines = result.stdout.splitlines()
        assert all(LINE.match(line) for line in lines)
        assert lines[-1][20:] == "8812 20517"
        assert (result.returncode, result.stderr) == (0, "")

    def test_lines_are_written_at_once(self, ninth: Runner, loop: str) -> None:
        if loop == "sleepy":
            pytest.skip("what comes and goes within its second is not seen, by design")
        process = ninth.start("watch", "--loop", loop, "echo now; sleep 1.5; echo later", "echo x")
        assert process.stdout is not None
        lines = list(process.stdout)
        assert lines[-1][20:] == "later x\n"
        assert any(line[20:].startswith("now ") for line in lines)

    def test_no_control_sequence_passes(self, ninth: Runner, loop: str) -> None:
        result = ninth.run("watch", "--loop", loop, r"printf '\033[31mred\033[0m\a\n'")
        assert result.stdout.splitlines()[-1][20:] == "red␇"

    def test_separator(self, ninth: Runner) -> None:
        result = ninth.run("watch", "--separator", " | ", "echo 1", "echo 2")
        assert result.stdout.splitlines()[-1][19:] == " | 1 | 2"

    def test_interval_shows_the_time_without_news(self, ninth: Runner) -> None:
        result = ninth.run("watch", "--interval", "0.2", "echo x; sleep 2.5")
        times = [line[:19] for line in result.stdout.splitlines()]
        assert len(set(times)) >= 3
        assert len(set(times)) == len(times)

    def test_a_line_without_end_is_cut(self, ninth: Runner, loop: str) -> None:
        script = "import sys; sys.stdout.write('x' * 300_000)"
        result = ninth.run(
            "watch", "--loop", loop, shlex.join([sys.executable, "-c", script]), "exit 0"
        )
        assert result.stdout.splitlines()[-1][20:] == "x" * 65536 + "… "

    def test_stdin_is_empty_and_not_ours(self, ninth: Runner) -> None:
        result = ninth.run("watch", "cat; echo ended")
        assert result.stdout.splitlines()[-1][20:] == "ended"

    def test_stderr_of_children_passes(self, ninth: Runner) -> None:
        result = ninth.run("watch", "echo oops >&2; echo fine")
        assert result.stderr == "oops\n"
        assert result.stdout.splitlines()[-1][20:] == "fine"

    def test_output_that_cannot_be_written(self, ninth: Runner, loop: str) -> None:
        with open("/dev/full", "w") as full:
            result = ninth.run("watch", "--loop", loop, "echo x; sleep 100", stdout=full)
        assert result.returncode == 1
        assert result.stderr == "ninth: cannot go on: No space left on device\n"

    def test_no_output_at_all(self, ninth: Runner) -> None:
        command = f"{shlex.quote(sys.executable)} -m ninth watch 'echo x' >&-"
        result = subprocess.run(
            command, shell=True, capture_output=True, text=True, check=False, env=os.environ
        )
        assert (result.returncode, result.stdout) == (1, "")
        assert "no standard output" in result.stderr
        assert not ninth.survivors()


class TestStatus:
    @pytest.mark.parametrize(
        ("commands", "status"),
        [
            (["true", "echo x"], 0),
            (["true", "exit 3"], 3),
            (["sleep 0.1; exit 4", "true", "sleep 0.5; exit 5"], 4),
            (["kill -SEGV $$"], 128 + signal.SIGSEGV),
        ],
    )
    def test_is_that_of_the_first_failing_child(
        self, ninth: Runner, loop: str, commands: list[str], status: int
    ) -> None:
        assert ninth.run("watch", "--loop", loop, *commands).returncode == status

    def test_first_means_first_in_time(self, ninth: Runner, loop: str) -> None:
        if loop in {"blocking", "sleepy"}:
            pytest.skip("blocking asks in turn and sleepy once a second, by design")
        assert ninth.run("watch", "--loop", loop, "sleep 0.5; exit 3", "exit 4").returncode == 4
        commands = ["sleep 0.7 & exit 3", "sleep 0.4; exit 4"]  # the end of the output is later
        assert ninth.run("watch", "--loop", loop, *commands).returncode == 3

    def test_a_command_that_cannot_start_says_so(self, ninth: Runner, loop: str) -> None:
        result = ninth.run("watch", "--loop", loop, "echo fine", "/no/such/program", "/etc/passwd")
        assert result.returncode in {126, 127}
        assert (
            "ninth: '/no/such/program': the shell could not find it (exit status 127)"
            in result.stderr
        )
        assert (
            "ninth: '/etc/passwd': the shell could not execute it (exit status 126)"
            in result.stderr
        )
        assert result.stdout.splitlines()[-1][20:] == "fine  "

    def test_a_command_longer_than_the_system_takes(self, ninth: Runner) -> None:
        arguments = ["x" * 120_000] * 3
        result = ninth.run("watch", "true " + "x" * 120_000, *arguments)
        assert result.returncode == 127  # the last three are no programs
        assert len(result.stderr) < 1_000_000

    def test_more_children_than_descriptors(self, ninth: Runner, loop: str) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        result = ninth.run("watch", "--loop", loop, *["sleep 1000"] * 60, preexec_fn=limit)
        assert result.returncode == 1
        assert re.search(
            r"^ninth: cannot start command \d\d of 60, 'sleep 1000': Too many open files: "
            r"this process may have 40 files open",
            result.stderr,
        )
        assert result.stderr.count("\n") == 1


STUBBORN = "trap '' TERM INT HUP; echo up; while :; do sleep 0.1; done"
FORKING = "sleep 1000 & (sleep 1000; :) & echo up; wait"
JOBS = "bash -c 'set -m; sleep 1000 & sleep 1000 & echo up; wait'"


class TestStopping:
    @pytest.mark.parametrize(
        "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
    )
    def test_a_signal_stops_everything(
        self, ninth: Runner, loop: str, signum: signal.Signals
    ) -> None:
        process = ninth.start(
            "watch", "--loop", loop, "--stop-timeout", "0.3", STUBBORN, FORKING, JOBS
        )
        ninth.wait_for(9)
        errors = ninth.stop(process, signum)
        assert process.returncode == -signum  # a shell says 128 + n
        if loop == "ninth":
            assert "that did not stop when asked: " in errors
        else:
            assert errors == ""

    def test_a_second_signal_does_not_wait(self, ninth: Runner, loop: str) -> None:
        process = ninth.start("watch", "--loop", loop, "--stop-timeout", "1000", STUBBORN)
        assert process.stdout is not None
        process.stdout.readline()  # the trap is set
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        errors = ninth.stop(process, signal.SIGINT)
        assert ("that did not stop when asked" in errors) == (loop == "ninth")
        assert process.returncode == -signal.SIGTERM

    def test_signals_that_arrive_together_leave_nothing(self, ninth: Runner, loop: str) -> None:
        process = ninth.start(
            "watch", "--loop", loop, "sleep 1000", "sleep 1000 & wait", stdout=subprocess.DEVNULL
        )
        ninth.wait_for(4)
        process.send_signal(signal.SIGSTOP)
        for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            process.send_signal(signum)
        errors = ninth.stop(process, signal.SIGCONT)
        # The second of them may come before what the first one asked to stop has done so.
        assert errors == "" or (loop == "ninth" and "that did not stop when asked: " in errors)
        assert -process.returncode in {signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT}

    def test_a_reader_that_does_not_read_does_not_block_it(self, ninth: Runner, loop: str) -> None:
        process = ninth.start("watch", "--loop", loop, f"echo {'x' * 5000}; sleep 1000 & wait")
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # less than the line: it has to wait
        until(lambda: waiting_in(process.stdout) == 4096)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.returncode == -signal.SIGTERM

    def test_children_are_asked_only_once(self, ninth: Runner, tmp_path: Path, loop: str) -> None:
        proof = tmp_path / "proof"
        command = f"trap 'echo asked >>{proof}' TERM; echo up; while :; do sleep 0.05; done"
        process = ninth.start("watch", "--loop", loop, "--stop-timeout", "0.5", command)
        assert process.stdout is not None
        process.stdout.readline()
        ninth.stop(process, signal.SIGINT)
        assert proof.read_text() == "asked\n"

    def test_stopped_children_are_stopped_too(self, ninth: Runner) -> None:
        process = ninth.start("watch", "echo $$; kill -STOP $$")
        assert process.stdout is not None
        pid = process.stdout.readline().split()[-1]
        until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "T")
        ninth.stop(process, signal.SIGTERM)

    def test_children_can_clean_up(self, ninth: Runner, tmp_path: Path, loop: str) -> None:
        proof = tmp_path / "proof"
        trap = f"trap 'echo bye; echo done >{proof}; exit 0' TERM"
        command = f"{trap}; echo up; while :; do sleep 0.05; done"
        process = ninth.start("watch", "--loop", loop, command)
        assert process.stdout is not None
        process.stdout.readline()
        ninth.stop(process, signal.SIGINT)
        assert proof.read_text() == "done\n"

    def test_children_can_say_more_than_a_pipe_holds_while_they_stop(
        self, ninth: Runner, tmp_path: Path, loop: str
    ) -> None:
        proof = tmp_path / "proof"
        script = (
            "import signal, sys\n"
            "def bye(*_):\n"
            f"    print('x' * 200_000); open({str(proof)!r}, 'w').write('done'); sys.exit()\n"
            "signal.signal(signal.SIGTERM, bye); print('up', flush=True); signal.pause()"
        )
        process = ninth.start(
            "watch",
            "--loop",
            loop,
            "--stop-timeout",
            "60",
            "exec " + shlex.join([sys.executable, "-c", script]),
        )
        assert process.stdout is not None
        process.stdout.readline()
        ninth.stop(process, signal.SIGINT)
        assert proof.read_text() == "done"

    def test_a_closed_output_stops_everything(self, ninth: Runner, loop: str) -> None:
        command = "while :; do echo $((n+=1)); sleep 0.05; done"
        process = ninth.start("watch", "--loop", loop, command, f"sleep 1000 & {command}")
        head = subprocess.run(
            ["head", "-1"], stdin=process.stdout, capture_output=True, text=True, check=True
        )
        assert LINE.match(head.stdout.rstrip("\n"))
        assert process.stdout is not None
        process.stdout.close()
        process.wait(30)
        assert process.returncode == -signal.SIGPIPE
        assert process.stderr is not None
        assert process.stderr.read() == ""

    def test_leftovers_are_stopped_at_the_end(self, ninth: Runner, loop: str) -> None:
        result = ninth.run("watch", "--loop", loop, "sleep 1000 >/dev/null 2>&1 & echo x")
        assert result.returncode == 0

    def test_nohup_keeps_it_alive(self, ninth: Runner) -> None:
        process = ninth.start(
            "watch",
            "echo up; sleep 0.7; echo end",
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert output.splitlines()[-1][20:] == "end"

    def test_a_flood_does_not_block_it(self, ninth: Runner, loop: str) -> None:
        process = ninth.start("watch", "--loop", loop, "yes", "yes no")
        assert process.stdout is not None
        output = process.stdout
        until(lambda: output.readline()[20:] == "y no\n")
        assert ninth.stop(process, signal.SIGINT) == ""
        assert process.returncode == -signal.SIGINT


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["watch"], "no COMMAND was given"),
            (["watch", "--"], "no COMMAND was given"),
            (["watch", "--loop", "tenth", "x"], "invalid choice: 'tenth'"),
            (["watch", "--interval", "0", "x"], "must be at least 0.001 seconds, not '0'"),
            (["watch", "--interval", "-1", "x"], "must be a number of seconds"),
            (["watch", "--interval", "nan", "x"], "must be a number of seconds"),
            (["watch", "--interval", "1e9", "x"], "at most 86400 (a day)"),
            (["watch", "-i", "soon", "x"], "not 'soon'"),
            (["watch", "-i", "1e-320", "x"], "must be at least 0.001 seconds"),
            (["watch", "--stop-timeout", "-1", "x"], "must be a number of seconds"),
            (["watch", "--nonsense", "x"], "unrecognized arguments: --nonsense"),
            (["watch", "--inter", "1", "x"], "unrecognized arguments: --inter"),
            (["demo", "x"], "unrecognized arguments: x"),
            (["demo", "--", "x"], "nothing can follow --"),
            (["tenth"], "invalid choice: 'tenth'"),
            ([], "no command was given: choose from watch"),
        ],
    )
    def test_bad_input_is_refused(self, ninth: Runner, arguments: list[str], reason: str) -> None:
        result = ninth.run(*arguments)
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.startswith("usage: ninth ")
        assert reason in result.stderr

    def test_options_may_follow_commands(self, ninth: Runner) -> None:
        result = ninth.run("watch", "echo 1", "--separator", "+", "echo 2")
        assert result.stdout.splitlines()[-1][19:] == "+1+2"

    def test_commands_may_look_like_options(self, ninth: Runner) -> None:
        result = ninth.run("watch", "echo 1", "--", "-nope; echo 2", "--loop; echo 3")
        assert result.stdout.splitlines()[-1][20:] == "1 2 3"

    def test_help_names_every_option(self, ninth: Runner) -> None:
        result = ninth.run("watch", "--help")
        assert result.returncode == 0
        for word in ("--loop", "--interval", "--separator", "--stop-timeout", "exit status"):
            assert word in result.stdout

    def test_version(self, ninth: Runner) -> None:
        version = ninth.run("--version").stdout
        assert re.match(r"ninth \d+\.\d+\S* \((compiled|pure Python), CPython 3\.", version)
        pure = ninth.run("--version", env=os.environ | {"NINTH_PURE": "1"}).stdout
        assert "(pure Python, " in pure


class Terminal:
    """A program in a pseudo-terminal, and what its screen shows."""

    def __init__(
        self,
        runner: Runner,
        *arguments: str,
        rows: int = 10,
        columns: int = 40,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "ninth", *arguments],
            dimensions=size or (rows, columns),
            env={**os.environ, "TERM": "xterm", TAG: runner.tag},
            timeout=30,
        )
        self.raw = b""

    def until(self, *texts: str) -> list[str]:
        """Read until all texts are on the screen; return its rows."""
        deadline = time.monotonic() + 30
        while not all(any(text in row for row in self.screen.display) for text in texts):
            assert time.monotonic() < deadline, self.screen.display
            self._read()
        return [row.rstrip() for row in self.screen.display]

    def end(self) -> list[str]:
        """Read to the end; return the rows of the screen."""
        while not self.child.flag_eof:
            self._read()
        self.child.wait()
        return [row.rstrip() for row in self.screen.display]

    def _read(self) -> None:
        try:
            data = self.child.read_nonblocking(65536, timeout=30)
        except pexpect.EOF:
            return
        self.raw += data
        self.stream.feed(data)


class TestTerminal:
    def test_the_frame_is_redrawn_in_place(self, ninth: Runner, loop: str) -> None:
        commands = ["for i in 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.05; done", "echo other"]
        terminal = Terminal(ninth, "watch", "--loop", loop, *commands)
        rows = terminal.end()
        assert LINE.match(rows[0])
        assert rows[1:] == ["line 9", "other"] + [""] * 7
        assert terminal.child.exitstatus == 0

    def test_there_is_a_frame_before_the_first_line(self, ninth: Runner) -> None:
        terminal = Terminal(ninth, "watch", "sleep 0.5; echo x")
        assert LINE.match(terminal.until("20")[0])
        terminal.end()

    def test_rows_are_cut_to_the_width(self, ninth: Runner, loop: str) -> None:
        rows = [f"echo {'a' * 100}", f"echo {'漢' * 50}", f"echo {'b' * 40}"]
        terminal = Terminal(ninth, "watch", "--loop", loop, *rows)
        rows = terminal.end()
        assert rows[1] == "a" * 39 + "…"
        assert rows[2].replace(" ", "") == "漢" * 19 + "…"
        assert rows[3:] == ["b" * 40] + [""] * 6
        # Real terminals, unlike the one here, would erase the last cell of a full row.
        assert "…\x1b[K" not in terminal.raw.decode()

    def test_more_rows_than_the_terminal_has(self, ninth: Runner) -> None:
        terminal = Terminal(ninth, "watch", *[f"echo {n}" for n in range(30)], rows=6)
        rows = terminal.end()
        assert LINE.match(rows[0])
        assert rows[1:] == ["0", "1", "2", "+27 more", ""]

    def test_a_terminal_that_nobody_has_sized(self, ninth: Runner) -> None:
        terminal = Terminal(ninth, "watch", "echo hello; sleep 0.2", "echo x", size=(0, 0))
        assert terminal.end()[1:3] == ["hello", "x"]

    def test_errors_of_children_stand_above_the_frame(self, ninth: Runner) -> None:
        terminal = Terminal(ninth, "watch", "printf '\\033[2Joops\\n' >&2; sleep 0.3", "echo fine")
        rows = terminal.end()
        assert rows[0] == "oops"
        assert LINE.match(rows[1])
        assert rows[2:4] == ["", "fine"]

    def test_ctrl_c_leaves_the_frame_and_the_terminal_as_they_were(
        self, ninth: Runner, loop: str
    ) -> None:
        terminal = Terminal(ninth, "watch", "--loop", loop, "echo up; sleep 1.2; echo x; sleep 100")
        terminal.until("up" if loop != "blocking" else "20")
        terminal.child.sendintr()
        rows = terminal.end()
        assert not any("Traceback" in row for row in rows)
        assert terminal.child.signalstatus == signal.SIGINT
        assert b"\x1b[?1049h" not in terminal.raw
        assert terminal.raw.count(b"\x1b[?7l") == terminal.raw.count(b"\x1b[?7h")

    def test_a_hang_up_stops_everything(self, ninth: Runner) -> None:
        terminal = Terminal(ninth, "watch", "echo up; sleep 1000 & wait")
        terminal.until("up")
        terminal.child.close(force=False)
        until(lambda: not ninth.survivors())

    def test_a_dumb_terminal_gets_lines(self, ninth: Runner) -> None:
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
