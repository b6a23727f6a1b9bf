"""A connected stream socket that reads, delivers and writes once per turn.

The protocol is any object with asyncio's protocol methods; the transport is its public face, a
thin object that forwards to this one. Nothing here knows asyncio itself.

Writing. `write` only keeps the data; the loop calls `flush` once per turn, before it polls, and
all that was written since goes out in one system call. What is above the high-water mark, or
64 KiB, is sent at once, so that a producer feels the pressure as early as with any other loop;
so is everything while the loop does not run.
Data is kept as bytes: what the caller may still change is copied, after an attempt to send it if
it is large.

Reading. The poll calls `on_events` and the protocol gets what one recv() returned. Small reads go
through one buffer for the whole program and leave as bytes of their exact size; a stream whose
last read was large reads straight into its next object.

Ends. `closing` is set by close() and abort(); `lost` counts from the moment connection_lost() is
on its way. The descriptor is taken from the poller before it is closed, always: a duplicate in
another process must not leave events behind under this number.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import socket
from typing import TYPE_CHECKING, Any

from ninth.loop import forks
from ninth.loop.watch import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import cython

    from ninth.loop.core import Core
    from ninth.loop.watch import Watch
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.cpython.contextvars import PyContext_Enter, PyContext_Exit
    from cython.cimports.ninth.loop.c_system import (
        EAGAIN,
        EINTR,
        MSG_NOSIGNAL,
        READ,
        WRITE,
        c_send,
        errno,
        read_large,
        read_small,
    )
else:
    from ninth.loop.poller import READ, WRITE

# What is written in one turn is sent at once from here on.
SEND_AT_ONCE = 64 * 1024

# The most that one read delivers. More would make the C library's allocator map and unmap memory
# for each read, which costs more than another call.
MOST_READ = 64 * 1024

# From here on a read is large: copying it costs more than shrinking an object.
LARGE_FROM = 16 * 1024

# How many pieces one call may send; every system takes as many.
MOST_PIECES = 512

# Writes to a connection that is gone are ignored; from here on, with a warning each.
WARN_AFTER = 5


class Stream(Source):
    """One connection.

    on_lost: called once, after connection_lost() and with the socket closed.
    log: a logger, for warnings and, in debug mode, for what happens.
    Thread-safe: no.
    """

    protocol: Any
    transport: Any
    chunks: list[bytes]
    drained: Any
    context: contextvars.Context
    on_lost: Callable[[], None] | None
    sock: socket.socket | None
    watch: Watch | None

    def __init__(
        self,
        loop: Core,
        sock: socket.socket,
        protocol: Any,
        transport: Any,
        buffered: bool,
        on_lost: Callable[[], None] | None,
        log: Any,
    ) -> None:
        self.loop = loop
        self.sock = sock
        # A number in plain Python too, whatever stands in for a socket in somebody's tests.
        self.fd = int(sock.fileno())
        hold_open(sock)
        self.transport = transport
        self.on_lost = on_lost
        self.log = log
        self.context = contextvars.copy_context()
        self.watch = None
        self.interest = 0
        self.chunks = []
        self.unsent = 0
        self.queued = False
        self.blocked = False
        self.started = False
        self.paused = False
        self.ended = False
        self.closing = False
        self.eof_written = False
        self.protocol_paused = False
        self.lost = 0
        self.high = SEND_AT_ONCE
        self.low = SEND_AT_ONCE // 4
        self.at_once = SEND_AT_ONCE
        self.drained = None
        self.set_protocol(protocol, buffered)

    def set_protocol(self, protocol: Any, buffered: bool) -> None:
        """Deliver to this protocol; buffered: it is one with get_buffer()."""
        self.protocol = protocol
        self.buffered = buffered
        self.large = False
        # Looked up once, not per packet; a pipe that is written to has none.
        self.receive = getattr(protocol, "data_received", None)

    # Reading

    def start(self) -> None:
        """Begin to read, unless that was paused or the end came first."""
        self.started = True
        if not self.closing and not self.paused:
            self.read_on()

    def read_on(self) -> None:
        """Have the loop wait for data."""
        self.interest |= READ
        watch = self.loop.watch_of(self.fd)
        self.watch = watch
        first = watch.stream is None
        watch.stream = self
        self.loop.arm(watch, first)

    def read_off(self) -> None:
        """Stop waiting for data; the poller learns of it when data comes meanwhile."""
        self.interest &= ~READ

    def pause_reading(self) -> None:
        """Deliver nothing until resume_reading(); idempotent."""
        if not self.closing and not self.paused:
            self.paused = True
            self.read_off()

    def resume_reading(self) -> None:
        """Deliver again; idempotent."""
        if not self.closing and self.paused:
            self.paused = False
            if self.started and not self.ended:
                self.read_on()

    def is_closing(self) -> bool:
        """Return whether the connection is ending or has ended."""
        return self.closing

    def is_reading(self) -> bool:
        """Return whether data would be delivered."""
        return not self.closing and not self.paused

    def on_events(self, mask: int) -> bool:
        """Step 3 of a turn: read and deliver, and send what did not go out before."""
        if mask & READ:
            if self.interest & READ:
                self.read_ready()
            elif self.watch is not None:
                self.loop.disarm(self.watch, READ)
        if mask & WRITE and self.watch is not None:
            if self.blocked:
                self.write_ready()
            else:
                self.loop.disarm(self.watch, WRITE)
        return False

    def describe(self) -> str:
        """Return who reads and writes here."""
        return f"events of {self.transport!r} for {self.protocol!r}"

    def read_ready(self) -> None:
        """Read once and deliver it."""
        if self.lost:
            return
        if self.buffered:
            self.read_into_protocol()
            return
        try:
            data = self.take_in()
        except (BlockingIOError, InterruptedError):
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.fail(error, "Fatal read error on socket transport")
            return
        if not data:
            if data is not None:
                self.read_end()
            return
        try:
            if cython.compiled:
                context = self.context
                PyContext_Enter(context)
                try:
                    self.receive(data)  # type: ignore[misc]
                finally:
                    PyContext_Exit(context)
            else:
                self.context.run(self.receive, data)  # type: ignore[arg-type]
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.delivery_failed(error, "Fatal error: protocol.data_received() call failed.")

    def take_in(self) -> bytes | None:
        """Read once and return it; empty at the end of file, None or an error if not ready.

        Raises: OSError.
        """
        if not cython.compiled:
            return self.sock.recv(MOST_READ)  # type: ignore[union-attr]
        if self.large:
            data = read_large(self.fd, MOST_READ)
        else:
            data = read_small(self.fd, common, MOST_READ)  # type: ignore[name-defined]  # noqa: F821
        if data is not None:
            self.large = len(data) >= LARGE_FROM
        return data

    def take_in_to(self, buffer: Any) -> int:
        """Read once into a buffer; return how much came, 0 at the end. Raises: OSError."""
        return self.sock.recv_into(buffer)  # type: ignore[union-attr]

    def c_put_out(self, data: Any, size: int) -> int:
        """Send C memory once; return how much the system took. Compiled only."""
        if cython.compiled:
            sent = c_send(self.fd, data, size, MSG_NOSIGNAL)
            if sent >= 0:
                return sent
            if errno not in {EAGAIN, EINTR}:
                raise_errno()
            return 0
        raise NotImplementedError

    def read_into_protocol(self) -> None:
        """Read once into the buffer of a protocol that has its own."""
        try:
            buffer = self.context.run(self.protocol.get_buffer, -1)
            if not len(buffer):
                raise RuntimeError("get_buffer() returned an empty buffer")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.fail(error, "Fatal error: protocol.get_buffer() call failed.")
            return
        try:
            count = self.take_in_to(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.fail(error, "Fatal read error on socket transport")
            return
        if not count:
            self.read_end()
            return
        try:
            self.context.run(self.protocol.buffer_updated, count)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.delivery_failed(error, "Fatal error: protocol.buffer_updated() call failed.")

    def delivery_failed(self, error: BaseException, message: str) -> None:
        """End the connection, for its protocol raised an exception and lost its place."""
        self.fail(error, message)

    def read_end(self) -> None:
        """Deliver the end of file; the protocol says whether it goes on writing."""
        if self.loop.debug:
            self.log.debug("%r received EOF", self.transport)
        self.ended = True
        try:
            keep_open = self.context.run(self.protocol.eof_received)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.fail(error, "Fatal error: protocol.eof_received() call failed.")
            return
        if keep_open:
            self.read_off()
        else:
            self.close()

    # Writing

    def write(self, data: Any) -> None:
        """Send data, at the latest when this turn is over.

        data: bytes, bytearray or memoryview.
        Raises: TypeError for anything else; RuntimeError after write_eof() or during sendfile.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            message = f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            raise TypeError(message)
        if self.eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.drained is not None:
            raise RuntimeError("unable to write; sendfile is in progress")
        if self.lost:
            self.write_to_lost(data)
            return
        if not isinstance(data, bytes):
            data = self.own(data)
        size = len(data)
        if size == 0:
            return
        self.chunks.append(data)
        self.unsent += size
        if self.blocked or (self.unsent < self.at_once and self.loop.thread):
            if not self.queued and not self.blocked:
                self.queued = True
                self.loop.unsent.append(self)
            if self.unsent > self.high and not self.protocol_paused:
                self.pause_protocol()
        else:
            self.flush()

    def own(self, data: Any) -> bytes:
        """Return what is left to send of data that the caller may change, as bytes."""
        view = memoryview(data).cast("B") if memoryview(data).contiguous else None
        if view is None or view.nbytes < SEND_AT_ONCE or self.unsent or self.closing:
            return bytes(data)
        if self.loop.inherited:
            raise RuntimeError(forks.MESSAGE)
        try:
            sent = self.put_out(view)
        except OSError:
            # Whatever it is, the attempt that follows meets it as well.
            sent = 0
        return bytes(view[sent:])

    def write_to_lost(self, data: Any) -> None:
        """Ignore what is written to a connection that is gone, at first in silence."""
        if len(data):
            if self.lost >= WARN_AFTER:
                self.log.warning("socket.send() raised exception.")
            self.lost += 1

    def writelines(self, pieces: Iterable[Any]) -> None:
        """Send several pieces of data; raises as write()."""
        if self.eof_written:
            raise RuntimeError("Cannot call writelines() after write_eof()")
        if self.drained is not None:
            raise RuntimeError("unable to writelines; sendfile is in progress")
        checked = []
        for piece in pieces:
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                message = (
                    f"writelines() was given {type(piece).__name__!r}: pass bytes-like objects"
                )
                raise TypeError(message)
            checked.append(piece)
        for piece in checked:
            self.write(piece)

    def flush(self) -> None:
        """Step 1 of a turn: send what can be sent now.

        Raises: RuntimeError in a forked child, where the connection is the parent's.
        """
        self.queued = False
        if self.loop.inherited:
            raise RuntimeError(forks.MESSAGE)
        if self.blocked or not self.chunks or self.lost:
            return
        try:
            self.send()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.send_failed(error)
            return
        if not self.chunks:
            self.emptied()
            return
        self.wait_to_write()
        if self.unsent > self.high and not self.protocol_paused:
            self.pause_protocol()

    def wait_to_write(self) -> None:
        """Have the loop wait until the socket takes more."""
        self.blocked = True
        self.interest |= WRITE
        watch = self.loop.watch_of(self.fd)
        self.watch = watch
        first = watch.stream is None
        watch.stream = self
        self.loop.arm(watch, first)

    def write_ready(self) -> None:
        """Send more now that the socket takes it again."""
        try:
            self.send()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.send_failed(error)
            return
        if not self.chunks:
            self.unblock()
        if self.protocol_paused and self.unsent <= self.low:
            self.resume_protocol()
        if not self.chunks:
            self.emptied()

    def unblock(self) -> None:
        """Stop waiting until the socket takes more."""
        if self.blocked:
            self.blocked = False
            self.interest &= ~WRITE
            if self.watch is not None:
                self.loop.disarm(self.watch, WRITE)

    def send(self) -> None:
        """Send once; what is sent leaves `chunks`. Raises: OSError."""
        chunks = self.chunks
        if len(chunks) > 1 and self.unsent <= SEND_AT_ONCE:
            chunks[:] = [b"".join(chunks)]
        if len(chunks) == 1:
            sent = self.put_out(chunks[0])
        else:
            sent = self.put_out_many(chunks[:MOST_PIECES])
        if sent > 0:
            self.take(sent)

    def put_out(self, data: Any) -> int:
        """Send data once; return how much the system took. Raises: OSError."""
        if cython.compiled:  # noqa: SIM102  (Cython leaves it out only by itself)
            if type(data) is bytes:
                return self.c_put_out(PyBytes_AS_STRING(data), len(data))
        try:
            return self.sock.send(data)  # type: ignore[union-attr]
        except (BlockingIOError, InterruptedError):
            return 0

    def put_out_many(self, pieces: list[bytes]) -> int:
        """Send several pieces with one call, as put_out()."""
        try:
            return self.sock.sendmsg(pieces)  # type: ignore[union-attr]
        except (BlockingIOError, InterruptedError):
            return 0

    def take(self, sent: int) -> None:
        """Remove the first bytes from `chunks`."""
        self.unsent -= sent
        if not self.unsent:
            self.chunks.clear()
            return
        gone = 0
        for chunk in self.chunks:
            if len(chunk) > sent:
                break
            sent -= len(chunk)
            gone += 1
        del self.chunks[:gone]
        if sent:
            # A view would keep the whole piece; so would the piece itself, and views cut fast.
            self.chunks[0] = memoryview(self.chunks[0])[sent:]  # type: ignore[call-overload]

    def send_failed(self, error: BaseException) -> None:
        """End a connection that cannot be written to."""
        waiter = self.drained
        self.drop_unsent()
        self.fail(error, "Fatal write error on socket transport")
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def emptied(self) -> None:
        """Do what waited for all data to be sent."""
        if self.drained is not None and not self.drained.done():
            self.drained.set_result(None)
        if self.closing:
            self.lose(None)
        elif self.eof_written:
            self.shut_down_writing()

    def drop_unsent(self) -> None:
        """Forget what is not sent yet."""
        self.chunks.clear()
        self.unsent = 0
        self.unblock()

    def write_eof(self) -> None:
        """Close the writing half once all is sent; idempotent."""
        if self.closing or self.eof_written:
            return
        self.eof_written = True
        self.flush()
        if not self.chunks and not self.lost:
            self.shut_down_writing()

    def shut_down_writing(self) -> None:
        """Tell the peer that nothing more comes."""
        try:
            self.sock.shutdown(socket.SHUT_WR)  # type: ignore[union-attr]
        except OSError as error:
            self.fail(error, "Fatal write error on socket transport")

    def set_limits(self, low: int, high: int) -> None:
        """Set the marks at which the protocol is paused and resumed, in bytes."""
        self.low = low
        self.high = high
        self.at_once = min(SEND_AT_ONCE, high + 1)
        if self.unsent > high and not self.protocol_paused:
            self.flush()
            if self.unsent > high and not self.protocol_paused:
                self.pause_protocol()

    def pause_protocol(self) -> None:
        """Ask the protocol not to write until resume_protocol()."""
        self.protocol_paused = True
        try:
            self.protocol.pause_writing()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report(error, "protocol.pause_writing() failed")

    def resume_protocol(self) -> None:
        """Tell the protocol that it may write again."""
        self.protocol_paused = False
        try:
            self.context.run(self.protocol.resume_writing)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report(error, "protocol.resume_writing() failed")

    # Ends

    def close(self) -> None:
        """Send what is left, then end the connection; idempotent."""
        if self.closing:
            return
        if self.loop.inherited:
            # The connection is the parent's: only our descriptor of it goes.
            self.release()
            return
        self.flush()
        if self.closing:
            return  # type: ignore[unreachable]
        self.closing = True
        self.read_off()
        if not self.chunks:
            self.lose(None)

    def abort(self) -> None:
        """End the connection; what one call cannot send is lost."""
        self.try_to_send()
        self.force_close(None)

    def try_to_send(self) -> None:
        """Send what was written in this turn as far as one call does, whatever comes of it."""
        if self.loop.inherited:
            return
        if not self.lost and self.queued and not self.blocked and self.chunks:
            with contextlib.suppress(OSError):
                self.send()

    def fail(self, error: BaseException, message: str) -> None:
        """End the connection because of an error, which is reported unless it is the system's."""
        if isinstance(error, OSError):
            if self.loop.debug:
                self.log.debug("%r: %s", self.transport, message, exc_info=True)
        else:
            self.report(error, message)
            # What the protocol wrote before its error has been sent already by other loops.
            self.try_to_send()
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
        """End the connection without sending what is left."""
        if self.lost:
            return
        if self.loop.inherited:
            self.release()
            return
        self.drop_unsent()
        self.closing = True
        self.read_off()
        self.lose(error)

    def lose(self, error: BaseException | None) -> None:
        """Have connection_lost() called in the next turn."""
        if self.lost:
            return
        self.lost = 1
        self.interest = 0
        self.unregister()
        self.loop.call_soon(self.finish, error, context=self.context)

    def unregister(self) -> None:
        """Take the descriptor from the poller."""
        watch = self.watch
        self.watch = None
        if watch is not None:
            watch.stream = None
            self.loop.settle(watch, True)

    def finish(self, error: BaseException | None) -> None:
        """Tell the protocol that the connection is gone, and close the socket."""
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
        self.interest = 0
        self.closing = True
        self.lost = max(self.lost, 1)
        close_socket(sock)
        waiter = self.drained
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionError("Connection is closed by peer"))
        on_lost = self.on_lost
        self.on_lost = None
        self.receive = None
        self.protocol = None
        self.transport = None
        if on_lost is not None:
            on_lost()


def raise_errno() -> None:
    """Raise the OSError of the last system call. Compiled only."""
    if cython.compiled:
        raise OSError(errno, os.strerror(errno))


def hold_open(sock: Any) -> None:
    """Keep a socket's descriptor open until close_socket(), even if the program closes it.

    We read and write by the number, which must not become another file's meanwhile. This is what
    socket.makefile() does for the files it makes; what is no socket has no such counter.
    """
    count = getattr(sock, "_io_refs", None)
    if count is not None:
        sock._io_refs = count + 1


def close_socket(sock: Any) -> None:
    """Close a socket whose descriptor is out of the poller."""
    if hasattr(sock, "_io_refs"):
        sock._decref_socketios()
    sock.close()
