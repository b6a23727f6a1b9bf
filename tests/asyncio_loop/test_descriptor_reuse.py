"""A descriptor that is closed behind the loop's back, and its number that another file gets."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import ninth


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        runner.run(main())


def pair_with(fd: int) -> tuple[socket.socket, socket.socket]:
    """Return a pair of sockets, the first of which has that number."""
    one, other = socket.socketpair()
    if other.fileno() == fd:
        return other, one
    assert one.fileno() == fd
    return one, other


def test_a_new_socket_under_an_old_number_is_waited_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls: list[str] = []
        old, peer = socket.socketpair()
        fd = old.fileno()
        loop.add_reader(old, calls.append, "old reader")
        loop.add_writer(old, calls.append, "old writer")
        old.close()
        peer.close()

        new, peer = pair_with(fd)
        with new, peer:
            loop.add_reader(new, calls.append, "new reader")
            peer.send(b"x")
            await asyncio.sleep(0.02)
            loop.remove_reader(new)
        assert set(calls) == {"new reader"}

    run(main)


def test_a_number_given_as_such_is_waited_for_anew() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls: list[str] = []
        old, peer = socket.socketpair()
        fd = old.fileno()
        loop.add_reader(fd, calls.append, "old")
        old.close()
        peer.close()

        new, peer = pair_with(fd)
        with new, peer:
            loop.add_reader(fd, calls.append, "new")
            peer.send(b"x")
            await asyncio.sleep(0.02)
            loop.remove_reader(fd)
        assert set(calls) == {"new"}

    run(main)


def test_a_socket_under_the_number_of_a_regular_file_is_not_always_ready(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls: list[str] = []
        with path.open("rb", buffering=0) as file:
            fd = file.fileno()
            loop.add_reader(file, calls.append, "file")
            await asyncio.sleep(0.01)
        assert calls
        calls.clear()

        new, peer = pair_with(fd)
        with new, peer:
            loop.add_reader(new, calls.append, "socket")
            used = time.process_time()
            await asyncio.sleep(0.1)
            assert time.process_time() - used < 0.05
            assert not calls
            peer.send(b"x")
            await asyncio.sleep(0.02)
            loop.remove_reader(new)
        assert set(calls) == {"socket"}

    run(main)


def test_a_duplicate_that_survives_its_descriptor_is_no_busy_loop() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        old, peer = socket.socketpair()
        duplicate = os.dup(old.fileno())
        loop.add_reader(old, lambda: None)
        loop.remove_reader(old)
        old.close()
        peer.send(b"x")
        used = time.process_time()
        await asyncio.sleep(0.1)
        assert time.process_time() - used < 0.05
        os.close(duplicate)
        peer.close()

    run(main)


def test_a_socket_may_be_closed_first_and_removed_then() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, peer = socket.socketpair()
        with peer:
            loop.add_reader(one, lambda: None)
            loop.add_writer(one, lambda: None)
            one.close()
            assert loop.remove_reader(one)
            assert loop.remove_writer(one)
            assert not loop.remove_reader(one)

    run(main)


def test_removing_a_closed_socket_leaves_the_new_owner_of_its_number_alone() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        old, peer = socket.socketpair()
        fd = old.fileno()
        loop.add_reader(old, lambda: None)
        old.close()
        peer.close()
        new, peer = pair_with(fd)
        with new, peer:
            loop.add_reader(new, seen.set)
            assert not loop.remove_reader(old)
            peer.send(b"x")
            async with asyncio.timeout(5):
                await seen.wait()
            assert loop.remove_reader(new)

    run(main)


def test_a_socket_closed_under_its_transport_keeps_its_number() -> None:
    """Otherwise the next connection would get the number, and its data go to the wrong protocol."""

    class Keeping(asyncio.Protocol):
        data = b""

        def data_received(self, data: bytes) -> None:
            self.data += data

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = socket.socketpair()
        transport, protocol = await loop.create_connection(Keeping, sock=ours)
        number = ours.fileno()
        ours.close()
        with peer:
            one, other = socket.socketpair()
            with one, other:
                assert number not in {one.fileno(), other.fileno()}
                peer.send(b"still mine")
                while not protocol.data:
                    await asyncio.sleep(0)
                assert protocol.data == b"still mine"
            transport.close()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert peer.recv(1) == b""
        assert ours.fileno() == -1

    run(main)
