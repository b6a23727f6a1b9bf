"""What the generator, the coroutine and the asyncio rung offer, on its own: the same for all."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from ninth.ladder import rung6_generator, rung7_coroutine, rung8_asyncio
from ninth.ladder.rung8_asyncio import Future, Task

pytestmark = pytest.mark.usefixtures("no_leaks")


class Story:
    """A function that notes what happens to it, written once for each kind."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def generator(self, rung: Any, name: str, seconds: float, error: Exception | None) -> Any:
        try:
            yield from rung.sleep(seconds)
            self.events.append(name)
            if error is not None:
                raise error
        finally:
            self.events.append(f"{name} cleaned up")

    async def coroutine(
        self, rung: Any, name: str, seconds: float, error: Exception | None
    ) -> None:
        try:
            await rung.sleep(seconds)
            self.events.append(name)
            if error is not None:
                raise error
        finally:
            self.events.append(f"{name} cleaned up")


@pytest.fixture(params=[rung6_generator, rung7_coroutine, rung8_asyncio], ids=lambda r: r.__name__)
def rung(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def tell(rung: Any, story: Story) -> Callable[..., Any]:
    kind = story.generator if rung is rung6_generator else story.coroutine

    def make(name: str, seconds: float, error: Exception | None = None) -> Any:
        return kind(rung, name, seconds, error)

    return make


def test_gather_runs_side_by_side(rung: Any, story: Story, tell: Any) -> None:
    start = time.monotonic()
    rung.run(rung.gather([tell("late", 0.2), tell("soon", 0.1), tell("now", 0)]))
    assert time.monotonic() - start >= 0.2
    assert story.events == [
        "now",
        "now cleaned up",
        "soon",
        "soon cleaned up",
        "late",
        "late cleaned up",
    ]


def test_a_failure_closes_the_others_and_leaves(rung: Any, story: Story, tell: Any) -> None:
    stories = [tell("a", 1000), tell("b", 0.01, ValueError("b failed")), tell("c", 1000)]
    with pytest.raises(ValueError, match="b failed"):
        rung.run(rung.gather(stories, background=[tell("d", 1000)]))
    assert story.events[:2] == ["b", "b cleaned up"]
    assert sorted(story.events[2:]) == ["a cleaned up", "c cleaned up", "d cleaned up"]


def test_a_failure_in_the_background_counts(rung: Any, story: Story, tell: Any) -> None:
    with pytest.raises(ValueError, match="b failed"):
        rung.run(rung.gather([tell("a", 1000)], background=[tell("b", 0, ValueError("b failed"))]))
    assert "a cleaned up" in story.events


def test_the_background_ends_with_the_rest(rung: Any, story: Story, tell: Any) -> None:
    rung.run(rung.gather([tell("a", 0.01)], background=[tell("b", 1000)]))
    assert story.events == ["a", "a cleaned up", "b cleaned up"]


def test_gathers_can_be_nested(rung: Any, story: Story, tell: Any) -> None:
    inner = rung.gather([tell("b", 0.02), tell("c", 1000)], background=[])
    with pytest.raises(ValueError, match="a failed"):
        rung.run(rung.gather([tell("a", 0.05, ValueError("a failed")), inner]))
    assert story.events[:3] == ["b", "b cleaned up", "a"]
    assert sorted(story.events[3:]) == ["a cleaned up", "c cleaned up"]


def test_nothing_to_gather(rung: Any) -> None:
    rung.run(rung.gather([]))


def test_a_file_is_waited_for(rung: Any, story: Story, tell: Any) -> None:
    read, write = os.pipe()
    os.write(write, b"x")
    rung.run(
        rung.gather(
            [rung.readable(read), rung.readable(read)]
            if rung is not rung8_asyncio
            else [rung.readable(read)]
        )
    )
    os.read(read, 1)
    with pytest.raises(ValueError, match="in time"):
        rung.run(rung.gather([rung.readable(read), tell("a", 0.01, ValueError("in time"))]))
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("module", [rung6_generator, rung7_coroutine], ids=lambda r: r.__name__)
def test_a_time_is_not_polled_for(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Rounded down to milliseconds, the timeout would be over before the time has come: the loop
    # would then spin for the rest of it.
    timeouts: list[float | None] = []

    class Poll:
        def __init__(self) -> None:
            self._poll = real()

        def register(self, *arguments: int) -> None:
            self._poll.register(*arguments)

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            timeouts.append(timeout)
            found: list[tuple[int, int]] = self._poll.poll(timeout)
            return found

    real = module.select.poll
    monkeypatch.setattr(module.select, "poll", Poll)
    for seconds in (0.0105, 0.0203, 0.0301):
        timeouts.clear()
        module.run(module.sleep(seconds))
        assert len(timeouts) == 1


def test_a_time_in_the_past_has_come(rung: Any) -> None:
    rung.run(rung.sleep(-1))


class TestFuture:
    def test_completes_once(self) -> None:
        loop = asyncio.new_event_loop()
        future = Future(loop)
        with pytest.raises(asyncio.InvalidStateError):
            future.result()
        future.set_result(9)
        assert future.result() == 9
        with pytest.raises(asyncio.InvalidStateError):
            future.set_result(10)
        with pytest.raises(asyncio.InvalidStateError):
            future.set_exception(ValueError())
        assert future.result() == 9
        loop.close()

    def test_calls_back_through_the_loop(self) -> None:
        loop = asyncio.new_event_loop()
        future = Future(loop)
        calls: list[str] = []
        future.add_done_callback(lambda _: calls.append("before"))
        future.set_exception(ValueError("no"))
        future.add_done_callback(lambda _: calls.append("after"))
        assert calls == []
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert calls == ["before", "after"]
        with pytest.raises(ValueError, match="no"):
            future.result()
        loop.close()

    def test_a_task_is_the_future_of_its_coroutine(self) -> None:
        async def inner() -> int:
            return 4

        async def outer() -> int:
            loop = asyncio.get_running_loop()
            results = [await Task(inner(), loop), await Task(inner(), loop)]
            return sum(results)

        assert rung8_asyncio.run(outer()) == 8
