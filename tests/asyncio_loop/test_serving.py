"""Accepting: out of descriptors, closing while it rests, errors of the program."""

import asyncio
import errno
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

import ninth
from ninth.asyncio_loop import making

Run = Callable[..., Any]


class VirtualTime(ninth.EventLoop):
    """A loop whose clock jumps on demand."""

    ahead = 0.0

    def time(self) -> float:
        return time.monotonic() + self.ahead


def test_out_of_descriptors_it_rests_and_says_so_once() -> None:
    contexts: list[dict[str, Any]] = []
    accepted: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTime)
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server = await loop.create_server(lambda: Kept(accepted), "127.0.0.1", 0, backlog=50)
        address = server.sockets[0].getsockname()
        clients = [socket.socket() for _ in range(5)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 1, hard))
        try:
            for client in clients:
                client.connect(address)
            for _ in range(20):
                await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (context,) = contexts
        assert context["exception"].errno == errno.EMFILE
        assert "out of system resource" in context["message"]
        assert not accepted
        loop.ahead += making.REST + 1
        while len(accepted) < 5:
            await asyncio.sleep(0)
        for transport in accepted:
            transport.close()
        for client in clients:
            client.close()
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        runner.run(main())


class Kept(asyncio.Protocol):
    def __init__(self, accepted: list[Any]) -> None:
        self.accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.accepted.append(transport)


def test_a_server_closed_while_it_rests_stays_closed() -> None:
    contexts: list[dict[str, Any]] = []

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        (sock,) = server._sockets
        loop._rest(OSError(errno.EMFILE, "full"), sock, asyncio.Protocol, None, server)
        server.close()
        loop.ahead += making.REST + 1
        for _ in range(5):
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        runner.run(main())
    assert [context["message"] for context in contexts] == [
        "socket.accept() out of system resource"
    ]


def test_an_error_of_the_protocol_factory_is_said_and_closes_the_connection() -> None:
    contexts: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server = await loop.create_server(lambda: 1 / 0, "127.0.0.1", 0)  # type: ignore[arg-type, return-value]
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        runner.run(main())
    assert isinstance(contexts[0]["exception"], ZeroDivisionError)


def test_a_protocol_may_close_its_server_while_more_wait(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def factory() -> asyncio.Protocol:
            server.close()
            return asyncio.Protocol()

        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        clients = [socket.create_connection(address) for _ in range(3)]
        while server.is_serving():
            await asyncio.sleep(0)
        for client in clients:
            client.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run(main())


def test_unix_servers_and_abstract_names(run: Run, tmp_path: Any) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def main() -> None:
        for path in (str(tmp_path / "socket"), f"\0ninth-{tmp_path}"):
            server = await asyncio.start_unix_server(echo, path)
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"hello\n")
            assert await reader.read() == b"hello\n"
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

    run(main())


def test_literal_addresses_need_no_resolver(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def refuse(*args: Any) -> None:
            raise AssertionError

        monkeypatch.setattr(loop, "run_in_executor", refuse)
        found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert found[0][4] == ("127.0.0.1", 80)
        found = await loop.getaddrinfo("::1", 80, type=socket.SOCK_STREAM)
        assert found[0][4][:2] == ("::1", 80)

    run(main())
