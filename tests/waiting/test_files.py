"""Everything is a file: what can be waited for, what is refused, what happens when it closes."""

import asyncio
import gzip
import http.client
import io
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ninth
from ninth.loop.poller import EpollPoller
from ninth.waiting import files, watchers
from tests.loops import Factory, on_each_loop

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            pass


async def is_readable(file: Any) -> bool:
    """Return whether a file is readable now, or within a moment."""
    condition = ninth.readable(file)
    return condition in await (condition | ninth.after(0.005))


# Kinds of files


@on_each_loop
async def test_a_pipe(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    assert not await is_readable(reading)
    os.write(writing, b"x")
    assert await ninth.readable(reading) == reading
    assert await ninth.writable(writing) == writing
    os.read(reading, 1)
    os.close(writing)
    # The end of the file is readable.
    assert await ninth.readable(reading) == reading
    assert os.read(reading, 1) == b""


@on_each_loop
async def test_a_full_pipe_is_not_writable(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, bytes(65536))
    condition = ninth.writable(writing)
    assert condition not in await (condition | ninth.after(0.005))
    os.read(reading, 65536)
    assert await condition == writing


@on_each_loop
async def test_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not await is_readable(ours)
        theirs.send(b"x")
        assert await ninth.readable(ours) is ours
        assert await ninth.writable(ours) is ours
        assert await (ninth.readable(ours) | ninth.writable(ours)) == {
            ninth.readable(ours): ours,
            ninth.writable(ours): ours,
        }


@on_each_loop
async def test_a_terminal() -> None:
    controlling, terminal = pty.openpty()
    os.write(controlling, b"line\n")
    assert await ninth.readable(terminal) == terminal
    assert os.read(terminal, 10) == b"line\n"
    os.close(terminal)
    os.close(controlling)


@on_each_loop
async def test_an_eventfd_and_a_pidfd() -> None:
    counter = os.eventfd(0, os.EFD_NONBLOCK)
    assert not await is_readable(counter)
    os.eventfd_write(counter, 2)
    await ninth.readable(counter)
    assert os.eventfd_read(counter) == 2
    os.close(counter)

    child = subprocess.Popen(["sh", "-c", "exit 3"])
    pidfd = os.pidfd_open(child.pid)
    await ninth.readable(pidfd)
    assert child.poll() == 3
    os.close(pidfd)


@on_each_loop
async def test_another_poller() -> None:
    reading, writing = os.pipe()
    poller = select.epoll()
    poller.register(reading, select.EPOLLIN)
    assert not await is_readable(poller)
    os.write(writing, b"x")
    assert await ninth.readable(poller) is poller
    poller.close()
    os.close(reading)
    os.close(writing)


@on_each_loop
async def test_regular_files_and_dev_null_are_always_ready(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("r+b", buffering=0) as file:
        assert await ninth.readable(file) is file
        assert await ninth.writable(file) is file
        assert await (ninth.readable(file) | ninth.after(60)) == {ninth.readable(file): file}
    with open(os.devnull, "r+b", buffering=0) as null:
        assert await ninth.readable(null) is null
        assert await ninth.writable(null) is null
    with tempfile.NamedTemporaryFile() as temporary:
        assert await ninth.readable(temporary) is temporary


@on_each_loop
async def test_callbacks_on_a_regular_file_let_others_run(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    got = []
    with path.open("rb", buffering=0) as file:

        def read() -> object:
            got.append(file.read(1))
            return None if got[-1] else ninth.STOP

        async with ninth.scope() as scope:
            registration = scope.on_readable(file, read)
            scope.on_readable(file, lambda: None, background=True)
            await registration
            count = len(got)
            await asyncio.sleep(0.001)
            assert len(got) == count == 11


PROGRAM = """
import os, sys, ninth
async def main():
    total = b""
    while chunk := (await ninth.readable(sys.stdin.buffer.raw)).read(4):
        total += chunk
    print(total.decode().upper(), end="")
ninth.run(main)
"""


def test_a_here_document_and_a_file_on_stdin(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = f"{sys.executable} {program} <<END\none\ntwo\nEND\n"
    assert subprocess.check_output(["bash", "-c", command]) == b"ONE\nTWO\n"
    (tmp_path / "input").write_text("three")
    command = f"{sys.executable} {program} < {tmp_path}/input"
    assert subprocess.check_output(["sh", "-c", command]) == b"THREE"


# Buffers hide data


@on_each_loop
async def test_a_buffered_reader_that_still_holds_data(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(reading, True)
    file = os.fdopen(os.dup(reading), "rb")
    os.write(writing, b"one\ntwo\nthree\n")
    lines = [(await ninth.readable(file)).readline() for _ in range(3)]
    assert lines == [b"one\n", b"two\n", b"three\n"]
    assert not await is_readable(file)
    # libuv makes non-blocking what it polls.
    if "uvloop" not in type(asyncio.get_running_loop()).__module__:
        assert os.get_blocking(file.fileno())
    os.write(writing, b"four")
    assert await is_readable(file)
    file.close()


@on_each_loop
async def test_callbacks_see_what_a_buffered_reader_holds(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    file = os.fdopen(os.dup(reading), "rb")
    os.write(writing, b"one\ntwo\nthree\n")
    lines = []

    def read() -> None:
        lines.append(file.readline())

    async with ninth.scope() as scope:
        registration = scope.on_readable(file, read)
        while len(lines) < 3:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.005)
        os.write(writing, b"four\n")
        while len(lines) < 4:
            await asyncio.sleep(0.001)
        registration.cancel()
    assert lines == [b"one\n", b"two\n", b"three\n", b"four\n"]
    file.close()


@on_each_loop
async def test_a_buffered_reader_over_a_socket_with_a_timeout() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    file = ours.makefile("rb")
    theirs.send(b"one\ntwo\n")
    assert (await ninth.readable(file)).readline() == b"one\n"
    assert (await ninth.readable(file)).readline() == b"two\n"
    assert not await is_readable(file)
    assert ours.gettimeout() == 60
    for each in (file, ours, theirs):
        each.close()


class Holding:
    """A file that has read data already, as a TLS socket has."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.held = 0

    def fileno(self) -> int:
        return self.fd

    def pending(self) -> int:
        return self.held


@on_each_loop
async def test_an_object_that_says_what_it_holds(pipe: tuple[int, int]) -> None:
    file = Holding(pipe[0])
    assert not await is_readable(file)
    file.held = 1
    assert await ninth.readable(file) is file
    calls = []

    def take() -> None:
        calls.append(file.held)
        file.held -= 1

    file.held = 3
    async with ninth.scope() as scope:
        scope.on_readable(file, take, background=True)
        await ninth.sleep(0.01)
    assert calls == [3, 2, 1]


def closed_file() -> Any:
    with open(os.devnull, "rb") as file:
        return file


def closed_socket() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: sys.__stdin__,
        TypeError,
        r"given a TextIOWrapper; its buffer can hide data: pass its",
    ),
    (io.StringIO, TypeError, "given a StringIO; its buffer can hide data"),
    (lambda: gzip.GzipFile(fileobj=io.BytesIO()), TypeError, "given a GzipFile; .* decompress"),
    (
        lambda: http.client.HTTPResponse(socket.socket()),
        TypeError,
        "given a HTTPResponse; .* the socket of its connection",
    ),
    (io.BytesIO, TypeError, "which has no descriptor"),
    (lambda: "name", TypeError, "'name', which is no file: pass a descriptor"),
    (lambda: None, TypeError, "None, which is no file"),
    (lambda: True, TypeError, "True, which is no file"),
    (closed_file, ninth.FileClosedError, "which is closed: pass an open file"),
    (closed_socket, ninth.FileClosedError, "which is closed"),
    (lambda: -1, ninth.FileClosedError, "descriptor -1, which is closed"),
]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("wait", [ninth.readable, ninth.writable])
@pytest.mark.parametrize(("make", "kind", "text"), REFUSED)
def test_it_is_refused_where_it_is_given(
    wait: Callable[[Any], object], make: Callable[[], Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(
        kind, match=rf"{wait.__name__}\(\) was given .*{text.removeprefix('given ')}"
    ):
        wait(make())


@on_each_loop
async def test_a_directory_is_refused(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError, match="a directory: pass a file that has data"):
        await ninth.readable(fd)
    with pytest.raises(IsADirectoryError):
        await (ninth.readable(fd) | ninth.after(1))
    async with ninth.scope() as scope:
        with pytest.raises(IsADirectoryError):
            scope.on_readable(fd, lambda: None)
    os.close(fd)


@on_each_loop
async def test_a_number_that_is_no_descriptor() -> None:
    with pytest.raises(ninth.FileClosedError, match="descriptor 1000000, which is closed"):
        await ninth.readable(10**6)
    with pytest.raises(ninth.FileClosedError, match="writable.. was given descriptor 1000000"):
        await (ninth.writable(10**6) | ninth.after(60))


# Closing


@pytest.mark.parametrize("as_object", [False, True])
@on_each_loop
async def test_closing_wakes_everybody_who_waits(as_object: bool) -> None:
    reading, writing = os.pipe()
    file: Any = os.fdopen(reading, "rb", buffering=0) if as_object else reading
    errors = []

    async def wait(several: bool) -> None:
        try:
            await (ninth.readable(file) | ninth.after(60) if several else ninth.readable(file))
        except ninth.FileClosedError as error:
            errors.append(str(error))

    async with ninth.scope() as scope:
        for several in (False, True, False):
            scope.start(wait, several)
        registration = scope.on_readable(file, lambda: None)
        await asyncio.sleep(0.001)
        ninth.close(file)
    assert len(errors) == 3
    assert all("was closed while it was waited for" in text for text in errors)
    assert registration.done
    if as_object:
        ninth.close(file)
    else:
        with pytest.raises(OSError, match="Bad file descriptor"):
            ninth.close(file)
    os.close(writing)


def test_closing_without_a_loop(pipe: tuple[int, int]) -> None:
    ninth.close(pipe[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe[0])


def test_closing_in_the_block_of_a_plain_scope(loop_factory: Factory) -> None:
    reading, writing = os.pipe()
    with ninth.scope(loop_factory=loop_factory) as scope:
        registration = scope.on_readable(reading, lambda: None)
        ninth.close(reading)
        assert registration.done
    os.close(writing)


@on_each_loop
async def test_a_number_that_is_reused_at_once() -> None:
    for _ in range(5):
        reading, writing = os.pipe()
        assert not await is_readable(reading)
        ninth.close(reading)
        other, another = os.pipe()
        assert other == reading
        assert not await is_readable(other)
        os.write(another, b"x")
        assert await ninth.readable(other) == other
        for fd in (writing, other, another):
            ninth.close(fd)


@on_each_loop
async def test_a_file_closed_behind_our_back_between_two_waits() -> None:
    """The number is another file's at the next wait, which nothing told the loop."""
    for _ in range(5):
        ours, theirs = socket.socketpair()
        theirs.send(b"x")
        await ninth.readable(ours)
        number = ours.fileno()
        ours.close()
        theirs.close()
        ours, theirs = socket.socketpair()
        assert number in {ours.fileno(), theirs.fileno()}
        theirs.send(b"x")
        ours.send(b"x")
        assert await ninth.readable(ours) is ours
        assert await ninth.readable(theirs) is theirs
        ours.close()
        theirs.close()


@on_each_loop
async def test_a_file_object_closed_under_a_waiter_is_noticed_when_its_number_is_waited_for() -> (
    None
):
    ours, theirs = socket.socketpair()
    number = ours.fileno()

    async def wait() -> None:
        with pytest.raises(ninth.FileClosedError, match="close it with ninth.close"):
            await ninth.readable(ours)

    async with ninth.scope() as scope:
        scope.start(wait)
        registration = scope.on_readable(ours, lambda: None)
        await asyncio.sleep(0.001)
        ours.close()
        reading, writing = os.pipe()
        while reading != number:
            # Numbers below it were free as well.
            reading = os.dup(reading)
        os.write(writing, b"x")
        assert await ninth.readable(reading) == reading
        await registration
    theirs.close()
    for fd in range(number, number + 1):
        os.close(fd)
    os.close(writing)


@on_each_loop
async def test_an_event_of_a_closed_file_whose_duplicate_survives_does_not_spin() -> None:
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    survivor = os.dup(reading)
    os.write(writing, b"x")
    await ninth.readable(reading)
    os.close(reading)
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    before = os.times()
    async with ninth.scope() as scope:
        scope.every(0.01, count, background=True)
        scope.after(0.05, lambda: None)
    after = os.times()
    assert after.user + after.system - before.user - before.system < 0.04
    del loop
    os.close(survivor)
    os.close(writing)


# What ninth's own loop spares


class Counting(EpollPoller):
    """A poller that counts how often the kernel is told what to wait for."""

    calls = 0

    def set(self, fd: int, mask: int, again: bool) -> bool:
        # As in EpollPoller: nothing changes, nothing is told.
        if again or self.interest.get(fd, 0) != mask:
            self.calls += 1
        return super().set(fd, mask, again)


def test_a_steady_stream_of_waits_costs_no_epoll_ctl() -> None:
    poller = Counting()
    loops = []

    def factory() -> asyncio.AbstractEventLoop:
        loops.append(ninth.EventLoop(poller=poller))
        return loops[-1]

    async def main() -> None:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        file = os.fdopen(reading, "rb", buffering=0)
        before = 0
        for _ in range(100):
            # One after the other: what is ready and finds nobody waiting is disarmed, and rightly.
            theirs.send(b"x")
            await ninth.readable(ours)
            ours.recv(1)
            os.write(writing, b"x")
            await (ninth.readable(file) | ninth.after(10))
            os.read(reading, 1)
            before = before or poller.calls
        assert before > 0
        assert poller.calls == before
        os.close(writing)
        for each in (ours, theirs, file):
            each.close()

    ninth.run(main, loop_factory=factory)


@on_each_loop
async def test_watch_is_told_of_events_and_of_the_end() -> None:
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    seen: list[str] = []
    watcher = watchers.watch(
        loop,
        reading,
        watchers.READ,
        lambda: seen.append(f"{len(os.read(reading, 9))}"),
        lambda error: seen.append(type(error).__name__),
    )
    os.write(writing, b"abc")
    await ninth.sleep(0.005)
    ninth.close(reading)
    watcher.cancel()
    assert seen == ["3", "FileClosedError"]
    os.close(writing)


def test_what_a_type_holds_is_found_once() -> None:
    with pytest.raises(TypeError, match="no file"):
        files.descriptor(object(), "test")
    assert object not in files._looks
