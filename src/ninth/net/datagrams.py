"""Datagrams: a UDP socket whose messages are sent and received one by one."""

from __future__ import annotations

import socket
from typing import Any, Self

from ninth.conditions import readable, writable
from ninth.errors import BusyError
from ninth.net.addresses import check_host, check_port, resolve
from ninth.streaming.closing import Closing
from ninth.streaming.writing import flat
from ninth.waiting.files import closed
from ninth.waiting.watchers import close

# No datagram is larger, so none is cut.
LARGEST = 65536


class Datagrams(Closing):
    """A UDP socket; what open_udp() opens. Usable as `async with`, which closes it.

    One task may receive and one may send at a time. Thread-safe: no.

    Example:
        async with (
            ninth.open_udp("127.0.0.1") as one,
            ninth.open_udp("127.0.0.1", remote=one.local_address) as other,
        ):
            await other.send(b"hello")
            async for data, sender in one:
                print(data, sender == other.local_address)  # -> b'hello' True
                break
            assert other.remote_address == one.local_address
    """

    def __init__(self, sock: socket.socket) -> None:
        self.file = sock
        self._receiving = False
        self._sending = False

    def __repr__(self) -> str:
        return f"<Datagrams of {self.file!r}>"

    def fileno(self) -> int:
        """Return the descriptor, -1 when closed."""
        return self.file.fileno()

    @property
    def local_address(self) -> Any:
        """Where it receives: (host, port), with IPv6 (host, port, flow, zone)."""
        return self.file.getsockname()

    @property
    def remote_address(self) -> Any:
        """Whom it is connected to. Raises: OSError if to nobody."""
        return self.file.getpeername()

    async def receive(self) -> tuple[bytes, Any]:
        """Wait for a datagram, and return it with the address of its sender.

        Returns: an empty datagram as b"": it is no end.
        Raises: BusyError if another task receives; FileClosedError; ConnectionRefusedError, on one
        that is connected, if nobody received what was sent before.
        Cancelling: nothing is lost.
        """
        if self._receiving:
            raise BusyError("receive(): somebody else receives here: only one can at a time")
        self._receiving = True
        try:
            while True:
                self._check("receive")
                try:
                    return self.file.recvfrom(LARGEST)
                except (BlockingIOError, InterruptedError):
                    await readable(self.file)
        finally:
            self._receiving = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[bytes, Any]:
        return await self.receive()

    async def send(self, data: bytes | bytearray | memoryview, to: Any = None) -> None:
        """Send one datagram, and wait until the system has taken it.

        to: (host, port), or what receive() gave; None on a socket that is connected. A name is
        resolved each time, a literal address costs nothing.
        Raises: BusyError if another task sends; FileClosedError; ValueError if it is not said to
        whom; OSError, EMSGSIZE for what is too large.
        """
        if self._sending:
            raise BusyError("send(): somebody else sends here: only one can at a time")
        self._sending = True
        try:
            self._check("send")
            where = await self._where(to)
            with flat(data, "send") as view:
                while not self._sent(view, where):
                    await writable(self.file)
        finally:
            self._sending = False

    def _sent(self, data: bytes | memoryview, where: Any) -> bool:
        """Send a datagram; return whether the system has taken it. Raises: OSError."""
        self._check("send")
        try:
            if where is None:
                self.file.send(data)
            else:
                self.file.sendto(data, where)
        except (BlockingIOError, InterruptedError):
            return False
        except PermissionError as error:
            if not self.file.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST):
                error.add_note("if it goes to a broadcast address: open_udp(broadcast=True)")
            raise
        return True

    async def _where(self, to: Any) -> Any:
        """Return an address as the system wants it, None if it is connected to one."""
        if to is None:
            try:
                self.file.getpeername()
            except OSError:
                message = "send() was not told to whom: pass to=(host, port), or connect it"
                raise ValueError(message) from None
            return None
        if not isinstance(to, tuple) or len(to) < 2:
            message = f"send() was given to={to!r}: pass (host, port)"
            raise TypeError(message)
        check_host(to[0], "send")
        check_port(to[1], "send")
        if len(to) > 2 and self.file.family == socket.AF_INET6:
            return to
        family, kind = self.file.family, socket.SOCK_DGRAM
        return (await resolve(to[0], to[1], "send", family=family, kind=kind))[0].where

    def _check(self, method: str) -> None:
        if self.file.fileno() < 0:
            raise closed(self, method)

    async def aclose(self) -> None:
        """Close the socket; who waits is woken with FileClosedError. Idempotent."""
        self.close()

    def close(self) -> None:
        """Do the same as aclose(), where nothing can be awaited."""
        if self.file.fileno() >= 0:
            close(self.file)
