"""What the tests of the callback loop share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ninth.loop import Loop
from ninth.loop.poller import EpollPoller
from ninth.loop.selectors_poller import SelectorsPoller

POLLERS: dict[str, Callable[[], Any]] = {"epoll": EpollPoller, "selectors": SelectorsPoller}


@pytest.fixture(params=list(POLLERS))
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Return a loop on each kind of poller."""
    with Loop(poller=POLLERS[request.param]()) as loop:
        yield loop
