"""Bytes and lines over any file: a pipe, a terminal, a socket, a character device.

Blocking. A file has to be non-blocking, but that is a property of the open file, not of the
descriptor: a terminal, and what was inherited as 0, 1 or 2, is shared with other processes, which
would fail. For those it is set around every single call, and put back before anything else can
run.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import fcntl
import io
import os
import socket
import ssl
import stat
import termios
from typing import TYPE_CHECKING, Any

from ninth.errors import FileClosedError
from ninth.loop.core import Core
from ninth.streaming.closing import Closing
from ninth.streaming.ends import Ends
from ninth.streaming.incoming import MOST, Incoming, new_read
from ninth.streaming.outgoing import Outgoing
from ninth.streaming.reading import Reading
from ninth.streaming.watcher import StreamWatcher
from ninth.streaming.writing import OCCUPIED, Writing
from ninth.waiting.files import descriptor, is_same
from ninth.waiting.watchers import READ, close, table_of

if TYPE_CHECKING:
    from ninth.net.tls import TLSStream
    from ninth.waiting.files import File
    from ninth.waiting.watchers import Table

# The master of a pseudo-terminal, whose end of file is an error (EIO).
PTY_MASTER = os.makedev(5, 2)


class Stream(Reading, Writing, Closing, Ends):
    r"""Bytes and lines over an open file.

    One task may read and one may write at a time. A stream owns its file: who reads or writes it
    past the stream mixes up the order. Usable as `async with`, which closes it.
    file: anything with fileno(), or a descriptor; a BufferedReader's buffer is taken over.
    Raises: TypeError for what hides data (text wrappers, TLS sockets), and for sockets that are no
    streams; FileClosedError for a closed file; IsADirectoryError.
    Thread-safe: no.

    Example:
        reading, writing = os.pipe()
        async with ninth.Stream(reading) as reader, ninth.Stream(writing) as writer:
            await writer.write(b"one\ntwo\n")
            await writer.write_eof()
            async for line in reader:
                print(line)
        # -> b'one\n'
        # -> b'two\n'
    """

    def __init__(self, file: File) -> None:
        if isinstance(file, ssl.SSLSocket):
            message = "Stream() was given an SSLSocket: TLS needs ninth.connect_tcp(…, ssl=…)"
            raise TypeError(message)
        self._fd = descriptor(file, "Stream")
        self.file = file
        mode, self._kind = self._look()
        self._identity = identity(self._fd)
        blocking = not mode & os.O_NONBLOCK and not stat.S_ISREG(self._kind)
        # Shared with others, who count on its blocking.
        self._shared = blocking and (self._fd <= 2 or os.isatty(self._fd))
        self._changed = blocking and not self._shared
        self._timeout = file.gettimeout() if isinstance(file, socket.socket) else 0.0
        if isinstance(file, socket.socket):
            file.setblocking(False)
        elif self._changed:
            os.set_blocking(self._fd, False)
        is_socket = stat.S_ISSOCK(self._kind)
        direct = not self._shared and (is_socket or stat.S_ISFIFO(self._kind))
        reads = mode & os.O_ACCMODE != os.O_WRONLY
        writes = mode & os.O_ACCMODE != os.O_RDONLY
        self._begin(
            file,
            Incoming(file, self._fd, reads, direct, is_socket),
            Outgoing(file, self._fd, writes, not self._shared, is_socket),
        )
        if isinstance(file, io.BufferedReader | io.BufferedRandom | io.BufferedRWPair):
            self._take_over(file)
        elif isinstance(file, io.BufferedWriter):
            file.flush()

    def _begin(self, file: Any, incoming: Incoming, outgoing: Outgoing) -> None:
        """Have nothing read, written or waited for yet."""
        Ends.__init__(self, incoming, outgoing)
        self.file: Any = file
        self._read_watch: StreamWatcher | None = None
        self._wanted = MOST
        # Whether the end of the file was met by a reader that was cancelled meanwhile.
        self._ended = False
        self._write_watch: StreamWatcher | None = None
        # What goes on in its place: TLS over it.
        self._successor: Stream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._table: Table

    def _look(self) -> tuple[int, int]:
        """Return the flags and the kind of the file. Raises: as the class for what is no stream."""
        kind = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(kind):
            message = f"Stream() was given {self.file!r}, a directory: pass a file that has data"
            raise IsADirectoryError(errno.EISDIR, message)
        if stat.S_ISSOCK(kind):
            sock = socket.socket(fileno=self._fd)
            try:
                if sock.type != socket.SOCK_STREAM:
                    message = f"Stream() was given {self.file!r}, which sends datagrams, not bytes"
                    raise TypeError(message)
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    message = (
                        f"Stream() was given {self.file!r}, which listens: pass what it accepts"
                    )
                    raise TypeError(message)
            finally:
                sock.detach()
        return fcntl.fcntl(self._fd, fcntl.F_GETFL), kind

    def _take_over(self, file: Any) -> None:
        """Take what a Python buffer above the descriptor has read already."""
        if file.writable():
            file.flush()
        blocking = os.get_blocking(self._fd)
        if blocking:
            os.set_blocking(self._fd, False)
        try:
            # peek() reads if the buffer is empty; read1() then takes it out of the buffer only.
            self._incoming.held.put(file.read1(len(file.peek(1))) or b"")
        except BlockingIOError:
            pass
        finally:
            if blocking:
                os.set_blocking(self._fd, True)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.pending()} bytes held"
        return f"<{type(self).__name__} of {self.file!r}, {state}>"

    def fileno(self) -> int:
        """Return the descriptor, -1 when closed."""
        return -1 if self.closed else self._fd

    @property
    def closed(self) -> bool:
        """Whether the stream was closed."""
        return self._incoming.closed

    @property
    def local_address(self) -> Any:
        """The address of this end of a socket: (host, port, …), or the path of a unix socket.

        Raises: io.UnsupportedOperation for what is no socket; OSError if it is closed.
        """
        return self._address("getsockname")

    @property
    def remote_address(self) -> Any:
        """The address of the other end of a socket; see local_address."""
        return self._address("getpeername")

    def _address(self, method: str) -> Any:
        if not isinstance(self.file, socket.socket):
            message = f"{self!r} has no address: only a stream over a socket.socket has"
            raise io.UnsupportedOperation(message)
        return getattr(self.file, method)()

    async def start_tls(
        self,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        server_side: bool = False,
    ) -> TLSStream:
        r"""Go on with TLS from here on: return a stream that encrypts, and is to be used instead.

        What came already and was not read counts as the beginning of TLS.
        context: what certificates are shown and accepted, as from ssl.create_default_context().
        server_hostname: whom the peer's certificate has to name; a client needs it unless the
        context says check_hostname = False. server_side: whether the peer is the client.
        Raises: ssl.SSLError if TLS fails, ssl.SSLCertVerificationError for a certificate that is
        not accepted; the connection is closed then, and when this is cancelled. BusyError if
        somebody reads or writes; ValueError for a missing or needless server_hostname.

        Example:
            async with ninth.connect_tcp("localhost", port) as plain:
                await plain.write(b"STARTTLS\n")
                assert await plain.read_line() == b"go on\n"
                context = ssl.create_default_context(cafile=certificate)
                secure = await plain.start_tls(context, server_hostname="localhost")
                await secure.write(b"secret\n")
                print(await secure.read_line())  # -> b'secret\n'
        """
        from ninth.net.tls import tls_over  # noqa: PLC0415  (a stream over a stream)

        given: object = context
        if not isinstance(given, ssl.SSLContext):
            message = f"start_tls() was given {given!r}: pass ssl.create_default_context()"
            raise TypeError(message)
        self._incoming.check("start_tls")
        self._outgoing.check("start_tls")
        if not server_side and context.check_hostname and not server_hostname:
            message = "start_tls() was given no server_hostname: pass whom the certificate names"
            raise ValueError(message)
        raw = self._hand_over()
        self._successor = stream = await tls_over(raw, context, server_hostname, server_side)
        return stream

    def _hand_over(self) -> Stream:
        """Return a stream that goes on where this one stops, which nobody can use any more."""
        self._drop_watches()
        raw = Stream.__new__(Stream)
        raw.__dict__.update(self.__dict__)
        Ends.__init__(raw, self._incoming, self._outgoing)
        # On it goes as if somebody else read and wrote: TLS does.
        Ends.__init__(
            self,
            Incoming(self.file, self._fd, True, False, False),
            Outgoing(self.file, self._fd, True, False, False),
        )
        self._incoming.claimed = True
        self._outgoing.writer = OCCUPIED
        self._successor = raw
        return raw

    # Reading

    async def _fill(self, wanted: int) -> bool:
        """Wait until more is held; return whether there is, False at the end of the file."""
        incoming = self._incoming
        if self._ended:
            self._ended = False
            return False
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._use(loop)
        if incoming.loop is not None:
            data = await new_read(incoming, wanted, True)
            incoming.held.put(data)
            return bool(data)
        if incoming.eager:
            # No event is waited for: the data may be there.
            now = self._read_now(min(wanted, MOST))
            if now is not None:
                incoming.held.put(now)
                return bool(now)
        self._wanted = min(wanted, MOST)
        incoming.reader = waiter = loop.create_future()
        try:
            if self._read_watch is None:
                self._read_watch = StreamWatcher(self, self._table, READ)
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and isinstance(waiter.exception(), OSError):
                # For the next reader: an end that is none would look like one.
                incoming.error = waiter.exception()
            raise
        finally:
            incoming.reader = None
        ended, self._ended = self._ended, False
        return not ended

    def _read_now(self, size: int) -> bytes | None:
        """Read up to size bytes that are there; None if there is nothing, b"" at the end."""
        incoming = self._incoming
        if incoming.direct:
            return incoming.read_now(size)
        try:
            if self._shared:
                os.set_blocking(self._fd, False)
                try:
                    data = os.read(self._fd, size)
                finally:
                    os.set_blocking(self._fd, True)
            else:
                data = os.read(self._fd, size)
        except BlockingIOError:
            incoming.eager = False
            return None
        except OSError as error:
            if error.errno == errno.EIO and os.fstat(self._fd).st_rdev == PTY_MASTER:
                return b""
            raise
        incoming.eager = len(data) == size or not data
        return data

    def _read_at_once(self) -> bytes | None:
        """Return what is held or there now; None if there is nothing, b"" at the end."""
        return self._incoming.held.take_all() or self._read_now(MOST)

    def _waiting_bytes(self) -> int:
        """Return how many bytes can be read now, beside those that are held."""
        there = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, termios.FIONREAD, there)
        return there[0]

    def _on_readable(self) -> bool:
        """Take what there is to read; return whether to watch no longer. The loop calls it."""
        waiter = self._incoming.reader
        if waiter is None or waiter.done():
            # Nobody reads: as long as nobody does, the file may fill up.
            self._read_watch = None
            self._incoming.eager = True
            return True
        try:
            data = self._read_now(self._wanted)
        except OSError as error:
            self._read_watch = None
            waiter.set_exception(error)
            return True
        if data is None:
            return False
        self._incoming.held.put(data)
        waiter.set_result(None)
        if not data:
            self._ended = True
            self._read_watch = None
        return self._ended

    def _give_back(self) -> None:
        """Leave the file as it was found, open; the stream is not to be used afterwards."""
        if self.closed:
            return
        self._drop_watches()
        self._incoming.closed = self._outgoing.closed = True
        # It may have been closed behind our back, and its number be another file's.
        with contextlib.suppress(OSError):
            if is_same(self.file, self._fd) and identity(self._fd) == self._identity:
                if isinstance(self.file, socket.socket):
                    self.file.settimeout(self._timeout)
                elif self._changed:
                    os.set_blocking(self._fd, True)

    # Closing

    async def aclose(self) -> None:
        """Close the file; who waits for it is woken with FileClosedError. Idempotent.

        What a cancelled write left unsent is offered to the system once more; nothing is waited
        for.
        """
        self.close()

    def close(self) -> None:
        """Do the same as aclose(), where nothing can be awaited."""
        if self.closed:
            return
        if self._successor is not None:
            self._incoming.closed = self._outgoing.closed = True
            self._successor.close()
            return
        if self._outgoing.unsent and self._outgoing.writer is None:
            try:
                self._write_now(self._outgoing.unsent)
            except OSError:
                # Who wrote it was cancelled and is no longer there to be told.
                self._outgoing.unsent = b""
        self._incoming.closed = self._outgoing.closed = True
        self._on_closed(None)
        close(self.file)

    def _on_closed(self, error: FileClosedError | None) -> None:
        """Wake who waits: the file was closed, by us or by somebody else."""
        self._drop_watches()
        for waiter in (self._incoming.reader, self._outgoing.writer):
            if waiter is not None and not waiter.done():
                waiter.set_exception(error or closed_meanwhile(self))

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in this loop from now on; one that was used before has ended."""
        if loop is self._loop:
            return
        self._drop_watches()
        self._loop = loop
        self._table = table_of(loop)
        core = getattr(loop, "core", None)
        if self._incoming.direct and isinstance(core, Core):
            self._incoming.core, self._incoming.loop = core, loop
        else:
            self._incoming.core = self._incoming.loop = None

    def __del__(self) -> None:
        """Have the loop let go of the file of a stream that was given up, in its own time."""
        # It may never have been more than begun.
        loop = getattr(self, "_loop", None)
        if loop is None:
            return
        watchers = [one for one in (self._read_watch, self._write_watch) if one is not None]
        if watchers or self._incoming.watched:
            with contextlib.suppress(RuntimeError):
                # The loop is closed, and has let go of everything.
                loop.call_soon_threadsafe(let_go, self._incoming, watchers)

    def _drop_watches(self) -> None:
        self._incoming.unwatch()
        for watcher in (self._read_watch, self._write_watch):
            if watcher is not None:
                watcher.table.remove(watcher)
        self._read_watch = self._write_watch = None


def let_go(incoming: Incoming, watchers: list[StreamWatcher]) -> None:
    """Watch no longer for a stream that is gone."""
    if not incoming.closed:
        incoming.unwatch()
        for watcher in watchers:
            watcher.table.remove(watcher)


def closed_meanwhile(stream: Stream) -> FileClosedError:
    """Return the error for those who waited when the stream was closed."""
    return FileClosedError(errno.EBADF, f"{stream!r} was closed while it was waited for")


def identity(file: int | str) -> tuple[int, int]:
    """Return what tells the file of a descriptor or a path from others. Raises: OSError."""
    status = os.stat(file)
    return status.st_dev, status.st_ino
