"""websockets, server and client: messages of all sizes, backpressure, closing from either side."""

import asyncio
import ssl
from typing import Any

import pytest

from .conftest import Run

REASON = "the extra `libraries` installs websockets"
connect = pytest.importorskip("websockets.asyncio.client", reason=REASON).connect
serve = pytest.importorskip("websockets.asyncio.server", reason=REASON).serve
exceptions = pytest.importorskip("websockets.exceptions", reason=REASON)


async def echo(connection: Any) -> None:
    """Send each message back; at "bye", close."""
    async for message in connection:
        if message == "bye":
            return
        await connection.send(message)


def port_of(server: Any) -> int:
    """Return the port that a server listens on."""
    return int(next(iter(server.sockets)).getsockname()[1])


def test_messages_of_all_sizes_come_back(run: Run) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
            url = f"ws://127.0.0.1:{port_of(server)}"

            async def talk() -> None:
                async with connect(url, max_size=None) as connection:
                    for message in ("text", b"", b"x" * 125, b"y" * 70_000, bytes(2_000_000)):
                        await connection.send(message)
                        assert await connection.recv() == message
                    await (await connection.ping())

            await asyncio.gather(*(talk() for _ in range(10)))

    run(main)


def test_a_reader_that_lags_gets_everything(run: Run) -> None:
    async def main() -> None:
        async def flood(connection: Any) -> None:
            for number in range(2_000):
                await connection.send(number.to_bytes(4, "big") * 1024)

        async with serve(flood, "127.0.0.1", 0, compression=None) as server:
            url = f"ws://127.0.0.1:{port_of(server)}"
            async with connect(url, max_queue=4) as connection:
                await asyncio.sleep(0.2)
                numbers = [int.from_bytes(bytes(m)[:4], "big") async for m in connection]
        assert numbers == list(range(2_000))

    run(main)


def test_the_server_may_close_first(run: Run) -> None:
    async def main() -> None:
        async with (
            serve(echo, "127.0.0.1", 0) as server,
            connect(f"ws://127.0.0.1:{port_of(server)}") as connection,
        ):
            await connection.send("bye")
            with pytest.raises(exceptions.ConnectionClosedOK):
                await connection.recv()

    run(main)


def test_tls(run: Run, certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_context, client_context = certificates

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0, ssl=server_context) as server:
            url = f"wss://127.0.0.1:{port_of(server)}"
            async with connect(url, ssl=client_context) as connection:
                await connection.send(bytes(500_000))
                assert await connection.recv() == bytes(500_000)

    run(main)
