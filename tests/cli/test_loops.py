"""`ninth loops` and `ninth demo`."""

import os
import re
import signal
import subprocess

from ninth.cli.all_loops import module_of
from tests.conftest import LOOPS, Runner


def test_the_list_has_a_line_for_each_loop(ninth: Runner) -> None:
    lines = ninth.run("loops").stdout.splitlines()
    assert [line.split()[1] for line in lines] == list(LOOPS)
    assert all(re.match(r"\d  \w+ +\w.*\.$", line) for line in lines)


def test_the_source_of_a_loop(ninth: Runner, loop: str) -> None:
    source = ninth.run("loops", loop).stdout
    path = module_of(loop).__file__
    assert path is not None
    with open(path, encoding="utf-8") as file:
        assert source == file.read()
    assert "New here:" in source
    assert ("Still wrong:" in source) == (loop != "ninth")


def test_the_difference_of_two_loops(ninth: Runner) -> None:
    lines = ninth.run("loops", "--diff", "busy", "sleepy").stdout.splitlines()
    assert lines[:2] == ["--- rung2_busy", "+++ rung3_sleepy"]
    assert "+                time.sleep(PAUSE)" in lines


def test_errors_name_the_choices(ninth: Runner) -> None:
    for arguments in (["tenth"], ["--diff", "busy", "tenth"]):
        result = ninth.run("loops", *arguments)
        assert result.returncode == 2
        assert "there is no loop 'tenth': choose from blocking, busy" in result.stderr
    assert ninth.run("loops", "busy", "--diff", "busy", "select").returncode == 2


def test_a_closed_pipe_is_no_error(ninth: Runner) -> None:
    process = ninth.start("loops", "asyncio", bufsize=0)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(30)
    assert process.returncode == -signal.SIGPIPE
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_output_that_cannot_be_written(ninth: Runner) -> None:
    for arguments in ([], ["busy"], ["--diff", "busy", "select"]):
        with open("/dev/full", "w") as full:
            result = ninth.run("loops", *arguments, stdout=full)
        assert result.returncode == 1
        assert result.stderr == "ninth: cannot go on: No space left on device\n"


def test_an_output_that_knows_few_characters(ninth: Runner) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = ninth.run("loops", "generator", env=environment)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_demo_shows_numbers_until_it_is_stopped(ninth: Runner) -> None:
    process = ninth.start("demo", stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r"^[-\d]{10} [:\d]{8} \d+ \d+$", line):
            break
    assert ninth.stop(process) == ""
    assert process.returncode == -signal.SIGINT
