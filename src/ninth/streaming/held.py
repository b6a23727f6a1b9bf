"""The bytes that a stream has read from its file, and that nobody has taken yet."""

from __future__ import annotations

from ninth.errors import LineTooLong

CARRIAGE_RETURN = 13


class Held:
    """Bytes in the order in which they came; they are put in at one end and taken at the other.

    data: what was put in last, and what was left before it. start: how much of it was taken.
    Thread-safe: no.
    """

    __slots__ = ("data", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start = 0

    def size(self) -> int:
        """Return how many bytes there are."""
        return len(self.data) - self.start

    def put(self, data: bytes) -> None:
        """Add what was read."""
        self.data = data if self.start == len(self.data) else self.data[self.start :] + data
        self.start = 0

    def put_back(self, data: bytes) -> None:
        """Add what was taken and is not used, before all else."""
        self.data = data + self.data[self.start :]
        self.start = 0

    def take(self, count: int) -> bytes:
        """Remove and return the first bytes, count of them; there have to be as many."""
        size = len(self.data)
        if count == size:
            data = self.data
            self.data = b""
            return data
        end = self.start + count
        data = self.data[self.start : end]
        if end == size:
            self.data = b""
            self.start = 0
        else:
            self.start = end
        return data

    def take_all(self) -> bytes:
        """Remove and return all of them."""
        return self.take(len(self.data) - self.start)

    def take_line(self, limit: int) -> bytes | None:
        r"""Remove and return the next line with its line end; None if it is not complete.

        limit: how many bytes it may have before its line end, "\n" or "\r\n".
        Raises: LineTooLong; nothing is removed then.
        """
        start = self.start
        end = self.data.find(b"\n", start, start + limit + 2)
        size = (len(self.data) if end < 0 else end) - start
        # One more is right if it belongs to "\r\n", or may do so.
        if size > limit and not (size == limit + 1 and self.data[start + limit] == CARRIAGE_RETURN):
            raise too_long(b"\n", limit)
        return None if end < 0 else self.take(size + 1)

    def take_until(self, separator: bytes, limit: int, searched: int) -> bytes | None:
        """Remove and return all up to a separator and with it; None if it has not come.

        limit: how many bytes there may be before it. searched: how many of the first bytes are
        known to hold no beginning of it.
        Raises: LineTooLong; nothing is removed then.
        """
        start = self.start
        most = limit + len(separator)
        end = self.data.find(separator, start + searched, start + most)
        if end >= 0:
            return self.take(end + len(separator) - start)
        if len(self.data) - start >= most:
            raise too_long(separator, limit)
        return None


def too_long(separator: bytes, limit: int) -> LineTooLong:
    """Return the error for a line that does not end in time."""
    message = (
        f"no {separator!r} within {limit} bytes: read() still gives them; or pass a larger limit"
    )
    return LineTooLong(message)
