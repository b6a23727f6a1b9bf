"""An iterator over the lines of a stream, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ninth.streaming.reading import Reading


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
