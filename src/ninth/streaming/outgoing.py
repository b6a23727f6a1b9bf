"""What a stream is to write: what is unsent, who writes, and the file.

A write that the system takes at once, as most, costs one object on any loop. The rest is left to a
coroutine of the stream.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING, Any

from ninth.errors import BusyError
from ninth.waiting.files import closed

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_GET_SIZE
    from cython.cimports.cpython.exc import PyErr_SetFromErrno
    from cython.cimports.ninth.loop.c_system import EAGAIN, MSG_NOSIGNAL, c_send, c_write
    from cython.cimports.ninth.loop.c_system import errno as c_errno


class Outgoing:
    """The writing side of a stream.

    writes: whether the file can be written at all. direct: whether it can be by its number, without
    blocking. socket: whether it is one, for which the system has a call that costs less.
    unsent: what the system is to get yet. writer: the future of who waits for that, None if nobody
    does. error: what the rest of a cancelled write met. ended: nothing can follow.
    closed: the stream is.
    Thread-safe: no.
    """

    __slots__ = (
        "__weakref__",
        "closed",
        "direct",
        "ended",
        "error",
        "fd",
        "file",
        "socket",
        "unsent",
        "writer",
        "writes",
    )

    def __init__(self, file: Any, fd: int, writes: bool, direct: bool, socket: bool) -> None:
        self.file = file
        self.fd = fd
        self.writes = writes
        self.direct = direct
        self.socket = socket
        self.unsent: Any = b""
        self.writer: Any = None
        self.error: OSError | None = None
        self.ended = False
        self.closed = False

    def check(self, method: str) -> None:
        """Refuse a writer. Raises: as Stream.write()."""
        if self.writer is not None:
            message = f"{method}(): somebody else writes to this stream: only one can at a time"
            raise BusyError(message)
        if self.ended:
            message = f"{method}() after write_eof(): nothing can follow the end"
            raise RuntimeError(message)
        if self.closed:
            raise closed(self.file, method)
        if not self.writes:
            message = f"{method}() on a stream that is open for reading only"
            raise io.UnsupportedOperation(message)
        if self.error is not None:
            error = self.error
            self.error = None
            raise error

    def is_free(self) -> bool:
        """Return whether data can be given to the system at once, by write_now()."""
        return (
            self.direct
            and self.writes
            and self.writer is None
            and not self.unsent
            and not self.ended
            and not self.closed
            and self.error is None
        )

    def write_now(self, data: bytes) -> int:
        """Write as much as the system takes now; return how much. Raises: OSError."""
        if cython.compiled:
            if self.socket:
                sent = c_send(
                    self.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_NOSIGNAL
                )
            else:
                sent = c_write(self.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            if sent < 0:
                if c_errno != EAGAIN:
                    PyErr_SetFromErrno(OSError)
                return 0
            return sent  # type: ignore[no-any-return]
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0


class DirectWrite:
    """One write; await it until the system has taken all of the data. Made by new_write().

    stream: whose coroutine `_write` takes over what the system does not take at once.
    begun: whether it was awaited. rest: that coroutine, None before and afterwards.
    """

    __slots__ = ("__weakref__", "begun", "data", "outgoing", "rest", "stream")

    begun: bool
    data: Any
    outgoing: Outgoing
    rest: Any
    stream: Any

    def __await__(self) -> DirectWrite:
        return self

    def __iter__(self) -> DirectWrite:
        return self

    def __next__(self) -> Any:
        """Write; return what the task has to wait for before the next step."""
        # Compiled, next_step() does the same, and takes the place of this.
        step = self.step()
        if step is self:
            raise StopIteration
        return step

    def step(self) -> Any:
        """Write, or go on with what is left; return itself at the end."""
        if not self.begun:
            self.begun = True
            outgoing = self.outgoing
            data = self.data
            self.data = None
            free = outgoing.is_free()
            if not free:
                outgoing.check("write")
            if free and type(data) is bytes:
                sent = outgoing.write_now(data)
                if sent == len(data):
                    return self
                data = data[sent:]
            self.rest = self.stream._write(data)
        elif self.rest is None:
            raise RuntimeError("this write() was awaited already")
        try:
            return self.rest.send(None)
        except StopIteration:
            self.rest = None
            return self

    def send(self, _value: Any) -> Any:
        """Do what next() does."""
        return self.__next__()

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Raise in the coroutine of what is left; what was begun is sent to its end."""
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        if traceback is not None:
            value = value.with_traceback(traceback)
        self.begun = True
        if self.rest is None:
            raise value
        return self.rest.throw(value)

    def close(self) -> None:
        """Do no more: the coroutine that awaits it is thrown away."""
        self.begun = True
        if self.rest is not None:
            self.rest.close()

    def __del__(self) -> None:
        if not self.begun:
            message = (
                "write() was called and never awaited: nothing was sent; await stream.write(…)"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)


def new_write(outgoing: Outgoing, stream: Any, data: Any) -> DirectWrite:
    """Return a write, made without a call of its class."""
    write = DirectWrite.__new__(DirectWrite)
    write.outgoing = outgoing
    write.stream = stream
    write.data = data
    if not cython.compiled:
        write.begun = False
        write.rest = None
    return write


if cython.compiled:
    iterate_by_slot(DirectWrite)  # type: ignore[name-defined]  # noqa: F821
