"""Nothing grows under churn: no descriptor, task, thread, child, timer or memory.

Each kind of churn is repeated for a while, twice as long; what the second half adds, once garbage
is collected, is what leaks. A second each by default; NINTH_SOAK=60 makes it a minute in all.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ninth

Churn = Callable[[], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes until the client goes."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def connections() -> None:
    """Talk over TCP; end by closing, by aborting, and by cancelling in mid-read."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for ending in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.writelines([b"x" * 100, bytearray(100_000)])
        assert len(await reader.readexactly(100_100)) == 100_100
        if ending == 0:
            writer.close()
            await writer.wait_closed()
        elif ending == 1:
            writer.transport.abort()
        else:
            reading = asyncio.create_task(reader.read())
            await asyncio.sleep(0)
            reading.cancel()
            writer.close()
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


async def cancelled_operations() -> None:
    """Cancel what waits: a connect, an accept, a receive, a send."""
    loop = asyncio.get_running_loop()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket() as idle,
        contextlib.ExitStack() as pair,
    ):
        ours, theirs = map(pair.enter_context, socket.socketpair())
        for each in (listening, idle, ours, theirs):
            each.setblocking(False)
        waiting = [
            asyncio.create_task(loop.create_connection(asyncio.Protocol, "127.0.0.1", 1)),
            asyncio.create_task(loop.sock_accept(listening)),
            asyncio.create_task(loop.sock_recv(ours, 100)),
            asyncio.create_task(loop.sock_sendall(theirs, bytes(4_000_000))),
        ]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        for task in waiting:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                task.result()


async def watchers() -> None:
    """Add and remove readers and writers, and close a socket that still has them."""
    loop = asyncio.get_running_loop()
    for number in range(20):
        ours, theirs = socket.socketpair()
        seen = asyncio.Event()
        loop.add_reader(ours, seen.set)
        loop.add_writer(theirs, seen.set)
        theirs.send(b"x")
        await seen.wait()
        if number % 2:
            loop.remove_reader(ours)
            loop.remove_writer(theirs)
        ours.close()
        theirs.close()


async def timers() -> None:
    """Schedule far more than ever comes due."""
    loop = asyncio.get_running_loop()
    for _ in range(500):
        loop.call_later(3600, print).cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()


async def datagrams() -> None:
    """Exchange datagrams between two endpoints."""
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not arrived.done():
                arrived.set_result(data)

    server, _ = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
    address = server.get_extra_info("sockname")
    client, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    client.sendto(b"hello")
    assert await arrived == b"hello"
    client.close()
    server.abort()


async def children() -> None:
    """Run a child with pipes to its end, and kill another."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
    output, _ = await child.communicate(b"data")
    assert output == b"data"
    child = await asyncio.create_subprocess_exec("sleep", "60", stdout=pipe)
    child.kill()
    assert await child.wait() == -signal.SIGKILL


async def signals() -> None:
    """Take signals over, get one, and give them back."""
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, seen.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await seen.wait()
    assert loop.remove_signal_handler(signal.SIGUSR1)


async def threads() -> None:
    """Call from other threads, each with a loop of its own."""

    def work(outer: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
            runner.run(asyncio.sleep(0))
        outer.call_soon_threadsafe(done.set)

    done = asyncio.Event()
    await asyncio.to_thread(work, asyncio.get_running_loop(), done)
    await done.wait()


KINDS: tuple[Churn, ...] = (
    connections,
    cancelled_operations,
    watchers,
    timers,
    datagrams,
    children,
    signals,
    threads,
)
SECONDS = float(os.environ.get("NINTH_SOAK", len(KINDS))) / len(KINDS)


@dataclass
class Held:
    """What the process and the loop hold."""

    descriptors: int
    tasks: int
    threads: int
    timers: int
    blocks: int

    @classmethod
    async def now(cls) -> "Held":
        """Let what is ending end, collect garbage, and count."""
        for _ in range(5):
            await asyncio.sleep(0.01)
            gc.collect()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ninth.EventLoop)
        return cls(
            len(list(Path("/proc/self/fd").iterdir())),
            len(asyncio.all_tasks()),
            threading.active_count(),
            len(loop.core.timers),
            sys.getallocatedblocks(),
        )


async def repeated(churn: Churn, seconds: float) -> int:
    """Repeat churn for some seconds; return how often."""
    rounds = 0
    end = time.monotonic() + seconds
    while rounds < 3 or time.monotonic() < end:
        await churn()
        rounds += 1
    return rounds


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
@pytest.mark.timeout(60 + 2 * SECONDS)
@pytest.mark.parametrize("churn", KINDS, ids=lambda churn: churn.__name__)
def test_nothing_grows(churn: Churn) -> None:
    async def main() -> tuple[Held, Held, int]:
        # As many threads as the executor may start are no leak.
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.01) for _ in range(40)))
        await repeated(churn, SECONDS / 2)
        before = await Held.now()
        rounds = await repeated(churn, SECONDS / 2)
        return before, await Held.now(), rounds

    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        before, after, rounds = runner.run(main())
    # One block for every other round would be a leak; a few hundred are caches that fill.
    grown = after.blocks - before.blocks
    assert grown < max(300, rounds / 2), f"{grown} blocks of memory in {rounds} rounds"
    after.blocks = before.blocks
    assert after == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
