"""The public faces of the two ends of a pipe."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import warnings
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.asyncio_loop.transports import limits
from ninth.loop.pipes import ReadPipe, WritePipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninth.asyncio_loop.event_loop import EventLoop


class PipeTransport:
    """What both ends have in common."""

    _pipe: Any
    _fileno: int | None
    _loop: EventLoop
    _end: ReadPipe | WritePipe

    def _begin(self, waiter: asyncio.Future[None] | None) -> None:
        end = self._end
        try:
            end.protocol.connection_made(self)
        finally:
            self._loop.call_soon(end.start)
            if waiter is not None:
                self._loop.call_soon(stdlib.set_result_unless_cancelled, waiter, None)

    def _lost(self) -> None:
        self._pipe = None

    def __del__(self) -> None:
        end = getattr(self, "_end", None)
        if end is not None and end.sock is not None:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, 2, source=self)
            end.release()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets the data."""
        return self._end.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Deliver to another protocol from now on."""
        self._end.set_protocol(protocol, isinstance(protocol, asyncio.BufferedProtocol))

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._end.is_closing()

    def close(self) -> None:
        """End, after what is left is written; idempotent."""
        if self._loop.is_closed():
            # A subprocess transport that is collected late comes here: nobody can be told.
            self._end.release()
        else:
            self._end.close()

    def _state(self, polled: bool) -> str:
        if self._loop.is_closed():
            return "open"
        return "polling" if polled else "idle"

    def _parts(self) -> list[str]:
        parts = [type(self).__name__]
        if self._end.sock is None:
            parts.append("closed")
        elif self._end.closing:
            parts.append("closing")
        parts.append(f"fd={self._fileno}")
        return parts


class ReadPipeTransport(PipeTransport, asyncio.ReadTransport):
    """The reading end of a pipe. Thread-safe: no.

    Raises: ValueError for what is no pipe, socket or character device.
    """

    def __init__(
        self,
        loop: EventLoop,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(extra)
        self._extra["pipe"] = self._pipe = pipe
        self._loop = loop
        self._fileno = pipe.fileno()
        mode = os.fstat(self._fileno).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            self._pipe = None
            raise ValueError("Pipe transport is for pipes/sockets only.")
        os.set_blocking(self._fileno, False)
        buffered = isinstance(protocol, asyncio.BufferedProtocol)
        self._end = ReadPipe(loop.core, pipe, protocol, self, buffered, self._lost, stdlib.logger)
        loop.call_soon(self._begin, waiter)

    def __repr__(self) -> str:
        parts = self._parts()
        if self._end.sock is not None:
            parts.append(self._state(self._end.interest != 0))
        return f"<{' '.join(parts)}>"

    def is_reading(self) -> bool:
        """Return whether data would be delivered."""
        return self._end.is_reading()

    def pause_reading(self) -> None:
        """Deliver nothing until resume_reading(); idempotent."""
        self._end.pause_reading()

    def resume_reading(self) -> None:
        """Deliver again; idempotent."""
        self._end.resume_reading()


class WritePipeTransport(PipeTransport, stdlib.FlowControlMixin):
    """The writing end of a pipe. Thread-safe: no.

    Raises: ValueError for what is no pipe, socket or character device.
    """

    def __init__(
        self,
        loop: EventLoop,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(extra, loop)
        self._extra["pipe"] = self._pipe = pipe
        self._fileno = pipe.fileno()
        mode = os.fstat(self._fileno).st_mode
        fifo, sock = stat.S_ISFIFO(mode), stat.S_ISSOCK(mode)
        if not (fifo or sock or stat.S_ISCHR(mode)):
            self._pipe = None
            raise ValueError("Pipe transport is only for pipes, sockets and character devices")
        os.set_blocking(self._fileno, False)
        end = WritePipe(loop.core, pipe, protocol, self, False, self._lost, stdlib.logger)
        # On AIX the reading side of a FIFO says nothing about the other end.
        end.watches_peer = sock or (fifo and not sys.platform.startswith("aix"))
        end.ignored = 0
        self._end = end
        self.write = end.write  # type: ignore[method-assign]
        loop.call_soon(self._begin, waiter)

    def __repr__(self) -> str:
        parts = self._parts()
        if self._end.sock is not None:
            parts.append(self._state(self._end.blocked))
            parts.append(f"bufsize={self._end.unsent}")
        return f"<{' '.join(parts)}>"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write data, at the latest when this turn of the loop is over."""
        self._end.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write several pieces of data."""
        self._end.writelines(list_of_data)

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def write_eof(self) -> None:
        """Write what is left, then end: the same as close()."""
        self._end.write_eof()

    def abort(self) -> None:
        """End without waiting for the reader to take what is left."""
        self._end.abort()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not handed to the system yet."""
        return self._end.unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the marks (low, high), in bytes."""
        return self._end.low, self._end.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set at how many unsent bytes the protocol is paused and resumed.

        Raises: ValueError unless high >= low >= 0.
        """
        self._end.set_limits(*limits(high, low))

    def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore asyncio's defaults, which the stream has as well."""
