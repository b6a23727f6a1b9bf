"""Run libraries that were written for asyncio on ninth's loop, over real sockets.

Each is a test dependency (the extra `libraries`); where one is not installed, its module is skipped
and says so.
"""

import asyncio
import gc
import os
import ssl
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import ninth

Main = Callable[[], Coroutine[Any, Any, Any]]
Run = Callable[[Main], Any]


def open_descriptors() -> set[str]:
    """Return what this process has open, sockets and pipes by their inode."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue
    return found


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a coroutine function on a new loop of ninth's, which must leave nothing behind.

    What the loop's exception handler is told fails the test, and so does a descriptor that is
    still open when the loop is closed and all garbage is collected.
    """
    reported: list[dict[str, Any]] = []

    async def supervised(main: Main) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ninth.EventLoop)
        loop.set_exception_handler(lambda _, context: reported.append(context))
        async with asyncio.timeout(60):
            return await main()

    def run_on_ninth(main: Main) -> Any:
        with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
            return runner.run(supervised(main))

    before = open_descriptors()
    yield run_on_ninth
    gc.collect()
    assert not reported
    assert open_descriptors() <= before


@pytest.fixture(scope="session")
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a TLS server at localhost and of a client that trusts it."""
    trustme = pytest.importorskip("trustme", reason="trustme makes the certificates for TLS")
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
