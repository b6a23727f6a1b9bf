"""run(), sleep() and timeout()."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

import ninth
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def add(one: int, two: int) -> int:
    await asyncio.sleep(0)
    return one + two


def test_it_returns_the_result(loop_factory: Factory) -> None:
    assert ninth.run(add, 1, 2, loop_factory=loop_factory) == 3
    assert ninth.run(add(3, 4), loop_factory=loop_factory) == 7
    assert ninth.run(lambda: add(5, 6), loop_factory=loop_factory) == 11


def test_ninths_loop_is_the_default() -> None:
    async def main() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = ninth.run(main)
    assert isinstance(loop, ninth.EventLoop)
    assert loop.is_closed()


def test_it_raises_what_main_raises(loop_factory: Factory) -> None:
    async def main() -> None:
        raise KeyError("main")

    with pytest.raises(KeyError, match="main"):
        ninth.run(main, loop_factory=loop_factory)


def test_nothing_is_left_running(loop_factory: Factory) -> None:
    ended = []

    async def left_behind() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    async def generator() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0.001)
            ended.append("generator")

    async def main() -> None:
        tasks.append(asyncio.create_task(left_behind()))
        numbers = generator()
        generators.append(numbers)
        await anext(numbers)

    tasks: list[asyncio.Task[None]] = []
    generators: list[AsyncIterator[int]] = []
    ninth.run(main, loop_factory=loop_factory)
    assert ended == ["task", "generator"]


def test_sigint_cancels_main_and_waits_for_its_clean_up(loop_factory: Factory) -> None:
    ended = []

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.001, interrupt)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            ended.append("main")

    with pytest.raises(KeyboardInterrupt):
        ninth.run(main, loop_factory=loop_factory)
    assert ended == ["main"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_if_main_returns_although_cancelled_its_result_is_returned(loop_factory: Factory) -> None:
    async def main() -> str:
        interrupt()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "all the same"
        raise AssertionError("not cancelled")

    assert ninth.run(main, loop_factory=loop_factory) == "all the same"


def test_if_main_fails_in_its_clean_up_that_error_leaves(loop_factory: Factory) -> None:
    async def main() -> None:
        interrupt()
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("clean-up")

    with pytest.raises(OSError, match="clean-up"):
        ninth.run(main, loop_factory=loop_factory)


def test_a_cancellation_that_is_no_sigint_leaves_as_such(loop_factory: Factory) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        ninth.run(main, loop_factory=loop_factory)


def test_sigint_reaches_a_busy_loop_and_a_sleeping_one(loop_factory: Factory) -> None:
    async def busy() -> None:
        interrupt()
        while True:
            await asyncio.sleep(0)

    async def sleeping() -> None:
        threading.Timer(0.02, interrupt).start()
        await asyncio.sleep(60)

    for main in (busy, sleeping):
        with pytest.raises(KeyboardInterrupt):
            ninth.run(main, loop_factory=loop_factory)


def test_a_second_sigint_raises_at_once(loop_factory: Factory) -> None:
    children = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with ninth.open_process(
            "trap '' TERM; echo ready; while :; do sleep 1; done",
            shell=True,
            stdout=subprocess.PIPE,
            grace=60,
        ) as child:
            children.append(child)
            assert child.stdout is not None
            await child.stdout.read_line()
            loop.call_later(0.001, interrupt)
            loop.call_later(0.02, interrupt)
            await asyncio.sleep(60)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ninth.run(main, loop_factory=loop_factory)
    assert time.monotonic() - start < 20
    assert children[0].returncode == -signal.SIGKILL


def test_a_handler_of_the_users_own_is_left_alone(loop_factory: Factory) -> None:
    calls: list[int] = []

    async def main() -> None:
        interrupt()
        await asyncio.sleep(0.001)

    before = signal.signal(signal.SIGINT, lambda signum, _: calls.append(signum))
    try:
        ninth.run(main, loop_factory=loop_factory)
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_in_a_thread(loop_factory: Factory) -> None:
    results = []
    thread = threading.Thread(
        target=lambda: results.append(ninth.run(add, 1, 2, loop_factory=loop_factory))
    )
    thread.start()
    thread.join(30)
    assert results == [3]


def test_an_error_of_a_task_that_main_left_behind_is_reported(
    loop_factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    async def left_behind() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("left behind")

    async def main() -> None:
        tasks.append(asyncio.create_task(left_behind()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    ninth.run(main, loop_factory=loop_factory)
    assert "unhandled exception in a task that main left behind" in caplog.text


BAD: list[tuple[Any, tuple[Any, ...], str]] = [
    (print, (), "print.., which is no coroutine function and returned None: make it an"),
    (5, (), "run.. was given 5: pass a coroutine function and its arguments"),
    (add(1, 2), (3,), "the coroutine add.. and arguments: pass the function itself"),
]


@pytest.mark.parametrize(("main", "args", "text"), BAD)
def test_what_is_no_coroutine_is_refused(main: Any, args: tuple[Any, ...], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        ninth.run(main, *args)


@on_each_loop
async def test_inside_a_running_loop_it_says_what_to_write() -> None:
    with pytest.raises(RuntimeError, match="inside a running loop: write `await main"):
        ninth.run(add(1, 2))
    with pytest.raises(RuntimeError, match="inside a running loop: write `await main"):
        ninth.run(add, 1, 2)
    await asyncio.sleep(0)


@on_each_loop
async def test_sleep() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await ninth.sleep(0.005)
    assert loop.time() - start > 0.003
    await ninth.sleep(0)
    await ninth.sleep(-1)
    with pytest.raises(TimeoutError):
        async with ninth.timeout(0.001):
            await ninth.sleep(float("inf"))
    with pytest.raises(TypeError, match="sleep.. was given 'x'"):
        await ninth.sleep("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sleep.. was given NaN"):
        await ninth.sleep(float("nan"))


@on_each_loop
async def test_timeout() -> None:
    async with ninth.timeout(60) as limit:
        await ninth.sleep(0)
        limit.reschedule(None)
    assert not limit.expired()
    async with ninth.timeout(None):
        await ninth.sleep(0)
    async with ninth.timeout(float("inf")):
        await ninth.sleep(0)
    with pytest.raises(TimeoutError):
        async with ninth.timeout(0.001):
            await ninth.sleep(60)
    with pytest.raises(TimeoutError):
        async with ninth.timeout(0):
            await ninth.sleep(60)
    with pytest.raises(TypeError, match="timeout.. was given 'x'"):
        ninth.timeout("x")  # type: ignore[arg-type]


def test_ctrl_c_ends_a_program_as_it_ends_python() -> None:
    program = (
        "import ninth\n"
        "async def main():\n"
        "    print('ready', flush=True)\n"
        "    await ninth.sleep(60)\n"
        "ninth.run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith(b"KeyboardInterrupt\n")
