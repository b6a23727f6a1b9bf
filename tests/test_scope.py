"""The rules of a scope: lifetime, either style, holding; and what is refused."""

import asyncio
import contextvars
import gc
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import ninth
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


def pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing


# 1. Lifetime


@on_each_loop
async def test_the_block_waits_for_tasks_and_callbacks() -> None:
    done = []

    async def work(name: str) -> None:
        await ninth.sleep(0.001)
        done.append(name)

    async with ninth.scope() as scope:
        scope.start(work, "one")
        scope.start(work("two"))
        scope.after(0.002, done.append, "three")
    assert sorted(done) == ["one", "three", "two"]


@on_each_loop
async def test_an_empty_scope_is_left_at_once() -> None:
    loop = asyncio.get_running_loop()
    turns: list[int] = []
    loop.call_soon(turns.append, 1)
    async with ninth.scope():
        pass
    assert not turns


@on_each_loop
async def test_a_cancelled_scope_stops_everything_before_it_is_left() -> None:
    reading, writing = pipe()
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    def never() -> None:
        raise AssertionError("called after the scope was cancelled")

    async with ninth.scope() as scope:
        task = scope.start(work)
        registrations = [
            scope.on_readable(reading, never),
            scope.every(1, never),
            scope.after(1, never),
            scope.on_signal(signal.SIGUSR1, never),
        ]
        child = scope.process("sleep 60", shell=True)
        await asyncio.sleep(0)
        scope.cancel("enough")
        os.write(writing, b"x")
    assert ended == ["task"]
    assert task.cancelled()
    assert all(registration.done for registration in registrations)
    assert child.returncode == -signal.SIGTERM
    assert scope.cancelled and scope.reason == "enough"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    await asyncio.sleep(0.001)
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_cancelling_before_the_body_ends_is_absorbed_although_it_never_awaited() -> None:
    async with ninth.scope() as scope:
        scope.cancel()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)


@on_each_loop
async def test_the_body_is_cancelled_at_its_next_await_and_only_once() -> None:
    seen = []
    async with ninth.scope() as scope:
        scope.cancel()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
        await asyncio.sleep(0)
        seen.append("went on")
    assert seen == ["cancelled", "went on"]


@on_each_loop
async def test_a_task_that_takes_its_time_to_end_does_not_make_the_scope_spin() -> None:
    loop = asyncio.get_running_loop()
    turns = 0

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)

    def count() -> None:
        nonlocal turns
        turns += 1

    async with ninth.scope() as scope:
        scope.start(stubborn)
        await asyncio.sleep(0)
        before = os.times()
        scope.cancel()
        loop.call_later(0.001, count)
    after = os.times()
    assert turns == 1
    assert after.user - before.user + after.system - before.system < 0.04


@on_each_loop
async def test_tasks_are_held_strongly() -> None:
    async def work() -> None:
        # Nothing but the task itself refers to this future.
        future = asyncio.get_running_loop().create_future()
        weakref.finalize(future, lost.append, "collected")
        await future

    lost: list[str] = []
    async with ninth.scope() as scope:
        scope.start(work, background=True)
        await asyncio.sleep(0)
        gc.collect()
        assert lost == []


@on_each_loop
async def test_nothing_keeps_an_ended_scope_alive() -> None:
    async with ninth.scope() as scope:
        scope.after(0, lambda: None)
        scope.start(asyncio.sleep, 0)
        reference = weakref.ref(scope)
    del scope
    await asyncio.sleep(0.001)
    gc.collect()
    assert reference() is None


@on_each_loop
async def test_what_is_started_while_the_scope_is_being_left_counts() -> None:
    seen = []

    async def chain(left: int) -> None:
        await asyncio.sleep(0)
        seen.append(left)
        if left:
            scope.start(chain, left - 1)

    async with ninth.scope() as scope:
        scope.start(chain, 3)
    assert seen == [3, 2, 1, 0]


@on_each_loop
async def test_a_task_may_be_cancelled_on_its_own() -> None:
    async with ninth.scope() as scope:
        task = scope.start(asyncio.sleep, 60)
        scope.after(0.001, task.cancel)
    assert task.cancelled()
    assert not scope.cancelled


# Registrations


@on_each_loop
async def test_on_readable_goes_on_until_stop() -> None:
    reading, writing = pipe()
    got = []

    def read() -> object:
        got.append(os.read(reading, 1))
        return ninth.STOP if got[-1] == b"c" else None

    async with ninth.scope() as scope:
        registration = scope.on_readable(reading, read)
        os.write(writing, b"abcd")
        assert not registration.done
    assert got == [b"a", b"b", b"c"]
    assert registration.done
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_several_callbacks_and_waits_may_share_a_file() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    seen = set()

    async def wait() -> None:
        await ninth.readable(ours)
        seen.add("wait")

    def note(name: str) -> object:
        seen.add(name)
        return ninth.STOP

    async with ninth.scope() as scope:
        scope.on_readable(ours, note, "one")
        scope.on_readable(ours, note, "two")
        scope.on_writable(ours, note, "three")
        scope.start(wait)
        scope.start(wait)
        scope.after(0.001, theirs.send, b"x")
    assert seen == {"one", "two", "three", "wait"}
    ours.close()
    theirs.close()


@on_each_loop
async def test_one_callback_may_cancel_another_of_the_same_file() -> None:
    reading, writing = pipe()
    calls = []

    def one() -> None:
        calls.append("one")
        os.read(reading, 1)
        second.cancel()
        first.cancel()

    async with ninth.scope() as scope:
        first = scope.on_readable(reading, one)
        second = scope.on_readable(reading, calls.append, "two")
        os.write(writing, b"x")
    assert calls == ["one"]
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_closing_a_file_ends_its_registrations() -> None:
    reading, writing = pipe()
    async with ninth.scope() as scope:
        registration = scope.on_readable(reading, lambda: None)
        scope.after(0.001, ninth.close, reading)
    assert registration.done
    os.close(writing)


@on_each_loop
async def test_a_timer_runs_once_and_its_registration_can_be_awaited() -> None:
    calls: list[str] = []
    async with ninth.scope() as scope:
        registration = scope.after(0.001, calls.append, "called")
        assert not registration.done
        await registration
        assert calls == ["called"]
        await registration
        registration.cancel()
    assert registration.done


@on_each_loop
async def test_a_cancelled_registration_is_done_and_wakes_who_awaits_it() -> None:
    async with ninth.scope() as scope:
        registration = scope.after(60, lambda: None)
        scope.after(0.001, registration.cancel)
        await registration
        registration.cancel()
        assert registration.done


@on_each_loop
async def test_every_does_not_drift() -> None:
    loop = asyncio.get_running_loop()
    times = []

    async with ninth.scope() as scope:
        start = loop.time()

        def tick() -> object:
            times.append(loop.time() - start)
            return ninth.STOP if len(times) == 5 else None

        scope.every(0.01, tick)
    # uvloop counts in whole milliseconds, and from the beginning of the turn.
    assert all(seen >= due * 0.01 - 0.002 for due, seen in enumerate(times, 1)), times


@on_each_loop
async def test_a_signal_calls_its_owners() -> None:
    calls: list[str] = []
    async with ninth.scope() as scope:
        one = scope.on_signal(signal.SIGUSR1, calls.append, "one")
        two = scope.on_signal(signal.SIGUSR1, calls.append, "two")
        os.kill(os.getpid(), signal.SIGUSR1)
        while len(calls) < 2:
            await asyncio.sleep(0.001)
        one.cancel()
        two.cancel()
    assert calls == ["one", "two"]


@on_each_loop
async def test_a_signal_during_a_coroutine_of_its_callback_is_kept() -> None:
    calls = []

    async def slow() -> object:
        calls.append("begin")
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.005)
        calls.append("end")
        return ninth.STOP if len(calls) == 4 else None

    async with ninth.scope() as scope:
        scope.on_signal(signal.SIGUSR1, slow)
        os.kill(os.getpid(), signal.SIGUSR1)
    assert calls == ["begin", "end", "begin", "end"]


@on_each_loop
async def test_the_end_of_a_child_calls_back_with_its_return_code() -> None:
    codes: list[int | None] = []
    async with ninth.scope() as scope:
        scope.on_exit(scope.process("exit 3", shell=True), codes.append)
        popen = subprocess.Popen(["sh", "-c", "exit 4"])
        scope.on_exit(popen, codes.append)
    assert sorted(code or 0 for code in codes) == [3, 4]
    assert popen.returncode == 4


@on_each_loop
async def test_lines_come_without_their_ends_and_the_last_one_counts() -> None:
    lines: list[str] = []
    async with ninth.scope() as scope:
        child = scope.process(r"printf 'a\nb\r\n\nlast \303'", shell=True, stdout=subprocess.PIPE)
        registration = scope.on_line(child.stdout, lines.append, on_end=lambda: lines.append("end"))
        await registration
    assert lines == ["a", "b", "", "last \ufffd", "end"]


@on_each_loop
async def test_lines_of_any_file() -> None:
    lines: list[str] = []
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    os.write(writing, b"one\ntwo\nthr")
    assert file.readline() == b"one\n"
    async with ninth.scope() as scope:
        scope.on_line(file, lines.append)
        scope.after(0.001, os.write, writing, b"ee\n")
        scope.after(0.002, os.close, writing)
    assert lines == ["two", "three"]
    assert os.get_blocking(file.fileno())
    file.close()


@on_each_loop
async def test_a_line_that_is_too_long_fails_the_scope() -> None:
    reading, writing = pipe()
    os.write(writing, b"x" * 100)
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.on_line(reading, lambda line: None, limit=50)
    assert isinstance(caught.value.exceptions[0], ninth.LineTooLong)
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_a_line_of_just_the_limit_passes() -> None:
    lines: list[str] = []
    for data in (b"12345\n", b"12345\r\n", b"12345"):
        reading, writing = pipe()
        os.write(writing, data)
        os.close(writing)
        async with ninth.scope() as scope:
            scope.on_line(reading, lines.append, limit=5)
        os.close(reading)
    assert lines == ["12345"] * 3
    for data in (b"123456\n", b"123456", b"1234567\r\n"):
        reading, writing = pipe()
        os.write(writing, data)
        os.close(writing)
        with pytest.raises(ExceptionGroup, match="errors in a scope"):
            async with ninth.scope() as scope:
                scope.on_line(reading, lines.append, limit=5)
        os.close(reading)
    assert lines == ["12345"] * 3


@on_each_loop
async def test_many_lines_at_once_let_others_run() -> None:
    reading, writing = pipe()
    os.write(writing, b"\n" * 5000)
    os.close(writing)
    seen: list[object] = []
    async with ninth.scope() as scope:
        scope.on_line(reading, seen.append)
        while not seen:
            await asyncio.sleep(0)
        scope.after(0, seen.append, "other")
    assert seen.count("") == 5000
    assert seen.index("other") < 4000
    os.close(reading)


@on_each_loop
async def test_a_file_closed_behind_on_line_does_not_keep_the_scope_from_ending() -> None:
    reading, writing = pipe()
    with open(os.dup(reading), "rb", buffering=0) as file:
        async with ninth.scope() as scope:
            scope.on_line(file, print)
            scope.on_line(reading, print)
            task = scope.start(asyncio.sleep, 60)
            await asyncio.sleep(0.001)
            file.close()
            os.close(reading)
            scope.cancel()
    assert task.cancelled()
    os.close(writing)


@on_each_loop
async def test_what_cannot_be_stopped_fails_the_scope_and_keeps_nothing_else() -> None:
    class Unstoppable:
        background = False

        def stop(self) -> None:
            raise OSError("cannot stop")

        def hurry(self) -> None:
            pass

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope._enter(Unstoppable())
            task = scope.start(asyncio.sleep, 60)
            await asyncio.sleep(0)
            scope.cancel()
    assert [type(error) for error in caught.value.exceptions] == [OSError]
    assert task.cancelled()


# 3. Either style


@on_each_loop
async def test_a_coroutine_function_as_callback_pauses_its_registration() -> None:
    reading, writing = pipe()
    running = 0
    got = []

    async def read(name: str) -> object:
        nonlocal running
        running += 1
        assert running == 1
        got.append((name, os.read(reading, 1)))
        await asyncio.sleep(0.002)
        running -= 1
        return ninth.STOP if len(got) == 3 else None

    async with ninth.scope() as scope:
        registration = scope.on_readable(reading, read, "x")
        os.write(writing, b"abcd")
    assert got == [("x", b"a"), ("x", b"b"), ("x", b"c")]
    assert registration.done
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_a_lambda_that_returns_a_coroutine_works_as_well() -> None:
    done = []

    async def work(value: int) -> None:
        await asyncio.sleep(0)
        done.append(value)

    async with ninth.scope() as scope:
        await scope.after(0, lambda: work(1))
        assert done == [1]


@on_each_loop
async def test_a_registration_is_not_done_while_its_coroutine_runs() -> None:
    async def work() -> None:
        registration.cancel()
        assert not registration.done
        await asyncio.sleep(0.001)

    async with ninth.scope() as scope:
        registration = scope.every(0.001, work)
        await registration
        assert registration.done


@on_each_loop
async def test_lines_wait_for_the_coroutine_of_the_one_before() -> None:
    seen = []

    async def show(line: str) -> None:
        seen.append(f"begin {line}")
        await asyncio.sleep(0.001)
        seen.append(f"end {line}")

    reading, writing = pipe()
    os.write(writing, b"1\n2\n3")
    os.close(writing)
    async with ninth.scope() as scope:
        scope.on_line(reading, show)
    assert seen == ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]
    os.close(reading)


@on_each_loop
async def test_callbacks_run_in_the_context_of_their_registration() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []

    def look() -> None:
        seen.append(variable.get())
        variable.set("changed")

    async with ninth.scope() as scope:
        variable.set("at registration")
        scope.after(0.001, look)
        scope.after(0.002, look)
        variable.set("later")
    assert seen == ["at registration", "at registration"]


# 5. Holding


@on_each_loop
async def test_what_is_in_the_background_does_not_hold_the_scope_open() -> None:
    reading, writing = pipe()
    async with ninth.scope() as scope:
        ticks = scope.every(0.001, lambda: None, background=True)
        reads = scope.on_readable(reading, lambda: None, background=True)
        task = scope.start(asyncio.sleep, 60, background=True)
        child = scope.process("sleep 60", shell=True, background=True)
        scope.start(asyncio.sleep, 0.005)
    assert ticks.done and reads.done and task.cancelled()
    assert child.returncode == -signal.SIGTERM
    assert not scope.cancelled
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_an_error_of_something_in_the_background_counts_also_while_it_is_stopped() -> None:
    async def spoil() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyError("while stopping")

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.start(spoil, background=True)
            await asyncio.sleep(0)
    assert [type(error) for error in caught.value.exceptions] == [KeyError]

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.after(0.001, lambda: 1 / 0, background=True)
            scope.start(asyncio.sleep, 60)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


# Tasks that take their first step at once (Python 3.12)

eager = pytest.mark.skipif(
    not hasattr(asyncio, "eager_task_factory"), reason="eager tasks are new in Python 3.12"
)


@eager
@on_each_loop
async def test_eager_tasks() -> None:
    loop = asyncio.get_running_loop()
    if "uvloop" in type(loop).__module__:
        pytest.skip("uvloop passes eager_start to task factories, which fails on Python 3.13.0")
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    steps = []

    async def fail() -> None:
        raise KeyError("a callback")

    async def cancels() -> None:
        scope.cancel()
        await asyncio.sleep(60)

    async def work() -> None:
        steps.append(1)
        await asyncio.sleep(0.001)
        steps.append(2)

    try:
        with pytest.raises(ExceptionGroup) as caught:
            async with ninth.scope() as scope:
                scope.after(0, fail)
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        async with ninth.scope() as scope:
            task = scope.start(cancels)
        assert task.cancelled()
        async with ninth.scope() as scope:
            scope.start(work)
            scope.after(0, work)
            scope.start(lambda: asyncio.sleep(0))
        assert sorted(steps) == [1, 1, 2, 2]
    finally:
        loop.set_task_factory(None)


# Subscopes


@on_each_loop
async def test_a_subscope_ends_with_its_contents() -> None:
    order: list[str] = []
    async with ninth.scope() as scope:
        inner = scope.subscope(name="inner")
        inner.after(0.001, order.append, "inner")
        inner.every(0.0005, lambda: None, background=True)
        scope.after(0.01, order.append, "outer")
        await asyncio.sleep(0.005)
        with pytest.raises(
            RuntimeError, match="after.. was called on scope 'inner', which has ended"
        ):
            inner.after(0, lambda: None)
        scope.subscope()
    assert order == ["inner", "outer"]


@on_each_loop
async def test_a_subscope_is_cancelled_alone_and_fails_into_its_parent() -> None:
    async with ninth.scope() as scope:
        inner = scope.subscope()
        inner.start(asyncio.sleep, 60)
        inner.after(0, inner.cancel, "done")
    assert inner.cancelled and inner.reason == "done"
    assert not scope.cancelled

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            inner = scope.subscope()
            inner.after(0, lambda: 1 / 0)
            scope.start(asyncio.sleep, 60)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]

    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.subscope(timeout=0.001).start(asyncio.sleep, 60)
    assert [type(error) for error in caught.value.exceptions] == [TimeoutError]


@on_each_loop
async def test_a_parent_stops_its_subscopes() -> None:
    async with ninth.scope() as scope:
        inner = scope.subscope().subscope()
        task = inner.start(asyncio.sleep, 60)
        await asyncio.sleep(0)
        scope.cancel()
    assert task.cancelled()
    assert inner.cancelled


# Bad input

BAD: list[tuple[Callable[[ninth.Scope], object], type[Exception], str]] = [
    (lambda s: s.after("x", print), TypeError, "after.. was given 'x': pass seconds"),  # type: ignore[arg-type]
    (lambda s: s.after(float("nan"), print), ValueError, "after.. was given NaN"),
    (lambda s: s.every(0, print), ValueError, "every.. was given 0 seconds: pass more than zero"),
    (lambda s: s.after(1, 5), TypeError, "after.. was given 5, which cannot be called"),  # type: ignore[arg-type]
    (lambda s: s.after(1, lambda x: x), TypeError, "would call .*<lambda>.x. with 0 arguments"),
    (lambda s: s.after(1, lambda: 0, 5), TypeError, "would call .* with 1 argument:"),
    (lambda s: s.after(1, len), TypeError, "would call len"),
    (lambda s: s.on_line(0, lambda: 0), TypeError, "on_line.. would call"),  # type: ignore[arg-type, misc]
    (lambda s: s.on_line(0, len, on_end=len), TypeError, "on_line.. would call len"),  # type: ignore[arg-type]
    (lambda s: s.on_line(0, len, encoding="utf-16"), ValueError, "encoding='utf-16'"),
    (lambda s: s.on_line(0, len, encoding="none"), LookupError, "unknown encoding: none"),
    (lambda s: s.on_line(0, len, limit=0), ValueError, "pass 1 or more bytes"),
    (lambda s: s.on_exit(1, lambda: 0), TypeError, "on_exit.. would call"),  # type: ignore[arg-type, misc]
    (lambda s: s.after(1, asyncio.sleep(0)), TypeError, "which can run only once: pass the func"),  # type: ignore[arg-type]
    (lambda s: s.start(print, 1), TypeError, "print.., which is no coroutine function"),  # type: ignore[arg-type]
    (lambda s: s.start(asyncio.sleep(0), 1), TypeError, "the coroutine sleep.. and arguments"),
    (lambda s: s.start(5), TypeError, "start.. was given 5: pass a coroutine function"),  # type: ignore[arg-type]
    (
        lambda s: s.on_readable(10**6, print),
        ninth.FileClosedError,
        "on_readable.. was given descriptor 1000000, which is closed",
    ),
    (lambda s: s.on_readable(-1, print), ninth.FileClosedError, "-1, which is closed"),
    (lambda s: s.on_readable("x", print), TypeError, "'x', which is no file"),  # type: ignore[arg-type]
    (lambda s: s.on_signal(9, print), ValueError, "on_signal.. was given SIGKILL"),
    (lambda s: s.on_line(sys.__stdin__, print), TypeError, "on_line.. was given a"),
    (lambda s: s.on_line(0, print, limit="a"), TypeError, "limit='a': pass a number"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("use", "kind", "text"), BAD)
@on_each_loop
async def test_bad_input_is_refused_where_it_is_given(use: Any, kind: Any, text: str) -> None:
    async with ninth.scope() as scope:
        with pytest.raises(kind, match=text):
            use(scope)
        assert repr(scope) == "<Scope open: 0 tasks, 0 others>"


@on_each_loop
async def test_a_scope_is_entered_once_and_used_in_its_block() -> None:
    scope = ninth.scope(name="mine")
    with pytest.raises(
        RuntimeError, match="start.. was called on scope 'mine', which has not been"
    ):
        scope.start(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="not been entered"):
        scope.cancel()
    async with scope:
        with pytest.raises(RuntimeError, match="scope 'mine' was entered before"):
            async with scope:
                pass
    with pytest.raises(RuntimeError, match="scope 'mine' was entered before"):
        async with scope:
            pass
    with pytest.raises(RuntimeError, match="after.. was called on scope 'mine', which has ended"):
        scope.after(0, print)
    with pytest.raises(RuntimeError, match="which has ended: use it inside its block"):
        scope.start(asyncio.sleep, 0)
    scope.cancel()
    async with ninth.scope() as scope:
        scope.cancel("tired")
        with pytest.raises(RuntimeError, match="which is being stopped: .* .'tired'."):
            scope.start(asyncio.sleep(0))


@on_each_loop
async def test_loop_factory_is_for_plain_with_only() -> None:
    with pytest.raises(TypeError, match="loop_factory is for plain `with`"):
        async with ninth.scope(loop_factory=ninth.new_event_loop):
            pass


def test_a_bad_timeout_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="NaN"):
        ninth.scope(timeout=float("nan"))
    with pytest.raises(TypeError, match="pass seconds"):
        ninth.scope(timeout="1")  # type: ignore[arg-type]
