"""The public face of a stream: what asyncio's programs hold in their hands."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.loop.stream import Stream

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from ninth.asyncio_loop.event_loop import EventLoop


def limits(high: int | None, low: int | None) -> tuple[int, int]:
    """Return the water marks (low, high) that asyncio derives from what is given.

    Raises: ValueError unless high >= low >= 0.
    """
    if high is None:
        high = 64 * 1024 if low is None else 4 * low
    if low is None:
        low = high // 4
    if not high >= low >= 0:
        message = f"high ({high!r}) must be >= low ({low!r}) must be >= 0"
        raise ValueError(message)
    return low, high


class SocketTransport(stdlib.FlowControlMixin):
    """A connected stream socket; see ninth.loop.stream for how it reads and writes.

    Its methods are asyncio's, and what can be seen of writing once per turn is this:
    get_write_buffer_size() counts data until the turn's end, and an error of sending shows in
    connection_lost() a turn later. Thread-safe: no.
    """

    # asyncio's loop.sendfile() and loop.start_tls() ask for these two.
    _start_tls_compatible = True
    _sendfile_compatible = stdlib.SENDFILE_TRY_NATIVE

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> None:
        super().__init__(extra, loop)
        self._sock = sock
        self._sock_fd = sock.fileno()
        self._server = server
        stdlib.describe_socket(sock, self._extra)
        self._stream = Stream(
            loop.core,
            sock,
            protocol,
            self,
            isinstance(protocol, asyncio.BufferedProtocol),
            self._lost,
            stdlib.logger,
        )
        self._extra["socket"] = stdlib.StreamSocket(sock, self._stream)
        # Calls per packet go to the stream without a frame of Python in between.
        self.write = self._stream.write  # type: ignore[method-assign]
        self.is_closing = self._stream.is_closing  # type: ignore[method-assign]
        if server is not None:
            stdlib.attach_to_server(server, self)
        loop.claim(sock, self)
        stdlib.set_nodelay(sock)
        loop.call_soon(self._start, waiter)

    def _start(self, waiter: asyncio.Future[None] | None) -> None:
        stream = self._stream
        try:
            stream.protocol.connection_made(self)
        finally:
            # Only now, so that connection_made() comes before any data.
            self._loop.call_soon(stream.start)
            if waiter is not None:
                self._loop.call_soon(stdlib.set_result_unless_cancelled, waiter, None)

    def _lost(self) -> None:
        server, self._server = self._server, None
        self._sock = None  # type: ignore[assignment]
        if server is not None:
            stdlib.detach_from_server(server, self)

    def __repr__(self) -> str:
        stream = self._stream
        parts = [type(self).__name__]
        if stream.sock is None:
            parts.append("closed")
        elif stream.closing:
            parts.append("closing")
        parts.append(f"fd={self._sock_fd}")
        if stream.sock is not None:
            parts.append(f"read={'polling' if stream.interest & 1 else 'idle'}")
            state = "polling" if stream.blocked else "idle"
            parts.append(f"write=<{state}, bufsize={stream.unsent}>")
        return f"<{' '.join(parts)}>"

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None and stream.sock is not None:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, 2, source=self)
            stream.release()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a piece of information; the socket, after all that was written is sent."""
        if name == "socket" and self._stream.queued:
            self._stream.flush()
        return self._extra.get(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets the data."""
        return self._stream.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Deliver to another protocol from now on."""
        self._stream.set_protocol(protocol, isinstance(protocol, asyncio.BufferedProtocol))

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._stream.is_closing()

    def close(self) -> None:
        """Send what is left, then end the connection; idempotent."""
        self._stream.close()

    def abort(self) -> None:
        """End the connection without waiting for the peer to take what is left."""
        self._stream.abort()

    def is_reading(self) -> bool:
        """Return whether data would be delivered."""
        return self._stream.is_reading()

    def pause_reading(self) -> None:
        """Deliver nothing until resume_reading(); idempotent."""
        self._stream.pause_reading()

    def resume_reading(self) -> None:
        """Deliver again; idempotent."""
        self._stream.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, at the latest when this turn of the loop is over.

        Raises: TypeError for what is no bytes-like object; RuntimeError after write_eof().
        """
        self._stream.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces of data; raises as write()."""
        self._stream.writelines(list_of_data)

    def can_write_eof(self) -> bool:
        """Return True: the writing half can be closed by itself."""
        return True

    def write_eof(self) -> None:
        """Close the writing half once all is sent; idempotent."""
        self._stream.write_eof()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not handed to the system yet."""
        return self._stream.unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the marks (low, high), in bytes."""
        return self._stream.low, self._stream.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set at how many unsent bytes the protocol is paused and resumed.

        Raises: ValueError unless high >= low >= 0.
        """
        self._stream.set_limits(*limits(high, low))

    # What asyncio's sslproto and loop.sendfile() call.

    def _force_close(self, error: BaseException | None) -> None:
        self._stream.force_close(error)

    def _fatal_error(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        self._stream.fail(error, message)

    @property
    def _protocol_paused(self) -> bool:
        return self._stream.protocol_paused

    @_protocol_paused.setter
    def _protocol_paused(self, value: bool) -> None:
        """Ignore the state that asyncio would keep."""

    def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore asyncio's defaults, which the stream has as well."""

    def _make_empty_waiter(self) -> asyncio.Future[None]:
        stream = self._stream
        if stream.drained is not None:
            raise RuntimeError("Empty waiter is already set")
        waiter = self._loop.create_future()
        stream.flush()
        stream.drained = waiter
        if not stream.chunks:
            waiter.set_result(None)
        return waiter

    def _reset_empty_waiter(self) -> None:
        self._stream.drained = None
