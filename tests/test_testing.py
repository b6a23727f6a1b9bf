"""The loop whose clock jumps and whose order can be shuffled."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable

import pytest

import ninth
from ninth.testing import VirtualLoop

pytestmark = pytest.mark.usefixtures("no_leaks")


def test_an_hour_takes_no_time(virtual_loop: VirtualLoop) -> None:
    async def main() -> None:
        start = virtual_loop.time()
        assert start == 0.0
        await asyncio.gather(*(asyncio.sleep(minutes * 60) for minutes in range(61)))
        assert virtual_loop.time() == 3600.0

    before = time.monotonic()
    virtual_loop.run_until_complete(main())
    assert time.monotonic() - before < 5


def test_timers_fire_in_order_and_on_time(virtual_loop: VirtualLoop) -> None:
    fired: list[tuple[float, int]] = []
    for number in (3, 1, 2):
        virtual_loop.call_later(
            number * 0.1, lambda number=number: fired.append((virtual_loop.time(), number))
        )
    virtual_loop.call_later(1e9, virtual_loop.stop)
    virtual_loop.run_forever()
    assert fired == [(0.1, 1), (0.2, 2), (pytest.approx(0.3), 3)]
    assert virtual_loop.time() == 1e9


def test_every_does_not_drift(virtual_loop: VirtualLoop) -> None:
    times: list[float] = []

    async def main() -> None:
        async with ninth.scope(timeout=3605) as scope:
            scope.every(10, lambda: times.append(virtual_loop.time()))

    with pytest.raises(TimeoutError):
        virtual_loop.run_until_complete(main())
    assert times == [10.0 * turn for turn in range(1, 361)]


def test_with_run_and_with_plain_scopes() -> None:
    async def main() -> float:
        await ninth.sleep(86400)
        return asyncio.get_running_loop().time()

    assert ninth.run(main, loop_factory=VirtualLoop) == 86400.0
    seen: list[str] = []
    with ninth.scope(loop_factory=VirtualLoop) as scope:
        scope.after(500, seen.append, "late")
        scope.after(300, seen.append, "early")
    assert seen == ["early", "late"]


def test_files_are_real(virtual_loop: VirtualLoop) -> None:
    reading, writing = os.pipe()

    async def main() -> bytes:
        async with ninth.Stream(reading) as reader, ninth.Stream(writing) as writer:
            async with asyncio.timeout(3600):
                asyncio.get_running_loop().call_later(1800, os.write, writing, b"hello")
                data = await reader.read()
            assert virtual_loop.time() == 1800.0
            await writer.aclose()
            # No timer is left: this waits for the file, and the clock stands still.
            assert await reader.read() == b""
            assert virtual_loop.time() == 1800.0
            return data

    assert virtual_loop.run_until_complete(main()) == b"hello"


def test_patience_waits_for_what_is_outside() -> None:
    loop = VirtualLoop(patience=60)

    async def main() -> float:
        async with asyncio.timeout(7200):
            done = await ninth.run_process("sleep 0.05; echo", shell=True, stdout=subprocess.PIPE)
        assert done.stdout == b"\n"
        return loop.time()

    assert loop.run_until_complete(main()) == 0.0
    loop.close()


def test_without_patience_the_clock_jumps_first() -> None:
    loop = VirtualLoop()

    async def main() -> None:
        async with asyncio.timeout(7200):
            await ninth.run_process(["sleep", "60"])

    with pytest.raises(TimeoutError):
        loop.run_until_complete(main())
    loop.close()


# The order


def order(loop: VirtualLoop, register: Callable[[VirtualLoop, list[int]], None]) -> list[int]:
    """Return in which order callbacks ran that were ready together."""
    seen: list[int] = []
    register(loop, seen)
    loop.call_later(10, loop.stop)
    loop.run_forever()
    loop.close()
    return seen


def calls(loop: VirtualLoop, seen: list[int]) -> None:
    for number in range(10):
        loop.call_soon(seen.append, number)


def timers(loop: VirtualLoop, seen: list[int]) -> None:
    for number in range(10):
        loop.call_later(1, seen.append, number)


def tasks(loop: VirtualLoop, seen: list[int]) -> None:
    async def work(number: int) -> None:
        await asyncio.sleep(1)
        seen.append(number)

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(10)))

    loop.main = loop.create_task(main())  # type: ignore[attr-defined]


@pytest.mark.parametrize("register", [calls, timers, tasks])
def test_a_seed_shuffles_and_repeats(
    register: Callable[[VirtualLoop, list[int]], None],
) -> None:
    plain = [*range(10)]
    assert order(VirtualLoop(), register) == plain
    orders = {tuple(order(VirtualLoop(seed), register)) for seed in range(5)}
    assert len(orders) == 5
    assert all(sorted(one) == plain for one in orders)
    assert order(VirtualLoop(3), register) == order(VirtualLoop(3), register)


@pytest.mark.parametrize("virtual_loop", [1, 2], indirect=True)
def test_the_fixture_takes_a_seed(virtual_loop: VirtualLoop) -> None:
    assert virtual_loop.seed in {1, 2}
    assert virtual_loop.run_until_complete(asyncio.sleep(5, "done")) == "done"


def test_bad_patience() -> None:
    with pytest.raises(ValueError, match="0 to jump at once"):
        VirtualLoop(patience=-1)
