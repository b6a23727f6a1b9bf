"""Children: started, stopped with what they started, and always reaped, on three loops."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

import pytest

import ninth
from ninth import open_process, run_process
from ninth.children import groups
from ninth.processes import kill_all
from tests.conftest import TAG, tagged
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks", "nothing_left", "without_terminal")


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Fail if a process that was started in the test is left, however far it has gone."""
    tag = f"processes-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv(TAG, tag)
    yield tag
    deadline = time.monotonic() + 10
    # What was killed and is no child of ours takes a moment to end.
    while (left := tagged(tag)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left


@pytest.fixture
def without_terminal() -> Iterator[None]:
    """Have /dev/null as stdin, wherever the tests are started from."""
    saved = os.dup(0)
    with open(os.devnull) as null:
        os.dup2(null.fileno(), 0)
    yield
    os.dup2(saved, 0)
    os.close(saved)


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"


# Starting, waiting, signals


@on_each_loop
async def test_a_child_with_pipes() -> None:
    async with open_process(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stderr is None
        assert child.stdin is not None
        assert child.stdout is not None
        await child.stdin.write(b"one\ntwo")
        await child.stdin.write_eof()
        assert [line async for line in child.stdout] == [b"one\n", b"two"]
        assert await child.wait() == 0
        assert child.returncode == 0
    assert child.gone


@on_each_loop
async def test_several_may_wait_and_be_cancelled() -> None:
    async with open_process(["cat"], stdin=PIPE) as child:
        first = asyncio.ensure_future(child.wait())
        second = asyncio.ensure_future(child.wait())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        assert child.returncode is None
        assert child.stdin is not None
        await child.stdin.aclose()
        assert await second == 0
        assert await child.wait() == 0


@on_each_loop
async def test_a_signal_is_a_negative_return_code() -> None:
    async with open_process(["sleep", "60"]) as child:
        child.terminate()
        assert await child.wait() == -signal.SIGTERM
        # The number may be another's by now, so nothing is sent.
        child.kill()
        child.send_signal(signal.SIGINT)


@on_each_loop
async def test_a_signal_reaches_the_group_or_the_child_alone() -> None:
    other = "(trap 'echo child; exit' USR1; echo go; read line <&3)"
    script = f"exec 3<&0; trap 'echo shell' USR1; {other} & wait; wait"
    for child_only, expected in ((True, {b"shell\n"}), (False, {b"shell\n", b"child\n"})):
        async with open_process(script, shell=True, stdin=PIPE, stdout=PIPE, grace=0) as child:
            assert child.stdout is not None
            assert await child.stdout.read_line() == b"go\n"
            child.send_signal(signal.SIGUSR1, child_only=child_only)
            got = {await child.stdout.read_line() for _ in expected}
            assert got == expected
            child.kill()


@on_each_loop
async def test_waiting_does_not_wait_for_pipes() -> None:
    async with open_process("sleep 60 & echo started", shell=True, stdout=PIPE) as child:
        assert await child.wait() == 0
        assert child.stdout is not None
        assert await child.stdout.read_line() == b"started\n"


@on_each_loop
async def test_a_status_that_others_took_is_not_made_up() -> None:
    async with open_process(["true"]) as child:
        os.waitpid(child.pid, 0)
        with pytest.raises(ChildProcessError, match=r"other code of this program reaped it"):
            await child.wait()
    assert child.returncode is None


@on_each_loop
async def test_options_reach_the_child(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"passed")
    os.close(writing)
    command = f'pwd; echo "$NAME"; echo error >&2; cat /dev/fd/{reading}'
    done = await run_process(
        command,
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "NAME": "value"},
        stdout=PIPE,
        stderr=STDOUT,
        pass_fds=(reading,),
    )
    os.close(reading)
    assert done.stdout == f"{tmp_path}\nvalue\nerror\npassed".encode()


@on_each_loop
async def test_no_thread_is_started() -> None:
    before = threading.active_count()
    async with open_process(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin is not None
        await child.stdin.write(b"x")
        assert child.stdout is not None
        await child.stdout.read_exactly(1)
        assert threading.active_count() == before


# Stopping


@on_each_loop
async def test_leaving_by_an_exception_asks_and_then_kills() -> None:
    stubborn = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"
    opened = open_process(stubborn, shell=True, stdout=PIPE, grace=0.1)

    async def main() -> None:
        async with opened as child:
            assert child.stdout is not None
            await child.stdout.read_line()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await main()
    assert opened._process is not None
    assert opened._process.returncode == -signal.SIGKILL

    async with open_process("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done",
                            shell=True, stdout=PIPE, grace=60) as polite:  # fmt: skip
        assert polite.stdout is not None
        await polite.stdout.read_line()
        polite.stop()
    assert polite.returncode == 7


@on_each_loop
async def test_what_a_child_leaves_behind_is_stopped() -> None:
    async with open_process("sleep 60 & sleep 61 & echo $!", shell=True, stdout=PIPE) as child:
        assert child.stdout is not None
        other = int(await child.stdout.read_line())
        assert await child.wait() == 0
        # The number of the group is held for as long as there is somebody to signal.
        assert is_zombie(child.pid)
        assert os.getpgid(other) == child.pid
    assert child.gone
    assert not groups.runs(other)


@on_each_loop
async def test_what_ignores_the_request_is_killed() -> None:
    script = "(trap '' TERM; echo go; while :; do sleep 0.01; done) & read l <&3"
    async with open_process(f"exec 3<&0; {script}", shell=True, stdin=PIPE, stdout=PIPE,
                            grace=0.05) as child:  # fmt: skip
        assert child.stdout is not None
        assert await child.stdout.read_line() == b"go\n"
    assert child.returncode is not None


@on_each_loop
async def test_a_stopped_child_can_be_stopped() -> None:
    async with open_process(["sleep", "60"], grace=60) as child:
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        child.stop()
    assert child.returncode == -signal.SIGTERM


@on_each_loop
async def test_a_session_is_stopped_with_all_its_groups() -> None:
    # Job control gives the background job a group of its own.
    command = ["bash", "-c", "set -m; sleep 60 & echo $!; read line <&3"]
    async with open_process(
        ["sh", "-c", 'exec "$@" 3<&0', "sh", *command],
        stdin=PIPE,
        stdout=PIPE,
        group="session",
    ) as child:
        assert child.stdout is not None
        other = int(await child.stdout.read_line())
        assert os.getpgid(other) == other
        assert os.getsid(other) == child.pid


@on_each_loop
async def test_ours_stops_the_child_alone(nothing_left: str) -> None:
    async with open_process("sleep 60 & echo $!", shell=True, stdout=PIPE, group="ours") as child:
        assert child.stdout is not None
        other = int(await child.stdout.read_line())
        assert os.getpgid(other) == os.getpgid(0)
    assert other in tagged(nothing_left)
    os.kill(other, signal.SIGKILL)
    while other in tagged(nothing_left):
        await asyncio.sleep(0.001)


@on_each_loop
async def test_a_second_cancellation_skips_the_grace_and_not_the_reaping() -> None:
    started = asyncio.Event()
    children = []

    async def main() -> None:
        stubborn = "trap '' TERM; echo; while :; do sleep 0.01; done"
        async with open_process(stubborn, shell=True, stdout=PIPE, grace=600) as child:
            children.append(child)
            assert child.stdout is not None
            await child.stdout.read_line()
            started.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(main())
    await started.wait()
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 2
    assert children[0].gone
    assert children[0].returncode == -signal.SIGKILL


@on_each_loop
async def test_leaving_normally_closes_the_pipes_and_waits() -> None:
    async with open_process(["cat"], stdin=PIPE) as child:
        pass
    assert child.returncode == 0
    async with open_process(["yes"], stdout=PIPE) as child:
        pass
    assert child.returncode in {-signal.SIGPIPE, 1}
    assert child.stdout is not None
    with pytest.raises(ninth.FileClosedError):
        await child.stdout.read()


@on_each_loop
async def test_a_timeout_around_it() -> None:
    children = []

    async def main() -> None:
        async with asyncio.timeout(0.05), open_process(["sleep", "60"]) as child:
            children.append(child)
            await child.wait()

    with pytest.raises(TimeoutError):
        await main()
    assert children[0].gone


def test_signals_come_before_the_reaping_and_never_after(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, int]] = []
    killpg, poll = os.killpg, subprocess.Popen.poll

    def spy_killpg(group: int, signum: int) -> None:
        events.append(("signal", group))
        killpg(group, signum)

    def spy_poll(self: subprocess.Popen[bytes]) -> int | None:
        code = poll(self)
        if code is not None:
            events.append(("reap", self.pid))
        return code

    monkeypatch.setattr(os, "killpg", spy_killpg)
    monkeypatch.setattr(subprocess.Popen, "poll", spy_poll)

    async def main() -> int:
        async with open_process("sleep 60 & echo", shell=True, stdout=PIPE, grace=0.2) as child:
            await child.wait()
            child.terminate()
        child.kill()
        child.stop()
        child.hurry()
        return child.pid

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        pid = runner.run(main())
    kinds = [kind for kind, number in events if number == pid]
    assert kinds.count("reap") == 1
    assert kinds[-1] == "reap"
    assert "signal" in kinds


def test_kill_all_needs_no_loop(loop_factory: Factory) -> None:
    loop = loop_factory()

    async def main() -> list[ninth.Process]:
        opened = [open_process("trap '' TERM; sleep 60 & wait", shell=True) for _ in range(3)]
        return [await one.__aenter__() for one in opened]

    children = loop.run_until_complete(main())
    kill_all(loop)
    assert [child.returncode for child in children] == [-signal.SIGKILL] * 3
    assert all(child.gone for child in children)
    loop.close()


# Which group


def test_a_terminal_as_stdin(loop_factory: Factory) -> None:
    """A child that inherits a terminal stays in our group; "group" is refused."""
    master, slave = os.openpty()
    saved = os.dup(0)
    os.dup2(slave, 0)
    try:

        async def main() -> None:
            async with open_process("ps -o pgid= -p $$", shell=True, stdout=PIPE) as child:
                assert child.stdout is not None
                assert int(await child.stdout.read_line()) == os.getpgid(0)
            with pytest.raises(ValueError, match=r"stdin=subprocess\.DEVNULL"):
                open_process(["less"], group="group")
            for options in ({"stdin": DEVNULL}, {"group": "session"}):
                async with open_process(["sleep", "60"], **options) as child:
                    assert os.getpgid(child.pid) == child.pid
                    child.kill()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())
    finally:
        os.dup2(saved, 0)
        for fd in (saved, master, slave):
            os.close(fd)


SHARING = """
import os, sys, ninth
async def main():
    async with ninth.open_process(["sh", "-c", "read line; echo got $line"]) as child:
        await child.wait()
ninth.run(main)
"""


def test_a_child_reads_our_terminal() -> None:
    """With a controlling terminal, where a background group would be stopped by the kernel."""
    pid, master = os.forkpty()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", SHARING])
    os.write(master, b"hello\n")
    output = b""
    with contextlib.suppress(OSError):
        while data := os.read(master, 1000):
            output += data
    os.waitpid(pid, 0)
    os.close(master)
    assert b"got hello" in output


@on_each_loop
async def test_a_group_of_its_own_is_the_default() -> None:
    async with open_process(["sleep", "60"]) as child:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == os.getsid(0)
        child.kill()


def test_members_are_found_among_few_and_among_all() -> None:
    with subprocess.Popen(
        "sleep 60 & sleep 61 & echo; wait", shell=True, stdout=PIPE, process_group=0
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.read(1)
        among_few = groups.members(shell.pid, groups.Group.GROUP, time.monotonic())
        among_all = groups.members(shell.pid, groups.Group.GROUP, 0.0)
        assert len(among_all) == 2
        assert sorted(among_few) == sorted(among_all)
        os.killpg(shell.pid, signal.SIGKILL)


# run_process


@on_each_loop
async def test_input_and_output_of_any_size() -> None:
    data = os.urandom(3_000_000)
    done = await run_process("tee /dev/stderr", shell=True, input=data, capture_output=True)
    assert done.returncode == 0
    assert done.stdout == data
    assert done.stderr == data
    assert done.args == "tee /dev/stderr"


@on_each_loop
async def test_a_child_that_does_not_read_its_input() -> None:
    done = await run_process(["true"], input=bytes(1_000_000))
    assert done.returncode == 0
    assert done.stdout is None


@on_each_loop
async def test_a_stdin_without_input_is_closed() -> None:
    assert (await run_process(["cat"], stdin=PIPE, stdout=PIPE)).stdout == b""


@on_each_loop
async def test_a_grandchild_that_holds_the_pipes_open() -> None:
    done = await run_process("sleep 60 & echo hello; exit 4", shell=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"hello\n", b"")


@on_each_loop
async def test_output_that_comes_just_before_the_end_is_complete() -> None:
    for _ in range(10):
        done = await run_process("sleep 60 & head -c 60000 /dev/zero", shell=True, stdout=PIPE)
        assert len(done.stdout) == 60000


@on_each_loop
async def test_a_timeout_kills_and_keeps_the_output_so_far() -> None:
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        await run_process(
            "trap '' TERM; echo so far; echo error >&2; sleep 60",
            shell=True,
            capture_output=True,
            timeout=0.2,
        )
    assert caught.value.stdout == b"so far\n"
    assert caught.value.stderr == b"error\n"
    assert caught.value.timeout == 0.2


@on_each_loop
async def test_check() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await run_process("echo output; exit 9", shell=True, stdout=PIPE, check=True)
    assert caught.value.returncode == 9
    assert caught.value.stdout == b"output\n"
    assert (await run_process(["true"], check=True)).returncode == 0


@on_each_loop
async def test_input_with_gaps() -> None:
    done = await run_process(["cat"], input=memoryview(b"a-b-c-")[::2], capture_output=True)
    assert done.stdout == b"abc"


@on_each_loop
async def test_an_error_of_a_pipe_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(ninth.Stream, "write", fail)
    with pytest.raises(OSError, match="broken"):
        await run_process(["cat"], input=b"data", capture_output=True)


@on_each_loop
async def test_cancelling_stops_the_child() -> None:
    task = asyncio.ensure_future(run_process(["sleep", "60"], capture_output=True))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_each_loop
async def test_a_polite_child_can_write_while_it_is_stopped() -> None:
    script = "trap 'head -c 1000000 /dev/zero; exit 0' TERM; echo; while :; do sleep 0.01; done"
    task = asyncio.ensure_future(run_process(script, shell=True, stdout=PIPE, grace=60))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Bad input


@pytest.mark.parametrize(
    ("command", "options", "kind", "text"),
    [
        ("", {}, ValueError, "the command is empty"),
        ([], {}, ValueError, "an empty list"),
        (5, {}, TypeError, "pass a string, or a list"),
        (["head", 5], {}, TypeError, "pass strings, such as '5'"),
        (["ls", "-l"], {"shell": True}, TypeError, r"shlex.join\(\)"),
        ("ls", {"group": "team"}, ValueError, '"group", "session", "ours" or None'),
        ("ls", {"text": True}, TypeError, r"output is bytes, decode\(\) it"),
        ("ls", {"colour": True}, TypeError, "there is no option 'colour'"),
        ("ls", {"stdout": "x"}, TypeError, "stdout is 'x': pass PIPE"),
        ("ls", {"grace": -1}, ValueError, "0 to kill at once"),
        ("ls", {"grace": "5"}, TypeError, "0 to kill at once"),
        ("ls", {"grace": float("nan")}, ValueError, "0 to kill at once"),
    ],
)
def test_bad_options(command: Any, options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        open_process(command, **options)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"input": "text"}, TypeError, r"text.encode\(\)"),
        ({"input": b"", "stdin": PIPE}, ValueError, "leave out stdin"),
        ({"timeout": "a"}, TypeError, r"run_process"),
        ({"timeout": float("nan")}, ValueError, r"run_process"),
        ({"capture_output": True, "stdout": PIPE}, ValueError, "leave out capture_output"),
    ],
)
@on_each_loop
async def test_bad_options_of_run(options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        await run_process(["cat"], **options)


@on_each_loop
async def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        async with open_process("no-such-program --with options"):
            pytest.fail("started")
    assert "shell=True" in caught.value.__notes__[0]


@on_each_loop
async def test_entered_twice() -> None:
    opened = open_process(["true"])
    async with opened:
        pass
    with pytest.raises(RuntimeError, match="entered before"):
        async with opened:
            pytest.fail("entered")


@on_each_loop
async def test_sigchld_must_not_be_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(RuntimeError, match="SIGCHLD is ignored"):
            await run_process(["true"])
    finally:
        signal.signal(signal.SIGCHLD, before)
