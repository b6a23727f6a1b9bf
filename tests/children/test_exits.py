"""The end of every kind of process, with pidfd and without, on three loops."""

import asyncio
import errno
import multiprocessing
import os
import signal
import subprocess
import threading
from typing import Any

import pytest

from ninth.children.exits import check_child, watch_exit
from ninth.processes import open_process
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(params=["pidfd", "none", "refused"])
def pidfds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pidfd_open; without it, as before Linux 5.3; and with all descriptors taken."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    if request.param == "none":
        monkeypatch.delattr(os, "pidfd_open")
    elif request.param == "refused":
        monkeypatch.setattr(os, "pidfd_open", refuse)
    return str(request.param)


async def ended(child: Any) -> int | None:
    """Wait for the end of a process with watch_exit()."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int | None] = loop.create_future()
    watch = watch_exit(loop, child, future.set_result)
    try:
        return await future
    finally:
        watch.cancel()


def spawn(script: str) -> int:
    """Start a shell script as a child that only we know of; return its pid."""
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], dict(os.environ))


@on_each_loop
async def test_a_pid_is_read_and_not_reaped(pidfds: str) -> None:
    pid = spawn("exit 7")
    assert await ended(pid) == 7
    assert await ended(pid) == 7
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@on_each_loop
async def test_a_signal_is_a_negative_code(pidfds: str) -> None:
    pid = spawn("kill -TERM $$")
    assert await ended(pid) == -signal.SIGTERM
    os.waitpid(pid, 0)


@on_each_loop
async def test_a_popen_gets_its_returncode(pidfds: str) -> None:
    with subprocess.Popen(["sh", "-c", "read line; exit 3"], stdin=subprocess.PIPE) as child:
        waiting = asyncio.ensure_future(ended(child))
        await asyncio.sleep(0)
        assert child.stdin is not None
        child.stdin.close()
        assert await waiting == 3
        assert child.returncode == 3
    assert await ended(child) == 3


@on_each_loop
async def test_a_process_of_ninth(pidfds: str) -> None:
    async with open_process("exit 4", shell=True) as child:
        assert await ended(child) == 4
        assert await ended(child) == 4


@on_each_loop
async def test_a_process_that_is_not_our_child(pidfds: str) -> None:
    # The shell's child outlives it, and belongs to somebody else then.
    with subprocess.Popen(
        ["sh", "-c", "exec 3<&0; cat <&3 & echo $!"],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdin is not None
        pid = int(shell.stdout.readline())
        shell.wait()
        waiting = asyncio.ensure_future(ended(pid))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        shell.stdin.close()
        assert await waiting is None


@on_each_loop
async def test_many_at_once(pidfds: str) -> None:
    pids = [spawn(f"exit {code}") for code in range(20)]
    assert await asyncio.gather(*map(ended, pids)) == [*range(20)]
    for pid in pids:
        os.waitpid(pid, 0)


@on_each_loop
async def test_cancelled_is_not_called(pidfds: str) -> None:
    loop = asyncio.get_running_loop()
    pid = spawn("exit 0")
    watch = watch_exit(loop, pid, lambda code: pytest.fail("called"))
    watch.cancel()
    watch.cancel()
    assert await ended(pid) == 0
    os.waitpid(pid, 0)


@on_each_loop
async def test_no_thread_is_started(pidfds: str) -> None:
    before = threading.active_count()
    pid = spawn("read line <&1; exit 0")
    waiting = asyncio.ensure_future(ended(pid))
    await asyncio.sleep(0)
    assert threading.active_count() == before
    os.kill(pid, signal.SIGKILL)
    await waiting
    os.waitpid(pid, 0)


def test_in_a_thread_without_pidfd(loop_factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    codes: list[int | None] = []
    pid = spawn("exit 6")

    async def main() -> None:
        codes.append(await ended(pid))

    def side() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    thread = threading.Thread(target=side)
    thread.start()
    thread.join()
    assert codes == [6]
    os.waitpid(pid, 0)


def reaped() -> int:
    pid = spawn("exit 0")
    os.waitpid(pid, 0)
    return pid


@pytest.mark.parametrize(
    ("child", "kind", "text"),
    [
        ("1", TypeError, "pass a ninth Process, a subprocess.Popen"),
        (True, TypeError, "pass a ninth Process"),
        (0, ValueError, "a pid is greater than zero"),
        (-5, ValueError, "a pid is greater than zero"),
        (multiprocessing.Process(), ValueError, r"call its start\(\) first"),
        (reaped, ProcessLookupError, "it has ended and was reaped"),
    ],
)
def test_bad_children(child: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        check_child(child() if child is reaped else child, "exited()")
