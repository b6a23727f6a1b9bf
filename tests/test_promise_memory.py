"""Nothing that promises held is kept by them when they are gone, without any garbage collection."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from ninth import Promise
from tests.loops import on_each_loop


class Thing:
    """What can be referred to weakly."""


class Failure(Exception):  # noqa: N818  (the name says it)
    """An error that can be referred to weakly."""


async def turns(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


raised: list[weakref.ref[BaseException]] = []


def fail(_: object) -> Any:
    """Raise what no frame has a name for: a traceback holds its frames, and they their names."""
    try:
        raise Failure
    except Failure as error:
        raised.append(weakref.ref(error))
        raise


# Each makes promises around a thing, and lets go of them.
USES: dict[str, Callable[[Any], Any]] = {
    "resolve": Promise.resolve,
    "chain": lambda thing: Promise.resolve(thing).then(lambda it: it).then(lambda it: it),
    "adoption": lambda thing: Promise.resolve(None).then(lambda _: Promise.resolve(thing)),
    "finally": lambda thing: Promise.resolve(thing).finally_(lambda: None),
    "all": lambda thing: Promise.all([thing, Promise.resolve(thing)]),
    "all settled": lambda thing: Promise.all_settled([thing, Promise.resolve(thing)]),
    "race": lambda thing: Promise.race([thing, Promise.with_resolvers()[0]]),
    "any": lambda thing: Promise.any([Promise.with_resolvers()[0], thing]),
}


@on_each_loop
async def test_values_are_let_go_of(no_collection: None) -> None:
    for name, use in USES.items():
        thing = Thing()
        seen = weakref.ref(thing)
        promise = use(thing)
        del thing
        await turns()
        assert await promise is not None, name
        del promise
        await turns(2)
        assert seen() is None, name


@on_each_loop
async def test_a_promise_that_is_kept_holds_only_its_value(no_collection: None) -> None:
    """Not those that it came from, nor the callbacks that made it."""
    first: Any = Thing()
    context = Thing()
    seen = [weakref.ref(first), weakref.ref(context)]

    def derive(it: Thing, context: Thing = context) -> int:
        return 42

    promise = Promise.resolve(first).then(derive).then(lambda it: it + 1)
    del first, context, derive
    await turns()
    assert await promise == 43
    assert [one() for one in seen] == [None, None]


@on_each_loop
async def test_resolvers_do_not_keep_what_they_settled(no_collection: None) -> None:
    promise, resolve, reject = Promise.with_resolvers()
    thing = Thing()
    seen = weakref.ref(thing)
    resolve(thing)
    del thing
    await promise
    del promise
    await turns()
    assert seen() is None
    resolve(1)
    reject(ValueError())


# Each makes promises around an error, handled, and lets go of them.
FAILURES: dict[str, Callable[[Exception], Any]] = {
    "reject": lambda error: Promise.reject(error).catch(lambda _: None),
    "raise": lambda error: Promise.resolve(error).then(fail).catch(lambda _: None),
    "raise again": lambda error: (
        Promise.resolve(error).then(fail).catch(fail).catch(lambda _: None)
    ),
    "finally": lambda error: Promise.reject(error).finally_(lambda: None).catch(lambda _: None),
    "all": lambda error: Promise.all([Promise.reject(error), 1]).catch(lambda _: None),
    "any": lambda error: Promise.any([Promise.reject(error)]).catch(lambda _: None),
    "settled": lambda error: Promise.all_settled([Promise.reject(error)]).then(lambda _: None),
}


@on_each_loop
async def test_reasons_are_let_go_of(no_collection: None) -> None:
    for name, use in FAILURES.items():
        error: Exception = Failure(name)
        seen = weakref.ref(error)
        promise = use(error)
        del error
        await turns()
        await promise
        del promise
        await turns(2)
        references: list[weakref.ref[Any]] = [seen, *raised]
        assert [one() for one in references] == [None] * len(references), name
    assert len(raised) == 3
    raised.clear()


@on_each_loop
async def test_a_reason_that_was_awaited_is_let_go_of(no_collection: None) -> None:
    async def attempt(promise: Promise[Any]) -> None:
        try:
            with contextlib.suppress(Failure):
                await promise
        finally:
            # This frame is in the traceback of the reason.
            del promise

    error: Exception = Failure()
    seen = weakref.ref(error)
    promise: Promise[Any] = Promise.reject(error)
    del error
    for _ in range(3):
        await attempt(promise)
    pending, _, reject = Promise.with_resolvers()
    waiting = asyncio.ensure_future(attempt(pending))
    await turns(2)
    late: Exception = Failure()
    seen_late = weakref.ref(late)
    reject(late)
    del late
    await waiting
    del promise, pending, reject, waiting
    await turns(2)
    assert seen() is None
    assert seen_late() is None


@on_each_loop
async def test_pending_promises_that_nobody_has_are_gone(no_collection: None) -> None:
    promise, resolve, reject = Promise.with_resolvers()
    derived = promise.then(lambda it: it)
    seen = [weakref.ref(promise), weakref.ref(derived)]
    del promise, derived
    assert [one() is not None for one in seen] == [True, True]
    del resolve, reject
    assert [one() for one in seen] == [None, None]


@on_each_loop
async def test_pending_combinators_that_nobody_has_are_gone(no_collection: None) -> None:
    for combine in (Promise.all, Promise.all_settled, Promise.race, Promise.any):
        thing = Thing()
        pending, resolve, reject = Promise.with_resolvers()
        combined: Any = combine([pending, pending.then(lambda it: it), thing])
        seen: list[weakref.ref[Any]] = [weakref.ref(one) for one in (thing, pending, combined)]
        await turns()
        del thing, pending, resolve, reject, combined
        await turns(2)
        assert [one() for one in seen] == [None, None, None], combine


@on_each_loop
async def test_a_long_chain_is_let_go_of_without_recursion() -> None:
    start, resolve, _ = Promise.with_resolvers()
    promise: Any = start
    for _ in range(100_000):
        promise = promise.then(lambda it: it)
    seen = weakref.ref(promise)
    resolve(7)
    assert await promise == 7
    del promise, start, resolve
    await turns(2)
    assert seen() is None


@on_each_loop
async def test_a_long_chain_that_is_never_settled_is_let_go_of() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    chain: Any = promise
    for _ in range(100_000):
        chain = chain.then(lambda it: it)
    seen = weakref.ref(chain)
    del promise, resolve, _, chain
    await turns(2)
    assert seen() is None
