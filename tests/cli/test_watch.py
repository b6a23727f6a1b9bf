"""`ninth watch` as a person uses it: over real children, pipes and signals."""

import fcntl
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminals import until, waiting_in
from tests.conftest import Runner

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( .*)?$")


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
