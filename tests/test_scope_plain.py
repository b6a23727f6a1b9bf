"""The fourth rule of a scope: without coroutines too."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from typing import Any

import pytest

import ninth
from tests.loops import Factory

pytestmark = pytest.mark.usefixtures("no_leaks")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_what_the_block_registers_runs_when_it_is_left(loop_factory: Factory) -> None:
    order: list[str] = []
    with ninth.scope(loop_factory=loop_factory) as scope:
        scope.after(0.002, order.append, "after")
        scope.start(asyncio.sleep, 0.001)
        scope.every(0.001, lambda: None, background=True)
        order.append("block")
    assert order == ["block", "after"]
    assert scope.loop.is_closed()
    assert not scope.cancelled


def test_ninths_loop_is_the_default() -> None:
    with ninth.scope() as scope:
        assert isinstance(scope.loop, ninth.EventLoop)


def test_callbacks_may_register_more_and_coroutines_may_nest(loop_factory: Factory) -> None:
    order: list[str] = []

    async def nested() -> None:
        async with ninth.scope() as inner:
            inner.after(0, order.append, "inner")
        order.append("nested")

    def first() -> None:
        scope.after(0, order.append, "second")
        scope.subscope().start(nested)

    with ninth.scope(loop_factory=loop_factory) as scope:
        scope.after(0, first)
    assert sorted(order) == ["inner", "nested", "second"]


def test_children_run_at_once(loop_factory: Factory) -> None:
    lines: list[str] = []
    with ninth.scope(loop_factory=loop_factory) as scope:
        child = scope.process("echo one; echo two; exit 3", shell=True, stdout=subprocess.PIPE)
        assert child.pid > 0
        scope.on_line(child.stdout, lines.append)
        scope.on_exit(child, lambda code: lines.append(f"exit {code}"))
        popen = subprocess.Popen(["true"])
        scope.on_exit(popen, lambda code: lines.append(f"popen {code}"))
    assert sorted(lines) == ["exit 3", "one", "popen 0", "two"]


def test_signals(loop_factory: Factory) -> None:
    calls: list[str] = []
    with ninth.scope(loop_factory=loop_factory) as scope:
        registration = scope.on_signal(signal.SIGUSR1, calls.append, "usr1")
        # Before the loop runs: it is kept.
        os.kill(os.getpid(), signal.SIGUSR1)
        scope.after(0.01, registration.cancel)
    assert calls == ["usr1"]


def test_if_the_block_raises_nothing_runs_but_clean_up(loop_factory: Factory) -> None:
    calls: list[str] = []

    async def work() -> None:
        calls.append("task")

    with pytest.raises(ExceptionGroup) as caught:
        with ninth.scope(loop_factory=loop_factory) as scope:
            child = scope.process("sleep 60", shell=True)
            scope.after(0, calls.append, "callback")
            scope.start(work)
            raise ValueError("block")
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert calls == []
    assert child.returncode == -signal.SIGTERM


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_it_leaves_bare(loop_factory: Factory, kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    with pytest.raises(kind), ninth.scope(loop_factory=loop_factory) as scope:
        scope.start(asyncio.sleep, 60)
        raise kind
    with pytest.raises(kind), ninth.scope(loop_factory=loop_factory) as scope:
        scope.start(asyncio.sleep, 60)
        scope.after(0, leave)


def test_cancelling_it(loop_factory: Factory) -> None:
    with ninth.scope(loop_factory=loop_factory) as scope:
        scope.start(asyncio.sleep, 60)
        scope.cancel("in the block")
    assert scope.reason == "in the block"
    with ninth.scope(loop_factory=loop_factory) as scope:
        scope.start(asyncio.sleep, 60)
        scope.after(0, scope.cancel, "in a callback")
    assert scope.reason == "in a callback"


def test_the_timeout_counts_from_the_start_of_the_run(loop_factory: Factory) -> None:
    with ninth.scope(loop_factory=loop_factory, timeout=0.2) as scope:
        scope.after(0, lambda: None)
        # The block itself is over time; it does not count.
        time.sleep(0.3)
    assert not scope.cancelled
    with pytest.raises(TimeoutError):
        with ninth.scope(loop_factory=loop_factory, timeout=0.01) as scope:
            scope.start(asyncio.sleep, 60)


def test_sigint_stops_it_and_raises(loop_factory: Factory) -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    with pytest.raises(KeyboardInterrupt), ninth.scope(loop_factory=loop_factory) as scope:
        child = scope.process("sleep 60", shell=True)
        scope.start(work)
        scope.after(0.001, interrupt)
    assert ended == ["task"]
    assert child.returncode == -signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_sigint_raises_at_once_and_leaves_no_child(loop_factory: Factory) -> None:
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ninth.scope(loop_factory=loop_factory) as scope:
        # Each of them would take a minute to stop.
        child = scope.process(
            "trap '' TERM; echo ready; sleep 60 & while :; do wait; done",
            shell=True,
            stdout=subprocess.PIPE,
            grace=60,
        )

        async def stubborn() -> None:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    scope.loop.call_later(0.001, interrupt)

        def ready(_: str) -> None:
            interrupt()

        scope.start(stubborn)
        scope.on_line(child.stdout, ready)
    assert time.monotonic() - start < 20
    assert child.returncode == -signal.SIGKILL


def test_inside_a_running_loop_it_says_what_to_write(loop_factory: Factory) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="write `async with ninth.scope"):
            with ninth.scope():
                pass
        await asyncio.sleep(0)

    ninth.run(main, loop_factory=loop_factory)

    def callback() -> None:
        with ninth.scope():
            pass

    with pytest.raises(ExceptionGroup) as caught:
        with ninth.scope(loop_factory=loop_factory) as scope:
            scope.after(0, callback)
    assert "or use subscope()" in str(caught.value.exceptions[0])


def test_inside_the_block_of_another_it_says_what_to_write() -> None:
    with ninth.scope(name="outer") as outer:
        with pytest.raises(RuntimeError, match="inside the block of scope 'outer' .* subscope"):
            with ninth.scope():
                pass
        outer.after(0, lambda: None)
    with ninth.scope():
        pass


def test_it_is_entered_once() -> None:
    scope = ninth.scope()
    with scope:
        pass
    with pytest.raises(RuntimeError, match="was entered before"), scope:
        pass


def test_run_works_in_its_block_and_knows_no_scope_of_it() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="signalled.. .* needs a scope"):
            ninth.signalled(signal.SIGUSR1)
        await asyncio.sleep(0)

    with ninth.scope():
        ninth.run(main)


def test_a_loop_factory_that_makes_no_loop_is_refused() -> None:
    factory: Any = dict
    with pytest.raises(TypeError, match="loop_factory returned {}: pass a function"):
        with ninth.scope(loop_factory=factory):
            pass


def test_in_a_thread(loop_factory: Factory) -> None:
    calls: list[str] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with ninth.scope(loop_factory=loop_factory) as scope:
                child = scope.process(["true"])
                scope.on_exit(child, lambda code: calls.append(f"exit {code}"))
                with pytest.raises(RuntimeError, match="main thread"):
                    scope.on_signal(signal.SIGUSR1, print)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert errors == []
    assert calls == ["exit 0"]
