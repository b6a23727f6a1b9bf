"""sock_*: nothing is lost when one is cancelled, and every descriptor stays right."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

import ninth
from ninth.loop.poller import EpollPoller

Run = Callable[..., Any]


def pair() -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    return one, other


def listener() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_receive_loses_no_data(run: Run) -> None:
    """The task is cancelled after the data came, but before it runs again."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        with one, other:
            for _ in range(100):
                task = loop.create_task(loop.sock_recv(one, 100))
                await asyncio.sleep(0)
                other.send(b"data")
                loop.call_soon(task.cancel)
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await loop.sock_recv(one, 100) == b"data"

    run(main())


def test_a_cancelled_accept_loses_no_connection(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listener() as server:
            for _ in range(20):
                task = loop.create_task(loop.sock_accept(server))
                await asyncio.sleep(0)
                client = socket.create_connection(server.getsockname())
                loop.call_soon(task.cancel)
                with pytest.raises(asyncio.CancelledError):
                    await task
                conn, _ = await loop.sock_accept(server)
                assert conn.getpeername() == client.getsockname()
                conn.close()
                client.close()

    before = descriptors()
    run(main())
    assert descriptors() == before


def test_a_cancelled_connect_leaves_nothing_behind(run: Run) -> None:
    """Its number then belongs to another socket, which must not be touched."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        # A full queue of connections keeps those that come after it waiting.
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        for _ in range(20):
            sock = socket.socket()
            sock.setblocking(False)
            task = loop.create_task(loop.sock_connect(sock, server.getsockname()))
            for _ in range(3):
                await asyncio.sleep(0)
            number = sock.fileno()
            task.cancel()
            sock.close()
            one, other = pair()
            with one, other:
                reused = one if one.fileno() == number else other
                peer = other if reused is one else one
                waiting = loop.create_task(loop.sock_recv(reused, 10))
                with pytest.raises(asyncio.CancelledError):
                    await task
                peer.send(b"mine")
                assert await waiting == b"mine"
        for sock in (server, *fillers):
            sock.close()

    before = descriptors()
    run(main())
    assert descriptors() == before


def test_a_cancelled_create_connection_closes_its_socket(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listener() as server:
            host, port = server.getsockname()
            for turns in range(12):
                task = loop.create_task(loop.create_connection(asyncio.Protocol, host, port))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    transport, _ = await task
                except asyncio.CancelledError:
                    continue
                transport.close()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    before = descriptors()
    run(main())
    assert descriptors() == before


def test_a_cancelled_send_can_be_followed_by_another(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        with one, other:
            task = loop.create_task(loop.sock_sendall(one, b"x" * (1 << 22)))
            await asyncio.sleep(0)
            await cancelled(task)
            while True:
                try:
                    other.recv(1 << 20)
                except BlockingIOError:
                    break
            sending = loop.create_task(loop.sock_sendall(one, b"y"))
            assert await loop.sock_recv(other, 10) == b"y"
            await sending

    run(main())


def test_two_receivers_of_one_socket_share_what_comes(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        with one, other:
            tasks = [loop.create_task(loop.sock_recv(one, 1)) for _ in range(2)]
            await asyncio.sleep(0)
            other.send(b"a")
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == [b"a"]
            other.send(b"b")
            assert await waiting.pop() == b"b"

    run(main())


def test_waiting_again_costs_no_call_of_the_kernel() -> None:
    made: list[int] = []

    class Counting(EpollPoller):
        def set(self, fd: int, mask: int, again: bool) -> bool:
            made.append(fd)
            return super().set(fd, mask, again)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        with one, other:
            for number in range(10):
                task = loop.create_task(loop.sock_recv(one, 10))
                await asyncio.sleep(0)
                other.send(b"x")
                await task
                if number == 0:
                    made.clear()
        assert made == []

    with asyncio.Runner(loop_factory=lambda: ninth.EventLoop(poller=Counting())) as runner:
        runner.run(main())


def test_receivers_by_size_and_kind(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        with one, other:
            for size in (1, 100, 16_384, 16_385, 200_000):
                sending = loop.create_task(loop.sock_sendall(other, memoryview(b"z" * size)))
                data = b""
                while len(data) < size:
                    data += await loop.sock_recv(one, size)
                assert data == b"z" * size
                await sending
            buffer = bytearray(10)
            receiving = loop.create_task(loop.sock_recv_into(one, buffer))
            await asyncio.sleep(0)
            await loop.sock_sendall(other, bytearray(b"into"))
            assert await receiving == 4
            assert buffer[:4] == b"into"
            other.close()
            assert await loop.sock_recv(one, 10) == b""

    run(main())


def test_datagrams(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
        with one, other:
            for sock in (one, other):
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
            receiving = loop.create_task(loop.sock_recvfrom(one, 100))
            await asyncio.sleep(0)
            assert await loop.sock_sendto(other, b"one", one.getsockname()) == 3
            assert await receiving == (b"one", other.getsockname())
            buffer = bytearray(10)
            into = loop.create_task(loop.sock_recvfrom_into(one, buffer))
            await asyncio.sleep(0)
            await loop.sock_sendto(other, b"two", one.getsockname())
            assert await into == (3, other.getsockname())

    run(main())


def test_errors_of_connecting_name_the_address(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listener() as server:
            address = server.getsockname()
        with socket.socket() as sock:
            sock.setblocking(False)
            with pytest.raises(ConnectionRefusedError, match="Connect call failed"):
                await loop.sock_connect(sock, address)

    run(main())


def test_a_closed_socket_is_an_error(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        one.close()
        with other, pytest.raises(OSError, match="Bad file descriptor"):
            await loop.sock_recv(one, 1)

    run(main())


def test_a_socket_of_a_transport_is_refused(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = pair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        with pytest.raises(RuntimeError, match="is used by transport"):
            await loop.sock_recv(one, 1)
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(one, print)
        transport.close()
        other.close()

    run(main())


def test_a_blocking_socket_is_refused_in_debug_mode(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        one, other = socket.socketpair()
        with one, other, pytest.raises(ValueError, match="non-blocking"):
            await loop.sock_recv(one, 1)

    run(main())


def test_unix_connect_waits_for_a_full_queue(run: Run, tmp_path: Any) -> None:
    """A listening unix socket has no event for room in its queue; asyncio says connected."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as server:
            server.setblocking(False)
            server.bind(path)
            server.listen(0)
            clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
            for client in clients:
                client.setblocking(False)
            connecting = asyncio.gather(*(loop.sock_connect(each, path) for each in clients))
            for _ in clients:
                conn, _ = await loop.sock_accept(server)
                conn.close()
            await connecting
            for client in clients:
                client.close()

    run(main())
