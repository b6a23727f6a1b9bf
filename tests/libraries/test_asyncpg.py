"""asyncpg against a small server of PostgreSQL's protocol: statements, parameters, cancelling.

The server knows three statements and runs on sockets and threads of its own, so that what is
tested is the client on our loop: asyncpg is compiled and takes every liberty with transports.
"""

import asyncio
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Run

asyncpg = pytest.importorskip("asyncpg", reason="the extra `libraries` installs asyncpg")

BYTEA = 17
READY = b"Z\0\0\0\5I"


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message of the server's."""
    return kind + struct.pack("!i", len(body) + 4) + body


def row(value: bytes) -> bytes:
    """Return a row of one column."""
    return message(b"D", struct.pack("!hi", 1, len(value)) + value)


class Session(socketserver.StreamRequestHandler):
    """One client. `echo` gives its parameter back, `rows` that many rows, `sleep` never ends."""

    def handle(self) -> None:
        """Greet, then answer until the client goes."""
        (length,) = struct.unpack("!i", self.rfile.read(4))
        self.rfile.read(length - 4)
        parameters = {b"server_version": b"16.0", b"client_encoding": b"UTF8"}
        self.wfile.write(
            message(b"R", b"\0\0\0\0")
            + b"".join(message(b"S", k + b"\0" + v + b"\0") for k, v in parameters.items())
            + message(b"K", bytes(8))
            + READY
        )
        self.statements: dict[bytes, bytes] = {}
        while (kind := self.rfile.read(1)) not in {b"", b"X"}:
            (length,) = struct.unpack("!i", self.rfile.read(4))
            getattr(self, f"on_{kind.decode()}")(self.rfile.read(length - 4))

    def on_Q(self, _: bytes) -> None:  # noqa: N802  (the letters are the protocol's)
        """Run a statement without parameters: whatever resets a session."""
        self.wfile.write(message(b"C", b"OK\0") + READY)

    def on_P(self, body: bytes) -> None:  # noqa: N802
        """Prepare a statement."""
        name, query = body.split(b"\0")[:2]
        self.statements[name] = query
        self.wfile.write(message(b"1"))

    def on_D(self, body: bytes) -> None:  # noqa: N802
        """Describe a statement: one parameter and one column, both bytes."""
        column = b"value\0" + struct.pack("!ihihih", 0, 0, BYTEA, -1, -1, 1)
        self.wfile.write(
            message(b"t", struct.pack("!hi", 1, BYTEA)) + message(b"T", b"\0\1" + column)
        )

    def on_B(self, body: bytes) -> None:  # noqa: N802
        """Take the statement's name and its parameter."""
        _, name, rest = body.split(b"\0", 2)
        (formats,) = struct.unpack_from("!h", rest)
        start = 2 + 2 * formats + 2
        (size,) = struct.unpack_from("!i", rest, start)
        self.query, self.value = self.statements[name], rest[start + 4 : start + 4 + size]
        self.wfile.write(message(b"2"))

    def on_E(self, _: bytes) -> None:  # noqa: N802
        """Execute what is bound."""
        if self.query == b"sleep":
            self.rfile.read(1)
        elif self.query == b"rows":
            for number in range(int(self.value)):
                self.wfile.write(row(b"%d" % number * 20))
        else:
            self.wfile.write(row(self.value))
        self.wfile.write(message(b"C", b"SELECT\0"))

    def on_C(self, _: bytes) -> None:  # noqa: N802
        """Close a statement."""
        self.wfile.write(message(b"3"))

    def on_S(self, _: bytes) -> None:  # noqa: N802
        """Say that all is done."""
        self.wfile.write(READY)

    def on_H(self, _: bytes) -> None:  # noqa: N802
        """Flush: everything is sent at once anyway."""


class Server(socketserver.ThreadingTCPServer):
    """Sessions in threads."""

    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def options() -> Iterator[dict[str, Any]]:
    """Serve on a free port; give what connects there."""
    with Server(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield {
            "host": "127.0.0.1",
            "port": server.server_address[1],
            "user": "somebody",
            "database": "data",
            "ssl": False,
        }
        server.shutdown()
        thread.join()


def test_parameters_and_rows_of_all_sizes(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(**options)
        for value in (b"", b"x", bytes(range(256)) * 10_000):
            assert await connection.fetchval("echo", value) == value
        rows = await connection.fetch("rows", b"5000")
        assert [one["value"] for one in rows] == [b"%d" % n * 20 for n in range(5000)]
        await connection.close()

    run(main)


def test_a_pool_serves_many_tasks(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with asyncpg.create_pool(**options, min_size=2, max_size=5) as pool:
            values = [b"%d" % number * 1000 for number in range(100)]
            answers = await asyncio.gather(*(pool.fetchval("echo", value) for value in values))
            assert answers == values

    run(main)


def test_a_connection_that_is_terminated_in_mid_query_ends_it(
    run: Run, options: dict[str, Any]
) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(**options)
        query = asyncio.create_task(connection.fetchval("sleep", b""))
        await asyncio.sleep(0.05)
        connection.terminate()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await query
        assert connection.is_closed()

    run(main)
