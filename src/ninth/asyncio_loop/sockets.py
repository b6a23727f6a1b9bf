"""The operations on sockets that a coroutine awaits: `loop.sock_recv` and its kin.

Each tries at once, and only if the system has to be waited for registers a waiter; see
ninth.loop.waiter for why nothing is lost when it is cancelled.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from ninth.asyncio_loop import stdlib
from ninth.loop.poller import READ, WRITE
from ninth.loop.waiter import Waiter, receive, send

# How long to wait, in seconds, until a listening unix socket whose queue is full is tried again:
# the system has no event for that.
RETRY_CONNECT = 0.01


class SocketOperations(stdlib.Base):
    """A part of EventLoop: one operation each, awaited. Thread-safe: no.

    Each raises ValueError for a socket that blocks (in debug mode), TypeError for an SSLSocket,
    RuntimeError if a transport uses the socket, and OSError from the system.
    """

    def _check_sock(self, sock: socket.socket) -> None:
        stdlib.check_ssl_socket(sock)
        if self._debug and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking: call setblocking(False) first")

    async def _ready_to(self, sock: socket.socket, interest: int) -> None:
        """Wait until a socket is readable or writable."""
        fd = self._own_fd(sock)
        future: asyncio.Future[None] = self.create_future()
        waiter = Waiter(interest, future)
        self.core.add_waiter(fd, sock, waiter)
        try:
            await future
        except BaseException:
            self.core.remove_waiter(fd, waiter)
            raise

    async def sock_recv(self, sock: socket.socket, n: int) -> bytes:
        """Return up to n bytes from a socket, empty at the end of its stream."""
        self._check_sock(sock)
        data = receive(sock, n)
        while data is None:
            await self._ready_to(sock, READ)
            data = receive(sock, n)
        return data

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        """Receive into a writable buffer; return how many bytes came."""
        self._check_sock(sock)
        while True:
            try:
                return sock.recv_into(buf)
            except (BlockingIOError, InterruptedError):
                await self._ready_to(sock, READ)

    async def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> tuple[bytes, Any]:
        """Return a datagram of up to bufsize bytes and the address it came from."""
        self._check_sock(sock)
        while True:
            try:
                return sock.recvfrom(bufsize)
            except (BlockingIOError, InterruptedError):
                await self._ready_to(sock, READ)

    async def sock_recvfrom_into(
        self, sock: socket.socket, buf: Any, nbytes: int = 0
    ) -> tuple[int, Any]:
        """Receive a datagram into a writable buffer; return its size and where it came from."""
        self._check_sock(sock)
        nbytes = nbytes or len(buf)
        while True:
            try:
                return sock.recvfrom_into(buf, nbytes)
            except (BlockingIOError, InterruptedError):
                await self._ready_to(sock, READ)

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """Send all of data. After an error, nobody knows how much of it was sent."""
        self._check_sock(sock)
        sent = send(sock, data)
        if type(data) is bytes and sent == len(data):
            return
        with memoryview(data) as whole, whole.cast("B") as view:
            while sent < len(view):
                await self._ready_to(sock, WRITE)
                sent += send(sock, view[sent:])

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        """Send a datagram; return how many bytes of it were sent."""
        self._check_sock(sock)
        while True:
            try:
                return sock.sendto(data, address)
            except (BlockingIOError, InterruptedError):
                await self._ready_to(sock, WRITE)

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accept a connection; return its non-blocking socket and the peer's address."""
        self._check_sock(sock)
        while True:
            try:
                conn, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                await self._ready_to(sock, READ)
            else:
                conn.setblocking(False)
                return conn, address

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket. A host name is resolved first, but only the first result tried."""
        self._check_sock(sock)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            resolved = await stdlib.resolve(self, address, sock)
            address = resolved[0][4]
        while True:
            try:
                sock.connect(address)
            except (BlockingIOError, InterruptedError) as error:
                if error.errno != errno.EAGAIN:
                    # After EINTR, too, the system goes on connecting by itself.
                    break
            else:
                return
            await asyncio.sleep(RETRY_CONNECT)
        await self._ready_to(sock, WRITE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            # OSError picks the subclass by the number.
            raise OSError(code, f"Connect call failed {address}")
