"""The public face of a datagram socket."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.asyncio_loop.transports import limits
from ninth.loop.datagrams import Datagrams

if TYPE_CHECKING:
    import socket

    from ninth.asyncio_loop.event_loop import EventLoop


class DatagramTransport(asyncio.DatagramTransport, asyncio.Transport):
    """A datagram socket; see ninth.loop.datagrams for how it reads and writes.

    It is a Transport as well because asyncio's own is.

    Its methods are asyncio's. Thread-safe: no.
    """

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._sock = sock
        self._sock_fd = sock.fileno()
        stdlib.describe_socket(sock, self._extra)
        connected = bool(self._extra["peername"])
        self._datagrams = Datagrams(
            loop.core, sock, protocol, self, address or None, connected, self._lost, stdlib.logger
        )
        self.sendto = self._datagrams.sendto  # type: ignore[method-assign]
        loop.claim(sock, self)
        loop.call_soon(self._start, waiter)

    def _start(self, waiter: asyncio.Future[None] | None) -> None:
        datagrams = self._datagrams
        try:
            datagrams.protocol.connection_made(self)
        finally:
            self._loop.call_soon(datagrams.start)
            if waiter is not None:
                self._loop.call_soon(stdlib.set_result_unless_cancelled, waiter, None)

    def _lost(self) -> None:
        self._sock = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        datagrams = self._datagrams
        parts = [type(self).__name__]
        if datagrams.sock is None:
            parts.append("closed")
        elif datagrams.closing:
            parts.append("closing")
        parts.append(f"fd={self._sock_fd}")
        if datagrams.sock is not None:
            parts.append(f"read={'polling' if datagrams.interest & 1 else 'idle'}")
            state = "polling" if datagrams.packets else "idle"
            parts.append(f"write=<{state}, bufsize={datagrams.unsent}>")
        return f"<{' '.join(parts)}>"

    def __del__(self) -> None:
        datagrams = getattr(self, "_datagrams", None)
        if datagrams is not None and datagrams.sock is not None:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, 2, source=self)
            datagrams.release()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets the packets."""
        return self._datagrams.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Deliver to another protocol from now on."""
        self._datagrams.protocol = protocol

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._datagrams.is_closing()

    def close(self) -> None:
        """Send what is left, then end; idempotent."""
        self._datagrams.close()

    def abort(self) -> None:
        """End without sending what is left."""
        self._datagrams.force_close(None)

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send a packet now, or as soon as the system takes it.

        Raises: TypeError for what is no bytes-like object; ValueError for another address than
        the one the transport was made for.
        """
        self._datagrams.sendto(data, addr)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait, 8 for each packet included."""
        return self._datagrams.unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the marks (low, high), in bytes."""
        return self._datagrams.low, self._datagrams.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set at how many waiting bytes the protocol is paused and resumed.

        Raises: ValueError unless high >= low >= 0.
        """
        self._datagrams.set_limits(*limits(high, low))
