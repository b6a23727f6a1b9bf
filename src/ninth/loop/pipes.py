"""The two ends of a pipe, as streams: one only reads, the other only writes.

A pipe is any descriptor that can be polled but is no connected socket of ours: a FIFO, a
terminal, one side of a socket pair that asyncio was told to treat so.
"""

from __future__ import annotations

import errno as errors
import os
from typing import TYPE_CHECKING, Any

from ninth.loop.stream import Stream

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.ninth.loop.c_system import EAGAIN, EINTR, c_write, errno
    from cython.cimports.ninth.loop.stream import WARN_AFTER, raise_errno
else:
    from ninth.loop.stream import WARN_AFTER

# Reads of plain Python; see Stream.take_in.
READ_SIZE = 64 * 1024


class ReadPipe(Stream):
    """The reading end. Thread-safe: no."""

    def take_in(self) -> bytes | None:
        """Read once; see Stream.take_in()."""
        if cython.compiled:
            return Stream.take_in(self)
        return os.read(self.fd, READ_SIZE)

    def take_in_to(self, buffer: Any) -> int:
        """Read once into a buffer; see Stream.take_in_to()."""
        return os.readv(self.fd, (buffer,))

    def delivery_failed(self, error: BaseException, message: str) -> None:
        """Report an exception of the protocol and go on reading, as asyncio does with pipes."""
        self.report(error, message.removeprefix("Fatal error: "))

    def read_end(self) -> None:
        """Deliver the end of file, which is the end of the transport as well."""
        if self.loop.debug:
            self.log.info("%r was closed by peer", self.transport)
        self.ended = True
        self.closing = True
        self.read_off()
        self.loop.call_soon(self.protocol.eof_received, context=self.context)
        self.lose(None)

    def fail(self, error: BaseException, message: str) -> None:
        """End the transport because of an error."""
        if isinstance(error, OSError) and error.errno == errors.EIO:
            # The other side of a pseudo-terminal was closed: its way to say end of file.
            if self.loop.debug:
                self.log.debug("%r: %s", self.transport, message, exc_info=True)
        else:
            self.report(error, message.replace("socket", "pipe"))
        self.force_close(error)


class WritePipe(Stream):
    """The writing end.

    watches_peer: whether readability means that the reader is gone, as it does for FIFOs and
    sockets, not for terminals.
    ignored: how many writes came after the end.
    Thread-safe: no.
    """

    watches_peer: bool
    ignored: int

    def start(self) -> None:
        """Begin to watch for the end of the reader."""
        self.started = True
        if self.watches_peer and not self.closing:
            self.read_on()

    def read_ready(self) -> None:
        """End: the reader is gone."""
        if self.loop.debug:
            self.log.info("%r was closed by peer", self.transport)
        self.force_close(BrokenPipeError() if self.chunks else None)

    def write(self, data: Any) -> None:
        """Write data, at the latest when this turn is over; ignored once the pipe is closing."""
        if self.closing and isinstance(data, (bytes, bytearray, memoryview)):
            self.write_to_lost(data)
        else:
            Stream.write(self, data)

    def close(self) -> None:
        """Write what is left, then end; idempotent."""
        watched = self.watches_peer and not self.closing
        Stream.close(self)
        if watched and not self.lost:
            # The reader may still go away before all is written.
            self.read_on()

    def write_eof(self) -> None:
        """Write what is left, then end: a pipe has no other half."""
        self.close()

    def c_put_out(self, data: Any, size: int) -> int:
        """Write C memory once; see Stream.c_put_out()."""
        if cython.compiled:
            sent = c_write(self.fd, data, size)
            if sent >= 0:
                return sent
            if errno not in {EAGAIN, EINTR}:
                raise_errno()
            return 0
        raise NotImplementedError

    def put_out(self, data: Any) -> int:
        """Write data once; see Stream.put_out()."""
        if cython.compiled:  # noqa: SIM102  (Cython leaves it out only by itself)
            if type(data) is bytes:
                return Stream.put_out(self, data)
        try:
            return os.write(self.fd, data)
        except (BlockingIOError, InterruptedError):
            return 0

    def put_out_many(self, pieces: list[bytes]) -> int:
        """Write several pieces with one call, as put_out()."""
        try:
            return os.writev(self.fd, pieces)
        except (BlockingIOError, InterruptedError):
            return 0

    def write_to_lost(self, data: Any) -> None:
        """Ignore what is written to a pipe that is gone, at first in silence."""
        if len(data):
            if self.ignored >= WARN_AFTER:
                self.log.warning("pipe closed by peer or os.write(pipe, data) raised exception.")
            self.ignored += 1
