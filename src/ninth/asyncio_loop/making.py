"""The hooks through which asyncio makes transports, and the accepting of connections."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.asyncio_loop.datagram_transport import DatagramTransport
from ninth.asyncio_loop.pipe_transports import ReadPipeTransport, WritePipeTransport
from ninth.asyncio_loop.transports import SocketTransport
from ninth.loop.core import fileno

if TYPE_CHECKING:
    import asyncio
    import socket
    import ssl
    from collections.abc import Callable

# How long, in seconds, a server rests when the process is out of descriptors or memory. Its
# listening socket stays ready all the time, so trying again at once would keep the loop busy.
REST = 1.0

OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Transports(stdlib.Base):
    """A part of EventLoop: makes what reads and writes. Thread-safe: no."""

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> SocketTransport:
        self._own_fd(sock)
        return SocketTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: Any,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> Any:
        self._own_fd(rawsock)
        ssl_protocol = stdlib.SSLProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        SocketTransport(self, rawsock, ssl_protocol, extra=extra, server=server)
        return stdlib.app_transport_of(ssl_protocol)

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> DatagramTransport:
        self._own_fd(sock)
        return DatagramTransport(self, sock, protocol, address, waiter, extra)

    def _make_read_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> ReadPipeTransport:
        return ReadPipeTransport(self, pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> WritePipeTransport:
        return WritePipeTransport(self, pipe, protocol, waiter, extra)

    async def start_tls(self, transport: Any, *args: Any, **options: Any) -> Any:
        """Upgrade a transport to TLS and return the new one; see asyncio's documentation."""
        return stdlib.keep_usable(await super().start_tls(transport, *args, **options))

    # Accepting

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: Any = None,
        backlog: int = 100,
        *timeouts: Any,
    ) -> None:
        # It may have been closed while it rested.
        if sock.fileno() != -1:
            options = (protocol_factory, sock, sslcontext, server, backlog, *timeouts)
            self._add_reader(fileno(sock), self._accept, *options)

    def _accept(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None,
        server: Any,
        backlog: int,
        *timeouts: Any,
    ) -> None:
        """Accept what waits, up to a backlog; the listening socket is ready."""
        for _ in range(backlog):
            try:
                conn, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                self._rest(error, sock, protocol_factory, sslcontext, server, backlog, *timeouts)
                return
            conn.setblocking(False)
            extra = {"peername": address}
            if sslcontext is None:
                self._serve(protocol_factory, conn, extra, server)
            else:
                self.create_task(
                    self._accept_connection2(
                        protocol_factory, conn, extra, sslcontext, server, *timeouts
                    )
                )
            if sock.fileno() < 0:
                # The protocol closed the server.
                return

    def _rest(self, error: OSError, sock: socket.socket, factory: Any, *options: Any) -> None:
        """Stop accepting for a while."""
        self.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": error,
                "socket": stdlib.TransportSocket(sock),
            }
        )
        self._remove_reader(sock.fileno())
        self.call_later(REST, self._start_serving, factory, sock, *options)

    def _serve(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        conn: socket.socket,
        extra: dict[str, Any],
        server: Any,
    ) -> None:
        """Make protocol and transport of an accepted connection."""
        try:
            protocol = protocol_factory()
            if server is not None and not server.sockets:
                # The program closed the server just now: it wants no more connections.
                conn.close()
                return
            self._make_socket_transport(conn, protocol, extra=extra, server=server)
        except (KeyboardInterrupt, SystemExit):
            conn.close()
            raise
        except BaseException as error:
            conn.close()
            self.call_exception_handler(
                {
                    "message": "Error on transport creation for incoming connection",
                    "exception": error,
                }
            )
