"""Dask distributed: scheduler, workers and client on one loop of ninth's, over TCP."""

import pytest

from .conftest import Run

distributed = pytest.importorskip(
    "distributed", reason="the extra `libraries` installs distributed"
)


def square(number: int) -> int:
    """Return number squared."""
    return number * number


def test_scheduler_workers_and_client(run: Run) -> None:
    async def main() -> None:
        async with (
            distributed.Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler,
            distributed.Worker(scheduler.address, nthreads=2, dashboard=False) as first,
            distributed.Worker(scheduler.address, nthreads=2, dashboard=False) as second,
            distributed.Client(scheduler.address, asynchronous=True) as client,
        ):
            assert len(scheduler.workers) == 2
            squares = client.map(square, range(200))
            assert await client.gather(squares) == [n * n for n in range(200)]
            # An argument that lives on one worker, and a result too large for one packet.
            total = await client.submit(sum, squares, workers=[first.address])
            assert total == sum(n * n for n in range(200))
            block = client.submit(bytes, 5_000_000, workers=[second.address])
            size = client.submit(len, block, workers=[first.address])
            assert await size == 5_000_000

            failing = client.submit(square, "no number")
            with pytest.raises(TypeError):
                await failing

    run(main)
