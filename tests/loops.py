"""The three event loops that everything above the loop must work on."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

import ninth

Factory = Callable[[], asyncio.AbstractEventLoop]

FACTORIES: dict[str, Factory] = {
    "ninth": ninth.new_event_loop,
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}

# The first loop of libuv makes a pipe that stays open for the life of the process.
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
    _runner.run(asyncio.sleep(0))


def on_each_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine function, which may have fixtures, for each kind of loop."""

    def run(loop_factory: Factory, **fixtures: Any) -> None:
        ninth.run(test(**fixtures), loop_factory=loop_factory)

    parameters = [
        *inspect.signature(test).parameters.values(),
        inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__name__ = test.__name__
    run.__module__ = test.__module__
    marked: Callable[..., None] = pytest.mark.parametrize(
        "loop_factory", list(FACTORIES.values()), ids=list(FACTORIES)
    )(run)
    return marked
