"""Children of asyncio programs."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_waiting_for_a_process_does_not_wait_for_its_pipes(run: Run) -> None:
    """A grandchild holds the pipe open for long after the child has ended (cpython#119710)."""

    async def main() -> None:
        process = await asyncio.create_subprocess_shell(
            "sleep 100 & echo $!; exit 5", stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        grandchild = int(await process.stdout.readline())
        try:
            assert await asyncio.wait_for(process.wait(), 20) == 5
        finally:
            os.kill(grandchild, signal.SIGKILL)
        assert await process.stdout.read() == b""
        assert await process.wait() == 5

    run(main())
