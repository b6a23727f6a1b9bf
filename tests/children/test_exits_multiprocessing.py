"""The end of processes of multiprocessing, whose helpers stay for the life of the program."""

import asyncio
import multiprocessing
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ninth.children.exits import watch_exit
from tests.loops import Factory


async def exit_code(process: Any) -> int | None:
    """Wait for the end of a process with watch_exit()."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int | None] = loop.create_future()
    watch = watch_exit(loop, process, future.set_result)
    try:
        return await future
    finally:
        watch.cancel()


@pytest.fixture(scope="module", autouse=True)
def resource_tracker() -> Iterator[None]:
    """Stop the helper processes of multiprocessing at the end."""
    yield
    from multiprocessing import forkserver, resource_tracker

    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_multiprocessing_process(method: str, loop_factory: Factory) -> None:
    async def main() -> None:
        process = multiprocessing.get_context(method).Process(target=sys.exit, args=(5,))  # type: ignore[attr-defined]
        process.start()
        try:
            assert await exit_code(process) == 5
            assert process.exitcode == 5
            assert await exit_code(process) == 5
        finally:
            process.join()
            process.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
