"""Streams over pipes, terminals, sockets and devices, on three loops."""

import asyncio
import contextlib
import functools
import gc
import io
import os
import socket
import ssl
import subprocess
import sys
import termios
import tty
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import ninth
from ninth import BusyError, FileClosedError, LineTooLong, Stream
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


@contextlib.asynccontextmanager
async def pipe() -> AsyncIterator[tuple[Stream, Stream]]:
    """A pipe as two streams: to read from, to write to."""
    reading, writing = os.pipe()
    async with Stream(reading) as reader, Stream(writing) as writer:
        yield reader, writer


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[Stream, Stream]]:
    """Two sockets that are connected, as streams."""
    one, other = socket.socketpair()
    async with Stream(one) as first, Stream(other) as second:
        yield first, second


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# Reading


@on_each_loop
async def test_read_gives_what_is_there() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"hello")
        assert await reader.read(2) == b"he"
        assert reader.pending() == 0
        assert await reader.read(100) == b"llo"
        waiting = asyncio.ensure_future(reader.read())
        await turns()
        assert not waiting.done()
        await writer.write(b"later")
        assert await waiting == b"later"
        await writer.write_eof()
        assert await reader.read() == b""
        assert await reader.read() == b""


@on_each_loop
async def test_read_exactly() -> None:
    async with pair() as (one, other):
        waiting = asyncio.ensure_future(one.read_exactly(6))
        await other.write(b"abc")
        await turns()
        assert not waiting.done()
        await other.write(b"defgh")
        assert await waiting == b"abcdef"
        assert one.pending() == 2
        assert await one.read_exactly(0) == b""
        assert await one.read_exactly(1) == b"g"
        await other.write_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await one.read_exactly(5)
        assert caught.value.partial == b"h"
        assert caught.value.expected == 5
        assert await one.read() == b""


@on_each_loop
async def test_read_exactly_of_much() -> None:
    data = os.urandom(2_000_000)
    async with pair() as (one, other):
        sending = asyncio.ensure_future(other.write(data))
        assert await one.read_exactly(len(data)) == data
        await sending


@on_each_loop
async def test_read_until() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"one--two-")
        assert await reader.read_until(b"--") == b"one--"
        waiting = asyncio.ensure_future(reader.read_until(b"--"))
        await turns()
        # The separator comes in two parts.
        await writer.write(b"-three")
        assert await waiting == b"two--"
        await writer.write_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await reader.read_until(b"--")
        assert caught.value.partial == b"three"


@on_each_loop
async def test_a_limit_loses_nothing() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"x" * 100 + b"\nnext\n")
        for _ in range(2):
            with pytest.raises(LineTooLong, match="within 99 bytes"):
                await reader.read_line(limit=99)
        assert await reader.read_line(limit=100) == b"x" * 100 + b"\n"
        with pytest.raises(LineTooLong):
            await reader.read_until(b"t\n", limit=2)
        assert await reader.read_until(b"t\n", limit=3) == b"next\n"


@on_each_loop
async def test_lines() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"one\n\nthree\r\nlast")
        await writer.write_eof()
        assert await reader.read_line() == b"one\n"
        assert [line async for line in reader] == [b"\n", b"three\r\n", b"last"]
        assert await reader.read_line() == b""


@on_each_loop
async def test_lines_as_text() -> None:
    async with pipe() as (reader, writer):
        await writer.write("héllo\n\nthree\r\n".encode() + b"\xff\nlast")
        await writer.write_eof()
        assert [line async for line in reader.lines()] == ["héllo", "", "three", "\ufffd", "last"]


@on_each_loop
async def test_lines_of_any_size_in_parts_of_any_size() -> None:
    lines = [os.urandom(size).replace(b"\n", b" ") + b"\n" for size in range(0, 60_000, 997)]
    data = b"".join(lines)
    async with pair() as (one, other):

        async def send() -> None:
            for start in range(0, len(data), 1013):
                await other.write(data[start : start + 1013])
            await other.write_eof()

        sending = asyncio.ensure_future(send())
        assert [line async for line in one] == lines
        await sending


@on_each_loop
async def test_a_cancelled_reader_loses_nothing() -> None:
    async with pipe() as (reader, writer):
        for cancelled in (
            reader.read(),
            reader.read_exactly(20),
            reader.read_until(b"!"),
            reader.read_line(),
        ):
            task = asyncio.ensure_future(cancelled)
            await turns()
            await writer.write(b"some ")
            await turns(1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                assert await task == b"some "
                await writer.write(b"some ")
        await writer.write_eof()
        left = b""
        while data := await reader.read():
            left += data
        assert left == b"some " * 4


@on_each_loop
async def test_cancelled_between_the_event_and_the_step() -> None:
    """The loop has read the data, and the task that waited is cancelled before it runs."""
    async with pipe() as (reader, writer):
        task = asyncio.ensure_future(reader.read())
        await turns()
        await writer.write(b"data")
        while not reader.pending():
            await asyncio.sleep(0)
            if task.done():
                assert await task == b"data"
                return
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await reader.read() == b"data"


@on_each_loop
async def test_one_reader_and_one_writer() -> None:
    async with pair() as (one, other):
        reading = asyncio.ensure_future(one.read())
        writing = asyncio.ensure_future(one.write(bytes(5_000_000)))
        await turns()
        methods: list[Any] = [one.read, one.read_line, functools.partial(one.read_exactly, 1)]
        for method in methods:
            with pytest.raises(BusyError, match="somebody else reads"):
                await method()
        with pytest.raises(BusyError, match="somebody else writes"):
            await one.write(b"")
        with pytest.raises(BusyError):
            await one.write_eof()
        await other.write(b"x")
        assert await reading == b"x"
        await other.read_exactly(5_000_000)
        await writing


@on_each_loop
async def test_read_available() -> None:
    async with pipe() as (reader, writer):
        assert reader.read_available() == b""
        await writer.write(b"a\nbc")
        assert await reader.read_line() == b"a\n"
        await writer.write(b"d")
        assert reader.read_available() == b"bcd"
        await writer.write_eof()
        assert reader.read_available() == b""


@on_each_loop
async def test_readable_sees_what_a_stream_holds() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"one\ntwo\n")
        assert await reader.read_line() == b"one\n"
        assert reader.pending() == 4
        async with asyncio.timeout(10):
            assert await ninth.readable(reader) is reader


@on_each_loop
async def test_an_error_of_the_system_reaches_the_reader() -> None:
    async with pair() as (one, other):
        await one.write(b"never read")
        waiting = asyncio.ensure_future(one.read())
        await turns()
        await other.aclose()
        with pytest.raises(ConnectionResetError):
            await waiting


@on_each_loop
async def test_a_limit_does_not_count_the_line_end() -> None:
    async with pipe() as (reader, writer):
        await writer.write(b"12345\n12345\r\n12345\r6\n")
        assert await reader.read_line(limit=5) == b"12345\n"
        assert await reader.read_line(limit=5) == b"12345\r\n"
        with pytest.raises(LineTooLong):
            await reader.read_line(limit=5)
        assert await reader.read_line(limit=7) == b"12345\r6\n"
        await writer.write(b"12345")
        await writer.write_eof()
        assert await reader.read_line(limit=5) == b"12345"


def test_giving_back_leaves_strangers_alone() -> None:
    reading, writing = os.pipe()
    stream = Stream(reading)
    assert not os.get_blocking(reading)
    os.close(reading)
    other, another = os.pipe()
    os.set_blocking(other, True)
    assert other == reading
    os.set_blocking(other, False)
    stream._give_back()
    assert not os.get_blocking(other)
    gone = Stream(other)
    os.close(other)
    gone._give_back()
    os.close(another)
    kept = Stream(writing)
    os.set_blocking(writing, True)
    again = Stream(writing)
    assert not os.get_blocking(writing)
    again._give_back()
    assert os.get_blocking(writing)
    kept._give_back()
    os.close(writing)


# Writing


@on_each_loop
async def test_write_waits_until_all_is_taken() -> None:
    data = os.urandom(1_000_000)
    async with pipe() as (reader, writer):
        writing = asyncio.ensure_future(writer.write(data))
        await turns()
        assert not writing.done()
        assert await reader.read_exactly(len(data)) == data
        await writing


@on_each_loop
async def test_a_cancelled_write_is_sent_to_its_end() -> None:
    first = bytearray(os.urandom(300_000))
    expected = bytes(first)
    async with pipe() as (reader, writer):
        writing = asyncio.ensure_future(writer.write(first))
        await turns()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        # It is the caller's again.
        first[:] = bytes(10)
        following = asyncio.ensure_future(writer.write(b"second"))
        assert await reader.read_exactly(len(expected)) == expected
        assert await reader.read_exactly(6) == b"second"
        await following


@on_each_loop
async def test_write_of_all_kinds_of_buffers() -> None:
    async with pipe() as (reader, writer):
        await writer.write(bytearray(b"ab"))
        await writer.write(memoryview(b"cdef")[1:3])
        await writer.write(memoryview(b"\x01\x00\x02\x00").cast("H"))
        await writer.write(memoryview(b"fxgx")[::2])
        await writer.write(b"")
        assert await reader.read() == b"abde\x01\x00\x02\x00fg"


@on_each_loop
async def test_writing_to_nobody() -> None:
    async with pipe() as (reader, writer):
        writing = asyncio.ensure_future(writer.write(bytes(1_000_000)))
        await turns()
        await reader.aclose()
        with pytest.raises(BrokenPipeError):
            await writing
        with pytest.raises(BrokenPipeError):
            await writer.write(b"more")


@on_each_loop
async def test_an_error_after_the_writer_was_cancelled_reaches_the_next() -> None:
    async with pipe() as (reader, writer):
        writing = asyncio.ensure_future(writer.write(bytes(1_000_000)))
        await turns()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await reader.aclose()
        # Until the loop has seen it, the next write waits for the cancelled one.
        with pytest.raises(BrokenPipeError):
            await writer.write(b"more")


@on_each_loop
async def test_the_end_of_a_socket_leaves_it_readable() -> None:
    async with pair() as (one, other):
        await one.write(b"question")
        await one.write_eof()
        await one.write_eof()
        assert await other.read_exactly(8) == b"question"
        assert await other.read() == b""
        await other.write(b"answer")
        assert await one.read() == b"answer"
        with pytest.raises(RuntimeError, match=r"after write_eof\(\)"):
            await one.write(b"more")


@on_each_loop
async def test_a_steady_stream_registers_once() -> None:
    async with pair() as (one, other):
        loop = asyncio.get_running_loop()
        if isinstance(loop, ninth.EventLoop):
            calls: list[Any] = []
            poller = loop.core.poller

            async def echo() -> None:
                while data := await other.read():
                    await other.write(data)

            echoing = asyncio.ensure_future(echo())
            await one.write(b"x")
            await one.read()
            before = dict(poller.interest)
            setting = type(poller).set
            if ninth.is_compiled():
                pytest.skip("the calls of the compiled poller cannot be counted from Python")

            def spy(self: Any, *given: Any) -> Any:
                calls.append(given)
                return setting(self, *given)

            type(poller).set = spy
            try:
                for _ in range(100):
                    await one.write(b"x")
                    await one.read()
            finally:
                type(poller).set = setting
            assert not calls
            assert dict(poller.interest) == before
            await one.aclose()
            await echoing


# Closing


@on_each_loop
async def test_closing_wakes_who_waits() -> None:
    for close in (Stream.aclose, closed_by_ninth):
        one, other = socket.socketpair()
        with other:
            stream = Stream(one)
            reading = asyncio.ensure_future(stream.read())
            writing = asyncio.ensure_future(stream.write(bytes(5_000_000)))
            await turns()
            await close(stream)
            for waiting in (reading, writing):
                with pytest.raises(FileClosedError, match="was closed while it was waited for"):
                    await waiting
            for late in (stream.read(), stream.write(b""), stream.write_eof()):
                with pytest.raises(FileClosedError, match="is closed"):
                    await late
            await stream.aclose()
            assert stream.fileno() == -1
            assert one.fileno() == -1


async def closed_by_ninth(stream: Stream) -> None:
    ninth.close(stream)


@on_each_loop
async def test_an_int_is_closed_too() -> None:
    reading, writing = os.pipe()
    async with Stream(writing), Stream(reading):
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


@on_each_loop
async def test_a_number_that_is_used_again() -> None:
    for text in (b"one", b"two", b"three"):
        async with pipe() as (reader, writer):
            waiting = asyncio.ensure_future(reader.read())
            await turns()
            await writer.write(text)
            assert await waiting == text


def test_a_stream_is_used_on_several_loops(loop_factory: Factory) -> None:
    one, other = socket.socketpair()
    stream = Stream(one)
    other.sendall(b"a")
    for _ in range(2):
        with asyncio.Runner(loop_factory=loop_factory) as runner:

            async def main() -> bytes:
                asyncio.get_running_loop().call_later(0.01, other.sendall, b"b")
                await stream.read()
                return await stream.read()

            assert runner.run(main()) == b"b"
        other.sendall(b"a")
    stream.close()
    other.close()


# Kinds of files


@on_each_loop
async def test_a_terminal() -> None:
    master, slave = os.openpty()
    async with Stream(master) as screen, Stream(slave) as program:
        tty.setraw(slave)
        await screen.write(b"typed")
        assert await program.read() == b"typed"
        await program.write(b"shown")
        assert await screen.read() == b"shown"
        with pytest.raises(io.UnsupportedOperation, match="no end that could be sent"):
            await program.write_eof()
        # Who shares the terminal counts on its blocking.
        assert os.get_blocking(slave)
        assert os.get_blocking(master)
        waiting = asyncio.ensure_future(screen.read())
        await turns()
        await program.aclose()
        assert await waiting == b""


@on_each_loop
async def test_lines_of_a_terminal() -> None:
    master, slave = os.openpty()
    async with Stream(master) as screen, Stream(slave) as program:
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        await screen.write(b"one\ntwo\n\x04")
        assert [line async for line in program] == [b"one\n", b"two\n"]
        # The end of a file typed at a terminal is not for ever.
        await screen.write(b"three\n")
        assert await program.read_line() == b"three\n"


@on_each_loop
async def test_devices() -> None:
    async with Stream(os.open("/dev/null", os.O_RDWR)) as null:
        await null.write(b"gone")
        assert await null.read() == b""
    async with Stream(os.open("/dev/zero", os.O_RDONLY)) as zero:
        assert await zero.read_exactly(100_000) == bytes(100_000)


@on_each_loop
async def test_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\n")
    with path.open("rb", buffering=0) as file:
        stream = Stream(file)
        assert [line async for line in stream] == [b"one\n", b"two\n"]
        with path.open("ab") as more:
            more.write(b"three\n")
        assert await stream.read_line() == b"three\n"


@on_each_loop
async def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    async with Stream(os.open(path, os.O_RDONLY | os.O_NONBLOCK)) as reader:
        async with Stream(os.open(path, os.O_WRONLY)) as writer:
            await writer.write(b"through")
            assert await reader.read() == b"through"
        assert await reader.read() == b""


@on_each_loop
async def test_a_buffered_reader_that_holds_data() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\nthree\n")
    file = os.fdopen(reading, "rb")
    assert file.readline() == b"one\n"
    async with Stream(file) as reader, Stream(writing) as writer:
        assert await reader.read_line() == b"two\n"
        assert await reader.read_line() == b"three\n"
        waiting = asyncio.ensure_future(reader.read_line())
        await turns()
        await writer.write(b"four\n")
        assert await waiting == b"four\n"


@on_each_loop
async def test_an_empty_buffered_reader_does_not_block() -> None:
    reading, writing = os.pipe()
    async with Stream(os.fdopen(reading, "rb")) as reader, Stream(writing) as writer:
        assert reader.pending() == 0
        await writer.write(b"data")
        assert await reader.read() == b"data"


ECHO = """
import os, sys, ninth
async def main():
    stream = ninth.Stream(sys.stdin.buffer)
    async for line in stream.lines():
        print("got", line, flush=True)
    print(os.get_blocking(0), await stream.read())
ninth.run(main)
"""


@pytest.mark.parametrize("kind", ["here-document", "file", "pipe", "null"])
def test_standard_input(kind: str, tmp_path: Path) -> None:
    script, data = tmp_path / "echo.py", tmp_path / "data"
    script.write_text(ECHO)
    data.write_text("one\ntwo\n")
    shell = {
        "here-document": f"{sys.executable} {script} <<X\none\ntwo\nX\n",
        "file": f"{sys.executable} {script} < {data}",
        "pipe": f"cat {data} | {sys.executable} {script}",
        "null": f"{sys.executable} {script} < /dev/null",
    }
    done = subprocess.run(shell[kind], shell=True, stdout=subprocess.PIPE, check=True, timeout=60)
    lines = b"" if kind == "null" else b"got one\ngot two\n"
    assert done.stdout == lines + b"True b''\n"


# Bad input


def test_what_is_no_stream(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed = socket.socket()
    closed.close()
    directory = os.open(tmp_path, os.O_RDONLY)
    plain = socket.socket()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain, server_hostname="x")
    cases: list[tuple[Any, type[Exception], str]] = [
        (listener, TypeError, "which listens: pass what it accepts"),
        (datagrams, TypeError, "sends datagrams"),
        (datagrams.fileno(), TypeError, "sends datagrams"),
        (closed, FileClosedError, "is closed"),
        (directory, IsADirectoryError, "a directory"),
        (tls, TypeError, r"connect_tcp\(…, ssl=…\)"),
        (sys.__stdout__, TypeError, "its buffer can hide data"),
        (io.BytesIO(), TypeError, "no descriptor"),
        ("text", TypeError, "which is no file"),
        (-1, FileClosedError, "is closed"),
    ]
    try:
        for file, kind, text in cases:
            with pytest.raises(kind, match=text):
                Stream(file)
    finally:
        os.close(directory)
        for sock in (listener, datagrams, tls):
            sock.close()
        gc.collect()


@on_each_loop
async def test_bad_arguments() -> None:
    async with pipe() as (reader, writer):
        cases: list[tuple[Any, type[Exception], str]] = [
            (reader.read(0), ValueError, "pass 1 or more"),
            (reader.read_exactly(-1), ValueError, "pass 0 or more"),
            (reader.read_until(b""), ValueError, "the separator is empty"),
            (reader.read_until(b"x", limit=0), ValueError, "pass 1 or more"),
            (reader.read_line(limit=-5), ValueError, "pass 1 or more"),
            (reader.write(b"x"), io.UnsupportedOperation, "open for reading only"),
            (writer.read(), io.UnsupportedOperation, "open for writing only"),
            (writer.write("text"), TypeError, "pass bytes, as from"),  # type: ignore[arg-type]
        ]
        for call, kind, text in cases:
            with pytest.raises(kind, match=text):
                await call
        with pytest.raises(LookupError):
            reader.lines(encoding="no-such")


@on_each_loop
async def test_a_write_that_nobody_awaits_says_so() -> None:
    async with pair() as (one, other):
        with pytest.warns(RuntimeWarning, match="never awaited: nothing was sent"):
            one.write(b"lost")  # type: ignore[unused-coroutine]
        await one.write(b"sent")
        assert await other.read() == b"sent"


@on_each_loop
async def test_reads_and_writes_become_tasks_like_any_coroutine() -> None:
    async with pair() as (one, other):
        for _ in range(2):
            # The first read of a stream goes another way than those that follow.
            assert await asyncio.gather(one.read(), other.write(b"a")) == [b"a", None]
            reading = asyncio.ensure_future(one.read())
            assert isinstance(reading, asyncio.Task)
            await asyncio.ensure_future(other.write(bytearray(b"b")))
            assert await reading == b"b"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.read(), 0.01)
            async with asyncio.TaskGroup() as group:
                group.create_task(other.write(b"c"))
                got = group.create_task(one.read())
            assert got.result() == b"c"
            shielded = asyncio.ensure_future(asyncio.shield(one.read()))
            await turns()
            await other.write(b"d")
            assert await shielded == b"d"
            done, _ = await asyncio.wait(
                [asyncio.create_task(one.read()), asyncio.create_task(other.write(b"e"))]
            )
            assert {task.result() for task in done} == {b"e", None}
