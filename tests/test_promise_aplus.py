"""Promises/A+, clause by clause, over ninth's, asyncio's and uvloop's loops.

The numbers are those of the specification, https://promisesaplus.com, version 1.1.1.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ninth import Promise
from tests.loops import on_each_loop


class Boom(Exception):  # noqa: N818
    """A reason."""


async def turns(count: int = 10) -> None:
    """Let everything that is due happen."""
    for _ in range(count):
        await asyncio.sleep(0)


class Thenable:
    """Not a promise of ours: calls what it is told to with the two functions it is given."""

    def __init__(self, act: Callable[[Any, Any], object]) -> None:
        self.act = act
        self.asked = 0

    @property
    def then(self) -> Any:
        self.asked += 1
        return self.act


def settled(kind: str) -> Any:
    """Return a promise that is settled, later or already."""
    promise, resolve, reject = Promise.with_resolvers()

    def settle() -> None:
        if "fulfilled" in kind:
            resolve("value")
        else:
            reject(Boom())

    if "later" in kind:
        asyncio.get_running_loop().call_later(0.001, settle)
    else:
        settle()
    return promise


@on_each_loop
async def test_2_1_a_settled_promise_stays_as_it_is() -> None:
    promise, resolve, reject = Promise.with_resolvers()
    resolve(1)
    resolve(2)
    reject(Boom())
    assert await promise == 1
    promise, resolve, reject = Promise.with_resolvers()
    reason = Boom()
    reject(reason)
    resolve(1)
    reject(ValueError())
    with pytest.raises(Boom) as caught:
        await promise
    assert caught.value is reason


@on_each_loop
async def test_2_2_1_what_is_not_callable_is_ignored() -> None:
    nothing: Any
    for nothing in (None, 5, "text", {}):
        assert await settled("fulfilled").then(nothing, nothing) == "value"
        with pytest.raises(Boom):
            await settled("rejected, later").then(nothing, nothing)


@on_each_loop
async def test_2_2_2_and_2_2_3_one_callback_is_called_once_with_one_argument() -> None:
    for kind in ("fulfilled", "fulfilled later", "rejected", "rejected later"):
        seen: list[Any] = []
        promise = settled(kind)
        promise.then(
            lambda *given, seen=seen: seen.append(("fulfilled", given)),
            lambda *given, seen=seen: seen.append(("rejected", given)),
        )
        await promise.catch(lambda _: None)
        await turns()
        ((how, given),) = seen
        assert how in kind
        assert len(given) == 1


@on_each_loop
async def test_2_2_4_callbacks_are_not_called_before_then_returns() -> None:
    order: list[str] = []
    promise, resolve, _ = Promise.with_resolvers()
    resolve(None)
    promise.then(lambda _: order.append("called"))
    order.append("returned")
    await turns()
    promise, resolve, _ = Promise.with_resolvers()
    promise.then(lambda _: order.append("called again"))
    resolve(None)
    order.append("resolved")
    await turns()
    assert order == ["returned", "called", "resolved", "called again"]


@on_each_loop
async def test_2_2_6_several_callbacks_run_in_the_order_of_then() -> None:
    order: list[int] = []
    promise, resolve, _ = Promise.with_resolvers()

    def nested(_: Any) -> None:
        order.append(1)
        promise.then(lambda _: order.append(4))

    promise.then(nested)
    failing = promise.then(lambda _: 1 // 0)
    promise.then(lambda _: order.append(2))
    promise.then(lambda _: order.append(3))
    resolve(None)
    with pytest.raises(ZeroDivisionError):
        await failing
    await turns()
    assert order == [1, 2, 3, 4]


@on_each_loop
async def test_2_2_7_what_then_returns_follows_the_callback() -> None:
    def fail(_: Any) -> None:
        raise Boom

    assert await settled("fulfilled").then(lambda value: value + "!") == "value!"
    assert await settled("rejected").then(None, lambda _: "mended") == "mended"
    for promise in (settled("fulfilled").then(fail), settled("rejected").then(None, fail)):
        with pytest.raises(Boom):
            await promise


@on_each_loop
async def test_2_3_1_a_promise_that_is_resolved_with_itself() -> None:
    promise: Any = None

    def itself(_: Any) -> Any:
        return promise

    promise = settled("fulfilled later").then(itself)
    with pytest.raises(TypeError):
        await promise


@on_each_loop
async def test_2_3_2_the_state_of_a_promise_is_adopted() -> None:
    for kind in ("fulfilled", "fulfilled later"):
        assert await Promise.resolve().then(lambda _, kind=kind: settled(kind)) == "value"
    for kind in ("rejected", "rejected later"):
        with pytest.raises(Boom):
            await Promise.resolve().then(lambda _, kind=kind: settled(kind))
    outer, resolve, reject = Promise.with_resolvers()
    inner, resolve_inner, _ = Promise.with_resolvers()
    resolve(inner)
    resolve("too late")
    reject(Boom())
    await turns()
    assert not outer.done()
    resolve_inner("in time")
    assert await outer == "in time"


@on_each_loop
async def test_2_3_3_thenables_are_adopted() -> None:
    thenable = Thenable(lambda resolve, _: resolve("value"))
    assert await Promise.resolve(thenable) == "value"
    assert thenable.asked == 1
    later = Thenable(lambda resolve, _: asyncio.get_running_loop().call_soon(resolve, "later"))
    assert await Promise.resolve().then(lambda _: later) == "later"
    with pytest.raises(Boom):
        await Promise.resolve(Thenable(lambda _, reject: reject(Boom())))
    nested = Thenable(lambda resolve, _: resolve(Thenable(lambda again, _: again("deep"))))
    assert await Promise.resolve(nested) == "deep"


@on_each_loop
async def test_2_3_3_2_asking_for_then_may_fail() -> None:
    class Hostile:
        @property
        def then(self) -> Any:
            raise Boom

    with pytest.raises(Boom):
        await Promise.resolve().then(lambda _: Hostile())


@on_each_loop
async def test_2_3_3_3_the_first_call_of_a_thenable_counts() -> None:
    def twice(resolve: Any, reject: Any) -> None:
        resolve(1)
        resolve(2)
        reject(Boom())
        raise ValueError

    assert await Promise.resolve(Thenable(twice)) == 1

    def rejecting(resolve: Any, reject: Any) -> None:
        reject(Boom())
        resolve(1)
        raise ValueError

    with pytest.raises(Boom):
        await Promise.resolve(Thenable(rejecting))

    def failing(_resolve: Any, _reject: Any) -> None:
        raise Boom

    with pytest.raises(Boom):
        await Promise.resolve(Thenable(failing))

    pending, resolve_later, _ = Promise.with_resolvers()

    def waiting(resolve: Any, _reject: Any) -> None:
        resolve(pending)
        raise ValueError

    outer = Promise.resolve(Thenable(waiting))
    await turns()
    assert not outer.done()
    resolve_later("first")
    assert await outer == "first"


@on_each_loop
async def test_2_3_3_4_a_then_that_is_not_callable_makes_a_value() -> None:
    class Odd:
        then = 5

    odd = Odd()
    assert await Promise.resolve(odd) is odd
    values: list[Any] = [None, 0, "", [], object]
    for value in values:
        assert await Promise.resolve().then(lambda _, value=value: value) is value


@on_each_loop
async def test_awaitables_are_adopted_as_promises_are() -> None:
    async def work(value: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        return value

    def task(value: Any) -> asyncio.Task[Any]:
        return asyncio.ensure_future(work(value))

    for make in (work, task):
        assert await Promise(make(1)).then(make) == 1
        assert await Promise.resolve(2).then(make) == 2
        with pytest.raises(Boom):
            await Promise.resolve(Boom()).then(make)
    assert await Promise.resolve(3).then(work).finally_(lambda: work(None)) == 3
    with pytest.raises(Boom):
        await Promise.resolve(4).finally_(lambda: work(Boom()))


@on_each_loop
async def test_cancelling_who_awaits_does_not_reject() -> None:
    promise, resolve, _ = Promise.with_resolvers()

    async def waiting() -> Any:
        return await promise

    task = asyncio.ensure_future(waiting())
    other = asyncio.ensure_future(waiting())
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not promise.done()
    resolve("still")
    assert await other == "still"


@on_each_loop
async def test_the_order_of_two_chains_is_that_of_javascript() -> None:
    order: list[str] = []

    def note(text: str) -> Callable[[Any], None]:
        return lambda _: order.append(text)

    Promise.resolve().then(note("a1")).then(note("a2")).then(note("a3"))
    Promise.resolve().then(note("b1")).then(note("b2")).then(note("b3"))
    await turns(20)
    assert order == ["a1", "b1", "a2", "b2", "a3", "b3"]


@on_each_loop
async def test_combinators_take_values_promises_tasks_and_thenables() -> None:
    async def work() -> str:
        return "task"

    def inputs() -> list[Any]:
        thenable = Thenable(lambda resolve, _: resolve("thenable"))
        return ["value", settled("fulfilled later"), asyncio.ensure_future(work()), thenable]

    values = ["value", "value", "task", "thenable"]
    assert await Promise.all(inputs()) == values
    assert await Promise.all(iter(inputs())) == values
    assert await Promise.all([]) == []
    assert await Promise.all_settled([]) == []
    outcomes: list[Any] = await Promise.all_settled([settled("rejected later"), 1])
    assert [one.status for one in outcomes] == ["rejected", "fulfilled"]
    assert isinstance(outcomes[0].reason, Boom)
    assert outcomes[1].value == 1
    assert await Promise.race([settled("fulfilled later"), "first"]) == "first"
    assert await Promise.any([settled("rejected"), settled("fulfilled later")]) == "value"
    with pytest.raises(ExceptionGroup) as caught:
        await Promise.any([settled("rejected later"), Promise.reject(ValueError(1))])
    assert [type(one) for one in caught.value.exceptions] == [Boom, ValueError]
    with pytest.raises(Boom):
        await Promise.all([settled("fulfilled later"), settled("rejected")])

    def broken() -> Any:
        yield 1
        raise Boom

    for combine in (Promise.all, Promise.all_settled, Promise.race, Promise.any):
        for bad, kind in ((broken(), Boom), (5, TypeError)):
            with pytest.raises(kind):
                result: Any = combine(bad)  # type: ignore[arg-type]
                await result
