"""Bytes and lines over any file: a pipe, a terminal, a socket, a character device.

Reading. What is read goes into `_held` before anybody is woken, so a reader that is cancelled has
lost nothing, and the next one finds it. When the file is ready, its data is read in the loop's
callback
and not in the task that waits: the task then needs no second look at the file. The watch on the
file stays between two reads, and is let go only when the file is ready and nobody reads; so a
steady stream of reads registers once, and a file that nobody reads fills up, as it should.

After a read that got less than it asked for, the file is taken to be empty: the next read waits at
once, and saves a system call that would most likely fail.

Writing. What the kernel does not take at once is kept in `_unsent` and sent by the loop's callback
until it is gone; write() waits for that. A write that is cancelled is sent to its end all the same,
before anything that is written later: half a message would spoil all that follows.

Blocking. A file has to be non-blocking, but that is a property of the open file, not of the
descriptor: a terminal, and what was inherited as 0, 1 or 2, is shared with other processes, which
would fail. For those it is set around every single call, and put back before anything else can
run.
"""

from __future__ import annotations

import array
import asyncio
import codecs
import contextlib
import errno
import fcntl
import io
import os
import socket
import ssl
import stat
import termios
from typing import TYPE_CHECKING, Any, Self

from ninth.errors import BusyError, FileClosedError, LineTooLong
from ninth.loop.core import Core
from ninth.waiting.direct_read import DirectRead, write_now
from ninth.waiting.files import closed, descriptor, is_same
from ninth.waiting.watchers import READ, WRITE, Watcher, close, table_of

if TYPE_CHECKING:
    from types import TracebackType

    from ninth.waiting.files import File
    from ninth.waiting.watchers import Table

# Asking for more makes the allocator fetch fresh pages from the system for every read.
MOST_READ = 65536
LIMIT = 65536
CARRIAGE_RETURN = 13

# The master of a pseudo-terminal, whose end of file is an error (EIO).
PTY_MASTER = os.makedev(5, 2)


class StreamWatcher(Watcher):
    """A stream's interest in its file, for reading or for writing; told by the loop's poll."""

    __slots__ = ("stream", "table")

    def __init__(self, stream: Stream, interest: int) -> None:
        self.stream = stream
        self.fd = stream.fileno()
        self.file = stream.file
        self.interest = interest
        self.table = stream.table
        self.table.add(self)

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Read or write; return whether there is nothing more to watch for."""
        if self.interest == READ:
            return self.stream.on_readable()
        return self.stream.on_writable()

    def on_closed(self, error: FileClosedError) -> None:
        """Tell the stream."""
        self.stream.on_closed(error)


class Stream:
    """Bytes and lines over an open file.

        stream = ninth.Stream(sys.stdin.buffer)
        async for line in stream:
            print(len(line))

    One task may read and one may write at a time. A stream owns its file: who reads or writes it
    past the stream mixes up the order. Usable as `async with`, which closes it.
    file: anything with fileno(), or a descriptor; a BufferedReader's buffer is taken over.
    Raises: TypeError for what hides data (text wrappers, TLS sockets), and for sockets that are no
    streams; FileClosedError for a closed file; IsADirectoryError.
    Thread-safe: no.
    """

    def __init__(self, file: File) -> None:
        if isinstance(file, ssl.SSLSocket):
            message = "Stream() was given an SSLSocket: TLS needs ninth.connect_tcp(…, ssl=…)"
            raise TypeError(message)
        self._fd = descriptor(file, "Stream")
        self.file: Any = file
        mode, self._kind = self._look()
        self._identity = identity(self._fd)
        self._reads = mode & os.O_ACCMODE != os.O_WRONLY
        self._writes = mode & os.O_ACCMODE != os.O_RDONLY
        blocking = not mode & os.O_NONBLOCK and not stat.S_ISREG(self._kind)
        # Shared with others, who count on its blocking.
        self._direct = stat.S_ISFIFO(self._kind) or stat.S_ISSOCK(self._kind)
        self._shared = blocking and (self._fd <= 2 or os.isatty(self._fd))
        self._changed = blocking and not self._shared
        self._direct = self._direct and not self._shared
        self._timeout = file.gettimeout() if isinstance(file, socket.socket) else 0.0
        if isinstance(file, socket.socket):
            file.setblocking(False)
        elif self._changed:
            os.set_blocking(self._fd, False)
        self._held = b""
        self._start = 0
        self._ended = False
        self._claimed = False
        # Whether there may be data that no event tells about before it is looked for.
        self._eager = True
        self._wanted = MOST_READ
        self._reader: asyncio.Future[None] | DirectRead | None = None
        self._read_watch: StreamWatcher | None = None
        self._unsent: bytes | memoryview = b""
        self._writer: asyncio.Future[None] | None = None
        self._write_watch: StreamWatcher | None = None
        self._write_error: OSError | None = None
        self._write_ended = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._core: Core | None = None
        self.table: Table
        if isinstance(file, io.BufferedReader | io.BufferedRandom | io.BufferedRWPair):
            self._take_over(file)
        elif isinstance(file, io.BufferedWriter):
            file.flush()

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
            self._held = file.read1(len(file.peek(1))) or b""
        except BlockingIOError:
            pass
        finally:
            if blocking:
                os.set_blocking(self._fd, True)

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.pending()} bytes held"
        return f"<Stream of {self.file!r}, {state}>"

    def fileno(self) -> int:
        """Return the descriptor, -1 when closed."""
        return -1 if self._closed else self._fd

    def pending(self) -> int:
        """Return how many bytes were read from the file, and not yet from here."""
        return len(self._held) - self._start

    @property
    def closed(self) -> bool:
        """Whether the stream was closed."""
        return self._closed

    # Reading

    async def read(self, max_bytes: int = MOST_READ) -> bytes:
        """Wait until there is something to read, and return up to max_bytes of it.

        Returns: b"" at the end of the file.
        Raises: ValueError for max_bytes below one; BusyError if another task reads; FileClosedError
        if the stream is closed, or gets closed meanwhile; OSError from the system.
        Cancelling: nothing is lost.
        """
        if max_bytes < 1:
            message = f"max_bytes is {max_bytes}: pass 1 or more"
            raise ValueError(message)
        if self._reader is not None or self._claimed or self._closed or not self._reads:
            self._check_reader("read")
        if not self._held and self._direct and not self._eager:
            loop = asyncio.get_running_loop()
            if loop is not self._loop:
                self._use(loop)
            if self._core is not None:
                # Written out here: a coroutine of its own would cost as much as the system call.
                if self._read_watch is not None:
                    self._read_watch.table.remove(self._read_watch)
                    self._read_watch = None
                wait = DirectRead(self._core, loop, self.file, self._fd, max_bytes)
                self._reader = wait
                try:
                    data: bytes = await wait
                except BaseException:
                    if wait.data:
                        self._hold(wait.data)
                    raise
                finally:
                    self._reader = None
                self._eager = len(data) == wait.size or not data
                return data
        while not self._held:
            if not await self._fill(max_bytes):
                return b""
        return self._take(min(max_bytes, self.pending()))

    def read_available(self) -> bytes:
        """Return what can be read without waiting: all that is there now, b"" if there is nothing.

        What is written meanwhile is not waited for, so this ends even if it never does.
        Raises: as read().
        """
        self._check_reader("read_available")
        there = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, termios.FIONREAD, there)
        parts = [self._take(self.pending())]
        left = there[0]
        while left > 0:
            self._wanted = left
            data = self._read_now()
            if not data:
                break
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    async def read_exactly(self, n: int) -> bytes:
        """Wait for n bytes, and return them.

        Raises: asyncio.IncompleteReadError, an EOFError, when the file ends before: its `partial`
        is what there was; ValueError for a negative n; else as read().
        Cancelling: nothing is lost.
        """
        if n < 0:
            message = f"n is {n}: pass 0 or more bytes"
            raise ValueError(message)
        self._check_reader("read_exactly")
        if n <= self.pending():
            return self._take(n)
        parts = bytearray(self._take(self.pending()))
        try:
            while len(parts) < n:
                if not await self._fill(max(MOST_READ, n - len(parts))):
                    partial = bytes(parts)
                    parts.clear()
                    raise asyncio.IncompleteReadError(partial, n)
                parts += self._take(min(n - len(parts), self.pending()))
        except BaseException:
            self._held = bytes(parts) + self._held[self._start :]
            self._start = 0
            raise
        return bytes(parts)

    async def read_until(self, separator: bytes, limit: int = LIMIT) -> bytes:
        r"""Wait until the separator comes, and return everything up to and with it.

        limit: how many bytes there may be before the separator.
        Raises: LineTooLong beyond the limit, and asyncio.IncompleteReadError, an EOFError, when the
        file ends before; its `partial` is what there was. ValueError for an empty separator or a
        limit below one; else as read().
        Cancelling, LineTooLong: nothing is lost.
        """
        if not separator:
            raise ValueError("the separator is empty: pass one byte or more")
        self._check_limit(limit)
        self._check_reader("read_until")
        found = await self._find(separator, limit)
        if found < 0:
            raise asyncio.IncompleteReadError(self._take(self.pending()), None)
        return self._take(found)

    async def read_line(self, limit: int = LIMIT) -> bytes:
        r"""Wait for a line, and return it with its line end (b"\n").

        limit: how many bytes it may have before its line end, "\n" or "\r\n".
        Returns: a last line without line end as it is; b"" at the end of the file.
        Raises: LineTooLong; ValueError for a limit below one; else as read().
        Cancelling, LineTooLong: nothing is lost.
        """
        self._check_limit(limit)
        self._check_reader("read_line")
        while not (size := self._line_size(limit)):
            if not await self._fill(MOST_READ):
                return self._take(self.pending())
        return self._take(size)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        line = await self.read_line()
        if not line:
            raise StopAsyncIteration
        return line

    def lines(
        self, *, encoding: str = "utf-8", errors: str = "replace", limit: int = LIMIT
    ) -> Lines:
        r"""Return an iterator, for `async for`, of lines as text without their line ends.

        encoding, errors: as in bytes.decode(). limit: as in read_line(). A line may end with
        "\r\n".
        Raises: LookupError for an unknown encoding; in the loop as read_line().
        """
        codecs.lookup(encoding)
        codecs.lookup_error(errors)
        self._check_limit(limit)
        return Lines(self, encoding, errors, limit)

    def _check_limit(self, limit: int) -> None:
        if limit < 1:
            message = f"limit is {limit}: pass 1 or more bytes"
            raise ValueError(message)

    def _check_reader(self, method: str) -> None:
        if self._reader is not None or self._claimed:
            message = f"{method}(): somebody else reads this stream: only one can at a time"
            raise BusyError(message)
        if self._closed:
            raise closed(self, method)
        if not self._reads:
            message = f"{method}() on a stream that is open for writing only"
            raise io.UnsupportedOperation(message)

    async def _find(self, separator: bytes, limit: int) -> int:
        """Return how many bytes there are with the separator; -1 at the end of the file."""
        searched = 0
        while True:
            held = self._held
            most = limit + len(separator)
            end = held.find(separator, self._start + searched, self._start + most)
            if end >= 0:
                return end + len(separator) - self._start
            if self.pending() >= most:
                raise too_long(separator, limit)
            searched = max(0, self.pending() - len(separator) + 1)
            if not await self._fill(MOST_READ):
                return -1

    def _line_size(self, limit: int) -> int:
        """Return how many bytes the next line has with its line end; 0 if it is not complete.

        Raises: LineTooLong.
        """
        held, start = self._held, self._start
        end = held.find(b"\n", start, start + limit + 2)
        size = (len(held) if end < 0 else end) - start
        # One more is right if it belongs to "\r\n", or may do so.
        if size > limit and not (size == limit + 1 and held[start + limit] == CARRIAGE_RETURN):
            raise too_long(b"\n", limit)
        return 0 if end < 0 else size + 1

    def _take(self, n: int) -> bytes:
        """Remove and return the first n of the bytes that are held."""
        if n == len(self._held):
            data, self._held = self._held, b""
            return data
        end = self._start + n
        data = self._held[self._start : end]
        if end == len(self._held):
            self._held = b""
            self._start = 0
        else:
            self._start = end
        return data

    async def _fill(self, wanted: int) -> bool:
        """Wait until more is held; return whether there is, False at the end of the file."""
        self._wanted = wanted
        if self._eager:
            # No event is waited for: the data may be there.
            data = self._read_now()
            if data is not None:
                return self._hold(data)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._use(loop)
        self._reader = waiter = loop.create_future()
        if self._read_watch is None:
            self._read_watch = StreamWatcher(self, READ)
        try:
            await waiter
        finally:
            self._reader = None
        if self._ended:
            self._ended = False
            return False
        return True

    def _read_now(self) -> bytes | None:
        """Read what is there; None if there is nothing."""
        wanted = min(self._wanted, MOST_READ)
        try:
            if self._shared:
                os.set_blocking(self._fd, False)
                try:
                    data = os.read(self._fd, wanted)
                finally:
                    os.set_blocking(self._fd, True)
            else:
                data = os.read(self._fd, wanted)
        except BlockingIOError:
            self._eager = False
            return None
        except OSError as error:
            if error.errno == errno.EIO and os.fstat(self._fd).st_rdev == PTY_MASTER:
                return b""
            raise
        self._eager = len(data) == wanted or not data
        return data

    def _hold(self, data: bytes) -> bool:
        """Keep what was read until it is taken; return whether it is anything."""
        self._held = data if self._start == len(self._held) else self._held[self._start :] + data
        self._start = 0
        return bool(data)

    def on_readable(self) -> bool:
        """Take what there is to read; return whether to watch no longer. The loop calls it."""
        waiter = self._reader
        if waiter is None or waiter.done() or isinstance(waiter, DirectRead):
            # Nobody reads: as long as nobody does, the file may fill up.
            self._read_watch = None
            self._eager = True
            return True
        try:
            data = self._read_now()
        except OSError as error:
            self._read_watch = None
            waiter.set_exception(error)
            return True
        if data is None:
            return False
        self._ended = not self._hold(data)
        waiter.set_result(None)
        if self._ended:
            self._read_watch = None
        return self._ended

    # Reading without waiting, for a callback that is called for every line

    def claim(self, method: str) -> None:
        """Keep all others from reading, until unclaim(). Raises: as read()."""
        self._check_reader(method)
        self._claimed = True

    def unclaim(self) -> None:
        """Let others read again; idempotent."""
        self._claimed = False

    def fetch(self) -> bool | None:
        """Read once, if something is there, into what is held.

        Returns: True if there was something, False at the end of the file, None if there is
        nothing.
        Raises: OSError.
        """
        self._wanted = MOST_READ
        data = self._read_now()
        return None if data is None else self._hold(data)

    def take_line(self, limit: int) -> bytes | None:
        """Return the next line of what is held, with its line end; None if there is none.

        Raises: LineTooLong.
        """
        size = self._line_size(limit)
        return self._take(size) if size else None

    def take_rest(self) -> bytes:
        """Return all that is held."""
        return self._take(self.pending())

    def give_back(self) -> None:
        """Leave the file as it was found, open; the stream is not to be used afterwards."""
        if self._closed:
            return
        self._drop_watches()
        self._closed = True
        # It may have been closed behind our back, and its number be another file's.
        with contextlib.suppress(OSError):
            if is_same(self.file, self._fd) and identity(self._fd) == self._identity:
                if isinstance(self.file, socket.socket):
                    self.file.settimeout(self._timeout)
                elif self._changed:
                    os.set_blocking(self._fd, True)

    # Writing

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of the data, and wait until the system has taken it.

        Raises: BusyError if another task writes; FileClosedError if the stream is closed, or gets
        closed meanwhile; BrokenPipeError and other OSErrors from the system; RuntimeError after
        write_eof().
        Cancelling: the rest is sent all the same, before what is written next.
        """
        if self._writer is not None or self._closed or self._write_error or not self._writes:
            self._check_writer("write")
        if self._write_ended:
            raise RuntimeError("write() after write_eof(): nothing can follow the end")
        if type(data) is bytes and not self._unsent and not self._shared:
            sent = write_now(self._fd, data)
            if sent == len(data):
                return
            data = data[sent:]
        if self._unsent:
            await self._flushed()
        if type(data) is bytes:
            await self._write(data)
        else:
            try:
                view = memoryview(data)
            except TypeError:
                message = f"write() was given {data!r:.80}: pass bytes, as from text.encode()"
                raise TypeError(message) from None
            with view:
                if not view.c_contiguous:
                    await self._write(view.tobytes())
                    return
                with view.cast("B") as flat:
                    await self._write(flat)

    async def _write(self, data: bytes | memoryview) -> None:
        sent = self._write_now(data)
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            await self._flushed()

    async def write_eof(self) -> None:
        """Say that nothing will follow: the other side reads the end of the file. Idempotent.

        A socket is shut down for writing and can still be read; a pipe is closed.
        Raises: io.UnsupportedOperation for terminals and what else has no end of its own; else
        as write().
        """
        if self._write_ended:
            return
        self._check_writer("write_eof")
        if self._unsent:
            await self._flushed()
        if stat.S_ISSOCK(self._kind):
            sock = socket.socket(fileno=self._fd)
            try:
                sock.shutdown(socket.SHUT_WR)
            finally:
                sock.detach()
        elif not self._reads and not os.isatty(self._fd):
            self.close()
        else:
            message = f"write_eof() on {self.file!r}, which has no end that could be sent"
            raise io.UnsupportedOperation(message)
        self._write_ended = True

    def _check_writer(self, method: str) -> None:
        if self._writer is not None:
            message = f"{method}(): somebody else writes to this stream: only one can at a time"
            raise BusyError(message)
        if self._closed:
            raise closed(self, method)
        if not self._writes:
            message = f"{method}() on a stream that is open for reading only"
            raise io.UnsupportedOperation(message)
        if self._write_error is not None:
            error, self._write_error = self._write_error, None
            raise error

    def _write_now(self, data: bytes | memoryview) -> int:
        """Write as much as the system takes now; return how much."""
        try:
            if not self._shared:
                return os.write(self._fd, data)
            os.set_blocking(self._fd, False)
            try:
                return os.write(self._fd, data)
            finally:
                os.set_blocking(self._fd, True)
        except BlockingIOError:
            return 0

    async def _flushed(self) -> None:
        """Wait until nothing is unsent."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._use(loop)
        self._writer = waiter = loop.create_future()
        if self._write_watch is None:
            self._write_watch = StreamWatcher(self, WRITE)
        try:
            await waiter
        finally:
            self._writer = None
            # A writer that is cancelled gets its buffer back, and may change it.
            unsent, self._unsent = self._unsent, bytes(self._unsent)
            if isinstance(unsent, memoryview):
                unsent.release()

    def on_writable(self) -> bool:
        """Send what is unsent; return whether to watch no longer. The loop calls it."""
        waiter = self._writer
        try:
            sent = self._write_now(self._unsent)
        except OSError as error:
            self._unsent = b""
            self._write_watch = None
            if waiter is None or waiter.done():
                self._write_error = error
            else:
                waiter.set_exception(error)
            return True
        unsent, self._unsent = self._unsent, self._unsent[sent:]
        if isinstance(unsent, memoryview):
            unsent.release()
        if self._unsent:
            return False
        self._write_watch = None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return True

    # Closing

    async def aclose(self) -> None:
        """Close the file; who waits for it is woken with FileClosedError. Idempotent.

        What a cancelled write left unsent is offered to the system once more; nothing is waited
        for.
        """
        self.close()

    def close(self) -> None:
        """Do the same as aclose(), where nothing can be awaited."""
        if self._closed:
            return
        if self._unsent and self._writer is None:
            try:
                self._write_now(self._unsent)
            except OSError:
                # Who wrote it was cancelled and is no longer there to be told.
                self._unsent = b""
        self._closed = True
        self.on_closed(None)
        close(self.file)

    def on_closed(self, error: FileClosedError | None) -> None:
        """Wake who waits: the file was closed, by us or by somebody else."""
        self._drop_watches()
        for waiter in (self._reader, self._writer):
            if waiter is not None and not waiter.done():
                waiter.set_exception(error or closed_meanwhile(self))

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in this loop from now on; one that was used before has ended."""
        self._drop_watches()
        self._loop = loop
        self.table = table_of(loop)
        core = getattr(loop, "core", None)
        self._core = core if isinstance(core, Core) else None

    def _drop_watches(self) -> None:
        for watcher in (self._read_watch, self._write_watch):
            if watcher is not None:
                watcher.table.remove(watcher)
        self._read_watch = self._write_watch = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def closed_meanwhile(stream: Stream) -> FileClosedError:
    """Return the error for those who waited when the stream was closed."""
    return FileClosedError(errno.EBADF, f"{stream!r} was closed while it was waited for")


def identity(fd: int) -> tuple[int, int]:
    """Return what tells the file of a descriptor from others. Raises: OSError if it is closed."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def too_long(separator: bytes, limit: int) -> LineTooLong:
    """Return the error for a line that does not end in time."""
    message = (
        f"no {separator!r} within {limit} bytes: read() still gives them; or pass a larger limit"
    )
    return LineTooLong(message)


class Lines:
    """What Stream.lines() returns."""

    def __init__(self, stream: Stream, encoding: str, errors: str, limit: int) -> None:
        self._stream = stream
        self._encoding = encoding
        self._errors = errors
        self._limit = limit

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = await self._stream.read_line(self._limit)
        if not line:
            raise StopAsyncIteration
        if line.endswith(b"\n"):
            line = line[: -2 if line.endswith(b"\r\n") else -1]
        return line.decode(self._encoding, self._errors)
