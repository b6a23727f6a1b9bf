"""What a stream has read and is to read: what is held, who reads, and the file.

On ninth's own loop a read that has to wait costs one object. The file's data is read when the poll
finds it ready, straight into what the task is given when it runs again: no look at the file that
finds nothing. `Incoming` stays among the watchers of its file between two reads, and leaves only
when the file is ready and nobody reads; so a steady stream of reads registers once, and a file
that nobody reads fills up, as it should.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from ninth.errors import BusyError, FileClosedError
from ninth.loop.poller import READ
from ninth.streaming.held import Held
from ninth.waiting.direct import DirectSource, DirectWait
from ninth.waiting.files import closed

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.ninth.loop.c_system import read_small, receive_small
    from cython.cimports.ninth.waiting.direct import add, iterate_by_slot, remove
else:
    from ninth.waiting.direct import add, remove

# What one read takes at most; compiled, also the size of the buffer that all of them share.
MOST = 65536


class Incoming(DirectSource):
    """The reading side of a stream.

    held: what was read and not taken. reads: whether the file can be read at all.
    direct: whether it can be read by its number, without blocking. socket: whether it is one, for
    which the system has calls that cost less.
    eager: whether there may be data that no event tells about before it is looked for: after a
    read that got less than it asked for, the file is taken to be empty, and the next one waits at
    once.
    error: what a reader met that was cancelled at that moment; for the next one.
    reader: who waits for data, a DirectRead or a future; None if nobody does.
    claimed: somebody keeps all others from reading. closed: the stream is.
    core: of ninth's loop, where the stream is used on one. watched: whether this is in its table.
    Thread-safe: no.
    """

    __slots__ = (
        "claimed",
        "closed",
        "direct",
        "eager",
        "error",
        "held",
        "loop",
        "reader",
        "reads",
        "socket",
        "watched",
    )

    def __init__(self, file: Any, fd: int, reads: bool, direct: bool, socket: bool) -> None:
        self.interest = READ
        self.file = file
        self.fd = fd
        self.reads = reads
        self.direct = direct
        self.socket = socket
        self.held = Held()
        self.eager = True
        self.error: BaseException | None = None
        self.reader: Any = None
        self.claimed = False
        self.closed = False
        self.core = None
        self.loop: Any = None
        self.watched = False

    def check(self, method: str) -> None:
        """Refuse a reader. Raises: BusyError, FileClosedError, io.UnsupportedOperation."""
        if self.reader is not None or self.claimed:
            message = f"{method}(): somebody else reads this stream: only one can at a time"
            raise BusyError(message)
        if self.closed:
            raise closed(self.file, method)
        if not self.reads:
            message = f"{method}() on a stream that is open for writing only"
            raise io.UnsupportedOperation(message)
        if self.error is not None:
            error = self.error
            self.error = None
            raise error

    def read_now(self, size: int) -> bytes | None:
        """Read what is there, of a direct file; None if there is nothing. Raises: OSError."""
        if cython.compiled:
            if self.socket:
                data = receive_small(self.fd, shared, size)  # type: ignore[name-defined]  # noqa: F821
            else:
                data = read_small(self.fd, shared, size)  # type: ignore[name-defined]  # noqa: F821
        else:
            try:
                data = os.read(self.fd, size)
            except (BlockingIOError, InterruptedError):
                data = None
        self.eager = data is not None and (len(data) == size or not data)
        return data  # type: ignore[no-any-return]

    def watch(self) -> None:
        """Be told when the file is ready. Raises: OSError."""
        if not self.watched:
            add(self.core, self, self.fd, self.file)
            self.watched = True

    def unwatch(self) -> None:
        """Be told no longer; idempotent."""
        if self.watched:
            self.watched = False
            remove(self.core, self, self.fd)

    # For the loop

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Read for who waits; return whether to watch no longer."""
        reader = self.reader
        if reader is None or reader.over:
            # As long as nobody reads, the file may fill up.
            self.watched = False
            self.eager = True
            return True
        if type(self.file) is not int and not self.is_open():
            self.close_behind()
            return False
        try:
            data = self.read_now(reader.size)
        except OSError as error:
            reader.error = error
        else:
            if data is None:
                return False
            reader.data = data
        reader.wake()
        return False

    def on_closed(self, error: FileClosedError) -> None:
        """Tell the reader that the file was closed; it is not watched any more."""
        self.watched = False
        if self.reader is not None and not self.reader.done():
            self.reader.set_exception(error)


class DirectRead(DirectWait):
    """One read; await it for the bytes, empty at the end of the file.

    Made by new_read(). size: how many bytes it takes at most. more: whether to wait for more,
    whatever is held, and though the stream is claimed by whoever asks. data: what was read while it
    waited.
    """

    __slots__ = ("data", "incoming", "more", "size")

    data: bytes | None
    incoming: Incoming
    more: bool
    size: int

    def __await__(self) -> DirectRead:
        return self

    def advance(self) -> bool:
        """Read, or begin to wait; return whether to wait now."""
        incoming = self.incoming
        if self.over:
            if incoming.reader is self:
                incoming.reader = None
            if self.error is not None:
                raise self.error
            return False
        if not self.begun:
            self.begun = True
            if not self.more:
                incoming.check("read")
                count = incoming.held.size()
                if count:
                    self.data = incoming.held.take(min(count, self.size))
            if self.data is None and incoming.eager:
                self.data = incoming.read_now(self.size)
            if self.data is not None:
                self.over = True
                return False
            if not incoming.watched:
                incoming.watch()
            incoming.reader = self
        elif self._asyncio_future_blocking:
            raise RuntimeError("this wait needs a task: await it in a coroutine that asyncio runs")
        self._asyncio_future_blocking = True
        return True

    def value(self) -> bytes | None:
        """Return what was read, once."""
        data = self.data
        self.data = None
        return data

    def close(self) -> None:
        """Stop waiting: the coroutine is thrown away, or cancelled. Nothing is lost."""
        self.over = True
        if self.incoming.reader is self:
            self.incoming.reader = None
        if self.data is not None:
            self.incoming.held.put(self.data)
            self.data = None
        if isinstance(self.error, OSError) and not isinstance(self.error, FileClosedError):
            self.incoming.error = self.error
            self.error = None

    def set_exception(self, error: BaseException) -> None:
        """Wake the task with an error."""
        self.error = error
        self.wake()


def new_read(incoming: Incoming, size: int, more: bool) -> DirectRead:
    """Return a read, made without a call of its class."""
    read = DirectRead.__new__(DirectRead)
    read.incoming = incoming
    read.more = more
    read.size = min(size, MOST)
    read.core = incoming.core
    read.loop = incoming.loop
    read.fd = incoming.fd
    read.interest = READ
    if not cython.compiled:
        # Which C does by itself.
        read.file = read.callback = read.context = read.error = read.data = None
        read._asyncio_future_blocking = None
        read.begun = read.over = False
    return read


if cython.compiled:
    iterate_by_slot(DirectRead)
