"""Laws that promises keep, whatever the values and functions: monad laws, combinators, order."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ninth
from ninth import Promise
from tests.loops import FACTORIES

# Steady in CI: the same examples each time, and no limit of time on a busy machine.
on_ninth = settings(derandomize=True, deadline=None, max_examples=150)
on_others = settings(derandomize=True, deadline=None, max_examples=25)


class Thenable:
    """A promise of somebody else."""

    def __init__(self, value: Any, fails: bool = False) -> None:
        self.value = value
        self.fails = fails

    def then(self, resolve: Callable[[Any], object], reject: Callable[[Any], object]) -> None:
        (reject if self.fails else resolve)(self.value)


async def later(value: Any, turns: int = 1) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def fail_later(error: Exception) -> Any:
    await asyncio.sleep(0)
    raise error


def future_of(value: Any) -> asyncio.Future[Any]:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, value)
    return future


# What a function may do with a number, and what it returns, by its name.
FORMS: dict[str, Callable[[int], Any]] = {
    "plain": lambda number: number + 1,
    "resolved": lambda number: Promise.resolve(number + 2),
    "chained": lambda number: Promise.resolve(number).then(lambda it: it + 3),
    "coroutine": lambda number: later(number + 4),
    "future": lambda number: future_of(number + 5),
    "thenable": lambda number: Thenable(number + 6),
    "rejected": lambda number: Promise.reject(ValueError(number + 7)),
    "failing": lambda number: fail_later(KeyError(number + 8)),
    "broken": lambda number: Thenable(LookupError(number + 9), fails=True),
    "raising": lambda number: raise_(TypeError(number + 10)),
}


def raise_(error: Exception) -> Any:
    raise error


functions = st.sampled_from(sorted(FORMS)).map(FORMS.__getitem__)
numbers = st.integers(-1000, 1000)
loops = pytest.mark.parametrize("loop", FACTORIES)


async def outcome(promise: Any) -> tuple[str, Any]:
    """Return what came of a promise, so that two can be compared."""
    try:
        return "fulfilled", await promise
    except Exception as error:
        return type(error).__name__, error.args


def run(main: Callable[[], Any], loop: str = "ninth") -> Any:
    return ninth.run(main, loop_factory=FACTORIES[loop])


def check_laws(
    start: Callable[[int], Any],
    f: Callable[[int], Any],
    g: Callable[[int], Any],
    value: int,
    loop: str,
) -> None:
    def promised(function: Callable[[int], Any], number: int) -> Any:
        """Apply a function as then() does."""
        return Promise.resolve(number).then(function)

    async def main() -> None:
        # Left identity: to lift a value and bind a function is to apply it.
        left = await outcome(Promise.resolve(value).then(f))
        try:
            direct = await outcome(Promise.resolve(f(value)))
        except Exception as error:
            direct = type(error).__name__, error.args
        assert left == direct
        # Right identity: to bind what lifts changes nothing.
        once = await outcome(promised(start, value))
        assert once == await outcome(promised(start, value).then(Promise.resolve))
        # Associativity: how a chain is nested does not matter.
        chained = await outcome(promised(start, value).then(f).then(g))
        nested = await outcome(promised(start, value).then(lambda it: promised(f, it).then(g)))
        assert chained == nested
        # Handlers: one that throws again changes nothing, catch() is then() with the second only.
        assert once == await outcome(promised(start, value).catch(raise_))
        assert once == await outcome(promised(start, value).finally_(lambda: 99))

    run(main, loop)


@on_ninth
@given(functions, functions, functions, numbers)
def test_laws(start: Any, f: Any, g: Any, value: int) -> None:
    check_laws(start, f, g, value, "ninth")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@on_others
@given(start=functions, f=functions, g=functions, value=numbers)
def test_laws_on_other_loops(loop: str, start: Any, f: Any, g: Any, value: int) -> None:
    check_laws(start, f, g, value, loop)


# Combinators, beside what the specification says they are

inputs = st.lists(st.tuples(st.sampled_from(sorted(FORMS)), numbers), max_size=6)


def made(kind: str, number: int) -> Any:
    """Return what a form gives, a rejection in place of what it raises."""
    try:
        return FORMS[kind](number)
    except Exception as error:
        return Promise.reject(error)


async def check_combinators(given_inputs: list[tuple[str, int]]) -> None:
    def fresh() -> list[Any]:
        return [made(kind, number) for kind, number in given_inputs]

    expected = [await outcome(Promise.resolve(one)) for one in fresh()]
    values = [value for kind, value in expected if kind == "fulfilled"]
    reasons = [one for one in expected if one[0] != "fulfilled"]

    everything = await outcome(Promise.all(fresh()))
    if reasons:
        # The first in time, not in order.
        assert everything in reasons
    else:
        assert everything == ("fulfilled", values)

    settled = await Promise.all_settled(fresh())
    assert [
        ("fulfilled", one.value)
        if one.status == "fulfilled"
        else (type(one.reason).__name__, one.reason.args)
        for one in settled
    ] == expected

    if expected:
        assert await outcome(Promise.race(fresh())) in expected
    else:
        race = Promise.race(fresh())
        await later(None, 5)
        assert not race.done()

    any_of = Promise.any(fresh())
    if values:
        assert await any_of in values
    elif expected:
        with pytest.raises(ExceptionGroup) as raised:
            await any_of
        got = [(type(error).__name__, error.args) for error in raised.value.exceptions]
        assert got == expected
    else:
        with pytest.raises(ValueError, match="given nothing"):
            await any_of


@on_ninth
@given(inputs)
def test_combinators(given_inputs: list[tuple[str, int]]) -> None:
    run(lambda: check_combinators(given_inputs))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@on_others
@given(given_inputs=inputs)
def test_combinators_on_other_loops(loop: str, given_inputs: list[tuple[str, int]]) -> None:
    run(lambda: check_combinators(given_inputs), loop)


@on_ninth
@given(st.permutations(range(5)), st.integers(0, 4))
def test_combinators_go_by_time(order: list[int], failing: int) -> None:
    """What is settled first decides, whatever its place in the input."""

    async def main() -> None:
        triples = [Promise.with_resolvers() for _ in order]
        promises = [promise for promise, _, _ in triples]
        # Made now, so that every rejection has its handler.
        all_of, any_of = Promise.all(promises), Promise.any(promises)
        race, settled = Promise.race(promises), Promise.all_settled(promises)
        for place in order:
            _, resolve, reject = triples[place]
            if place == failing:
                reject(ValueError(place))
            else:
                resolve(place)
            await later(None, 3)
        with pytest.raises(ValueError, match=str(failing)):
            await all_of
        assert await any_of == next(place for place in order if place != failing)
        expected = ("ValueError", (order[0],)) if order[0] == failing else ("fulfilled", order[0])
        assert await outcome(race) == expected
        assert [one.status == "rejected" for one in await settled] == [
            place == failing for place in range(5)
        ]

    run(main)


# The order of callbacks

steps = st.lists(st.sampled_from(["then", "resolve", "nested"]), min_size=1, max_size=12)


@on_ninth
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_chains_take_turns(lengths: list[int]) -> None:
    """Chains that begin together take their steps in turns, each turn in the order of beginning."""
    log: list[tuple[int, int]] = []

    def step(chain: int, number: int) -> Callable[[Any], None]:
        return lambda _: log.append((number, chain))

    async def main() -> None:
        ends = []
        for chain, length in enumerate(lengths):
            promise: Any = Promise.resolve(None)
            for number in range(length):
                promise = promise.then(step(chain, number))
            ends.append(promise)
        assert log == []
        await Promise.all(ends)

    run(main)
    assert log == sorted(log)
    assert len(log) == sum(lengths)


@on_ninth
@given(steps)
def test_callbacks_run_in_the_order_in_which_they_became_due(plan: list[str]) -> None:
    """Never within the call that makes them due, and first come, first served."""
    called: list[int] = []
    due: list[int] = []

    async def main() -> None:
        ready = Promise.resolve(0)
        waiting: list[Callable[..., None]] = []
        counter = iter(range(1000))

        def register(promise: Any, is_due: bool) -> int:
            number = next(counter)
            promise.then(lambda _: called.append(number))
            if is_due:
                due.append(number)
            return number

        for one in plan:
            before = list(called)
            if one == "then":
                register(ready, True)
            elif one == "resolve":
                promise, resolve, _ = Promise.with_resolvers()
                numbers = [register(promise, False) for _ in range(2)]
                waiting.append(resolve)
                resolve(0)
                due.extend(numbers)
            else:
                ready.then(lambda _: register(ready, False))
            assert called == before
        await later(None, 10)

    run(main)
    # What was registered from within a callback comes after all that was due before.
    assert [number for number in called if number in due] == due
    assert called[: len(due)] == due
