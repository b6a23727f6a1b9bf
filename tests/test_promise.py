"""Promises: chains, combinators, where they belong, and rejections that nobody handles."""

import asyncio
import gc
import itertools
from typing import Any

import pytest

import ninth
from ninth import Promise
from ninth.promise import Fulfilled
from tests.loops import on_each_loop


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


def test_callbacks_only() -> None:
    seen: list[Any] = []
    with ninth.scope() as scope:
        scope.promise(later(3)).then(lambda value: value + 1).then(seen.append)
        Promise.all([1, later(2), Promise.resolve(3)]).then(seen.append)
    assert sorted(seen, key=str) == [4, [1, 2, 3]]


def test_an_unhandled_rejection_fails_the_scope() -> None:
    def show() -> None:
        Promise.reject(ValueError("no"))

    with pytest.raises(ExceptionGroup) as caught, ninth.scope():
        show()
    (error,) = caught.value.exceptions
    assert "show() at tests/test_promise.py:" in error.__notes__[0]


@on_each_loop
async def test_long_chains_and_deep_adoption() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    last = promise
    for _ in range(100_000):
        last = last.then(lambda value: value + 1)
    resolve(0)
    assert await last == 100_000
    links = [Promise.with_resolvers() for _ in range(100_000)]
    for outer, inner in itertools.pairwise(links):
        outer[1](inner[0])
    links[-1][1](7)
    assert await links[0][0] == 7


@on_each_loop
async def test_combinators() -> None:
    error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await Promise.all([later(1), Promise.reject(error)])
    first, second = await Promise.all_settled([later(error), 2])
    assert (first.status, second.status) == ("rejected", "fulfilled")
    assert isinstance(second, Fulfilled) and second.value == 2
    assert await Promise.any([Promise.reject(error), later(5)]) == 5
    with pytest.raises(ExceptionGroup) as caught:
        await Promise.any([later(error), Promise.reject(KeyError(1))])
    assert [type(one) for one in caught.value.exceptions] == [ValueError, KeyError]
    with pytest.raises(ValueError, match="nothing"):
        await Promise.any([])
    assert await Promise.race([Promise.with_resolvers()[0], 1]) == 1


@on_each_loop
async def test_a_loop_hears_once_of_a_chain() -> None:
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    Promise.reject(KeyError(1)).then(lambda _: 1).then(lambda _: 2)
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    assert len(heard) == 1
    assert "tests/test_promise.py:" in heard[0]["message"]


@on_each_loop
async def test_bad_input() -> None:
    bad: Any = "reason"
    with pytest.raises(TypeError, match="pass an exception"):
        Promise.reject(bad)
    with pytest.raises(TypeError, match="with_resolvers"):
        Promise(print)  # type: ignore[arg-type]
    promise, resolve, _ = Promise.with_resolvers()
    resolve(promise)
    with pytest.raises(TypeError, match="itself"):
        await promise
