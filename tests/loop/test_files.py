"""Files: several watchers, reuse, regular files, what epoll forgets."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ninth.loop import READ, WRITE, Loop
from ninth.loop.poller import EpollPoller


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two connected non-blocking sockets."""
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def turns(loop: Loop, count: int = 3) -> None:
    """Let the loop look at its files that often."""
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run()


def test_a_reader_is_called_while_there_is_data(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    got: list[bytes] = []

    def read() -> None:
        got.append(pair[0].recv(1))
        if len(got) == 3:
            loop.stop()

    loop.add_reader(pair[0], read)
    pair[1].send(b"abc")
    loop.run()
    assert got == [b"a", b"b", b"c"]


def test_a_second_reader_replaces_the_first(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[str] = []
    loop.add_reader(pair[0], calls.append, "first")
    loop.add_reader(pair[0], calls.append, "second")
    pair[1].send(b"x")
    turns(loop)
    assert set(calls) == {"second"}
    assert loop.remove_reader(pair[0])
    assert not loop.remove_reader(pair[0])


def test_watchers_share_a_file_with_each_other_and_a_reader(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[str] = []
    loop.add_reader(pair[0], calls.append, "reader")
    one = loop.watch(pair[0], READ, calls.append, "one")
    loop.watch(pair[0], READ | WRITE, calls.append, "two")
    turns(loop, 1)
    assert calls == ["two"]
    calls.clear()
    pair[1].send(b"x")
    turns(loop, 1)
    assert calls == ["reader", "one", "two"]
    one.cancel()
    one.cancel()
    assert one.cancelled()
    loop.remove_reader(pair[0])
    calls.clear()
    turns(loop, 1)
    assert calls == ["two"]


def test_nobody_is_told_after_the_last_one_left(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[str] = []
    loop.add_reader(pair[0], calls.append, "reader")
    loop.add_writer(pair[0], calls.append, "writer")
    loop.remove_reader(pair[0])
    loop.remove_writer(pair[0])
    pair[1].send(b"x")
    turns(loop)
    assert calls == []


def test_a_reader_that_comes_back_is_told(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[str] = []
    for number in range(3):
        loop.add_reader(pair[0], calls.append, str(number))
        pair[1].send(b"x")
        turns(loop, 1)
        pair[0].recv(1)
        loop.remove_reader(pair[0])
    assert calls == ["0", "1", "2"]


def test_a_handle_cancelled_in_the_same_turn_does_not_run(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    calls: list[str] = []
    loop.add_reader(pair[0], calls.append, "reader")
    loop.add_writer(pair[0], loop.remove_reader, pair[0])
    watcher = loop.watch(pair[1], WRITE, lambda: loop.remove_reader(pair[0]))
    pair[1].send(b"x")
    loop.call_soon(loop.remove_reader, pair[0])
    turns(loop, 1)
    watcher.cancel()
    assert calls == []


@pytest.mark.parametrize("path", [__file__, os.devnull])
def test_a_regular_file_is_always_ready(loop: Loop, path: str) -> None:
    calls: list[str] = []
    with Path(path).open("rb") as file:
        loop.add_reader(file, calls.append, "read")
        watcher = loop.watch(file, READ, calls.append, "watch")
        turns(loop, 2)
        watcher.cancel()
        loop.remove_reader(file)
        turns(loop, 2)
    assert calls == ["read", "watch"] * 2


@pytest.mark.parametrize("forget", [True, False], ids=["removed", "still registered"])
def test_a_reused_number_never_tells_the_old_reader(loop: Loop, forget: bool) -> None:
    calls: list[str] = []
    old, old_peer = socket.socketpair()
    number = old.fileno()
    loop.add_reader(old, calls.append, "old")
    turns(loop, 1)
    if forget:
        loop.remove_reader(old)
    old.close()
    new, new_peer = socket.socketpair()
    with old_peer, new, new_peer:
        if new.fileno() != number:
            new, new_peer = new_peer, new
        assert new.fileno() == number
        loop.add_reader(new, calls.append, "new")
        new_peer.send(b"x")
        turns(loop, 1)
        loop.remove_reader(new)
    assert calls == ["new"]


def test_a_number_reused_within_one_turn_gets_no_stale_event(loop: Loop) -> None:
    """Both files are ready in the poll; the first callback closes the second one's file."""
    calls: list[str] = []
    first, first_peer = socket.socketpair()
    second, second_peer = socket.socketpair()
    opened: list[socket.socket] = []

    def swap() -> None:
        if opened:
            return
        number = second.fileno()
        loop.remove_reader(second)
        second.close()
        one, other = socket.socketpair()
        opened.extend([one, other] if one.fileno() == number else [other, one])
        assert opened[0].fileno() == number
        loop.add_reader(opened[0], calls.append, "new")

    loop.add_reader(first, swap)
    loop.add_reader(second, calls.append, "old")
    first_peer.send(b"x")
    turns(loop, 1)
    second_peer.close()
    turns(loop, 2)
    loop.remove_reader(first)
    loop.remove_reader(opened[0])
    for sock in (first, first_peer, *opened):
        sock.close()
    assert calls == []


def test_an_event_that_cannot_be_removed_rebuilds_epoll() -> None:
    """A duplicate keeps the old file in epoll after its number was closed."""
    poller = EpollPoller()
    with Loop(poller=poller) as loop:
        calls: list[str] = []
        other, other_peer = socket.socketpair()
        old, old_peer = socket.socketpair()
        loop.add_reader(other, calls.append, "other")
        loop.add_reader(old, calls.append, "old")
        loop.remove_reader(old)
        duplicate = os.dup(old.fileno())
        old.close()
        old_peer.send(b"x")
        epoll = poller.epoll
        turns(loop, 3)
        assert poller.epoll is not epoll
        other_peer.send(b"x")
        turns(loop, 1)
        assert calls == ["other"]
        loop.remove_reader(other)
        os.close(duplicate)
        for sock in (other, other_peer, old_peer):
            sock.close()


def test_a_closed_descriptor_is_refused(loop: Loop) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_reader(read, print)
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.watch(read, READ, print)
    turns(loop)


def test_a_hang_up_tells_the_reader(loop: Loop) -> None:
    read, write = os.pipe()
    calls: list[str] = []
    loop.add_reader(read, calls.append, "end")
    os.close(write)
    turns(loop, 1)
    loop.remove_reader(read)
    os.close(read)
    assert calls == ["end"]


def test_the_registration_stays_between_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    """Coming back through the same number costs one call of the kernel, not two."""
    made: list[tuple[int, int]] = []

    class Counting(EpollPoller):
        def set(self, fd: int, mask: int, again: bool) -> bool:
            made.append((fd, mask))
            return super().set(fd, mask, again)

    with Loop(poller=Counting()) as loop:
        made.clear()
        for _ in range(5):
            loop.add_reader(pair[0], print)
            loop.remove_reader(pair[0])
        assert made == [(pair[0].fileno(), READ)] * 5


def test_events_of_a_file_that_lives_on_under_a_reused_number_reach_nobody(loop: Loop) -> None:
    """The kernel keeps the old file's entry while a duplicate is open, under the old number."""
    calls: list[str] = []
    old, old_peer = os.pipe()
    duplicate = os.dup(old)
    loop.add_reader(old, calls.append, "old")
    turns(loop, 1)
    loop.remove_reader(old)
    os.close(old)
    new, new_peer = os.pipe()
    assert new == old
    loop.add_reader(new, calls.append, "new")
    os.write(old_peer, b"x")
    turns(loop, 5)
    assert calls == []
    os.write(new_peer, b"x")
    turns(loop, 1)
    assert calls == ["new"]
    loop.remove_reader(new)
    for fd in (duplicate, old_peer, new, new_peer):
        os.close(fd)


def test_a_huge_number_is_refused_before_memory_is_taken(loop: Loop) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_reader(2**31 - 1, print)
    assert len(loop._core.table) < 10_000


def test_a_number_taken_over_from_a_file_still_registered_tells_only_the_new_watcher(
    loop: Loop,
) -> None:
    calls: list[str] = []
    old, old_peer = socket.socketpair()
    number = old.fileno()
    loop.add_reader(old, calls.append, "old")
    turns(loop, 1)
    old.close()
    new, new_peer = socket.socketpair()
    with old_peer, new, new_peer:
        if new.fileno() != number:
            new, new_peer = new_peer, new
        watcher = loop.watch(new.fileno(), READ, calls.append, "new")
        new_peer.send(b"x")
        turns(loop, 1)
        watcher.cancel()
    assert calls == ["new"]
