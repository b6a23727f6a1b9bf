"""Waiting once for a file, at about the cost of a callback.

A waiter only says that its file is ready; who waits then does the operation itself, and waits
again if somebody else was faster. So a cancellation between the event and the operation loses
nothing: no data that was read for nobody, no connection that was accepted for nobody.

The descriptor stays with the poller between waits (see core.py), so the next wait through the
same file object costs no call to the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninth.loop.watch import Source

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.ninth.loop.c_system import (
        EAGAIN,
        EINTR,
        MSG_NOSIGNAL,
        c_recv,
        c_send,
        errno,
    )
    from cython.cimports.ninth.loop.stream import raise_errno

# What is received at most through the buffer that all share.
SHARED_SIZE = 16 * 1024


class Waiter(Source):
    """Sets the result of a future, None, when its file is ready. Thread-safe: no.

    interest: READ, WRITE or both.
    """

    __slots__ = ("future",)

    def __init__(self, interest: int, future: Any) -> None:
        self.interest = interest
        self.future = future

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Set the result; return True, for one event is enough."""
        future = self.future
        if not future.done():
            future.set_result(None)
        return True


def receive(sock: Any, size: int) -> bytes | None:
    """Return up to size bytes of a socket, empty at its end, None if nothing came yet.

    Raises: OSError; ValueError for a negative size.
    """
    if cython.compiled:
        fd = sock.fileno()
        wanted = size
        # The system may wait for data even if none is wanted; Python's recv() does not ask it.
        if fd >= 0 and 0 < wanted <= SHARED_SIZE:
            got = c_recv(fd, shared, wanted, 0)  # type: ignore[name-defined]  # noqa: F821
            if got >= 0:
                return PyBytes_FromStringAndSize(shared, got)  # type: ignore[name-defined]  # noqa: F821
            if errno not in {EAGAIN, EINTR}:
                raise_errno()
            return None
    try:
        return sock.recv(size)
    except (BlockingIOError, InterruptedError):
        return None


def send(sock: Any, data: Any) -> int:
    """Send data once and return how many bytes the system took, 0 if none. Raises: OSError."""
    if cython.compiled:
        fd = sock.fileno()
        if fd >= 0 and type(data) is bytes:
            sent = c_send(fd, PyBytes_AS_STRING(data), len(data), MSG_NOSIGNAL)
            if sent >= 0:
                return sent
            if errno not in {EAGAIN, EINTR}:
                raise_errno()
            return 0
    try:
        return sock.send(data)
    except (BlockingIOError, InterruptedError):
        return 0
