"""The turn of the loop: order, polls, time, errors."""

import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ninth.loop import READ, Loop
from ninth.loop.core import Core
from ninth.loop.loop import logger

if TYPE_CHECKING:
    from collections.abc import Callable


class ScriptedPoller:
    """A poller that notes for how long it was to wait, and lets a clock jump by that."""

    keeps = True

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []

    def set(self, fd: int, mask: int, again: bool) -> bool:
        return True

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        self.waits.append(timeout)
        if timeout > 0:
            self.now += timeout
        for act in self.meanwhile:
            act()
        return []

    def close(self) -> None:
        pass


@pytest.fixture
def poller() -> ScriptedPoller:
    return ScriptedPoller()


@pytest.fixture
def core(poller: ScriptedPoller) -> Core:
    errors: list[dict[str, Any]] = []
    core = Core(poller, errors.append)
    core.clock = lambda: poller.now
    return core


def test_with_something_ready_it_polls_with_zero(core: Core, poller: ScriptedPoller) -> None:
    core.call_soon(core.stop)
    core.run()
    assert poller.waits == [0.0]


def test_with_a_timer_it_waits_until_that(core: Core, poller: ScriptedPoller) -> None:
    core.call_later(2.5, core.stop)
    core.run()
    assert poller.waits == [2.5]


def test_a_timer_that_is_due_already_polls_with_zero(core: Core, poller: ScriptedPoller) -> None:
    core.call_at(50.0, core.stop)
    core.run()
    assert poller.waits == [0.0]


def test_with_nothing_to_do_it_waits_for_ever(core: Core, poller: ScriptedPoller) -> None:
    poller.meanwhile.append(core.stop)
    core.run()
    assert poller.waits == [-1.0]


def test_a_cancelled_timer_is_not_waited_for(core: Core, poller: ScriptedPoller) -> None:
    core.call_later(1.0, print).cancel()
    timer = core.call_later(2.0, print)
    core.call_later(3.0, core.stop)
    timer.cancel()
    core.run()
    assert poller.waits == [3.0]


def test_a_long_wait_is_cut_to_a_day(core: Core, poller: ScriptedPoller) -> None:
    core.call_later(1e9, print)
    poller.meanwhile.append(core.stop)
    core.run()
    assert poller.waits == [86400.0]


def test_while_there_is_work_not_every_turn_polls(core: Core, poller: ScriptedPoller) -> None:
    left = 160

    def step() -> None:
        nonlocal left
        left -= 1
        core.call_soon(step if left else core.stop)

    core.call_soon(step)
    core.run()
    assert poller.waits == [0.0] * 11


def test_after_a_millisecond_of_work_it_polls(core: Core, poller: ScriptedPoller) -> None:
    left = 10

    def step() -> None:
        nonlocal left
        left -= 1
        poller.now += 0.002
        core.call_soon(step if left else core.stop)

    core.call_soon(step)
    core.run()
    assert poller.waits == [0.0] * 11


def test_a_turn_runs_what_is_ready_and_nothing_that_it_adds(core: Core) -> None:
    order: list[str] = []
    core.call_soon(order.append, "one")
    core.call_soon(core.call_soon, order.append, "three")
    core.call_soon(order.append, "two")
    core.turn()
    assert order == ["one", "two"]
    core.turn()
    assert order == ["one", "two", "three"]


def test_stop_leaves_after_the_turn_and_keeps_the_rest(core: Core) -> None:
    order: list[str] = []
    core.call_soon(core.stop)
    core.call_soon(core.call_soon, order.append, "later")
    core.call_soon(order.append, "now")
    core.run()
    assert order == ["now"]
    core.call_soon(core.stop)
    core.run()
    assert order == ["now", "later"]


def test_timers_run_after_what_is_ready_in_the_order_of_when(core: Core) -> None:
    order: list[str] = []
    core.call_at(3.0, order.append, "third")
    core.call_at(1.0, order.append, "first")
    core.call_at(2.0, order.append, "second")
    core.call_soon(order.append, "ready")
    core.call_soon(core.stop)
    core.run()
    assert order == ["ready", "first", "second", "third"]


def test_reorder_may_shuffle_a_batch(core: Core) -> None:
    order: list[int] = []
    core.reorder = list.reverse
    for number in range(3):
        core.call_soon(order.append, number)
    core.turn()
    assert order == [2, 1, 0]


def test_an_exception_is_reported_and_the_loop_goes_on(loop: Loop) -> None:
    contexts: list[dict[str, Any]] = []
    order: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError("no")

    loop.set_exception_handler(lambda _, context: contexts.append(context))
    handle = loop.call_soon(fail)
    loop.call_soon(order.append, "after")
    loop.call_soon(loop.stop)
    loop.run()
    (context,) = contexts
    assert order == ["after"]
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["handle"] is handle
    assert "fail() at " in context["message"]
    assert __file__ in context["message"]


def test_an_exception_without_a_handler_is_logged(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(loop.stop)
    with caplog.at_level("ERROR", logger.name):
        loop.run()
    assert "Exception in callback" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_owner_gets_the_exception_instead(loop: Loop) -> None:
    found: list[object] = []

    class Owner:
        def callback_failed(self, handle: object, error: BaseException) -> None:
            found.extend([handle, type(error)])

    handle = loop.call_soon(lambda: 1 / 0)
    handle.owner = Owner()
    loop.call_soon(loop.stop)
    loop.run()
    assert found == [handle, ZeroDivisionError]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_leaves_run_and_keeps_the_rest(loop: Loop, kind: type) -> None:
    order: list[str] = []

    def interrupt() -> None:
        raise kind

    loop.call_soon(order.append, "before")
    loop.call_soon(interrupt)
    loop.call_soon(order.append, "after")
    with pytest.raises(kind):
        loop.run()
    assert order == ["before"]
    loop.call_soon(loop.stop)
    loop.run()
    assert order == ["before", "after"]


def test_a_cancelled_handle_does_not_run(loop: Loop) -> None:
    order: list[str] = []
    handle = loop.call_soon(order.append, "cancelled")
    handle.cancel()
    handle.cancel()
    loop.call_soon(loop.stop)
    loop.run()
    assert order == []


def test_a_thread_wakes_the_loop(loop: Loop) -> None:
    calls: list[int] = []

    def from_thread() -> None:
        for number in range(1000):
            loop.call_soon_threadsafe(calls.append, number)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=from_thread)
    started = time.monotonic()
    loop.call_later(30, loop.stop)
    loop.call_soon(thread.start)
    loop.run()
    thread.join()
    assert calls == list(range(1000))
    assert time.monotonic() - started < 20


def test_context_variables_are_those_of_the_registration(loop: Loop) -> None:
    import contextvars

    var = contextvars.ContextVar("var", default=0)
    seen: list[int] = []
    var.set(1)
    loop.call_soon(lambda: seen.append(var.get()))
    context = contextvars.Context()
    loop.call_soon(lambda: seen.append(var.get()), context=context)
    var.set(2)
    loop.call_soon(loop.stop)
    loop.run()
    assert seen == [1, 0]


def test_bad_input_is_refused_with_its_cure(loop: Loop) -> None:
    with pytest.raises(TypeError, match="callable"):
        loop.call_soon(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN: pass seconds"):
        loop.call_later(float("nan"), print)
    with pytest.raises(TypeError, match="delay must not be None"):
        loop.call_later(None, print)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass an open file"):
        loop.add_reader(-1, print)
    with pytest.raises(ValueError, match="pass an open file"):
        loop.add_reader("no file", print)
    with pytest.raises(ValueError, match="READ, WRITE or both"):
        loop.watch(0, 0, print)
    with pytest.raises(ValueError, match="invalid signal number"):
        loop.add_signal_handler(1000, print)
    loop.call_soon(loop.run)
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    loop.call_soon(loop.close)
    loop.call_soon(loop.stop)
    loop.run()
    assert [type(context["exception"]) for context in contexts] == [RuntimeError] * 2
    loop.close()
    loop.close()
    for method in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(RuntimeError, match="closed"):
            method(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run()


def test_a_negative_delay_means_the_next_turn(loop: Loop) -> None:
    loop.call_later(-5, loop.stop)
    loop.run()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_of_the_exception_handler_keeps_the_rest(loop: Loop, kind: type) -> None:
    order: list[int] = []

    def interrupt(_: Loop, context: dict[str, Any]) -> None:
        raise kind

    loop.set_exception_handler(interrupt)
    loop.call_soon(lambda: 1 / 0)
    for number in range(3):
        loop.call_soon(order.append, number)
    with pytest.raises(kind):
        loop.run()
    loop.call_soon(loop.stop)
    loop.run()
    assert order == [0, 1, 2]


def test_what_becomes_ready_while_it_looks_at_the_clock_is_not_slept_over(
    core: Core, poller: ScriptedPoller
) -> None:
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        if asked == 1:
            core.call_soon_threadsafe(core.stop)
        return poller.now

    core.call_at(1e6, print)
    core.clock = clock
    core.run()
    assert all(wait <= 0 for wait in poller.waits[-1:])
    assert poller.now < 1000


def test_an_exception_of_a_watcher_says_where_it_was_registered(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    read, write = os.pipe()

    def register() -> None:
        loop.watch(read, READ, int, "no number")

    register()
    os.write(write, b"x")
    loop.call_soon(loop.stop)
    with caplog.at_level("ERROR", logger.name):
        loop.run()
    os.close(read)
    os.close(write)
    line = register.__code__.co_firstlineno + 1
    assert re.search(rf"registered by .*register\(\) at {re.escape(__file__)}:{line}", caplog.text)
