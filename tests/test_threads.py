"""Functions in threads, and functions of the loop called from threads, on three loops."""

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import ninth
from ninth import from_thread, to_thread
from tests.loops import Factory, on_each_loop


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


pytestmark = pytest.mark.usefixtures("no_leaks")

name: contextvars.ContextVar[str] = contextvars.ContextVar("name")


@on_each_loop
async def test_the_result_and_nothing_left() -> None:
    before = threading.active_count()
    assert await to_thread(pow, 2, 10) == 1024
    assert await to_thread(threading.get_ident) != threading.get_ident()
    assert threading.active_count() == before


@on_each_loop
async def test_an_error_has_its_own_traceback() -> None:
    def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no") as caught:
        await to_thread(fail)
    assert caught.traceback[-1].name == "fail"
    # No future could carry this one.
    with pytest.raises(RuntimeError, match="StopIteration"):
        await to_thread(next, iter(()))


@on_each_loop
async def test_the_context_goes_along() -> None:
    name.set("outside")
    assert await to_thread(name.get) == "outside"
    assert await to_thread(from_thread, name.get) == "outside"


@on_each_loop
async def test_many_at_once() -> None:
    barrier = threading.Barrier(50, timeout=60)
    await asyncio.gather(*(to_thread(barrier.wait) for _ in range(50)))


@on_each_loop
async def test_cancelling_waits_for_the_thread() -> None:
    go, started = threading.Event(), threading.Event()
    done = []

    def work() -> None:
        started.set()
        go.wait(60)
        done.append(True)

    task = asyncio.ensure_future(to_thread(work))
    while not started.is_set():
        await asyncio.sleep(0)
    for _ in range(2):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done


@on_each_loop
async def test_an_error_after_cancelling_is_not_lost() -> None:
    go = threading.Event()

    def work() -> None:
        go.wait(60)
        raise LookupError("late")

    task = asyncio.ensure_future(to_thread(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(LookupError, match="late"):
        await task
    assert task.cancelling() == 1


@on_each_loop
async def test_abandoning_leaves_at_once() -> None:
    loop = asyncio.get_running_loop()
    reported: asyncio.Future[BaseException] = loop.create_future()
    loop.set_exception_handler(lambda _, context: reported.set_result(context["exception"]))
    go = threading.Event()

    def work() -> None:
        go.wait(60)
        raise LookupError("nobody waits")

    task = asyncio.ensure_future(to_thread(work, abandon=True))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert str(await reported) == "nobody waits"


def test_abandoned_beyond_the_end_of_the_loop(loop_factory: Factory) -> None:
    go = threading.Event()
    done = threading.Event()

    def work() -> None:
        go.wait(60)
        done.set()

    async def main() -> None:
        task = asyncio.ensure_future(to_thread(work, abandon=True))
        await asyncio.sleep(0)
        task.cancel()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    go.set()
    assert done.wait(60)
    for thread in threading.enumerate():
        if thread.name.startswith("to_thread"):  # others belong to those who run the tests
            thread.join(60)


def test_an_abandoned_thread_does_not_keep_the_program() -> None:
    script = """
import asyncio, time, ninth
async def main():
    async with asyncio.timeout(0.1):
        await ninth.to_thread(time.sleep, 600, abandon=True)
try:
    ninth.run(main)
except TimeoutError:
    print("left")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=60, check=True
    )
    assert done.stdout == b"left\n"


# from_thread


@on_each_loop
async def test_plain_and_coroutine_functions() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def fail() -> None:
        raise LookupError("in the loop")

    def work() -> None:
        assert from_thread(double, 4) == 8
        assert from_thread(threading.get_ident) == main
        assert from_thread(lambda: double(5)) == 10
        with pytest.raises(LookupError, match="in the loop"):
            from_thread(fail)
        with pytest.raises(ZeroDivisionError):
            from_thread(lambda: 1 // 0)

    main = threading.get_ident()
    await to_thread(work)


@on_each_loop
async def test_from_a_thread_of_somebody_else() -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with pytest.raises(RuntimeError, match="pass loop="):
                from_thread(print)
            from_thread(done.set, loop=loop)
        except BaseException as error:
            errors.append(error)
            loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=work)
    thread.start()
    await done.wait()
    thread.join()
    assert not errors


@on_each_loop
async def test_cancelling_cancels_what_the_thread_waits_for() -> None:
    waiting = asyncio.Event()

    async def forever() -> None:
        waiting.set()
        await asyncio.get_running_loop().create_future()

    def work() -> None:
        from_thread(forever)

    task = asyncio.ensure_future(to_thread(work))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_each_loop
async def test_a_cancelled_thread_starts_no_coroutine_more() -> None:
    go = threading.Event()
    seen: list[str] = []

    async def never() -> None:
        seen.append("ran")

    def work() -> None:
        go.wait(60)
        from_thread(seen.append, "clean-up")
        try:
            from_thread(never)
        except asyncio.CancelledError:
            seen.append("cancelled")

    task = asyncio.ensure_future(to_thread(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["clean-up", "cancelled"]


@on_each_loop
async def test_in_the_loop_s_own_thread() -> None:
    with pytest.raises(RuntimeError, match="call the function, or await it"):
        from_thread(print)
    with pytest.raises(RuntimeError, match="call the function, or await it"):
        from_thread(print, loop=asyncio.get_running_loop())


def test_a_closed_loop(loop_factory: Factory) -> None:
    loop = loop_factory()
    loop.close()
    with pytest.raises(RuntimeError, match="the loop is closed"):
        from_thread(print, loop=loop)


def test_a_loop_that_is_closed_meanwhile(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ninth.threads.SECONDS_PER_LOOK", 0.01)
    loop = loop_factory()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            from_thread(time.sleep, 0, loop=loop)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.03)
    loop.close()
    thread.join(60)
    assert "was closed before" in str(errors[0])


@on_each_loop
async def test_in_a_scope() -> None:
    async with ninth.scope() as scope:
        task = scope.start(to_thread, from_thread, scope.after, 0, print)
        await task


@on_each_loop
async def test_bad_functions() -> None:
    async def coroutine() -> None: ...

    cases: list[tuple[Any, Any, str]] = [
        (to_thread, coroutine, "the coroutine function"),
        (to_thread, coroutine(), "the coroutine .* pass its function"),
        (to_thread, 5, "cannot be called"),
    ]
    for call, given, text in cases:
        with pytest.raises(TypeError, match=text):
            await call(given)
    with pytest.raises(TypeError, match="pass its function"):
        from_thread(coroutine())  # type: ignore[call-overload]
