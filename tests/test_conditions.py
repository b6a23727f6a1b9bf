"""Conditions: one or several, their values, and what they keep."""

import asyncio
import os
import signal
import subprocess
from types import MappingProxyType
from typing import Any

import pytest

import ninth
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


async def add(one: int, two: int) -> int:
    await asyncio.sleep(0.001)
    return one + two


async def fail() -> None:
    raise KeyError("a task")


@on_each_loop
async def test_times() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert (await ninth.after(0.005)) is None  # type: ignore[func-returns-value]
    assert (await ninth.at(start + 0.01)) is None  # type: ignore[func-returns-value]
    assert loop.time() - start > 0.007
    await ninth.after(0)
    await ninth.after(-1)
    await ninth.at(0)
    later = ninth.after(0.002)
    for _ in range(3):
        # Counted from each await.
        before = loop.time()
        await later
        assert loop.time() - before >= 0.0005


@on_each_loop
async def test_one_of_several() -> None:
    reading, writing = os.pipe()
    readable, late = ninth.readable(reading), ninth.after(60)
    os.write(writing, b"x")
    fired = await (readable | late)
    assert isinstance(fired, MappingProxyType)
    assert fired == {readable: reading}
    assert ninth.readable(reading) in fired
    os.read(reading, 1)
    soon = ninth.after(0.001)
    assert await (readable | soon | late) == {soon: None}
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_all_that_are_true_in_written_order() -> None:
    one, two = os.pipe(), os.pipe()
    os.write(one[1], b"x")
    os.write(two[1], b"x")
    task = asyncio.create_task(add(1, 2))
    await task
    first, second, third = ninth.readable(two[0]), ninth.finished(task), ninth.readable(one[0])
    fired = await (first | second | third | ninth.after(60))
    assert list(fired.items()) == [(first, two[0]), (second, task), (third, one[0])]
    for end in (*one, *two):
        os.close(end)


@on_each_loop
async def test_what_is_always_true_hides_no_file() -> None:
    reading, writing = os.pipe()
    readable, now = ninth.readable(reading), ninth.after(0)
    os.write(writing, b"x")
    for _ in range(5):
        assert readable in await (now | readable)
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_times_that_have_come_are_among_what_is_true() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    task = asyncio.create_task(add(1, 2))
    await task
    now = asyncio.get_running_loop().time()
    conditions = [ninth.readable(reading), ninth.finished(task), ninth.after(0), ninth.at(now)]
    first, *others = conditions
    fired = await (first | others[0] | others[1] | others[2] | ninth.after(60))
    assert list(fired) == conditions
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_finished() -> None:
    async with ninth.scope() as scope:
        task = scope.start(add, 1, 2)
        assert await ninth.finished(task) == 3
        assert await ninth.finished(task) == 3
        assert await (ninth.finished(task) | ninth.after(1)) == {ninth.finished(task): task}

    task = asyncio.create_task(fail())  # type: ignore[arg-type]
    finished = ninth.finished(task)
    with pytest.raises(KeyError, match="a task"):
        await finished
    assert (await (finished | ninth.after(1)))[finished] is task

    task = asyncio.create_task(add(1, 2))
    with pytest.raises(TimeoutError):
        async with ninth.timeout(0):
            await ninth.finished(task)
    # Cancelling the wait has not cancelled the task.
    assert await task == 3

    task = asyncio.create_task(add(1, 2))
    task.cancel()
    fired = await (ninth.finished(task) | ninth.after(1))
    assert task.cancelled() and fired[ninth.finished(task)] is task


@on_each_loop
async def test_exited() -> None:
    popen = subprocess.Popen(["sh", "-c", "exit 3"])
    assert await ninth.exited(popen) == 3
    assert popen.returncode == 3
    assert await ninth.exited(popen) == 3

    popen = subprocess.Popen(["sh", "-c", "exit 4"])
    pid = ninth.exited(popen.pid)
    assert await (pid | ninth.after(60)) == {pid: 4}
    # It was not reaped.
    assert popen.wait() == 4

    async with ninth.scope() as scope:
        child = scope.process("sleep 60", shell=True)
        scope.after(0, child.kill)
        assert await ninth.exited(child) == -signal.SIGKILL

    with pytest.raises(ProcessLookupError):
        ninth.exited(popen.pid)
    with pytest.raises(TypeError, match="exited.. was given 'x'"):
        ninth.exited("x")


@on_each_loop
async def test_exited_for_a_pid_that_is_not_ours() -> None:
    async with ninth.scope() as scope:
        child = scope.process("sleep 60 & echo $!; wait", shell=True, stdout=subprocess.PIPE)
        assert child.stdout is not None
        pid = int(await child.stdout.read_line())
        condition = ninth.exited(pid)
        assert condition not in await (condition | ninth.after(0.01))
        os.kill(pid, signal.SIGKILL)
        assert await condition is None


@on_each_loop
async def test_signalled_keeps_what_comes_between_two_awaits() -> None:
    async with ninth.scope() as scope:
        arrived = ninth.signalled(signal.SIGUSR1, signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR2)
        await ninth.sleep(0.005)
        os.kill(os.getpid(), signal.SIGUSR1)
        await ninth.sleep(0.005)
        assert await arrived is signal.SIGUSR2
        assert await (arrived | ninth.after(60)) == {arrived: signal.SIGUSR1}
        assert arrived not in await (arrived | ninth.after(0.005))
        scope.after(0.001, os.kill, os.getpid(), signal.SIGUSR1)
        assert await arrived is signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    with pytest.raises(RuntimeError, match="is over: the scope it was made in has ended"):
        await arrived


@on_each_loop
async def test_a_cancelled_await_takes_no_signal() -> None:
    async with ninth.scope() as scope:
        arrived = ninth.signalled(signal.SIGUSR1)
        task = scope.start(lambda: wait(arrived))
        await ninth.sleep(0)
        os.kill(os.getpid(), signal.SIGUSR1)
        # The signal comes, the task is woken, and then cancelled before it runs.
        while not arrived._arrived:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            assert await arrived is signal.SIGUSR1


async def wait(condition: Any) -> Any:
    return await condition


@on_each_loop
async def test_two_tasks_that_await_one_signal() -> None:
    async with ninth.scope() as scope:
        arrived = ninth.signalled(signal.SIGUSR1)
        tasks = [scope.start(wait, arrived) for _ in range(2)]
        await ninth.sleep(0.001)
        for count in (1, 2):
            os.kill(os.getpid(), signal.SIGUSR1)
            await ninth.sleep(0.01)
            assert sum(task.done() for task in tasks) == count


@on_each_loop
async def test_signalled_listens_until_the_innermost_scope_ends() -> None:
    async with ninth.scope():
        async with ninth.scope() as inner:

            async def work() -> None:
                ninth.signalled(signal.SIGUSR1)
                assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL

            inner.start(work)
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    with pytest.raises(RuntimeError, match="needs a scope to end with"):
        ninth.signalled(signal.SIGUSR1)
    with pytest.raises(TypeError, match="given no signal"):
        ninth.signalled()


@on_each_loop
async def test_conditions_compare_by_kind_and_subject() -> None:
    assert ninth.readable(0) == ninth.readable(0)
    assert ninth.readable(0) != ninth.writable(0)
    assert ninth.after(1) == ninth.after(1.0)
    assert ninth.after(1) != ninth.at(1)
    assert ninth.after(1) != 1
    assert len({ninth.readable(0), ninth.readable(0), ninth.after(0)}) == 2
    assert ninth.after(1) | ninth.after(2) == ninth.after(2) | ninth.after(1)
    assert repr(ninth.readable(0) | ninth.after(2)) == "readable(0) | after(2)"
    with pytest.raises(TypeError):
        ninth.after(1) | 2  # type: ignore[operator]


@on_each_loop
async def test_alternatives_nest_and_merge() -> None:
    one, two = ninth.after(0), ninth.after(60)
    both = (one | two) | (two | one)
    assert await both == {one: None}
    assert await (two | (one | two)) == {one: None}


@on_each_loop
async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    reading, writing = os.pipe()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with ninth.timeout(0.001):
                await ninth.readable(reading)
        with pytest.raises(TimeoutError):
            async with ninth.timeout(0.001):
                await (ninth.readable(reading) | ninth.writable(reading) | ninth.after(60))
    os.write(writing, b"x")
    assert await ninth.readable(reading) == reading
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_a_wait_through_what_asyncio_has() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    assert await asyncio.wait_for(ninth.readable(reading), 60) == reading
    waits = [wait(ninth.readable(reading)) for _ in range(2)]
    assert await asyncio.gather(*waits) == [reading, reading]
    os.read(reading, 1)
    task = asyncio.ensure_future(ninth.readable(reading))
    await asyncio.sleep(0)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_cancelled_in_the_turn_in_which_it_becomes_true() -> None:
    reading, writing = os.pipe()
    task = asyncio.create_task(wait(ninth.readable(reading)))
    await asyncio.sleep(0)

    async with ninth.scope() as scope:
        scope.on_readable(reading, lambda: (task.cancel(), ninth.STOP)[1])
        os.write(writing, b"x")
    await asyncio.wait([task])
    # Either came first; what counts is that the task has ended and nothing waits any more.
    assert task.cancelled() or task.result() == reading
    assert await ninth.readable(reading) == reading
    os.close(reading)
    os.close(writing)


def test_bad_times_are_refused_where_they_are_given() -> None:
    with pytest.raises(TypeError, match="after.. was given 'x': pass seconds"):
        ninth.after("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at.. was given NaN"):
        ninth.at(float("nan"))
    with pytest.raises(TypeError, match="finished.. was given 5: pass a task"):
        ninth.finished(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="finished.. was given the coroutine .*: start it first"):
        ninth.finished(add(1, 2))  # type: ignore[arg-type]
