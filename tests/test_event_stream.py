"""Protocols that do no I/O of their own, over a stream: h11, wsproto, h2."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import h11
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)

import ninth
from ninth import BusyError, EventStream, Stream
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")

HEADERS = [("host", "localhost")]


@contextlib.asynccontextmanager
async def pair(one: Any, other: Any) -> AsyncIterator[tuple[EventStream, EventStream]]:
    """Two state machines that are connected."""
    first, second = socket.socketpair()
    async with (
        EventStream(Stream(first), one) as left,
        EventStream(Stream(second), other) as right,
    ):
        yield left, right


@on_each_loop
async def test_http_1() -> None:
    async with pair(h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)) as (client, server):
        for number in range(3):
            request = h11.Request(
                method="POST", target=f"/{number}", headers=[*HEADERS, ("content-length", "5")]
            )
            await client.send(request, h11.Data(data=b"hello"), h11.EndOfMessage())
            events = [event async for event in server]
            assert [type(event) for event in events] == [
                h11.Request,
                h11.Data,
                h11.EndOfMessage,
            ]
            assert events[0].target == b"/%d" % number
            await server.send(h11.Response(status_code=204, headers=[]), h11.EndOfMessage())
            assert type(await client.receive()) is h11.Response
            assert type(await client.receive()) is h11.EndOfMessage
            client.connection.start_next_cycle()
            server.connection.start_next_cycle()
        request = h11.Request(method="GET", target="/", headers=HEADERS)
        await client.stream.write(h11.Connection(h11.CLIENT).send(request) * 2)
        assert len([event async for event in server]) == 2
        # It pauses: the next request has to wait for the answer to this one.
        assert await server.receive() is h11.PAUSED
        assert [event async for event in server] == []
        await server.send(h11.Response(status_code=204, headers=[]), h11.EndOfMessage())
        server.connection.start_next_cycle()
        assert len([event async for event in server]) == 2
        await server.send(h11.Response(status_code=204, headers=[]), h11.EndOfMessage())
        server.connection.start_next_cycle()
        await client.stream.write_eof()
        assert type(await server.receive()) is h11.ConnectionClosed
        assert await server.receive() is None
        assert [event async for event in server] == []


@on_each_loop
async def test_http_1_errors_are_the_librarys() -> None:
    async with pair(h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)) as (client, server):
        await client.stream.write(b"no HTTP at all\r\n\r\n")
        with pytest.raises(h11.RemoteProtocolError):
            await server.receive()
        with pytest.raises(h11.LocalProtocolError):
            await client.send(h11.EndOfMessage())


@on_each_loop
async def test_websockets() -> None:
    client_side, server_side = (
        WSConnection(ConnectionType.CLIENT),
        WSConnection(ConnectionType.SERVER),
    )
    async with pair(client_side, server_side) as (client, server):
        await client.send(Request(host="localhost", target="/chat"))
        request = await server.receive()
        assert isinstance(request, Request)
        assert request.target == "/chat"
        await server.send(AcceptConnection())
        assert isinstance(await client.receive(), AcceptConnection)
        await client.send(TextMessage(data="one"), Ping(), TextMessage(data="two"))
        got = []
        async for event in server:
            if isinstance(event, TextMessage):
                got.append(event.data)
            elif isinstance(event, Ping):
                await server.send(event.response())
            if got == ["one", "two"]:
                break
        assert isinstance(await client.receive(), Pong)
        # Closed without a word.
        await client.aclose()
        event = await server.receive()
        assert isinstance(event, CloseConnection)
        assert await server.receive() is None


@on_each_loop
async def test_http_2() -> None:
    settings = h2.config.H2Configuration(client_side=False)
    async with pair(h2.connection.H2Connection(), h2.connection.H2Connection(config=settings)) as (
        client,
        server,
    ):
        client.connection.initiate_connection()
        server.connection.initiate_connection()
        await client.flush()
        await server.flush()
        client.connection.send_headers(
            1,
            [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")],
            end_stream=True,
        )
        await client.flush()
        async for event in server:
            if isinstance(event, h2.events.RequestReceived):
                server.connection.send_headers(1, [(":status", "200")])
                server.connection.send_data(1, b"hello", end_stream=True)
                # What h2 answers by itself, to settings and pings, receive() sends.
                await server.flush()
                break
        data = b""
        async for event in client:
            if isinstance(event, h2.events.DataReceived):
                data += event.data
            if isinstance(event, h2.events.StreamEnded):
                break
        assert data == b"hello"
        with pytest.raises(TypeError, match=r"has no send\(\)"):
            await client.send(None)
        await server.stream.write_eof()
        left = [event async for event in client]
        assert not [event for event in left if isinstance(event, h2.events.DataReceived)]
        assert await client.receive() is None


@on_each_loop
async def test_a_cancelled_receive_loses_nothing() -> None:
    async with pair(h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)) as (client, server):
        receiving = asyncio.ensure_future(server.receive())
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await server.receive()
        message = h11.Connection(h11.CLIENT).send(
            h11.Request(method="GET", target="/", headers=HEADERS)
        )
        assert message is not None
        await client.stream.write(message[:10])
        await asyncio.sleep(0.01)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        await client.stream.write(message[10:])
        assert isinstance(await server.receive(), h11.Request)


def test_what_is_no_protocol_is_refused() -> None:
    reading, other = socket.socketpair()
    with reading, other, pytest.raises(TypeError, match="has no receive_data"):
        EventStream(Stream(reading), object())


@on_each_loop
async def test_over_tls(contexts: Any) -> None:
    async def serve(stream: Stream) -> None:
        async with EventStream(stream, h11.Connection(h11.SERVER)) as server:
            async for _ in server:
                pass
            await server.send(
                h11.Response(status_code=200, headers=[("content-length", "0")]), h11.EndOfMessage()
            )

    async with (
        ninth.serve_tcp(serve, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        client = EventStream(stream, h11.Connection(h11.CLIENT))
        await client.send(
            h11.Request(method="GET", target="/", headers=HEADERS), h11.EndOfMessage()
        )
        response = await client.receive()
        assert response.status_code == 200


@on_each_loop
async def test_what_comes_before_a_refused_event_is_sent() -> None:
    async with pair(h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)) as (client, server):
        request = h11.Request(method="GET", target="/", headers=HEADERS)
        with pytest.raises(h11.LocalProtocolError):
            await client.send(request, h11.Data(data=b"which it did not announce"))
        assert isinstance(await server.receive(), h11.Request)


class Answering:
    """A protocol that answers by itself all that it gets, as h2 does with settings."""

    def __init__(self) -> None:
        self.outgoing = b""

    def receive_data(self, data: bytes) -> list[bytes]:
        self.outgoing += b"answer"
        return [data]

    def data_to_send(self) -> bytes:
        data, self.outgoing = self.outgoing, b""
        return data


@on_each_loop
async def test_one_receives_while_another_sends() -> None:
    one, other = socket.socketpair()
    async with EventStream(Stream(one), Answering()) as events, Stream(other) as peer:
        events.connection.outgoing = b"x" * 3_000_000
        sending = asyncio.ensure_future(events.flush())
        await asyncio.sleep(0)
        await peer.write(b"question")
        assert await events.receive() == b"question"
        assert not sending.done()
        answer = b"x" * 3_000_000 + b"answer"
        assert await peer.read_exactly(len(answer)) == answer
        await sending
