"""redis-py against a small server of the same protocol: pipelines, blocking reads, publishing.

The server is a few commands of RESP 2, on sockets and threads of its own, so that what is tested
is the client on our loop.
"""

import asyncio
import socketserver
import threading
from collections.abc import Iterator

import pytest

from .conftest import Run

redis = pytest.importorskip("redis.asyncio", reason="the extra `libraries` installs redis")


class Store(socketserver.ThreadingTCPServer):
    """What the connections share."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.values: dict[bytes, bytes] = {}
        self.lists: dict[bytes, list[bytes]] = {}
        self.changed = threading.Condition()
        self.listeners: list[tuple[bytes, Connection]] = []


class Connection(socketserver.StreamRequestHandler):
    """One client."""

    server: Store

    def command(self) -> list[bytes]:
        """Read one command, an array of bulk strings; empty at the end."""
        if not (line := self.rfile.readline()):
            return []
        parts = []
        for _ in range(int(line[1:])):
            length = int(self.rfile.readline()[1:])
            parts.append(self.rfile.read(length + 2)[:-2])
        return parts

    def handle(self) -> None:
        """Answer until the client goes."""
        while parts := self.command():
            name = parts[0].decode().lower()
            answer = getattr(self, f"do_{name}", None)
            self.wfile.write(answer(*parts[1:]) if answer else b"-ERR unknown command\r\n")

    def do_client(self, *_: bytes) -> bytes:
        return b"+OK\r\n"

    def do_ping(self) -> bytes:
        return b"+PONG\r\n"

    def do_set(self, key: bytes, value: bytes) -> bytes:
        self.server.values[key] = value
        return b"+OK\r\n"

    def do_get(self, key: bytes) -> bytes:
        return bulk(self.server.values.get(key))

    def do_incrby(self, key: bytes, step: bytes) -> bytes:
        with self.server.changed:
            number = int(self.server.values.get(key, b"0")) + int(step)
            self.server.values[key] = b"%d" % number
        return b":%d\r\n" % number

    def do_rpush(self, key: bytes, value: bytes) -> bytes:
        with self.server.changed:
            self.server.lists.setdefault(key, []).append(value)
            self.server.changed.notify_all()
            return b":%d\r\n" % len(self.server.lists[key])

    def do_blpop(self, key: bytes, _timeout: bytes) -> bytes:
        with self.server.changed:
            if not self.server.changed.wait_for(lambda: self.server.lists.get(key), 20):
                return b"*-1\r\n"
            return b"*2\r\n" + bulk(key) + bulk(self.server.lists[key].pop(0))

    def do_subscribe(self, channel: bytes) -> bytes:
        self.server.listeners.append((channel, self))
        return b"*3\r\n$9\r\nsubscribe\r\n" + bulk(channel) + b":1\r\n"

    def do_unsubscribe(self, channel: bytes) -> bytes:
        return b"*3\r\n$11\r\nunsubscribe\r\n" + bulk(channel) + b":0\r\n"

    def do_publish(self, channel: bytes, message: bytes) -> bytes:
        reached = [c for name, c in self.server.listeners if name == channel]
        for connection in reached:
            connection.wfile.write(b"*3\r\n$7\r\nmessage\r\n" + bulk(channel) + bulk(message))
        return b":%d\r\n" % len(reached)


def bulk(value: bytes | None) -> bytes:
    """Return a bulk string."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


@pytest.fixture
def port() -> Iterator[int]:
    """Serve on a free port."""
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_values_and_pipelines(run: Run, port: int) -> None:
    async def main() -> None:
        async with redis.Redis(host="127.0.0.1", port=port, protocol=2) as client:
            assert await client.ping()
            assert await client.get("nothing") is None
            large = bytes(range(256)) * 8000
            await client.set("large", large)
            assert await client.get("large") == large
            async with client.pipeline(transaction=False) as pipeline:
                for _ in range(1000):
                    pipeline.incr("count")
                assert await pipeline.execute() == list(range(1, 1001))

    run(main)


def test_many_clients_at_once(run: Run, port: int) -> None:
    async def main() -> None:
        async with redis.Redis(host="127.0.0.1", port=port, protocol=2) as client:
            counts = await asyncio.gather(*(client.incr("count") for _ in range(40)))
            assert sorted(counts) == list(range(1, 41))

    run(main)


def test_a_blocking_read_waits_and_a_cancelled_one_costs_no_answer(run: Run, port: int) -> None:
    async def main() -> None:
        async with redis.Redis(host="127.0.0.1", port=port, protocol=2) as client:
            pop = asyncio.create_task(client.blpop(["queue"], timeout=10))
            await asyncio.sleep(0.05)
            await client.rpush("queue", "first")
            assert await pop == (b"queue", b"first")

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.blpop(["other"], timeout=10)
            await client.set("mine", "right")
            assert await client.get("mine") == b"right"
            # Lets the server's abandoned read end.
            await client.rpush("other", "last")

    run(main)


def test_what_is_published_arrives_in_order(run: Run, port: int) -> None:
    async def main() -> None:
        async with (
            redis.Redis(host="127.0.0.1", port=port, protocol=2) as client,
            client.pubsub() as subscription,
        ):
            await subscription.subscribe("news")
            assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
            for number in range(100):
                await client.publish("news", number)
            heard = [
                int(
                    (await subscription.get_message(ignore_subscribe_messages=True, timeout=5))[
                        "data"
                    ]
                )
                for _ in range(100)
            ]
            assert heard == list(range(100))

    run(main)
