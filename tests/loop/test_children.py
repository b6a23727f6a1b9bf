"""Children: their end is an event, with pidfd and without."""

import os
import signal
import subprocess
import sys

import pytest

from ninth.loop import Loop
from ninth.loop.children import exit_code, reap


@pytest.fixture(params=["pidfd", "sigchld"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "sigchld":
        monkeypatch.delattr(os, "pidfd_open")


def spawn(*command: str) -> int:
    return os.posix_spawnp(command[0], command, os.environ)


@pytest.mark.usefixtures("_way")
def test_the_end_of_a_child_calls_back_once(loop: Loop) -> None:
    calls: list[int] = []

    def ended(pid: int) -> None:
        calls.append(pid)
        loop.stop()

    pid = spawn("sh", "-c", "exit 7")
    loop.watch_child(pid, ended)
    loop.run()
    loop.call_soon(loop.stop)
    loop.run()
    assert calls == [pid]
    assert exit_code(pid) == 7
    assert reap(pid) == 7
    assert reap(pid) is None
    assert exit_code(pid) is None


@pytest.mark.usefixtures("_way")
def test_a_child_that_has_ended_already_calls_back(loop: Loop) -> None:
    pid = spawn("true")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    loop.watch_child(pid, lambda _: loop.stop())
    loop.run()
    assert reap(pid) == 0


@pytest.mark.usefixtures("_way")
def test_a_cancelled_watch_does_not_call_back(loop: Loop) -> None:
    calls: list[int] = []
    pid = spawn("sleep", "100")
    watch = loop.watch_child(pid, calls.append)
    watch.cancel()
    watch.cancel()
    os.kill(pid, signal.SIGKILL)
    other = spawn("true")
    loop.watch_child(other, lambda _: loop.stop())
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    loop.run()
    assert calls == []
    assert reap(pid) == -signal.SIGKILL
    assert reap(other) == 0


def test_no_such_process_is_said_at_the_call(loop: Loop) -> None:
    pid = spawn("true")
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        loop.watch_child(pid, print)


def test_a_thousand_children_leave_no_zombie_and_no_descriptor(loop: Loop) -> None:
    before = len(os.listdir("/proc/self/fd"))
    left = 1000
    running: set[int] = set()

    def ended(pid: int) -> None:
        nonlocal left
        running.remove(pid)
        assert reap(pid) == 0
        left -= 1
        if left == 0:
            loop.stop()
        elif len(running) < left:
            start()

    def start() -> None:
        pid = spawn("true")
        running.add(pid)
        loop.watch_child(pid, ended)

    for _ in range(50):
        loop.call_soon(start)
    loop.run()
    assert not running
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


FORK = """
import os, sys
from ninth.loop import Loop
import ninth

def refused(call):
    try:
        call()
    except RuntimeError as error:
        return "parent process" in str(error)
    return False

loop = Loop()
asyncio_loop = ninth.new_event_loop()
pid = os.fork()
if pid == 0:
    ok = refused(loop.run) and refused(lambda: loop.add_reader(0, print))
    ok = ok and refused(asyncio_loop.run_forever)
    loop.close()
    asyncio_loop.close()
    os._exit(0 if ok else 1)
_, status = os.waitpid(pid, 0)
read, write = os.pipe()
loop.add_reader(read, loop.stop)
os.write(write, b"x")
loop.run()
loop.close()
asyncio_loop.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_is_told_to_make_its_own_loop() -> None:
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 0
