"""aiohttp, server and client: requests, streaming, web sockets, TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from .conftest import Run

aiohttp = pytest.importorskip("aiohttp", reason="the extra `libraries` installs aiohttp")
web = pytest.importorskip("aiohttp.web", reason="the extra `libraries` installs aiohttp")

BODY = bytes(range(256)) * 4096


async def echo(request: Any) -> Any:
    """Send the body back in pieces as it comes."""
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_chunked(16384):
        await response.write(piece)
    await response.write_eof()
    return response


async def shout(request: Any) -> Any:
    """Answer each message of a web socket in capitals."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


@contextlib.asynccontextmanager
async def served(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve the handlers on a free port; give the URL, and what is set when a client has gone."""
    gone = asyncio.Event()

    async def hang(_: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        raise AssertionError

    app = web.Application(client_max_size=0)
    app.add_routes([web.post("/echo", echo), web.get("/shout", shout), web.get("/hang", hang)])
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    _, port = runner.addresses[0][:2]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", gone
    finally:
        await runner.cleanup()


def test_large_bodies_come_back_whole_from_many_connections(run: Run) -> None:
    async def main() -> None:
        async with served() as (url, _), aiohttp.ClientSession() as session:

            async def once(number: int) -> None:
                data = BODY[number:]
                async with session.post(f"{url}/echo", data=data) as response:
                    assert response.status == 200
                    assert await response.read() == data

            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(once(number))

    run(main)


def test_a_web_socket_answers_each_message(run: Run) -> None:
    async def main() -> None:
        async with (
            served() as (url, _),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/shout") as socket,
        ):
            for word in ("one", "two", "x" * 100_000):
                await socket.send_str(word)
                assert await socket.receive_str() == word.upper()

    run(main)


def test_tls_carries_large_bodies(
    run: Run, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = certificates

    async def main() -> None:
        async with served(server) as (url, _), aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(f"{url}/echo", data=BODY, ssl=client) as response:
                    assert await response.read() == BODY
            # aiohttp closes TLS connections in the background; its documentation asks for this.
            await session.close()
            await asyncio.sleep(0.1)

    run(main)


def test_a_cancelled_request_cancels_its_handler(run: Run) -> None:
    async def main() -> None:
        async with served() as (url, gone), aiohttp.ClientSession() as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await session.get(f"{url}/hang")
            async with asyncio.timeout(10):
                await gone.wait()

    run(main)
