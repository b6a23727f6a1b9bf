"""Signals: a stream of them, and several owners of one, on three loops."""

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

import pytest
import uvloop

import ninth
from ninth.errors import BusyError
from ninth.signals import signals
from ninth.waiting.fanout import listen
from tests.loops import Factory

pytestmark = pytest.mark.usefixtures("no_leaks")


def run(loop_factory: Factory, main: Any) -> Any:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main())


def test_a_stream_gives_what_comes(loop_factory: Factory) -> None:
    async def main() -> None:
        async with signals(signal.SIGUSR1, signal.SIGUSR2) as arriving:
            os.kill(os.getpid(), signal.SIGUSR2)
            async for signum in arriving:
                assert signum is signal.SIGUSR2
                break
            waiter = asyncio.ensure_future(anext(arriving))
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGUSR1)
            assert await waiter is signal.SIGUSR1

    run(loop_factory, main)


def test_what_comes_between_two_reads_is_kept(loop_factory: Factory) -> None:
    async def main() -> list[signal.Signals]:
        async with signals(signal.SIGUSR1, signal.SIGUSR2) as arriving:
            await listening(arriving)
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR2)
            signal.raise_signal(signal.SIGUSR1)
            await turns()
            return [await anext(arriving), await anext(arriving)]

    assert run(loop_factory, main) == [signal.SIGUSR1, signal.SIGUSR2]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def listening(arriving: Any) -> None:
    """Let a first signal pass, so that the loop has seen its wake-up pipe."""
    signal.raise_signal(signal.SIGUSR1)
    await anext(arriving)


def test_several_owners(loop_factory: Factory) -> None:
    async def main() -> tuple[list[int], list[int]]:
        loop = asyncio.get_running_loop()
        one: list[int] = []
        other: list[int] = []
        both = asyncio.Event()
        first = listen(loop, signal.SIGUSR1, one.append)
        second = listen(loop, signal.SIGUSR1, other.append)
        third = listen(loop, signal.SIGUSR1, lambda _: both.set())
        signal.raise_signal(signal.SIGUSR1)
        await both.wait()
        both.clear()
        first.cancel()
        first.cancel()
        signal.raise_signal(signal.SIGUSR1)
        await both.wait()
        second.cancel()
        third.cancel()
        return one, other

    assert run(loop_factory, main) == ([10], [10, 10])


def test_the_previous_handler_is_back(loop_factory: Factory) -> None:
    def before(_signum: int, _frame: object) -> None: ...

    async def main() -> None:
        async with signals(signal.SIGUSR1), signals(signal.SIGUSR1):
            assert signal.getsignal(signal.SIGUSR1) is not before
        assert signal.getsignal(signal.SIGUSR1) is before

    outer = signal.signal(signal.SIGUSR1, before)
    try:
        run(loop_factory, main)
        assert signal.getsignal(signal.SIGUSR1) is before
    finally:
        signal.signal(signal.SIGUSR1, outer)


def test_who_took_over_meanwhile_keeps_it(loop_factory: Factory) -> None:
    def other(_signum: int, _frame: object) -> None: ...

    async def main() -> None:
        async with signals(signal.SIGUSR1):
            signal.signal(signal.SIGUSR1, other)
        assert signal.getsignal(signal.SIGUSR1) is other

    outer = signal.getsignal(signal.SIGUSR1)
    try:
        run(loop_factory, main)
    finally:
        signal.signal(signal.SIGUSR1, outer)


def test_a_handler_of_the_loop_is_one_owner_more(loop_factory: Factory) -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        theirs = asyncio.Event()

        def on_signal() -> None:
            seen.append("theirs")
            theirs.set()

        loop.add_signal_handler(signal.SIGUSR1, on_signal)
        installed = signal.getsignal(signal.SIGUSR1)
        async with signals(signal.SIGUSR1) as arriving:
            signal.raise_signal(signal.SIGUSR1)
            await anext(arriving)
            seen.append("ours")
            if not isinstance(loop, ninth.EventLoop):
                await theirs.wait()
        theirs.clear()
        assert signal.getsignal(signal.SIGUSR1) == installed
        signal.raise_signal(signal.SIGUSR1)
        await theirs.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        return seen

    assert set(run(loop_factory, main)) == {"ours", "theirs"}


def test_sigchld(loop_factory: Factory) -> None:
    async def main() -> None:
        async with signals(signal.SIGCHLD) as arriving:
            pid = os.posix_spawn("/bin/true", ["true"], {})
            assert await anext(arriving) is signal.SIGCHLD
            os.waitpid(pid, 0)

    if loop_factory is uvloop.new_event_loop:
        with pytest.raises(RuntimeError, match=r"keeps SIGCHLD to itself.*run on ninth's"):
            run(loop_factory, main)
    else:
        run(loop_factory, main)


def test_a_full_wakeup_pipe_loses_nothing(loop_factory: Factory) -> None:
    async def main() -> set[int]:
        numbers = [*range(signal.SIGRTMIN, signal.SIGRTMIN + 10)]
        async with signals(*numbers, signal.SIGUSR1) as arriving:
            await listening(arriving)
            # A pipe of Linux holds 65,536 bytes, a pair of sockets 278.
            for _ in range(70_000 if loop_factory is ninth.new_event_loop else 1000):
                signal.raise_signal(signal.SIGUSR1)
            for number in numbers:
                signal.raise_signal(number)
            return {await anext(arriving) for _ in range(11)}

    seen = run(loop_factory, main)
    assert seen == {signal.SIGUSR1, *range(signal.SIGRTMIN, signal.SIGRTMIN + 10)}


def test_from_another_thread(loop_factory: Factory) -> None:
    async def main() -> None:
        async with signals(signal.SIGUSR1) as arriving:
            # Sent to a thread, so that no system call of ours is interrupted by it.
            thread = threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,))
            thread.start()
            assert await anext(arriving) is signal.SIGUSR1
            thread.join()

    run(loop_factory, main)


def test_refused_outside_the_main_thread(loop_factory: Factory) -> None:
    errors: list[BaseException] = []

    def other() -> None:
        async def main() -> None:
            signals(signal.SIGUSR1)

        try:
            run(loop_factory, main)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=other, name="side")
    thread.start()
    thread.join()
    assert "thread 'side'" in str(errors[0])
    assert "call_soon_threadsafe()" in str(errors[0])


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ((), TypeError, "no signal: pass one"),
        (("SIGTERM",), TypeError, "which is no signal"),
        ((True,), TypeError, "which is no signal"),
        ((0,), ValueError, "no signal of this system"),
        ((999,), ValueError, "no signal of this system"),
        ((signal.SIGKILL,), ValueError, "SIGKILL, which no process can catch"),
    ],
)
def test_bad_signals(given: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        signals(*given)


def test_a_stream_is_for_one_block_and_one_task(loop_factory: Factory) -> None:
    async def main() -> None:
        stream = signals(signal.SIGUSR1)
        with pytest.raises(RuntimeError, match="`async with`"):
            await anext(stream)
        async with stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await anext(stream)
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first
            second = asyncio.ensure_future(collect(stream))
            signal.raise_signal(signal.SIGUSR1)
            await turns()
        assert await second == [signal.SIGUSR1]
        with pytest.raises(RuntimeError, match="entered before"):
            await stream.__aenter__()

    async def collect(stream: Any) -> list[signal.Signals]:
        return [signum async for signum in stream]

    run(loop_factory, main)


def test_a_listener_that_raises_does_not_stop_the_others(loop_factory: Factory) -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        reported: list[str] = []
        loop.set_exception_handler(lambda _loop, context: reported.append(context["message"]))
        reached = asyncio.Event()

        def fail(_signum: int) -> None:
            raise ValueError("no")

        listeners = [
            listen(loop, signal.SIGUSR1, fail),
            listen(loop, signal.SIGUSR1, lambda _: reached.set()),
        ]
        signal.raise_signal(signal.SIGUSR1)
        await reached.wait()
        for listener in listeners:
            listener.cancel()
        return reported

    assert run(loop_factory, main) == ["Exception in a listener to SIGUSR1"]
