"""Wait for files of every kind in the same way: `await ninth.readable(file)`.

Try it with a here-document, `python everything_is_a_file.py <<< hello`: standard input may be
that, a file, a pipe, a terminal or /dev/null.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import ninth

libc = ctypes.CDLL(None, use_errno=True)

# A file that is not readable yet, and what makes it readable.
Kind = contextlib.AbstractContextManager[tuple[int, Callable[[], object]]]


@contextlib.contextmanager
def closing(*fds: int) -> Iterator[None]:
    try:
        yield
    finally:
        for fd in fds:
            ninth.close(fd)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, Callable[[], object]]]:
    reading, writing = os.pipe()
    with closing(reading, writing):
        yield reading, lambda: os.write(writing, b"x")


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, Callable[[], object]]]:
    keyboard, program = os.openpty()
    with closing(keyboard, program):
        yield program, lambda: os.write(keyboard, b"typed\n")


@contextlib.contextmanager
def unix_socket() -> Iterator[tuple[int, Callable[[], object]]]:
    one, other = socket.socketpair()
    with one, other:
        yield one.fileno(), lambda: other.send(b"x")


@contextlib.contextmanager
def listening_socket() -> Iterator[tuple[int, Callable[[], object]]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        yield server.fileno(), lambda: client.connect(server.getsockname())


@contextlib.contextmanager
def datagram_socket() -> Iterator[tuple[int, Callable[[], object]]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one.fileno(), lambda: one.sendto(b"x", one.getsockname())


@contextlib.contextmanager
def pidfd() -> Iterator[tuple[int, Callable[[], object]]]:
    with subprocess.Popen(["sleep", "60"]) as child, closing(fd := os.pidfd_open(child.pid)):
        yield fd, lambda: signal.pidfd_send_signal(fd, signal.SIGTERM)


@contextlib.contextmanager
def eventfd() -> Iterator[tuple[int, Callable[[], object]]]:
    with closing(fd := os.eventfd(0)):
        yield fd, lambda: os.eventfd_write(fd, 1)


@contextlib.contextmanager
def timerfd() -> Iterator[tuple[int, Callable[[], object]]]:
    # os.timerfd_create() is there from Python 3.13 on.
    monotonic, one_millisecond = 1, struct.pack("llll", 0, 0, 0, 1_000_000)
    with closing(fd := libc.timerfd_create(monotonic, os.O_CLOEXEC)):
        yield fd, lambda: libc.timerfd_settime(fd, 0, one_millisecond, None)


@contextlib.contextmanager
def inotify() -> Iterator[tuple[int, Callable[[], object]]]:
    created = 0x100
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(fd := libc.inotify_init1(os.O_CLOEXEC)),
    ):
        libc.inotify_add_watch(fd, os.fsencode(directory), created)
        yield fd, lambda: os.mkdir(f"{directory}/new")


@contextlib.contextmanager
def device() -> Iterator[tuple[int, Callable[[], object]]]:
    with closing(fd := os.open("/dev/null", os.O_RDONLY)):
        yield fd, lambda: None


@contextlib.contextmanager
def regular_file() -> Iterator[tuple[int, Callable[[], object]]]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno(), lambda: None


@contextlib.contextmanager
def standard_input() -> Iterator[tuple[int, Callable[[], object]]]:
    yield sys.stdin.fileno(), lambda: None


KINDS: list[Callable[[], Kind]] = [
    pipe,
    terminal,
    unix_socket,
    listening_socket,
    datagram_socket,
    pidfd,
    eventfd,
    timerfd,
    inotify,
    device,
    regular_file,
    standard_input,
]


async def main() -> None:
    for kind in KINDS:
        with kind() as (file, make_readable):
            async with ninth.scope() as scope:
                scope.after(0, make_readable)
                await ninth.readable(file)
        print(kind.__name__, "is readable", flush=True)


ninth.run(main)
