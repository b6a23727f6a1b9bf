"""What a program for asyncio meets at the edges: forks, overrides, pipes, slow protocols."""

import asyncio
import logging
import os
import signal
import socket
from typing import Any

import pytest

import ninth
from tests.asyncio_loop.conftest import Run


def in_child(work: Any) -> str:
    """Fork; return what work() returns in the child, or the exception it raised."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = str(work())
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        told = file.read()
    os.waitpid(pid, 0)
    return told


def test_a_forked_child_is_refused_whatever_it_asks(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            for ask in (
                lambda: loop.call_soon(print),
                lambda: loop.call_later(1, print),
                lambda: loop.call_soon_threadsafe(print),
                lambda: loop.add_reader(ours, print),
            ):
                assert in_child(ask).startswith("RuntimeError: this loop belongs to the parent")

    run(main())


def test_a_transport_that_a_forked_child_closes_goes_on_in_the_parent(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        reader = asyncio.StreamReader()
        transport, _ = await loop.create_connection(
            lambda: asyncio.StreamReaderProtocol(reader), sock=ours
        )
        assert in_child(transport.close) == "None"
        with theirs:
            await loop.sock_sendall(theirs, b"still here")
            assert await reader.readexactly(10) == b"still here"
            transport.write(b"so am I")
            assert await loop.sock_recv(theirs, 100) == b"so am I"
            transport.close()
            assert await loop.sock_recv(theirs, 100) == b""

    run(main())


def test_what_a_subclass_overrides_is_used_by_asyncio_itself() -> None:
    class Counting(ninth.EventLoop):
        soon = 0
        later = 0

        def call_soon(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
            self.soon += 1
            return super().call_soon(*args, **options)

        def call_at(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
            self.later += 1
            return super().call_at(*args, **options)

    async def main() -> None:
        await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=Counting) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Counting)
        runner.run(main())
        assert loop.soon > 0
        assert loop.later > 0


def test_a_coroutine_function_is_no_signal_handler(run: Run) -> None:
    async def handler() -> None:
        raise AssertionError("never called")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="coroutines cannot be used with add_signal_handler"):
            loop.add_signal_handler(signal.SIGUSR1, handler)

    run(main())


def test_reading_nothing_does_not_wait(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            assert await asyncio.wait_for(loop.sock_recv(ours, 0), 5) == b""

    run(main())


class Recorder(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data
        if data == b"bad":
            raise ValueError("a protocol of mine")

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(error)


def test_a_pipe_outlives_an_error_of_its_protocol() -> None:
    async def main() -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        complaints: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        reading, writing = os.pipe()
        _, protocol = await loop.connect_read_pipe(Recorder, open(reading, "rb", 0))  # noqa: SIM115
        os.write(writing, b"bad")
        while not complaints:
            await asyncio.sleep(0)
        os.write(writing, b" good")
        os.close(writing)
        assert await protocol.ended is None
        assert protocol.data == b"bad good"
        return complaints

    for factory in (ninth.new_event_loop, asyncio.SelectorEventLoop):
        with asyncio.Runner(loop_factory=factory) as runner:
            (complaint,) = runner.run(main())
        assert str(complaint["exception"]) == "a protocol of mine"


def test_what_is_written_to_a_pipe_after_its_end_is_not_sent(run: Run) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(writing, "wb", 0))  # noqa: SIM115
        transport.write(b"before")
        transport.write_eof()
        transport.write(b"after")
        with open(reading, "rb") as file:
            return await asyncio.to_thread(file.read)

    assert run(main()) == b"before"


def test_a_pipe_reads_into_the_buffer_of_a_buffered_protocol(run: Run) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(4)
            self.data = b""
            self.ended = asyncio.get_running_loop().create_future()

        def get_buffer(self, _hint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, count: int) -> None:
            self.data += self.buffer[:count]

        def connection_lost(self, error: Exception | None) -> None:
            self.ended.set_result(error)

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        _, protocol = await loop.connect_read_pipe(Buffered, open(reading, "rb", 0))  # noqa: SIM115
        os.write(writing, b"in several pieces")
        os.close(writing)
        await protocol.ended
        return protocol.data

    assert run(main()) == b"in several pieces"


def test_a_slow_protocol_is_told_of_in_debug_mode(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 1000.0
        done = loop.create_future()

        class Slow(asyncio.Protocol):
            def data_received(self, _data: bytes) -> None:
                loop.slow_callback_duration = 0.0
                done.set_result(None)

        ours, theirs = socket.socketpair()
        transport, _ = await loop.create_connection(Slow, sock=ours)
        with theirs:
            theirs.send(b"x")
            await done
            loop.slow_callback_duration = 1000.0
            transport.close()

    with caplog.at_level(logging.WARNING, "asyncio"):
        run(main())
    slow = [record.getMessage() for record in caplog.records if "Slow" in record.getMessage()]
    assert any("took" in message for message in slow), caplog.text
