"""A datagram socket that reads several packets per event where several come.

After an event it reads one packet. If the next poll finds the socket ready again, packets come
faster than turns, and it reads until there are no more, up to a batch; a batch of one ends that.
So a quiet socket never pays for the call that finds nothing.

Sending is at once: packets cannot be put together. What the system does not take waits, in order.
"""

from __future__ import annotations

import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from ninth.loop import forks
from ninth.loop.watch import Source

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import cython

    from ninth.loop.core import Core
    from ninth.loop.watch import Watch
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.ninth.loop.c_system import READ, WRITE
else:
    from ninth.loop.poller import READ, WRITE

# No datagram is longer.
LONGEST = 65536

# The most packets that one event delivers.
MOST_PACKETS = 16

# What a packet counts in the write buffer besides its data.
HEADER = 8

# Writes to a transport that is gone are ignored; from here on, with a warning each.
WARN_AFTER = 5


class Datagrams(Source):
    """One datagram socket. Thread-safe: no.

    address: the only peer, or None. connected: whether the system knows that peer.
    on_lost: called once, after connection_lost() and with the socket closed.
    """

    def __init__(
        self,
        loop: Core,
        sock: socket.socket,
        protocol: Any,
        transport: Any,
        address: Any,
        connected: bool,
        on_lost: Callable[[], None],
        log: Any,
    ) -> None:
        self.loop = loop
        self.sock: Any = sock
        # A number in plain Python too, whatever stands in for a socket in somebody's tests.
        self.fd = int(sock.fileno())
        self.protocol = protocol
        self.transport = transport
        self.address = address
        self.connected = connected
        self.on_lost: Any = on_lost
        self.log = log
        self.context = contextvars.copy_context()
        self.watch: Watch | None = None
        self.interest = 0
        self.packets: Any = deque()
        self.unsent = 0
        self.high = 64 * 1024
        self.low = 16 * 1024
        self.protocol_paused = False
        self.closing = False
        self.lost = 0
        self.many = False
        self.last_poll = 0

    def start(self) -> None:
        """Begin to read, unless the end came first."""
        if not self.closing:
            self.wait_for(READ)

    def wait_for(self, mask: int) -> None:
        """Have the loop wait for one more condition."""
        self.interest |= mask
        watch = self.loop.watch_of(self.fd)
        self.watch = watch
        first = watch.stream is None
        watch.stream = self
        self.loop.arm(watch, first)

    def wait_no_more(self, mask: int) -> None:
        """Stop waiting for a condition."""
        self.interest &= ~mask
        if self.watch is not None:
            self.loop.disarm(self.watch, mask)

    def on_events(self, mask: int) -> bool:
        """Step 3 of a turn: read and deliver, and send what did not go out before."""
        if mask & READ:
            if self.interest & READ:
                self.read_ready()
            elif self.watch is not None:
                self.loop.disarm(self.watch, READ)
        if mask & WRITE and self.interest & WRITE:
            self.write_ready()
        return False

    def describe(self) -> str:
        """Return who reads and writes here."""
        return f"events of {self.transport!r} for {self.protocol!r}"

    def read_ready(self) -> None:
        """Read and deliver one packet, or a batch."""
        if not self.many:
            self.many = self.loop.polls == self.last_poll + 1
        self.last_poll = self.loop.polls
        left = MOST_PACKETS if self.many else 1
        while left > 0 and self.lost == 0 and self.interest & READ:
            try:
                data, address = self.sock.recvfrom(LONGEST)
            except (BlockingIOError, InterruptedError):
                self.many = left < MOST_PACKETS - 1
                return
            except OSError as error:
                self.call(self.protocol.error_received, error)
                return
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.fail(error, "Fatal read error on datagram transport")
                return
            left -= 1
            self.deliver(data, address)

    def deliver(self, data: bytes, address: Any) -> None:
        """Give one packet to the protocol; its exceptions go to the exception handler."""
        try:
            self.context.run(self.protocol.datagram_received, data, address)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report(error, "protocol.datagram_received() failed")

    def call(self, method: Any, error: BaseException) -> None:
        """Call error_received(); its exceptions go to the exception handler."""
        try:
            self.context.run(method, error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as other:
            self.report(other, "protocol.error_received() failed")

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a packet now, or as soon as the system takes it.

        Raises: TypeError for what is no bytes-like object; ValueError for another address than
        the transport's.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            message = f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            raise TypeError(message)
        if self.address is not None:
            if addr is not None and addr != self.address:
                message = f"Invalid address: must be None or {self.address}"
                raise ValueError(message)
            addr = self.address
        if self.loop.inherited:
            raise RuntimeError(forks.MESSAGE)
        if self.lost:
            if self.lost >= WARN_AFTER:
                self.log.warning("socket.send() raised exception.")
            self.lost += 1
            return
        if not self.packets:
            try:
                self.send(data, addr)
            except (BlockingIOError, InterruptedError):
                self.wait_for(WRITE)
            except OSError as error:
                self.call(self.protocol.error_received, error)
                return
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.fail(error, "Fatal write error on datagram transport")
                return
            else:
                return
        # Kept as bytes: the caller may change the buffer.
        packet = bytes(data)
        self.packets.append((packet, addr))
        self.unsent += len(packet) + HEADER
        if self.unsent > self.high:
            self.pause_protocol()

    def send(self, data: Any, addr: Any) -> None:
        """Hand one packet to the system."""
        if self.connected or addr is None:
            # Without an address the socket may still have a peer, as one of a socketpair() does.
            self.sock.send(data)
        else:
            self.sock.sendto(data, addr)

    def write_ready(self) -> None:
        """Send what waits, as far as the system takes it."""
        while self.packets:
            data, addr = self.packets[0]
            try:
                self.send(data, addr)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self.call(self.protocol.error_received, error)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.fail(error, "Fatal write error on datagram transport")
                return
            if self.lost:
                return
            self.packets.popleft()
            self.unsent -= len(data) + HEADER
        if self.unsent <= self.low:
            self.resume_protocol()
        if not self.packets:
            self.wait_no_more(WRITE)
            if self.closing:
                self.lose(None)

    def set_limits(self, low: int, high: int) -> None:
        """Set the marks at which the protocol is paused and resumed, in bytes."""
        self.low = low
        self.high = high
        if self.unsent > high:
            self.pause_protocol()

    def pause_protocol(self) -> None:
        """Ask the protocol not to write until resume_protocol(); idempotent."""
        if not self.protocol_paused:
            self.protocol_paused = True
            try:
                self.protocol.pause_writing()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.report(error, "protocol.pause_writing() failed")

    def resume_protocol(self) -> None:
        """Tell the protocol that it may write again; idempotent."""
        if self.protocol_paused:
            self.protocol_paused = False
            try:
                self.context.run(self.protocol.resume_writing)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.report(error, "protocol.resume_writing() failed")

    def is_closing(self) -> bool:
        """Return whether the transport is ending or has ended."""
        return self.closing

    def close(self) -> None:
        """Send what is left, then end; idempotent."""
        if self.loop.inherited:
            # The socket is the parent's too: only our descriptor of it goes.
            self.release()
        elif not self.closing:
            self.closing = True
            self.wait_no_more(READ)
            if not self.packets:
                self.lose(None)

    def fail(self, error: BaseException, message: str) -> None:
        """End the transport because of an error."""
        if isinstance(error, OSError):
            if self.loop.debug:
                self.log.debug("%r: %s", self.transport, message, exc_info=True)
        else:
            self.report(error, message)
        self.force_close(error)

    def report(self, error: BaseException, message: str) -> None:
        """Give an exception of the protocol to the loop's exception handler."""
        self.loop.report(
            {
                "message": message,
                "exception": error,
                "transport": self.transport,
                "protocol": self.protocol,
            }
        )

    def force_close(self, error: BaseException | None) -> None:
        """End the transport without sending what is left."""
        if self.loop.inherited:
            self.release()
        elif not self.lost:
            self.packets.clear()
            self.unsent = 0
            self.closing = True
            self.lose(error)

    def lose(self, error: BaseException | None) -> None:
        """Have connection_lost() called in the next turn."""
        if not self.lost:
            self.lost = 1
            self.unregister()
            self.loop.call_soon(self.finish, error, context=self.context)

    def unregister(self) -> None:
        """Take the descriptor from the poller."""
        self.interest = 0
        watch = self.watch
        self.watch = None
        if watch is not None:
            watch.stream = None
            self.loop.settle(watch, True)

    def finish(self, error: BaseException | None) -> None:
        """Tell the protocol that the transport is gone, and close the socket."""
        try:
            if self.protocol is not None:
                self.protocol.connection_lost(error)
        finally:
            self.release()

    def release(self) -> None:
        """Close the socket and let go of everything; idempotent."""
        sock = self.sock
        if sock is None:
            return
        self.unregister()
        self.sock = None
        self.closing = True
        self.lost = max(self.lost, 1)
        sock.close()
        on_lost = self.on_lost
        self.on_lost = None
        self.protocol = None
        self.transport = None
        if on_lost is not None:
            on_lost()
