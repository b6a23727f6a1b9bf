"""The reading half of a stream: bytes, exact counts, up to a separator, lines.

All of it rests on two things that a subclass has: a way to wait for more, and one to take what is
there now. What came goes into `Held` before anybody is woken, so a reader that is cancelled has
lost nothing, and the next one finds it.
"""

from __future__ import annotations

import asyncio
import codecs
from typing import Self

from ninth.streaming.incoming import MOST, Incoming

LIMIT = 65536


class Reading:
    """What can be read, and by whom. Thread-safe: no."""

    _incoming: Incoming

    def pending(self) -> int:
        """Return how many bytes were read from the file, and not yet from here.

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"hello")
            async with ninth.Stream(reading) as stream:
                await stream.read_exactly(2)
                print(stream.pending())  # -> 3
        """
        return self._incoming.held.size()

    async def _read(self, max_bytes: int) -> bytes:
        """Do what read() does, for any file on any loop."""
        if max_bytes < 1:
            message = f"max_bytes is {max_bytes}: pass 1 or more"
            raise ValueError(message)
        self._incoming.check("read")
        held = self._incoming.held
        while not held.size():
            if not await self._fill(max_bytes):
                return b""
        return held.take(min(max_bytes, held.size()))

    def read_available(self) -> bytes:
        """Return what can be read without waiting: all that is there now, b"" if there is nothing.

        What is written meanwhile is not waited for, so this ends even if it never does.
        Raises: as read().

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"hello")
            async with ninth.Stream(reading) as stream:
                print(stream.read_available())  # -> b'hello'
                print(stream.read_available())  # -> b''
        """
        self._incoming.check("read_available")
        parts = [self._incoming.held.take_all()]
        left = self._waiting_bytes()
        while left > 0:
            data = self._read_now(min(left, MOST))
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

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"hello")
            async with ninth.Stream(reading) as stream:
                print(await stream.read_exactly(3))  # -> b'hel'
        """
        if n < 0:
            message = f"n is {n}: pass 0 or more bytes"
            raise ValueError(message)
        self._incoming.check("read_exactly")
        held = self._incoming.held
        if n <= held.size():
            return held.take(n)
        parts = bytearray(held.take_all())
        try:
            while len(parts) < n:
                if not await self._fill(max(MOST, n - len(parts))):
                    partial = bytes(parts)
                    parts.clear()
                    raise asyncio.IncompleteReadError(partial, n)
                parts += held.take(min(n - len(parts), held.size()))
        except BaseException:
            held.put_back(bytes(parts))
            raise
        return bytes(parts)

    async def read_until(self, separator: bytes, limit: int = LIMIT) -> bytes:
        r"""Wait until the separator comes, and return everything up to and with it.

        limit: how many bytes there may be before the separator.
        Raises: LineTooLong beyond the limit, and asyncio.IncompleteReadError, an EOFError, when the
        file ends before; its `partial` is what there was. ValueError for an empty separator or a
        limit below one; else as read().
        Cancelling, LineTooLong: nothing is lost.

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"key: value")
            async with ninth.Stream(reading) as stream:
                print(await stream.read_until(b": "))  # -> b'key: '
        """
        if not separator:
            raise ValueError("the separator is empty: pass one byte or more")
        check_limit(limit)
        self._incoming.check("read_until")
        held = self._incoming.held
        searched = 0
        while (found := held.take_until(separator, limit, searched)) is None:
            searched = max(0, held.size() - len(separator) + 1)
            if not await self._fill(MOST):
                raise asyncio.IncompleteReadError(held.take_all(), None)
        return found

    async def read_line(self, limit: int = LIMIT) -> bytes:
        r"""Wait for a line, and return it with its line end (b"\n").

        limit: how many bytes it may have before its line end, "\n" or "\r\n".
        Returns: a last line without line end as it is; b"" at the end of the file.
        Raises: LineTooLong; ValueError for a limit below one; else as read().
        Cancelling, LineTooLong: nothing is lost.

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"one\ntwo")
            async with ninth.Stream(reading) as stream:
                print(await stream.read_line())  # -> b'one\n'
        """
        if limit < 1:
            check_limit(limit)
        incoming = self._incoming
        incoming.check("read_line")
        line = incoming.held.take_line(limit)
        while line is None:
            if not await self._fill(MOST):
                return incoming.held.take_all()
            line = incoming.held.take_line(limit)
        return line

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

        Example:
            async with ninth.open_process(["echo", "ninth"], stdout=PIPE) as child:
                async for line in child.stdout.lines():
                    print(line)  # -> ninth
        """
        codecs.lookup(encoding)
        codecs.lookup_error(errors)
        check_limit(limit)
        return Lines(self, encoding, errors, limit)

    # Reading without waiting, for a callback that is called for every line

    def _claim(self, method: str) -> None:
        """Keep all others from reading, until _unclaim(). Raises: as read()."""
        self._incoming.check(method)
        self._incoming.claimed = True

    def _unclaim(self) -> None:
        """Let others read again; idempotent."""
        self._incoming.claimed = False

    def _fetch(self) -> bool | None:
        """Read once, if something is there, into what is held.

        Returns: True if there was something, False at the end of the file, None if there is
        nothing.
        Raises: OSError.
        """
        data = self._read_now(MOST)
        if data:
            self._incoming.held.put(data)
        return None if data is None else bool(data)

    def _take_line(self, limit: int) -> bytes | None:
        """Return the next line of what is held, with its line end; None if there is none.

        Raises: LineTooLong.
        """
        return self._incoming.held.take_line(limit)

    def _take_rest(self) -> bytes:
        """Return all that is held."""
        return self._incoming.held.take_all()

    # What a subclass has

    async def _fill(self, wanted: int) -> bool:
        """Wait until more is held; return whether there is, False at the end of the file.

        wanted: how many bytes are of use. Raises: OSError. Cancelling: nothing is lost.
        """
        raise NotImplementedError

    def _read_now(self, size: int) -> bytes | None:
        """Read up to size bytes that are there; None if there is nothing, b"" at the end."""
        raise NotImplementedError

    def _waiting_bytes(self) -> int:
        """Return how many bytes can be read now, beside those that are held."""
        raise NotImplementedError


class Lines:
    """What Stream.lines() returns."""

    def __init__(self, stream: Reading, encoding: str, errors: str, limit: int) -> None:
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


def check_limit(limit: int) -> None:
    """Refuse a limit that no line could keep. Raises: ValueError."""
    if limit < 1:
        message = f"limit is {limit}: pass 1 or more bytes"
        raise ValueError(message)
