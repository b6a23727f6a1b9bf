"""httpx, whose connections are anyio's, and anyio's own sockets, processes, threads and signals."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import pytest

import ninth

from .conftest import Run

anyio = pytest.importorskip("anyio", reason="the extra `libraries` installs anyio")
httpx = pytest.importorskip("httpx", reason="the extra `libraries` installs httpx")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve HTTP/1.1 with chunked bodies: send each request's body back."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, length, 60_000):
            piece = body[start : start + 60_000]
            writer.writelines([b"%x\r\n" % len(piece), piece, b"\r\n"])
            await writer.drain()
        writer.write(b"0\r\n\r\n")


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_httpx_posts_over_a_pool_of_connections(
    run: Run, encrypted: bool, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server_context, client_context = certificates if encrypted else (None, None)

    async def main() -> None:
        handlers: set[Any] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.add(asyncio.current_task())
            with contextlib.suppress(asyncio.IncompleteReadError):
                await answer(reader, writer)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        url = f"{'https' if encrypted else 'http'}://127.0.0.1:{port}/"
        bodies = [bytes([number]) * (number * 20_000 + 1) for number in range(25)]
        async with (
            server,
            httpx.AsyncClient(
                verify=client_context or False, limits=httpx.Limits(max_connections=5)
            ) as client,
        ):
            answers = await asyncio.gather(
                *(client.post(url, content=body, timeout=30) for body in bodies)
            )
        await asyncio.wait(handlers)
        assert [one.content for one in answers] == bodies

    run(main)


def on_anyio(main: Callable[[], Any]) -> Any:
    """Run main the way a user of anyio chooses a loop."""
    return anyio.run(
        main, backend="asyncio", backend_options={"loop_factory": ninth.new_event_loop}
    )


def test_anyio_takes_the_loop_as_a_factory() -> None:
    async def main() -> bool:
        return isinstance(asyncio.get_running_loop(), ninth.EventLoop)

    assert on_anyio(main) is True


def test_anyio_tcp_and_unix_streams(tmp_path: Any) -> None:
    data = bytes(range(256)) * 2000

    async def echo(stream: Any) -> None:
        async with stream:
            async for piece in stream:
                await stream.send(piece)

    async def round_trip(client: Any) -> bytes:
        received = b""
        async with client, anyio.create_task_group() as group:
            group.start_soon(client.send, data)
            while len(received) < len(data):
                received += await client.receive()
        return received

    async def main() -> None:
        tcp = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        unix = await anyio.create_unix_listener(tmp_path / "socket")
        port = tcp.extra(anyio.abc.SocketAttribute.local_port)
        async with tcp, unix, anyio.create_task_group() as group:
            group.start_soon(tcp.serve, echo)
            group.start_soon(unix.serve, echo)
            assert await round_trip(await anyio.connect_tcp("127.0.0.1", port)) == data
            assert await round_trip(await anyio.connect_unix(tmp_path / "socket")) == data
            group.cancel_scope.cancel()

    on_anyio(main)


def test_anyio_udp() -> None:
    async def main() -> None:
        async with (
            await anyio.create_udp_socket(local_host="127.0.0.1") as server,
            await anyio.create_connected_udp_socket(
                "127.0.0.1", server.extra(anyio.abc.SocketAttribute.local_port)
            ) as client,
        ):
            await client.send(b"question")
            data, address = await server.receive()
            await server.sendto(data + b" answer", *address)
            assert await client.receive() == b"question answer"

    on_anyio(main)


def test_anyio_processes_threads_and_signals() -> None:
    async def main() -> None:
        result = await anyio.run_process(
            [sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper())"],
            input=b"shout\n" * 50_000,
        )
        assert result.stdout == b"SHOUT\n" * 50_000
        assert (
            await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(asyncio.sleep, 0, 7)) == 7
        )
        with anyio.open_signal_receiver(signal.SIGUSR1) as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            async for number in signals:
                assert number == signal.SIGUSR1
                break

    on_anyio(main)


def test_anyio_waits_for_a_socket_to_become_readable() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            with anyio.move_on_after(0.05) as scope:
                await anyio.wait_readable(ours)
            assert scope.cancelled_caught
            theirs.send(b"x")
            await anyio.wait_readable(ours)
            await anyio.wait_writable(ours)
            assert ours.recv(1) == b"x"

    on_anyio(main)
