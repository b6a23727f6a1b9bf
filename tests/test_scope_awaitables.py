"""A callback may return whatever can be awaited; it is treated as its coroutine is."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

import ninth
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


class Custom:
    """An awaitable of somebody's own."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self.future)


def made(kind: str, future: asyncio.Future[Any]) -> Any:
    if kind == "future":
        return future
    if kind == "task":
        return asyncio.ensure_future(asyncio.wait_for(future, None))
    if kind == "condition":
        return ninth.finished(future)
    return Custom(future)


AWAITABLES = pytest.mark.parametrize("kind", ["future", "task", "condition", "custom"])


@AWAITABLES
@on_each_loop
async def test_it_is_awaited_as_part_of_the_scope(kind: str) -> None:
    future = asyncio.get_running_loop().create_future()
    async with ninth.scope() as scope:
        registration = scope.after(0, lambda: made(kind, future))
        scope.after(0.001, future.set_result, 1)
    assert registration.done
    assert future.done()


@AWAITABLES
@on_each_loop
async def test_its_error_fails_the_scope_with_the_place(kind: str) -> None:
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(ExceptionGroup) as caught:
        async with ninth.scope() as scope:
            scope.after(0, lambda: made(kind, future))
            scope.after(0.001, future.set_exception, OSError("late"))
            scope.start(asyncio.sleep, 60)
    (error,) = caught.value.exceptions
    assert isinstance(error, OSError)
    assert "registered by test_its_error" in error.__notes__[0]


@on_each_loop
async def test_the_registration_is_paused_and_stop_is_heard() -> None:
    loop = asyncio.get_running_loop()
    running: list[asyncio.Future[Any]] = []

    def begin() -> asyncio.Future[Any]:
        assert all(one.done() for one in running)
        future = loop.create_future()
        loop.call_later(0.003, future.set_result, ninth.STOP if len(running) == 2 else None)
        running.append(future)
        return future

    async with ninth.scope() as scope:
        scope.every(0.001, begin)
    assert len(running) == 3


@on_each_loop
async def test_a_scope_that_is_cancelled_cancels_it() -> None:
    future = asyncio.get_running_loop().create_future()

    def begin() -> asyncio.Future[Any]:
        scope.after(0.001, scope.cancel)
        return future

    async with ninth.scope() as scope:
        scope.after(0, begin)
    assert future.cancelled()


@on_each_loop
async def test_what_is_returned_by_a_callback_that_ended_the_scope_is_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()

    def end() -> asyncio.Future[Any]:
        scope.cancel()
        return future

    async with ninth.scope() as scope:
        scope.after(0, end)
    assert future.cancelled()
