"""Connections, servers and datagrams, on three loops."""

import asyncio
import contextlib
import errno
import io
import os
import resource
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ninth
from ninth import BusyError, FileClosedError, LineTooLong, Stream
from ninth.net import connecting, server
from ninth.net.addresses import Address, interleaved
from tests.loops import on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


async def echo(stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Any) -> None:
    """Wait until something is true; the time limit of the test ends it otherwise."""
    while not condition():
        await asyncio.sleep(0.001)


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


# Connecting and serving


@on_each_loop
async def test_a_connection_is_a_stream() -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", 0) as serving:
        assert serving.addresses == [("127.0.0.1", serving.port)]
        stream = await ninth.connect_tcp("127.0.0.1", serving.port)
        assert isinstance(stream, Stream)
        assert stream.remote_address == ("127.0.0.1", serving.port)
        assert stream.local_address == stream.file.getsockname()
        assert stream.file.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await stream.write(b"one\ntwo\nthree")
        assert await stream.read_line() == b"one\n"
        assert await stream.read_exactly(2) == b"tw"
        assert await stream.read_until(b"thr") == b"o\nthr"
        # Half of it is closed: the other half still delivers.
        await stream.write_eof()
        assert await stream.read() == b"ee"
        assert await stream.read() == b""
        await stream.aclose()


@on_each_loop
async def test_connections_can_be_entered() -> None:
    async with (
        ninth.serve_tcp(echo, "localhost", 0) as serving,
        ninth.connect_tcp("localhost", serving.port) as stream,
    ):
        await stream.write(b"x" * 1_000_000)
        assert await stream.read_exactly(1_000_000) == b"x" * 1_000_000
    assert stream.closed


@on_each_loop
async def test_scopes_start_connections_and_servers() -> None:
    serving = ninth.serve_tcp(echo, "127.0.0.1", 0)
    async with ninth.scope() as scope:
        scope.start(lambda: serving, background=True)
        await until(lambda: serving.addresses)
        async with await scope.start(ninth.connect_tcp, "127.0.0.1", serving.port) as stream:
            await stream.write(b"x")
            assert await stream.read() == b"x"


@on_each_loop
async def test_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with ninth.serve_unix(echo, path, mode=0o600) as serving:
        assert serving.addresses == [str(path)]
        assert path.stat().st_mode & 0o777 == 0o600
        async with ninth.connect_unix(path) as stream:
            await stream.write(b"over a path")
            assert await stream.read_exactly(11) == b"over a path"
        with pytest.raises(OSError, match="cannot listen"):
            async with ninth.serve_unix(echo, path):
                pass
        with pytest.raises(AttributeError, match="has no port"):
            _ = serving.port
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="cannot connect"):
        await ninth.connect_unix(path)


@on_each_loop
async def test_a_socket_that_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with ninth.serve_unix(echo, path), ninth.connect_unix(path) as stream:
        await stream.write(b"x")
        assert await stream.read() == b"x"
    path.write_text("no socket")
    with pytest.raises(OSError, match="cannot listen") as raised:
        async with ninth.serve_unix(echo, path):
            pass
    assert raised.value.errno == errno.EADDRINUSE
    assert path.read_text() == "no socket"


@on_each_loop
async def test_a_server_leaves_the_socket_of_its_successor_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with ninth.serve_unix(echo, path):
        path.unlink()
        async with ninth.serve_unix(echo, path) as successor:
            pass
        async with ninth.serve_unix(echo, path) as successor:
            assert successor.connections == 0
            break_off = path.exists()
    assert break_off


@on_each_loop
async def test_abstract_names() -> None:
    name = f"\0ninth-test-{os.getpid()}-{id(object())}"
    async with ninth.serve_unix(echo, name), ninth.connect_unix(name) as stream:
        await stream.write(b"x")
        assert await stream.read() == b"x"


@on_each_loop
async def test_all_addresses_share_one_port() -> None:
    async with ninth.serve_tcp(echo, None, 0) as serving:
        assert len({address[1] for address in serving.addresses}) == 1
        for host in ("127.0.0.1", "::1")[: len(serving.addresses)]:
            async with ninth.connect_tcp(host, serving.port) as stream:
                await stream.write(b"x")
                assert await stream.read() == b"x"


@on_each_loop
async def test_several_sockets_of_one_port() -> None:
    names: list[str] = []

    def named(name: str) -> Any:
        async def handler(stream: Stream) -> None:
            names.append(name)
            await stream.write(b".")

        return handler

    async with (
        ninth.serve_tcp(named("one"), "127.0.0.1", 0, reuse_port=True) as first,
        ninth.serve_tcp(named("two"), "127.0.0.1", first.port, reuse_port=True),
    ):
        for _ in range(100):
            async with ninth.connect_tcp("127.0.0.1", first.port) as stream:
                assert await stream.read() == b"."
    assert set(names) == {"one", "two"}


@on_each_loop
async def test_a_port_that_is_taken() -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", 0) as serving:
        with pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address") as raised:
            async with ninth.serve_tcp(echo, "127.0.0.1", serving.port):
                pass
        assert raised.value.errno == errno.EADDRINUSE


@on_each_loop
async def test_connecting_from_an_address() -> None:
    async with (
        ninth.serve_tcp(echo, "127.0.0.1", 0) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, local_address=("127.0.0.2", 0)) as stream,
    ):
        assert stream.local_address[0] == "127.0.0.2"
    with pytest.raises(OSError, match="no local address is of the family"):
        await ninth.connect_tcp("127.0.0.1", serving.port, local_address=("::1", 0))


# Happy eyeballs


def test_families_take_turns() -> None:
    six = [Address(socket.AF_INET6, 1, 6, (f"::{n}", 1, 0, 0)) for n in range(3)]
    four = [Address(socket.AF_INET, 1, 6, (f"127.0.0.{n}", 1)) for n in range(1)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], six[2]]
    assert str(six[0]) == "[::0]:1"
    assert str(four[0]) == "127.0.0.0:1"


@on_each_loop
async def test_a_slow_address_does_not_hold_up_the_next() -> None:
    addresses = [Address(socket.AF_INET, 1, 6, (f"127.0.0.{n}", 1)) for n in range(1, 4)]
    open_sockets: list[socket.socket] = []
    cancelled = []

    async def attempt(address: Address) -> socket.socket:
        if address is addresses[0]:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(address)
        if address is addresses[1]:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        open_sockets.append(socket.socket())
        return open_sockets[-1]

    sock = await connecting.race(addresses, attempt, 0.01, "somewhere")
    assert [sock] == open_sockets
    assert cancelled == [addresses[0]]
    sock.close()


@on_each_loop
async def test_of_two_that_answer_one_is_closed() -> None:
    addresses = [Address(socket.AF_INET, 1, 6, (f"127.0.0.{n}", 1)) for n in range(1, 3)]
    gate = asyncio.Event()
    made: list[socket.socket] = []

    async def attempt(_address: Address) -> socket.socket:
        if len(made) == 0 and not gate.is_set():
            await gate.wait()
        else:
            gate.set()
        made.append(socket.socket())
        return made[-1]

    async def second() -> None:
        await asyncio.sleep(0.02)
        gate.set()

    opener = asyncio.ensure_future(second())
    sock = await connecting.race(addresses, attempt, 0.001, "somewhere")
    await opener
    assert [one.fileno() >= 0 for one in made].count(True) == 1
    sock.close()


@on_each_loop
async def test_all_attempts_fail() -> None:
    addresses = [Address(socket.AF_INET, 1, 6, (f"127.0.0.{n}", 1)) for n in range(1, 3)]

    async def attempt(address: Address) -> socket.socket:
        code = errno.ECONNREFUSED if address is addresses[0] else errno.ENETUNREACH
        raise OSError(code, os.strerror(code))

    with pytest.raises(OSError, match="cannot connect to somewhere: Connection refused") as raised:
        await connecting.race(addresses, attempt, 10, "somewhere")
    assert isinstance(raised.value.__cause__, OSError)
    assert "Network is unreachable (127.0.0.2:1)" in str(raised.value)


# Errors of connecting


@on_each_loop
async def test_nobody_listens() -> None:
    port = closed_port()
    with pytest.raises(ConnectionRefusedError, match=f"cannot connect to 127.0.0.1:{port}"):
        await ninth.connect_tcp("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        await ninth.connect_tcp("localhost", port)


@on_each_loop
async def test_names_without_an_address() -> None:
    with pytest.raises(socket.gaierror, match=r"'no\.such\.invalid' has no address"):
        await ninth.connect_tcp("no.such.invalid", 80)
    with pytest.raises(socket.gaierror, match="has no address"):
        await ninth.connect_tcp("x" * 70, 80)
    with pytest.raises(socket.gaierror, match="has no address"):
        async with ninth.serve_tcp(echo, "no.such.invalid", 0):
            pass


@on_each_loop
async def test_connecting_can_be_cancelled_at_any_time() -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", 0) as serving:
        for delay in range(12):
            for host in ("127.0.0.1", "localhost"):
                task = asyncio.ensure_future(connected(host, serving.port))
                await turns(delay)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    (await task).close()
        await until(lambda: not serving.connections)


async def connected(host: str, port: int) -> Stream:
    return await ninth.connect_tcp(host, port)


@on_each_loop
async def test_a_connection_that_is_not_answered_times_out() -> None:
    # A full queue of a listener that nobody empties: further connections wait.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        filling = []
        try:
            for _ in range(4):
                sock = socket.socket()
                filling.append(sock)
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            with pytest.raises(TimeoutError):
                async with ninth.timeout(0.05):
                    await ninth.connect_tcp("127.0.0.1", port)
        finally:
            for sock in filling:
                sock.close()


@on_each_loop
async def test_a_full_queue_of_a_unix_socket_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as stack:
        full.bind(path)
        full.listen(0)
        first = stack.enter_context(socket.socket(socket.AF_UNIX))
        first.connect(path)
        waiting = asyncio.ensure_future(connected_unix(path))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        full.accept()[0].close()
        (await waiting).close()


async def connected_unix(path: str) -> Stream:
    return await ninth.connect_unix(path)


# The life of a server


@on_each_loop
async def test_leaving_lets_handlers_finish() -> None:
    finished = []

    async def slow(stream: Stream) -> None:
        await stream.read()
        await asyncio.sleep(0.05)
        await stream.write(b"done")
        finished.append(stream)

    async with ninth.scope() as scope:
        async with ninth.serve_tcp(slow, "127.0.0.1", 0) as serving:
            stream = await ninth.connect_tcp("127.0.0.1", serving.port)
            await stream.write(b"go")
            await until(lambda: serving.connections)
            reading = scope.start(stream.read)
        assert len(finished) == 1
        assert finished[0].closed
        with pytest.raises(ConnectionRefusedError):
            await ninth.connect_tcp("127.0.0.1", serving.port)
        assert await reading == b"done"
        await stream.aclose()


@on_each_loop
async def test_handlers_that_do_not_finish_are_cancelled_after_the_grace() -> None:
    ended = []

    async def forever(stream: Stream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(stream)

    async with ninth.serve_tcp(forever, "127.0.0.1", 0, grace=0.02) as serving:
        async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
            await until(lambda: serving.connections)
            serving.stop()
            serving.stop()
            # Its end of the connection is closed.
            assert await stream.read() == b""
    assert len(ended) == 1


@on_each_loop
async def test_an_error_in_the_block_cancels_the_handlers() -> None:
    begun, ended = [], []

    async def forever(_stream: Stream) -> None:
        begun.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(ExceptionGroup) as raised:
        async with ninth.serve_tcp(forever, "127.0.0.1", 0) as serving:
            async with ninth.connect_tcp("127.0.0.1", serving.port):
                await until(lambda: begun)
                raise KeyError("mine")
    assert [type(error) for error in raised.value.exceptions] == [KeyError]
    assert ended == [True]


@on_each_loop
async def test_awaiting_a_server_serves_until_it_is_cancelled() -> None:
    serving = ninth.serve_tcp(echo, "127.0.0.1", 0)
    task = asyncio.ensure_future(serving)
    await until(lambda: serving.addresses)
    stream = await ninth.connect_tcp("127.0.0.1", serving.port)
    await stream.write(b"x")
    assert await stream.read() == b"x"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stream.read() == b""
    await stream.aclose()


@on_each_loop
async def test_awaiting_a_server_ends_when_it_is_stopped() -> None:
    serving = ninth.serve_tcp(echo, "127.0.0.1", 0)
    async with ninth.scope() as scope:
        scope.start(serving)
        await until(lambda: serving.addresses)
        serving.stop()
    serving.stop()
    serving.cancel()


@on_each_loop
async def test_a_handler_that_raises_stops_the_server() -> None:
    async def broken(stream: Stream) -> None:
        await stream.read()
        raise ValueError("a defect")

    with pytest.raises(ExceptionGroup) as raised:
        async with ninth.serve_tcp(broken, "127.0.0.1", 0) as serving:
            async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
                await stream.write(b"x")
                await asyncio.Event().wait()
    assert [str(error) for error in raised.value.exceptions] == ["a defect"]


@on_each_loop
async def test_what_a_peer_can_bring_about_does_not_stop_the_server() -> None:
    async def strict(stream: Stream) -> None:
        line = await stream.read_line(limit=10)
        if line == b"group\n":
            async with ninth.scope() as scope:
                scope.start(stream.read_exactly, 100)
        elif line == b"late\n":
            async with ninth.timeout(0.001):
                await stream.read()
        elif line == b"ok\n":
            await stream.write(b"ok")
        else:
            await stream.read_exactly(100)

    async with ninth.serve_tcp(strict, "127.0.0.1", 0) as serving:
        for message in (b"x" * 100, b"short\n", b"group\n", b"late\n"):
            async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
                await stream.write(message)
                if message != b"late\n":
                    await stream.write_eof()
                with contextlib.suppress(ConnectionResetError):
                    assert await stream.read() == b""
        async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
            # Reset, not closed.
            linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
            stream.file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            await stream.write(b"short\n")
        async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
            await stream.write(b"ok\n")
            assert await stream.read() == b"ok"


@on_each_loop
async def test_all_errors_can_be_taken_by_a_function() -> None:
    errors: list[Exception] = []

    async def broken(stream: Stream) -> None:
        await stream.read_exactly(1)
        raise ValueError("a defect")

    def note(error: Exception, stream: Stream) -> None:
        assert isinstance(stream, Stream)
        errors.append(error)

    async with ninth.serve_tcp(broken, "127.0.0.1", 0, on_error=note) as serving:
        for message in (b"x", b""):
            async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
                await stream.write(message)
                await stream.write_eof()
                assert await stream.read() == b""
    assert [type(error) for error in errors] == [ValueError, asyncio.IncompleteReadError]


@on_each_loop
async def test_a_handler_is_a_coroutine_function() -> None:
    def plain(_stream: Stream) -> None:
        raise AssertionError("called")

    for handler in (plain, None, 5, echo(None)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="pass a coroutine function"):
            ninth.serve_tcp(handler, "127.0.0.1", 0)  # type: ignore[arg-type]
    with pytest.raises(ExceptionGroup) as raised:
        async with ninth.serve_tcp(print, "127.0.0.1", 0) as serving:  # type: ignore[arg-type]
            async with ninth.connect_tcp("127.0.0.1", serving.port):
                await asyncio.Event().wait()
    assert "make it an async def" in str(raised.value.exceptions[0])


@on_each_loop
async def test_descriptors_run_out_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PAUSE", 0.01)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with ninth.serve_tcp(echo, "127.0.0.1", 0) as serving:
        filled: list[int] = []
        peers = [socket.socket() for _ in range(3)]
        try:
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard)
            )
            with contextlib.suppress(OSError):
                while True:
                    filled.append(os.dup(0))
            for peer in peers:
                peer.setblocking(False)
                peer.connect_ex(("127.0.0.1", serving.port))
            await asyncio.sleep(0.05)
            assert serving.connections == 0
            for fd in filled:
                os.close(fd)
            filled.clear()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: serving.connections == 3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in filled:
                os.close(fd)
            for peer in peers:
                peer.close()


@on_each_loop
async def test_a_peer_that_never_reads_holds_up_its_own_handler_only() -> None:
    async def flood(stream: Stream) -> None:
        await stream.read()
        while True:
            await stream.write(b"x" * 65536)

    async with ninth.serve_tcp(flood, "127.0.0.1", 0, grace=0) as serving:
        async with ninth.connect_tcp("127.0.0.1", serving.port) as deaf:
            await deaf.write(b"go")
            async with ninth.connect_tcp("127.0.0.1", serving.port) as other:
                await other.write(b"go")
                got = 0
                while got < 5_000_000:
                    got += len(await other.read())


def test_sigint_ends_a_server() -> None:
    program = """
import ninth, sys
async def handler(stream):
    try:
        await stream.read()
    finally:
        print("cleaned up", flush=True)
async def main():
    server = ninth.serve_tcp(handler, "127.0.0.1", 0)
    async with server:
        async with ninth.connect_tcp("127.0.0.1", server.port):
            while not server.connections:
                await ninth.sleep(0.001)
            print("ready", flush=True)
            await server.serve_forever()
ninth.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(2)
    output, errors = process.communicate(timeout=30)
    assert output == "cleaned up\n"
    assert errors.rstrip().endswith("KeyboardInterrupt")


# TLS


@on_each_loop
async def test_tls_on_both_ends(contexts: Contexts) -> None:
    async with (
        ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        assert isinstance(stream, ninth.TLSStream)
        assert stream.ssl_object.version() in {"TLSv1.2", "TLSv1.3"}
        await stream.write(b"one\ntwo")
        assert await stream.read_line() == b"one\n"
        assert await stream.read_exactly(3) == b"two"
        message = os.urandom(3_000_000)
        async with ninth.scope() as scope:
            scope.start(stream.write, message)
            assert await stream.read_exactly(len(message)) == message
        with pytest.raises(io.UnsupportedOperation, match="TLS stream"):
            await stream.write_eof()
    assert stream.closed
    with pytest.raises(FileClosedError):
        await stream.read()


@on_each_loop
async def test_certificates_that_do_not_verify(contexts: Contexts) -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=contexts[0]) as serving:
        with pytest.raises(ssl.SSLCertVerificationError) as raised:
            await ninth.connect_tcp("127.0.0.1", serving.port, ssl=True)
        assert "cafile" in raised.value.__notes__[0]
        with pytest.raises(ssl.SSLCertVerificationError):
            await ninth.connect_tcp(
                "127.0.0.1", serving.port, ssl=contexts[1], server_hostname="other.example"
            )
        await until(lambda: not serving.connections)


@on_each_loop
async def test_a_peer_that_speaks_no_tls(contexts: Contexts) -> None:
    async def plain(stream: Stream) -> None:
        await stream.write(b"hello, I speak no TLS\n")

    async with ninth.serve_tcp(plain, "127.0.0.1", 0) as serving:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1])
    async with ninth.serve_tcp(
        echo, "127.0.0.1", 0, ssl=contexts[0], handshake_timeout=0.05
    ) as serving:
        async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            # An alert, perhaps; then the end.
            with contextlib.suppress(ConnectionResetError):
                while await stream.read():
                    pass
        async with ninth.connect_tcp("127.0.0.1", serving.port) as silent:
            assert await silent.read() == b""


@on_each_loop
async def test_a_plain_stream_becomes_a_tls_stream(contexts: Contexts) -> None:
    async def handler(stream: Stream) -> None:
        assert await stream.read_line() == b"STARTTLS\n"
        await stream.write(b"go on\n")
        async with await stream.start_tls(contexts[0], server_side=True) as secure:
            await echo(secure)

    async with ninth.serve_tcp(handler, "127.0.0.1", 0) as serving:
        plain = await ninth.connect_tcp("127.0.0.1", serving.port)
        await plain.write(b"STARTTLS\n")
        assert await plain.read_line() == b"go on\n"
        with pytest.raises(ValueError, match="server_hostname"):
            await plain.start_tls(contexts[1])
        with pytest.raises(TypeError, match="create_default_context"):
            await plain.start_tls(None)  # type: ignore[arg-type]
        stream = await plain.start_tls(contexts[1], server_hostname="localhost")
        await stream.write(b"secret")
        assert await stream.read() == b"secret"
        with pytest.raises(BusyError):
            await plain.read()
        with pytest.raises(BusyError):
            await plain.write(b"past it")
        await stream.aclose()
        await plain.aclose()


@on_each_loop
async def test_tls_within_tls(contexts: Contexts) -> None:
    async def handler(stream: Stream) -> None:
        async with await stream.start_tls(contexts[0], server_side=True) as inner:
            await echo(inner)

    async with (
        ninth.serve_tcp(handler, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as outer,
    ):
        inner = await outer.start_tls(contexts[1], server_hostname="localhost")
        await inner.write(b"deep" * 50_000)
        assert await inner.read_exactly(200_000) == b"deep" * 50_000
        await inner.aclose()


@on_each_loop
async def test_the_end_of_tls(contexts: Contexts) -> None:
    """What the peer said and then closed is an end; what was cut can be told from it."""

    async def say_goodbye(stream: Stream) -> None:
        await stream.write(b"bye")

    async def cut(stream: Stream) -> None:
        await stream.write(b"by")
        os.close(os.dup(stream.fileno()))
        stream.file.shutdown(socket.SHUT_RDWR)

    for handler, truncated in ((say_goodbye, False), (cut, True)):
        async with (
            ninth.serve_tcp(handler, "127.0.0.1", 0, ssl=contexts[0]) as serving,
            ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
        ):
            assert (await stream.read_line()).startswith(b"by")
            assert await stream.read() == b""
            assert isinstance(stream, ninth.TLSStream)
            assert stream.truncated is truncated


@on_each_loop
async def test_a_cancelled_tls_write_is_sent_to_its_end(contexts: Contexts) -> None:
    arrived = asyncio.get_running_loop().create_future()
    gate = asyncio.Event()

    async def slow(stream: Stream) -> None:
        await gate.wait()
        arrived.set_result(await stream.read_exactly(8_000_005))

    async with (
        ninth.serve_tcp(slow, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        writing = asyncio.ensure_future(stream.write(b"x" * 8_000_000))
        await asyncio.sleep(0.05)
        assert not writing.done()
        with pytest.raises(BusyError):
            await stream.write(b"too early")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        gate.set()
        await stream.write(b"after")
        assert (await arrived) == b"x" * 8_000_000 + b"after"


@on_each_loop
async def test_a_cancelled_tls_read_loses_nothing(contexts: Contexts) -> None:
    async with (
        ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        for number in range(20):
            reading = asyncio.ensure_future(stream.read_exactly(4))
            await stream.write(b"%04d" % number)
            await turns(number)
            if reading.cancel():
                with contextlib.suppress(asyncio.CancelledError):
                    assert await reading == b"%04d" % number
                    continue
                assert await stream.read_exactly(4) == b"%04d" % number
            else:
                assert await reading == b"%04d" % number


@on_each_loop
async def test_lines_over_tls_by_callback(contexts: Contexts) -> None:
    async def talk(stream: Stream) -> None:
        for part in (b"one\nt", b"wo\nthr", b"ee"):
            await stream.write(part)
            await asyncio.sleep(0.005)

    lines: list[str] = []
    async with (
        ninth.serve_tcp(talk, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
        ninth.scope() as scope,
    ):
        scope.on_line(stream, lines.append)
    assert lines == ["one", "two", "three"]


@on_each_loop
async def test_who_waits_on_tls_learns_of_its_close(contexts: Contexts) -> None:
    async with (
        ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        reading = asyncio.ensure_future(stream.read())
        await turns()
        await stream.aclose()
        with pytest.raises(FileClosedError):
            await reading
        assert stream.fileno() == -1
        other = await ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1])
        reading = asyncio.ensure_future(other.read())
        await turns()
        ninth.close(other)
        with pytest.raises(FileClosedError):
            await reading
        assert other.closed


@on_each_loop
async def test_starting_tls_can_be_cancelled_at_any_time(contexts: Contexts) -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", 0, ssl=contexts[0]) as serving:
        for delay in range(20):

            async def attempt() -> Stream:
                return await ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1])

            task = asyncio.ensure_future(attempt())
            await turns(delay)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await task).close()
        await until(lambda: not serving.connections)


# Files


@on_each_loop
async def test_sendfile(tmp_path: Path, contexts: Contexts) -> None:
    content = os.urandom(3_000_000)
    path = tmp_path / "file"
    path.write_bytes(content)
    received: list[bytes] = []

    async def receive(stream: Stream) -> None:
        received.append(await stream.read_exactly(10))
        parts = []
        while part := await stream.read():
            parts.append(part)
        received.append(b"".join(parts))

    for context in (None, contexts):
        received.clear()
        async with ninth.serve_tcp(receive, "127.0.0.1", 0, ssl=context and context[0]) as serving:
            connecting = ninth.connect_tcp("127.0.0.1", serving.port, ssl=context and context[1])
            async with connecting as stream:
                with path.open("rb") as file:
                    assert await stream.sendfile(file, 5, 10) == 10
                    assert file.tell() == 15
                    assert await stream.sendfile(file) == len(content)
                    assert await stream.sendfile(file, len(content)) == 0
                    assert await stream.sendfile(file, 0, 0) == 0
                    for wrong in ({"offset": -1}, {"count": -1}):
                        with pytest.raises(ValueError, match="pass 0 or more"):
                            await stream.sendfile(file, **wrong)
                with path.open(encoding="latin-1") as text:
                    with pytest.raises(ValueError, match="text mode"):
                        await stream.sendfile(text)
                with pytest.raises(TypeError):
                    await stream.sendfile(b"bytes")
        assert received == [content[5:15], content]


@on_each_loop
async def test_sendfile_over_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    reading, writing = os.pipe()
    async with Stream(reading) as reader, Stream(writing) as writer:
        with path.open("rb") as file:
            sending = asyncio.ensure_future(writer.sendfile(file))
            assert await reader.read_exactly(300_000) == b"x" * 300_000
            assert await sending == 300_000


# Datagrams


@on_each_loop
async def test_datagrams() -> None:
    async with (
        ninth.open_udp("127.0.0.1") as one,
        ninth.open_udp("127.0.0.1", remote=one.local_address) as other,
    ):
        assert other.remote_address == one.local_address
        receiving = asyncio.ensure_future(one.receive())
        await turns()
        with pytest.raises(BusyError):
            await one.receive()
        await other.send(b"")
        assert await receiving == (b"", other.local_address)
        await one.send(bytearray(b"hello"), to=other.local_address)
        assert await other.receive() == (b"hello", one.local_address)
        await one.send(b"by name", to=("localhost", other.local_address[1]))
        assert (await other.receive())[0] == b"by name"
        await one.send(b"x" * 60_000, other.local_address)
        async for data, sender in other:
            assert (data, sender) == (b"x" * 60_000, one.local_address)
            break
        with pytest.raises(OSError, match="too long") as raised:
            await other.send(b"x" * 70_000)
        assert raised.value.errno == errno.EMSGSIZE
        with pytest.raises(ValueError, match="to whom"):
            await one.send(b"x")
        with pytest.raises(TypeError, match="pass"):
            await one.send(b"x", to="localhost")


@on_each_loop
async def test_closing_datagrams_wakes_who_receives() -> None:
    udp = await ninth.open_udp("127.0.0.1", 0)
    receiving = asyncio.ensure_future(udp.receive())
    await turns()
    await udp.aclose()
    await udp.aclose()
    with pytest.raises(FileClosedError):
        await receiving
    with pytest.raises(FileClosedError):
        await udp.send(b"x", to=("127.0.0.1", 9))
    assert udp.fileno() == -1


@on_each_loop
async def test_a_refused_datagram_shows_on_a_connected_socket() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        where = sock.getsockname()
    async with ninth.open_udp(remote=where) as udp:
        await udp.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            await udp.receive()


@on_each_loop
async def test_cancelled_datagrams_lose_nothing() -> None:
    async with ninth.open_udp("127.0.0.1") as one:
        for number in range(10):
            receiving = asyncio.ensure_future(one.receive())
            await one.send(b"%d" % number, to=one.local_address)
            await turns(number)
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                assert (await receiving)[0] == b"%d" % number
                continue
            assert (await one.receive())[0] == b"%d" % number


# Bad input


@pytest.mark.parametrize(
    ("wrong", "kind", "match"),
    [
        (lambda: ninth.connect_tcp(None, 1), TypeError, "host=None"),  # type: ignore[arg-type]
        (lambda: ninth.connect_tcp("a\0b", 1), ValueError, "NUL"),
        (lambda: ninth.connect_tcp("a", "80"), TypeError, "port='80'"),  # type: ignore[arg-type]
        (lambda: ninth.connect_tcp("a", True), TypeError, "port=True"),
        (lambda: ninth.connect_tcp("a", 70000), ValueError, "port=70000"),
        (lambda: ninth.connect_tcp("a", 1, ssl=5), TypeError, "ssl=5"),  # type: ignore[arg-type]
        (lambda: ninth.connect_tcp("a", 1, server_hostname="a"), ValueError, "without ssl"),
        (lambda: ninth.connect_tcp("a", 1, happy_eyeballs_delay="1"), TypeError, "seconds"),  # type: ignore[arg-type]
        (lambda: ninth.serve_tcp(echo, 5, 1), TypeError, "host=5"),  # type: ignore[arg-type]
        (lambda: ninth.serve_tcp(echo, None, -1), ValueError, "port=-1"),
        (lambda: ninth.serve_tcp(echo, None, 1, ssl=True), TypeError, "ssl=True"),  # type: ignore[arg-type]
        (lambda: ninth.serve_tcp(echo, None, 1, grace="x"), TypeError, "seconds"),  # type: ignore[arg-type]
        (lambda: ninth.serve_unix(echo, 5), TypeError, "int"),  # type: ignore[arg-type]
        (lambda: ninth.open_udp(5), TypeError, "host=5"),  # type: ignore[arg-type]
        (lambda: ninth.open_udp(remote=("a", "b")), TypeError, "port='b'"),  # type: ignore[arg-type]
    ],
)
def test_bad_input_is_refused_at_the_call(wrong: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        wrong()


@on_each_loop
async def test_oversize_lines_and_a_reset() -> None:
    async def talk(stream: Stream) -> None:
        await stream.write(b"x" * 100)
        linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
        stream.file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await stream.read()

    async with ninth.serve_tcp(talk, "127.0.0.1", 0) as serving:
        async with ninth.connect_tcp("127.0.0.1", serving.port) as stream:
            with pytest.raises(LineTooLong):
                await stream.read_line(limit=50)
            assert await stream.read_exactly(100) == b"x" * 100
            await stream.write(b"enough")
            with pytest.raises(ConnectionResetError):
                await stream.read()


# What a review has found


@on_each_loop
async def test_two_cancelled_writes_are_sent_to_their_ends(contexts: Contexts) -> None:
    for context in (None, contexts):
        arrived = asyncio.get_running_loop().create_future()
        gate = asyncio.Event()

        async def slow(stream: Stream, arrived: Any = arrived, gate: asyncio.Event = gate) -> None:
            await gate.wait()
            arrived.set_result(await stream.read_exactly(8_002_000))

        async with (
            ninth.serve_tcp(slow, "127.0.0.1", 0, ssl=context and context[0]) as serving,
            ninth.connect_tcp("127.0.0.1", serving.port, ssl=context and context[1]) as stream,
        ):
            for data in (b"a" * 8_000_000, b"b" * 1000):
                with pytest.raises(TimeoutError):
                    async with ninth.timeout(0.05):
                        await stream.write(data)
            gate.set()
            await stream.write(b"c" * 1000)
            assert await arrived == b"a" * 8_000_000 + b"b" * 1000 + b"c" * 1000


@on_each_loop
async def test_data_and_the_end_of_tls_at_once(contexts: Contexts) -> None:
    got = []

    async def take(stream: Stream) -> None:
        while data := await stream.read():
            got.append(data)
        # The peer has not closed its connection: TLS said that nothing follows.
        assert isinstance(stream, ninth.TLSStream)
        assert not stream.truncated

    async with ninth.serve_tcp(take, "127.0.0.1", 0, ssl=contexts[0]) as serving:
        raw, tls, outgoing = await shaken_hands(contexts[1], serving.port)
        tls.write(b"hello")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        await raw.write(outgoing.read())
        async with ninth.timeout(10):
            await until(lambda: not serving.connections)
        await raw.aclose()
    assert got == [b"hello"]


async def shaken_hands(
    context: ssl.SSLContext, port: int, also: bytes = b""
) -> tuple[Stream, ssl.SSLObject, ssl.MemoryBIO]:
    """Connect with TLS by hand; `also` goes with the last message of the handshake."""
    raw = await ninth.connect_tcp("127.0.0.1", port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            await raw.write(outgoing.read())
            incoming.write(await raw.read())
        else:
            break
    if also:
        tls.write(also)
    await raw.write(outgoing.read())
    return raw, tls, outgoing


@on_each_loop
async def test_data_with_the_last_of_the_handshake_is_seen(contexts: Contexts) -> None:
    lines: list[str] = []

    async def take(stream: Stream) -> None:
        await until(stream.pending)
        async with ninth.scope() as scope:
            scope.on_line(stream, lines.append)

    async with ninth.serve_tcp(take, "127.0.0.1", 0, ssl=contexts[0]) as serving:
        raw, _, _ = await shaken_hands(contexts[1], serving.port, b"at once\n")
        async with ninth.timeout(10):
            await until(lambda: lines)
        await raw.aclose()
    assert lines == ["at once"]


@on_each_loop
async def test_leaving_the_plain_stream_closes_what_went_on_with_it(contexts: Contexts) -> None:
    kept: list[Stream] = []

    async def handler(stream: Stream) -> None:
        kept.append(await stream.start_tls(contexts[0], server_side=True))

    async with ninth.serve_tcp(handler, "127.0.0.1", 0) as serving:
        async with ninth.connect_tcp("127.0.0.1", serving.port) as plain:
            secure = await plain.start_tls(contexts[1], server_hostname="localhost")
            before = plain.closed
        assert [before, plain.closed, secure.closed] == [False, True, True]
        await until(lambda: not serving.connections)
    assert kept[0].closed


@on_each_loop
async def test_a_file_is_sent_in_one_piece(tmp_path: Path, contexts: Contexts) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    received: list[bytes] = []

    async def receive(stream: Stream) -> None:
        while part := await stream.read():
            received.append(part)

    async with (
        ninth.serve_tcp(receive, "127.0.0.1", 0, ssl=contexts[0]) as serving,
        ninth.connect_tcp("127.0.0.1", serving.port, ssl=contexts[1]) as stream,
    ):
        with path.open("rb") as file:
            sending = asyncio.ensure_future(stream.sendfile(file))
            await turns(2)
            with pytest.raises(BusyError):
                await stream.write(b"!")
            assert await sending == 1_000_000
        await stream.write(b"!")
    assert b"".join(received) == b"x" * 1_000_000 + b"!"


@on_each_loop
async def test_a_reset_that_meets_a_cancelled_reader_is_told_to_the_next() -> None:
    one, other = socket.socketpair()
    async with Stream(one) as stream:
        # First, so that the next read waits at once.
        other.sendall(b"x")
        assert await stream.read() == b"x"
        for _ in range(2):
            reading = asyncio.ensure_future(stream.read())
            await turns()
            if other.fileno() >= 0:
                # Closed with something unread: a reset.
                await stream.write(b"unread")
                other.close()
            asyncio.get_running_loop().call_soon(reading.cancel)
            with pytest.raises((asyncio.CancelledError, ConnectionResetError)) as raised:
                await reading
            if isinstance(raised.value, ConnectionResetError):
                return
        with pytest.raises(ConnectionResetError):
            await stream.read()


@on_each_loop
async def test_a_stream_that_is_given_up_is_let_go_of() -> None:
    one, other = socket.socketpair()
    async with Stream(other) as peer:
        stream = Stream(one)
        del one
        waiting = asyncio.ensure_future(stream.read_line())
        await turns()
        await peer.write(b"x\n")
        assert await waiting == b"x\n"
        del waiting
        with pytest.warns(ResourceWarning, match="unclosed"):  # noqa: PT031
            del stream
            async with ninth.timeout(10):
                assert await peer.read() == b""


@on_each_loop
async def test_a_server_that_was_stopped_before_it_began() -> None:
    serving = ninth.serve_tcp(echo, "127.0.0.1", 0)
    serving.stop()
    async with serving:
        assert serving.addresses == []
    again = ninth.serve_tcp(echo, "127.0.0.1", 0)
    again.stop()
    await again


@on_each_loop
async def test_a_handler_that_stops_its_server() -> None:
    served = []

    async def handler(_stream: Stream) -> None:
        served.append(True)
        serving.stop()

    serving = ninth.serve_tcp(handler, "127.0.0.1", 0)
    async with ninth.scope() as scope:
        task = scope.start(serving)
        await until(lambda: serving.addresses)
        loop = asyncio.get_running_loop()
        if hasattr(asyncio, "eager_task_factory") and "uvloop" not in type(loop).__module__:
            # The handler then begins while the server still accepts.
            loop.set_task_factory(asyncio.eager_task_factory)
        peers = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(3)]
        await task
        for peer in peers:
            peer.close()
    assert served


@on_each_loop
async def test_a_path_that_is_too_long() -> None:
    path = "/tmp/" + "x" * 200
    with pytest.raises(OSError, match="too long") as raised:
        await ninth.connect_unix(path)
    assert raised.value.errno == errno.ENAMETOOLONG
    with pytest.raises(OSError, match="too long"):
        async with ninth.serve_unix(echo, path):
            pass


@on_each_loop
async def test_datagrams_of_uncommon_buffers() -> None:
    async with ninth.open_udp("127.0.0.1") as udp:
        await udp.send(memoryview(b"a.b.c")[::2], to=udp.local_address)
        assert (await udp.receive())[0] == b"abc"
        with pytest.raises(TypeError, match=r"send\(\) was given 'text'"):
            await udp.send("text", to=udp.local_address)  # type: ignore[arg-type]
        with pytest.raises(PermissionError) as raised:
            await udp.send(b"x", to=("255.255.255.255", 9))
        assert "broadcast=True" in raised.value.__notes__[0]
