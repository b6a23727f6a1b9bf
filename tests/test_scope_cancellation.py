"""Scopes and cancellation from outside: neither lost nor swallowed, and counted as asyncio does."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest

import ninth
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def stay() -> None:
    await asyncio.sleep(60)


async def cancelled(
    main: Callable[[], Coroutine[Any, Any, None]], times: int = 1
) -> asyncio.Task[None]:
    """Run main as a task, cancel it as often, once it waits, and wait for its end."""
    task = asyncio.create_task(main())
    await asyncio.sleep(0.001)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.001)
    await asyncio.wait([task])
    return task


@on_each_loop
async def test_it_leaves_as_cancelled_error_after_everything_is_stopped() -> None:
    ended = []

    async def work() -> None:
        try:
            await stay()
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    async def in_the_body() -> None:
        async with ninth.scope() as scope:
            scope.start(work)
            await stay()

    async def at_the_end() -> None:
        async with ninth.scope() as scope:
            scope.start(work)

    for main in (in_the_body, at_the_end):
        task = await cancelled(main)
        assert task.cancelled()
        assert task.cancelling() == 1
    assert ended == ["task", "task"]


@on_each_loop
async def test_the_scope_knows_why() -> None:
    scopes = []

    async def main() -> None:
        async with ninth.scope() as scope:
            scopes.append(scope)
            await stay()

    await cancelled(main)
    assert scopes[0].cancelled
    assert isinstance(scopes[0].reason, asyncio.CancelledError)


@on_each_loop
async def test_with_errors_the_group_leaves_and_the_cancellation_stays_counted() -> None:
    seen: list[object] = []

    async def spoil() -> None:
        try:
            await stay()
        finally:
            raise OSError("while stopping")

    async def main() -> None:
        try:
            async with ninth.scope() as scope:
                scope.start(spoil)
                await stay()
        except* OSError as group:
            seen.append(len(group.exceptions))
        seen.append(current().cancelling())
        await asyncio.sleep(0)
        seen.append("next await")

    task = await cancelled(main)
    assert seen[:2] == [1, 1]
    # From 3.13 on a cancellation can be requested anew without being left behind.
    again = sys.version_info >= (3, 13)
    assert task.cancelled() == again
    assert ("next await" in seen) != again


@on_each_loop
async def test_a_child_that_fails_while_the_scope_is_cancelled_loses_nothing() -> None:
    """cpython#116720: TaskGroup of 3.11 and 3.12 loses the cancellation."""

    async def main() -> None:
        async with ninth.scope() as outer:
            try:
                async with ninth.scope() as scope:
                    scope.start(asyncio.sleep, 60)

                    def fail() -> None:
                        # Both in one turn: the error, and the cancellation from outside.
                        task.cancel()
                        raise OSError

                    scope.after(0.001, fail)
                    await stay()
            except* OSError:
                pass
            assert current().cancelling() == 1
            del outer

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    assert task.cancelling() == 1
    assert task.cancelled() or task.exception() is None


@on_each_loop
async def test_our_own_request_and_one_from_outside_in_the_same_turn() -> None:
    reached = []

    async def main() -> None:
        async with ninth.scope() as scope:

            def both() -> None:
                scope.cancel()
                task.cancel()

            scope.after(0.001, both)
            await stay()
        reached.append("behind the block")

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    assert task.cancelled()
    assert reached == []


@on_each_loop
async def test_a_body_that_ends_with_a_cancellation_undelivered() -> None:
    """Cancelled from outside while it runs, and then it does not await any more."""
    reached = []

    async def main() -> None:
        async with ninth.scope() as scope:
            scope.cancel()
            current().cancel()
        reached.append("behind the block")

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    assert task.cancelled()
    assert reached == []


@on_each_loop
async def test_a_scope_entered_with_a_cancellation_undelivered_does_not_take_it() -> None:
    reached = []

    async def main() -> None:
        current().cancel()
        async with ninth.scope() as scope:
            scope.cancel()
            await asyncio.sleep(0)
        reached.append("behind the block")

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    assert task.cancelled()
    assert reached == []


@on_each_loop
async def test_a_scope_used_for_clean_up_in_a_cancelled_task_works_as_any_other() -> None:
    done = []

    async def main() -> None:
        try:
            await stay()
        finally:
            async with ninth.scope() as scope:
                scope.start(asyncio.sleep, 0.001)
            done.append("left")
            async with ninth.scope() as scope:
                scope.after(0.001, scope.cancel)
                await stay()
            done.append("cancelled by itself")
            try:
                async with ninth.scope(timeout=0.001):
                    await stay()
            except TimeoutError:
                done.append("timed out")

    task = await cancelled(main)
    await asyncio.wait([task])
    assert task.cancelled()
    assert done == ["left", "cancelled by itself", "timed out"]


@on_each_loop
async def test_a_body_that_swallows_a_cancellation_has_done_so() -> None:
    async def main() -> None:
        async with ninth.scope():
            try:
                await stay()
            except asyncio.CancelledError:
                pass

    task = await cancelled(main)
    assert not task.cancelled()
    assert task.exception() is None


@on_each_loop
async def test_cancelled_over_and_over_while_it_stops() -> None:
    ended = []

    async def slow() -> None:
        try:
            await stay()
        finally:
            for _ in range(3):
                try:
                    await asyncio.sleep(0.005)
                except asyncio.CancelledError:
                    ended.append("hurried")
            ended.append("ended")

    async def main() -> None:
        async with ninth.scope() as scope:
            scope.start(slow)
            await stay()

    task = await cancelled(main, times=3)
    assert task.cancelled()
    assert task.cancelling() == 3
    assert ended == ["hurried", "hurried", "ended"]


@on_each_loop
async def test_a_second_cancellation_skips_the_grace_of_a_child() -> None:
    loop = asyncio.get_running_loop()
    children = []

    async def main() -> None:
        async with ninth.scope() as scope:
            child = scope.process(
                "trap '' TERM; echo ready; while :; do sleep 1; done",
                shell=True,
                stdout=-1,
                grace=60,
            )
            children.append(child)
            assert child.stdout is not None
            await child.stdout.read_line()
            started.set()

    started = asyncio.Event()
    task = asyncio.create_task(main())
    await started.wait()
    start = loop.time()
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert loop.time() - start < 10
    assert children[0].returncode == -9


@on_each_loop
async def test_an_awaited_task_that_is_cancelled_looks_like_a_cancellation() -> None:
    """As in TaskGroup: a CancelledError that nobody asked for is passed on."""

    async def main() -> None:
        async with ninth.scope() as scope:
            task = scope.start(stay)
            scope.after(0.001, task.cancel)
            await task

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    assert task.cancelled()


# With asyncio's own


@on_each_loop
async def test_inside_an_asyncio_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            async with ninth.scope() as scope:
                scope.start(stay)
    assert current().cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            async with ninth.scope():
                await stay()
    await asyncio.sleep(0.001)


@on_each_loop
async def test_inside_an_asyncio_timeout_with_an_error() -> None:
    async def spoil() -> None:
        try:
            await stay()
        finally:
            raise OSError

    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(0.1):  # time for the task to begin
            async with ninth.scope() as scope:
                scope.start(spoil)
    assert current().cancelling() == 0
    # Nothing is left behind that would break in here.
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)


@on_each_loop
async def test_around_an_asyncio_timeout() -> None:
    async with ninth.scope() as scope:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await stay()
        scope.after(0.001, scope.cancel)
        async with asyncio.timeout(60):
            await stay()
    assert current().cancelling() == 0


@on_each_loop
async def test_inside_a_task_group() -> None:
    async def inner() -> None:
        async with ninth.scope() as scope:
            scope.start(stay)

    async def fail() -> None:
        await asyncio.sleep(0.001)
        raise OSError

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner())
            group.create_task(fail())
            async with ninth.scope():
                await stay()
    assert [type(error) for error in caught.value.exceptions] == [OSError]
    assert current().cancelling() == 0
    await asyncio.sleep(0)


@on_each_loop
async def test_around_a_task_group() -> None:
    async def fail() -> None:
        raise OSError

    async with ninth.scope() as scope:
        scope.after(0.001, scope.cancel)
        async with asyncio.TaskGroup() as group:
            group.create_task(stay())
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope(), asyncio.TaskGroup() as group:
            group.create_task(fail())
    (inner,) = caught.value.exceptions
    assert isinstance(inner, ExceptionGroup)
    # TaskGroup of 3.11 and 3.12 does not take back its own request here.
    assert current().cancelling() == (sys.version_info < (3, 13))


@on_each_loop
async def test_nested_scopes_absorb_only_their_own() -> None:
    order = []
    async with ninth.scope() as outer:
        outer.after(0.001, outer.cancel)
        async with ninth.scope() as inner:
            inner.start(stay)
            await stay()
        order.append("between")
    order.append("behind")
    assert order == ["behind"]
    assert outer.cancelled and inner.cancelled
    assert current().cancelling() == 0

    async with ninth.scope() as outer:
        async with ninth.scope() as inner:
            inner.after(0.001, inner.cancel)
            await stay()
        await asyncio.sleep(0)
        order.append("between")
    assert order == ["behind", "between"]
    assert not outer.cancelled


@on_each_loop
async def test_nested_scopes_that_are_both_cancelled_in_one_turn() -> None:
    def both() -> None:
        inner.cancel()
        outer.cancel()

    async with ninth.scope() as outer:
        async with ninth.scope() as inner:
            outer.after(0.001, both)
            await stay()
        await stay()
    assert current().cancelling() == 0
    await asyncio.sleep(0)


@on_each_loop
async def test_all_at_once() -> None:
    """The timeout, then an error in the body and in a task, and a cancellation from outside."""

    async def spoil() -> None:
        try:
            await stay()
        finally:
            task.cancel()
            raise KeyError("task")

    async def main() -> None:
        async with ninth.scope(timeout=0.1) as scope:  # time for the task to begin
            scope.start(spoil)
            try:
                await stay()
            finally:
                raise OSError("body")

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    group = task.exception()
    assert isinstance(group, ExceptionGroup)
    names = sorted(type(error).__name__ for error in group.exceptions)
    assert names == ["KeyError", "OSError", "TimeoutError"]
    assert task.cancelling() == 1


@on_each_loop
async def test_an_error_in_a_callback_the_body_and_a_task_and_from_outside() -> None:
    async def spoil() -> None:
        try:
            await stay()
        finally:
            raise KeyError("task")

    async def main() -> None:
        async with ninth.scope() as scope:

            def fail() -> None:
                task.cancel()
                raise ValueError("callback")

            scope.start(spoil)
            await asyncio.sleep(0)
            scope.after(0, fail)
            try:
                await stay()
            finally:
                await asyncio.sleep(0.001)
                raise OSError("body")

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    group = task.exception()
    assert isinstance(group, ExceptionGroup)
    names = sorted(type(error).__name__ for error in group.exceptions)
    assert names == ["KeyError", "OSError", "ValueError"]
    assert task.cancelling() == 1


@on_each_loop
async def test_closing_an_asynchronous_generator_stops_its_scope_without_an_error() -> None:
    ended = []

    async def work() -> None:
        try:
            await stay()
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    async def generate() -> AsyncGenerator[int, None]:
        async with ninth.scope() as scope:
            scope.start(work)
            await asyncio.sleep(0)
            yield 1

    numbers = generate()
    assert await anext(numbers) == 1
    await numbers.aclose()
    assert ended == ["task"]
    assert current().cancelling() == 0
    await asyncio.sleep(0)


@on_each_loop
async def test_a_coroutine_that_is_thrown_away_unregisters_its_callbacks() -> None:
    def never() -> None:
        raise AssertionError("called in a scope that nobody waits for")

    registrations = []

    async def main() -> None:
        async with ninth.scope() as scope:
            registrations.append(scope.after(0.001, never))
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(main())
    await asyncio.sleep(0)
    coroutine = task.get_coro()
    assert coroutine is not None
    coroutine.close()
    assert registrations[0].done
    await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
