"""How a stream transport writes: once per turn, in order, never what was changed afterwards."""

import array
import asyncio
import contextvars
import socket
from collections.abc import Callable
from typing import Any

import pytest

import ninth

Run = Callable[..., Any]


class Recorder(asyncio.Protocol):
    """Keeps what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.data = bytearray()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def eof_received(self) -> bool:
        self.events.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        if not self.lost.done():
            self.lost.set_result(exc)


async def connect() -> tuple[Any, Recorder, socket.socket]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(Recorder, sock=one)
    return transport, protocol, other


async def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
        assert piece
        data += piece
    return data


def fill(transport: Any) -> int:
    """Write until the socket takes no more; return how much was written."""
    written = 0
    while transport.get_write_buffer_size() <= 65536 and written < 1 << 26:
        transport.write(b"f" * 65536)
        written += 65536
    return written


def test_all_writes_of_a_turn_are_sent_together(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        calls: list[int] = []
        loop = asyncio.get_running_loop()
        loop.add_reader(peer, lambda: calls.append(len(peer.recv(1 << 20))))
        for _ in range(10):
            transport.write(b"0123456789")
        transport.writelines([b"a", b"b"])
        assert transport.get_write_buffer_size() == 102
        with pytest.raises(BlockingIOError):
            peer.recv(1)
        while not calls:
            await asyncio.sleep(0)
        assert calls == [102]
        assert transport.get_write_buffer_size() == 0
        loop.remove_reader(peer)
        transport.close()
        peer.close()

    run(main())


@pytest.mark.parametrize("size", [10, 100_000, 5_000_000])
@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_what_was_written_cannot_change(run: Run, kind: Callable[[Any], Any], size: int) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        data = kind(b"a" * size)
        transport.write(data)
        data[:] = b"b" * size
        assert await receive(peer, size) == b"a" * size
        transport.close()
        peer.close()

    run(main())


@pytest.mark.parametrize("count", [3, 100_000])
def test_views_of_items_that_are_no_bytes_arrive_whole(run: Run, count: int) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        numbers = array.array("I", range(count))
        transport.write(memoryview(numbers))
        transport.writelines([memoryview(numbers), b"end"])
        expected = numbers.tobytes() * 2 + b"end"
        assert await receive(peer, len(expected)) == expected
        transport.close()
        peer.close()

    run(main())


def test_a_view_with_holes_arrives_as_it_reads(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        transport.write(memoryview(b"a1b2c3" * 50_000)[::2])
        assert await receive(peer, 150_000) == b"abc" * 50_000
        transport.close()
        peer.close()

    run(main())


def test_order_is_that_of_the_calls(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        expected = b""
        for number in range(200):
            data = bytes([number]) * (1 + number * 997 % 70_000)
            expected += data
            transport.write(data if number % 2 else bytearray(data))
        assert await receive(peer, len(expected)) == expected
        transport.close()
        peer.close()

    run(main())


def test_pressure_is_felt_at_once(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        fill(transport)
        assert protocol.events == ["pause"]
        while "resume" not in protocol.events:
            await asyncio.get_running_loop().sock_recv(peer, 1 << 20)
        assert transport.get_write_buffer_size() <= 16384
        transport.abort()
        peer.close()

    run(main())


def test_writelines_pauses_the_protocol(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.writelines([b"x" * 65536] * 200)
        assert protocol.events == ["pause"]
        transport.abort()
        peer.close()

    run(main())


def test_writelines_with_empty_pieces_does_not_spin(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        written = fill(transport)
        transport.writelines([b"", b"tail", b""])
        transport.writelines([])
        transport.write(b"")
        data = await receive(peer, written + 4)
        assert data.endswith(b"ftail")
        assert transport.get_write_buffer_size() == 0
        transport.writelines([b"", b"", b""])
        assert transport.get_write_buffer_size() == 0
        transport.close()
        transport.writelines([b"after", b"close"])
        assert await protocol.lost is None
        assert await asyncio.get_running_loop().sock_recv(peer, 10) == b""
        peer.close()

    run(main())


def test_a_high_water_mark_of_zero_sends_at_once(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.set_write_buffer_limits(0)
        assert transport.get_write_buffer_limits() == (0, 0)
        transport.write(b"now")
        assert peer.recv(10) == b"now"
        assert protocol.events == []
        with pytest.raises(ValueError, match="must be >= low"):
            transport.set_write_buffer_limits(1, 2)
        transport.close()
        peer.close()

    run(main())


def test_close_sends_what_is_left_first(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        written = fill(transport)
        transport.write(b"last")
        transport.close()
        transport.close()
        assert transport.is_closing()
        data = await receive(peer, written + 4)
        assert data.endswith(b"last")
        assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""
        assert await protocol.lost is None
        assert protocol.events == ["pause", "resume", "lost"]
        peer.close()

    run(main())


def test_abort_after_a_flushing_close(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        fill(transport)
        transport.close()
        transport.abort()
        assert await protocol.lost is None
        assert protocol.events.count("lost") == 1
        transport.abort()
        transport.close()
        peer.close()

    run(main())


def test_abort_still_sends_what_one_call_takes(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.write(b"goodbye")
        transport.abort()
        await protocol.lost
        assert peer.recv(100) == b"goodbye"
        assert peer.recv(100) == b""
        peer.close()

    run(main())


def test_write_eof_comes_after_the_data_and_reading_goes_on(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        loop = asyncio.get_running_loop()
        transport.write(b"question")
        assert transport.can_write_eof()
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            transport.write(b"more")
        with pytest.raises(RuntimeError, match="after write_eof"):
            transport.writelines([b"more"])
        assert await loop.sock_recv(peer, 100) == b"question"
        assert await loop.sock_recv(peer, 100) == b""
        await loop.sock_sendall(peer, b"answer")
        peer.close()
        while "eof" not in protocol.events:
            await asyncio.sleep(0)
        assert protocol.data == b"answer"
        transport.close()
        assert await protocol.lost is None

    run(main())


def test_the_raw_socket_comes_after_what_was_written(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        transport.write(b"first")
        sock = transport.get_extra_info("socket")
        assert peer.recv(100) == b"first"
        assert sock.fileno() >= 0
        transport.close()
        peer.close()

    run(main())


def test_an_error_of_sending_shows_in_connection_lost(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.pause_reading()
        peer.close()
        transport.write(b"x")
        error = await protocol.lost
        assert isinstance(error, BrokenPipeError | ConnectionResetError)
        transport.write(b"ignored")

    run(main())


def test_what_is_no_bytes_is_refused(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        with pytest.raises(TypeError, match="bytes-like"):
            transport.write("text")
        transport.close()
        peer.close()

    run(main())


def test_written_between_two_runs_is_sent_at_once() -> None:
    loop = ninth.new_event_loop()
    transport, _, peer = loop.run_until_complete(connect())
    transport.write(b"now")
    assert peer.recv(10) == b"now"
    transport.close()
    peer.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_an_error_in_data_received_ends_the_connection() -> None:
    contexts: list[dict[str, Any]] = []

    class Failing(Recorder):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        one, other = socket.socketpair()
        one.setblocking(False)
        _, protocol = await loop.create_connection(Failing, sock=one)
        other.send(b"x")
        assert isinstance(await protocol.lost, ZeroDivisionError)
        other.close()

    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        runner.run(main())
    assert "data_received() call failed" in contexts[0]["message"]


def test_each_connection_has_its_own_context(run: Run) -> None:
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)
    seen: list[int] = []

    class Adding(Recorder):
        def data_received(self, data: bytes) -> None:
            seen.append(var.get())
            var.set(var.get() + 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ends = []
        for _ in range(2):
            one, other = socket.socketpair()
            one.setblocking(False)
            transport, _ = await loop.create_connection(Adding, sock=one)
            ends.append((transport, other))
        for _ in range(2):
            for _, other in ends:
                count = len(seen)
                other.send(b"x")
                while len(seen) == count:
                    await asyncio.sleep(0)
        for transport, other in ends:
            transport.close()
            other.close()
        assert var.get() == 0

    run(main())
    assert seen == [0, 0, 1, 1]


def test_what_a_protocol_wrote_before_it_failed_is_sent() -> None:
    class Failing(Recorder):
        def data_received(self, data: bytes) -> None:
            self.transport.write(b"400 Bad Request")  # type: ignore[attr-defined]
            raise ValueError(data)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        one, other = socket.socketpair()
        one.setblocking(False)
        other.setblocking(False)
        await loop.create_connection(Failing, sock=one)
        other.send(b"x")
        assert await receive(other, 15) == b"400 Bad Request"
        assert await loop.sock_recv(other, 1) == b""
        other.close()

    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        runner.run(main())


def test_writelines_refuses_before_it_sends(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        with pytest.raises(TypeError, match="pass bytes-like objects"):
            transport.writelines([b"abc", "text"])

        def broken() -> Any:
            yield b"abc"
            raise KeyError

        with pytest.raises(KeyError):
            transport.writelines(broken())
        assert transport.get_write_buffer_size() == 0
        transport.close()
        peer.close()

    run(main())


def test_shutting_the_raw_socket_down_comes_after_what_was_written(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        sock = transport.get_extra_info("socket")
        transport.write(b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert peer.recv(10) == b"hello"
        transport.abort()
        peer.close()

    run(main())
