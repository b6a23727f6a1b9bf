"""Cancelling at every single await: no descriptor stays open, and no stream is half read."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import h11
import pytest

import ninth
from ninth import EventStream, Stream
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
Work = Callable[[], Coroutine[Any, Any, None]]


class CancelAt:
    """Awaits a coroutine, and cancels the task where it waits for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], number: int) -> None:
        self.coroutine = coroutine
        self.number = number
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        waiting = self.coroutine.__await__()
        step: Callable[[], Any] = waiting.__next__
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            if self.waits == self.number:
                task.cancel()
            self.waits += 1
            try:
                yield awaited
                step = waiting.__next__
            except BaseException as error:
                failure = error
                step = lambda: waiting.throw(failure)  # noqa: E731, B023


async def cancel_everywhere(work: Work) -> int:
    """Do the work again and again, cancelled at one await later each time; return how many."""
    number = 0
    while True:
        trial = CancelAt(work(), number)

        async def run(trial: CancelAt = trial) -> None:
            await trial

        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.ensure_future(run())
        if trial.waits <= number:
            return number
        number += 1


async def echo(stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def quiet(serving: ninth.Server) -> None:
    """Wait until a server has no connections."""
    while serving.connections:
        await asyncio.sleep(0.001)


@on_each_loop
async def test_connections(contexts: Contexts, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)

    async def talk(stream: Stream) -> None:
        async with stream, ninth.scope() as scope:
            scope.start(stream.write, b"x" * 2_000_000)
            assert await stream.read_exactly(2_000_000) == b"x" * 2_000_000
            scope.start(stream.write, b"one\ntwo\n")
            assert await stream.read_line() == b"one\n"
            assert await stream.read_until(b"\n") == b"two\n"
            with path.open("rb") as file:
                scope.start(stream.read_exactly, 100_000)
                await stream.sendfile(file)

    for context in (None, contexts):
        server, client = context or (None, None)
        async with ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=server) as serving:

            async def work(port: int = serving.port, client: Any = client) -> None:
                await talk(await ninth.connect_tcp("localhost", port, ssl=client))

            assert await cancel_everywhere(work) >= 3
            await quiet(serving)
    async with ninth.serve_unix(echo, tmp_path / "socket") as serving:

        async def over_a_path() -> None:
            await talk(await ninth.connect_unix(tmp_path / "socket"))

        assert await cancel_everywhere(over_a_path) >= 2
        await quiet(serving)


@on_each_loop
async def test_servers(contexts: Contexts) -> None:
    """The server itself is cancelled, with connections in any state."""

    async def work() -> None:
        async with (
            ninth.serve_tcp(echo, "localhost", 0, ssl=contexts[0]) as serving,
            ninth.connect_tcp("localhost", serving.port, ssl=contexts[1]) as stream,
        ):
            await stream.write(b"x")
            assert await stream.read() == b"x"
            async with ninth.connect_tcp("localhost", serving.port) as plain:
                await plain.write(b"no TLS")
                await stream.write(b"y")
                assert await stream.read() == b"y"

    assert await cancel_everywhere(work) >= 5


@on_each_loop
async def test_tls_begun_later(contexts: Contexts) -> None:
    async def handler(stream: Stream) -> None:
        async with await stream.start_tls(contexts[0], server_side=True) as secure:
            await echo(secure)

    async with ninth.serve_tcp(handler, "127.0.0.1", 0) as serving:

        async def work() -> None:
            async with ninth.connect_tcp("127.0.0.1", serving.port) as plain:
                secure = await plain.start_tls(contexts[1], server_hostname="localhost")
                async with secure:
                    await secure.write(b"x")
                    assert await secure.read() == b"x"

        assert await cancel_everywhere(work) >= 3
        await quiet(serving)


@on_each_loop
async def test_datagrams() -> None:
    async def work() -> None:
        async with ninth.open_udp("localhost") as udp:
            await udp.send(b"x", to=("localhost", udp.local_address[1]))
            assert (await udp.receive())[0] == b"x"

    assert await cancel_everywhere(work) >= 1


@on_each_loop
async def test_a_read_that_is_cancelled_anywhere_leaves_all_to_the_next() -> None:
    """Piece by piece arrives what three kinds of reads want; each is cancelled at each wait."""
    message = b"first line\nexactly|until"
    reads: tuple[Callable[[Stream], Coroutine[Any, Any, bytes]], ...] = (
        lambda stream: stream.read_line(),
        lambda stream: stream.read_exactly(7),
        lambda stream: stream.read_until(b"|until"),
    )
    for number in range(len(message)):
        one, other = socket.socketpair()
        async with Stream(one) as reader, Stream(other) as writer, ninth.scope() as scope:

            async def drip(writer: Stream = writer) -> None:
                for position in range(len(message)):
                    await writer.write(message[position : position + 1])
                    await asyncio.sleep(0)

            scope.start(drip)
            got: list[bytes] = []
            left = number
            for read in reads:
                trial = CancelAt(keep(read(reader), got), left)
                task = asyncio.ensure_future(awaiting(trial))
                try:
                    await task
                except asyncio.CancelledError:
                    got.append(await read(reader))
                left -= trial.waits
            assert b"".join(got) == message


async def keep(reading: Coroutine[Any, Any, bytes], got: list[bytes]) -> None:
    got.append(await reading)


async def awaiting(trial: CancelAt) -> None:
    await trial


@on_each_loop
async def test_events() -> None:
    async def work() -> None:
        one, other = socket.socketpair()
        async with (
            EventStream(Stream(one), h11.Connection(h11.CLIENT)) as client,
            EventStream(Stream(other), h11.Connection(h11.SERVER)) as server,
            ninth.scope() as scope,
        ):
            request = h11.Request(method="GET", target="/", headers=[("host", "x")])
            receiving = scope.start(server.receive)
            await asyncio.sleep(0)
            await client.send(request, h11.EndOfMessage())
            assert isinstance(await receiving, h11.Request)

    assert await cancel_everywhere(work) >= 2
