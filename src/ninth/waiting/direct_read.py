"""Reading and writing a stream on ninth's own loop, at the cost of hardly more than the call.

The file is read when the poll finds it ready, straight into what the task is given when it runs
again: one object for a read, and no look at the file that finds nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ninth.loop.core import Core
from ninth.loop.poller import READ
from ninth.waiting.direct import DirectWait

if TYPE_CHECKING:
    import cython

    from ninth.errors import FileClosedError
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_GET_SIZE
    from cython.cimports.cpython.exc import PyErr_SetFromErrno
    from cython.cimports.ninth.loop.c_system import EAGAIN, c_write, read_small
    from cython.cimports.ninth.loop.c_system import errno as c_errno

# What one read takes at most; compiled, also the size of the buffer that all of them share.
MOST = 65536


class DirectRead(DirectWait):
    """One read of a file that is not blocking; await it for the bytes, empty at the end.

    data: what was read, None before. Who cancels the wait has to look there, too.
    """

    __slots__ = ("data", "size")

    def __init__(self, core: Core | None, loop: Any, file: Any, fd: int, size: int) -> None:
        self.core = core  # type: ignore[assignment]
        self.loop = loop
        self.file = file
        self.fd = fd
        self.interest = READ
        self.size = min(size, MOST)
        self.callback = None
        self.context = None
        self.error = None
        self.begun = False
        self.over = False
        self._asyncio_future_blocking = False
        self.data: bytes | None = None

    def __await__(self) -> DirectRead:
        return self

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Read, and wake the task."""
        if self.over:
            return True
        if type(self.file) is not int and not self.is_open():
            self.close_behind()
            return False
        try:
            if cython.compiled:
                data = read_small(self.fd, shared, self.size)  # type: ignore[name-defined]  # noqa: F821
            else:
                data = os.read(self.fd, self.size)
        except BlockingIOError:
            return False
        except OSError as error:
            self.error = error
            self.wake()
            return True
        if data is None:
            return False
        self.data = data
        # The value of the await.
        self.file = data
        self.wake()
        return True

    def set_exception(self, error: FileClosedError) -> None:
        """Wake the task with an error."""
        self.close()
        self.error = error
        self.wake()


def write_now(fd: int, data: bytes) -> int:
    """Write as much as the system takes now; return how much. Raises: OSError."""
    if cython.compiled:
        sent = c_write(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if sent < 0:
            if c_errno != EAGAIN:
                PyErr_SetFromErrno(OSError)
            return 0
        return sent  # type: ignore[no-any-return]
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0
