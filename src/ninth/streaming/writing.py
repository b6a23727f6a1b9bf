"""The writing half of a stream over a file.

What the kernel does not take at once is kept in `_unsent` and sent by the loop's callback until it
is gone; write() waits for that. A write that is cancelled is sent to its end all the same, before
anything that is written later: half a message would spoil all that follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from ninth.streaming.watcher import StreamWatcher
from ninth.waiting.watchers import WRITE

if TYPE_CHECKING:
    from ninth.streaming.incoming import Incoming
    from ninth.streaming.outgoing import Outgoing
    from ninth.waiting.watchers import Table

# What one call of the system is to send, and what is read at a time where it cannot.
MOST_SENT = 1 << 30
MOST_READ = 256 * 1024


class Occupied:
    """Stands for a writer that nobody has to wake."""

    def done(self) -> bool:
        """Return True."""
        return True


OCCUPIED = Occupied()


class Writing:
    """What is to be written, and by whom. Thread-safe: no."""

    file: Any
    _fd: int
    _kind: int
    _incoming: Incoming
    _outgoing: Outgoing
    _write_watch: StreamWatcher | None
    # Its non-blocking mode is that of other processes too, and is set around single calls only.
    _shared: bool
    _loop: asyncio.AbstractEventLoop | None
    _table: Table

    async def _write(self, data: bytes | bytearray | memoryview) -> None:
        if type(data) is bytes:
            await self._write_all(data)
        else:
            with flat(data, "write") as view:
                await self._write_all(view)

    async def _write_all(self, data: bytes | memoryview) -> None:
        outgoing = self._outgoing
        if outgoing.unsent:
            # Behind it at once: a cancellation may come before that has gone.
            self._append(data)
            await self._flushed()
            return
        sent = self._write_now(data)
        if sent < len(data):
            outgoing.unsent = memoryview(data)[sent:]
            await self._flushed()

    async def write_eof(self) -> None:
        """Say that nothing will follow: the other side reads the end of the file. Idempotent.

        A socket is shut down for writing and can still be read; a pipe is closed.
        Raises: io.UnsupportedOperation for terminals and what else has no end of its own; else
        as write().

        Example:
            async with ninth.open_process("cat", stdin=PIPE, stdout=PIPE) as child:
                await child.stdin.write_eof()
                print(await child.stdout.read())  # -> b''
        """
        if self._outgoing.ended:
            return
        self._outgoing.check("write_eof")
        if self._outgoing.unsent:
            await self._flushed()
        if stat.S_ISSOCK(self._kind):
            sock = socket.socket(fileno=self._fd)
            try:
                sock.shutdown(socket.SHUT_WR)
            finally:
                sock.detach()
        elif not self._incoming.reads and not os.isatty(self._fd):
            self.close()
        else:
            message = f"write_eof() on {self.file!r}, which has no end that could be sent"
            raise io.UnsupportedOperation(message)
        self._outgoing.ended = True

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

    async def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a regular file, without reading it where the system can do so.

        file: a binary file, opened for reading. offset, count: in bytes; None for all the rest.
        Returns: how many bytes were sent, fewer than count where the file ends before. The file's
        position is then behind what was sent, also when this fails or is cancelled.
        Raises: ValueError for a negative number, or a file in text mode; else as write().
        Cancelling: what was sent is sent, and nothing of the file follows.

        Example:
            async with ninth.connect_tcp("localhost", port) as stream:
                with open(path, "rb") as file:
                    print(await stream.sendfile(file, 0, 5))  # -> 5
                print(await stream.read_exactly(5))  # -> b'hello'
        """
        self._outgoing.check("sendfile")
        if not stat.S_ISSOCK(self._kind) or self._shared:
            return await self._send_read(file, offset, count)
        check_range(file, offset, count)
        if self._outgoing.unsent:
            await self._flushed()
        position = offset
        try:
            while count is None or position < offset + count:
                most = MOST_SENT if count is None else min(offset + count - position, MOST_SENT)
                try:
                    sent = os.sendfile(self._fd, file.fileno(), position, most)
                except BlockingIOError:
                    await self._wait_writable()
                    continue
                except OSError as error:
                    if error.errno not in {errno.EINVAL, errno.ENOSYS} or position > offset:
                        raise
                    # A file that the system cannot map.
                    return await self._send_read(file, offset, count)
                if not sent:
                    break
                position += sent
        finally:
            with contextlib.suppress(OSError):
                file.seek(position)
        return position - offset

    async def _send_read(self, file: Any, offset: int, count: int | None) -> int:
        """Do what sendfile() does, by reading the file in a thread and writing what was read."""
        check_range(file, offset, count)
        self._outgoing.check("sendfile")
        loop = asyncio.get_running_loop()
        position = offset
        try:
            while count is None or position < offset + count:
                most = MOST_READ if count is None else min(offset + count - position, MOST_READ)
                # Nobody else's data goes into the middle of the file.
                self._outgoing.writer = OCCUPIED
                try:
                    data = await loop.run_in_executor(None, os.pread, file.fileno(), most, position)
                finally:
                    self._outgoing.writer = None
                if not data:
                    break
                # As far as is known: a cancelled write is sent to its end.
                position += len(data)
                self._outgoing.check("sendfile")
                await self._write(data)
        finally:
            with contextlib.suppress(OSError):
                file.seek(position)
        return position - offset

    def _append(self, data: bytes | memoryview) -> None:
        """Put data behind what is unsent, as a copy."""
        unsent = self._outgoing.unsent
        self._outgoing.unsent = b"".join((unsent, data))
        if isinstance(unsent, memoryview):
            unsent.release()

    async def _wait_writable(self) -> None:
        """Wait until the system has taken what is unsent, and takes more; others may not write."""
        loop = asyncio.get_running_loop()
        self._use(loop)
        self._outgoing.writer = waiter = loop.create_future()
        try:
            if self._write_watch is None:
                self._write_watch = StreamWatcher(self, self._table, WRITE)
            await waiter
        finally:
            self._outgoing.writer = None

    def _write_at_once(self, data: bytes) -> None:
        """Offer data to the system after all that is unsent, and wait for nothing.

        Raises: OSError.
        """
        outgoing = self._outgoing
        if outgoing.writer is None:
            everything = bytes(outgoing.unsent) + data
            outgoing.unsent = everything[self._write_now(everything) :]

    def _write_later(self, data: bytes) -> None:
        """Have data sent after all that is unsent, with nobody to wait for it."""
        self._append(data)
        if self._write_watch is None:
            self._use(asyncio.get_running_loop())
            self._write_watch = StreamWatcher(self, self._table, WRITE)

    async def _flushed(self) -> None:
        """Wait until nothing is unsent."""
        outgoing = self._outgoing
        try:
            await self._wait_writable()
        finally:
            # A writer that is cancelled gets its buffer back, and may change it.
            unsent, outgoing.unsent = outgoing.unsent, bytes(outgoing.unsent)
            if isinstance(unsent, memoryview):
                unsent.release()

    def _on_writable(self) -> bool:
        """Send what is unsent; return whether to watch no longer. The loop calls it."""
        waiter = self._outgoing.writer
        try:
            sent = self._write_now(self._outgoing.unsent)
        except OSError as error:
            self._outgoing.unsent = b""
            self._write_watch = None
            if waiter is None or waiter.done():
                self._outgoing.error = error
            else:
                waiter.set_exception(error)
            return True
        unsent, self._outgoing.unsent = self._outgoing.unsent, self._outgoing.unsent[sent:]
        if isinstance(unsent, memoryview):
            unsent.release()
        if self._outgoing.unsent:
            return False
        self._write_watch = None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return True

    # What a subclass has

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in this loop from now on; one that was used before has ended."""
        raise NotImplementedError


def check_range(file: Any, offset: int, count: int | None) -> None:
    """Refuse what sendfile() cannot send. Raises: TypeError, ValueError."""
    if isinstance(file, io.TextIOBase):
        message = f"sendfile() was given {file!r}, in text mode: open it with mode 'rb'"
        raise ValueError(message)
    if not hasattr(file, "fileno") or not hasattr(file, "seek"):
        message = f"sendfile() was given {file!r}: pass a file from open(path, 'rb')"
        raise TypeError(message)
    if offset < 0 or (count is not None and count < 0):
        message = f"sendfile() was given offset={offset}, count={count}: pass 0 or more"
        raise ValueError(message)


class flat:  # noqa: N801  (a context manager, read as a word)
    """The bytes of a buffer one after the other, for `with`, which gives the buffer back.

    Raises: TypeError for what is no buffer.
    """

    def __init__(self, data: bytes | bytearray | memoryview, function: str) -> None:
        try:
            self._view = memoryview(data)
        except TypeError:
            message = f"{function}() was given {data!r:.80}: pass bytes, as from text.encode()"
            raise TypeError(message) from None

    def __enter__(self) -> bytes | memoryview:
        if not self._view.c_contiguous:
            return self._view.tobytes()
        self._flat = self._view.cast("B")
        return self._flat

    def __exit__(self, *_error: object) -> None:
        if self._view.c_contiguous:
            self._flat.release()
        self._view.release()
