"""What the tests of the asyncio face share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import ninth

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def run() -> Run:
    """Return a function that runs a coroutine on a new loop, and fails if the loop complains."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        complaints: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            result = runner.run(main)
        assert not complaints
        return result

    return run
