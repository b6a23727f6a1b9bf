"""What has left a scope is not kept alive by it: no error waits for a collection."""

import asyncio
import os
import weakref
from typing import Any, Self

import pytest

import ninth
from tests.loops import Factory

pytestmark = pytest.mark.usefixtures("no_leaks")

KINDS = ("after", "every", "task", "coroutine", "future", "readable", "line", "exit", "subscope")


class Held:
    """Something in the frame that fails."""


class Failing:
    """Registers something that fails, and knows what its frame held."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.write(self.writing, b"a line\n")
        self.held: list[weakref.ref[Held]] = []

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)

    def fail(self, scope: ninth.Scope) -> None:
        held = Held()
        self.held.append(weakref.ref(held))
        # As a callback does that is written within its scope.
        raise ValueError(str(scope))

    async def fail_later(self, scope: ninth.Scope) -> None:
        await asyncio.sleep(0)
        self.fail(scope)

    def register(self, kind: str, scope: ninth.Scope) -> None:
        if kind == "after":
            scope.after(0, self.fail, scope)
        elif kind == "every":
            scope.every(0.001, self.fail, scope)
        elif kind == "task":
            scope.start(self.fail_later, scope)
        elif kind == "coroutine":
            scope.after(0, self.fail_later, scope)
        elif kind == "future":
            scope.after(0, lambda: asyncio.ensure_future(self.fail_later(scope)))
        elif kind == "readable":
            scope.on_readable(self.reading, self.fail, scope)
        elif kind == "line":
            scope.on_line(self.reading, lambda line: self.fail(scope))
        elif kind == "exit":
            scope.on_exit(scope.process("true"), lambda code: self.fail(scope))
        else:
            scope.subscope().after(0, self.fail, scope)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("kind", [*KINDS, "body"])
@pytest.mark.parametrize("style", ["async with", "with"])
def test_an_error_is_freed_without_a_collection(
    kind: str, style: str, loop_factory: Factory
) -> None:
    failing = Failing()

    async def coroutines() -> None:
        try:
            async with ninth.scope() as scope:
                if kind == "body":
                    await failing.fail_later(scope)
                failing.register(kind, scope)
        except* ValueError:
            pass

    def callbacks() -> None:
        try:
            with ninth.scope(loop_factory=loop_factory) as scope:
                if kind == "body":
                    failing.fail(scope)
                failing.register(kind, scope)
        except* ValueError:
            pass

    if style == "with":
        callbacks()
    else:
        ninth.run(coroutines, loop_factory=loop_factory)
    failing.close()
    assert [held() for held in failing.held] == [None]


@pytest.mark.usefixtures("no_collection")
def test_a_scope_that_is_kept_keeps_no_error(loop_factory: Factory) -> None:
    failing = Failing()
    scopes: list[ninth.Scope] = []

    def main() -> None:
        try:
            with ninth.scope(loop_factory=loop_factory) as scope:
                scopes.append(scope)
                scope.after(0, failing.fail, scope)
        except* ValueError:
            pass

    main()
    failing.close()
    assert [held() for held in failing.held] == [None]
    assert isinstance(scopes[0].reason, ValueError)
    assert scopes[0].reason.__traceback__ is None


class OddError(Exception):
    """Cannot be made without its arguments."""

    def __new__(cls, *, code: int) -> Self:
        error = super().__new__(cls)
        error.code = code
        return error

    code: int

    def __init__(self, *, code: int) -> None:
        super().__init__()


@pytest.mark.parametrize(
    "error",
    [OSError(2, "gone"), OddError(code=3), ExceptionGroup("two", [ValueError(1), KeyError(2)])],
)
def test_the_reason_is_like_what_stopped_it(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(ExceptionGroup) as caught, ninth.scope() as scope:
        scope.after(0, fail)
    reason: Any = scope.reason
    assert caught.value.exceptions == (error,)
    assert type(reason) is type(error)
    assert str(reason) == str(error)
    assert vars(reason).keys() == vars(error).keys()


def test_a_reason_that_was_given_stays_itself() -> None:
    given = ValueError("mine")
    with ninth.scope() as scope:
        scope.after(0, scope.cancel, given)
    assert scope.reason is given
