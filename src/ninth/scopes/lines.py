"""on_line: a callback for each line of a file."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from ninth.errors import LineTooLong
from ninth.scopes.registrations import FileRegistration
from ninth.streams import Stream
from ninth.waiting import files
from ninth.waiting.watchers import READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninth.scope import Scope

# After so many lines the loop takes a turn.
LINES_PER_TURN = 500


class LineRegistration(FileRegistration):
    """A callback for each line of a file, and one for its end.

    The lines come from a Stream, which no other may read meanwhile: the one that was given, or one
    that is made for the file and gives it back.
    """

    __slots__ = (
        "_at_end",
        "_encoding",
        "_errors",
        "_left_lines",
        "_limit",
        "_on_end",
        "_own",
        "_stream",
    )

    def __init__(
        self,
        scope: Scope,
        callback: Callable[[str], object],
        background: bool,
        file: Any,
        encoding: str,
        errors: str,
        limit: int,
        on_end: Callable[[], object] | None,
    ) -> None:
        check_encoding(encoding, errors)
        if isinstance(limit, bool) or not isinstance(limit, int):
            message = f"on_line() was given limit={limit!r}: pass a number of bytes"
            raise TypeError(message)
        if limit < 1:
            message = f"on_line() was given limit={limit}: pass 1 or more bytes"
            raise ValueError(message)
        files.refuse_directory(files.descriptor(file, "on_line"), "on_line")
        self._own = not isinstance(file, Stream)
        self._stream: Stream = Stream(file) if self._own else file
        super().__init__(scope, callback, (), background, file, READ, "on_line")
        self._hidden = False
        self._encoding = encoding
        self._errors = errors
        self._limit = limit
        self._on_end = on_end
        self._at_end = False
        # Whether there may be whole lines that were read and not called for.
        self._left_lines = False

    def _begin(self) -> None:
        self._stream._claim("on_line")
        try:
            self._listen()
        except BaseException:
            self._let_go()
            raise

    def _listen(self) -> None:
        if not self._at_end:
            self._table.add(self._watch)
        if self._at_end or self._stream.pending():
            self._call_soon()

    def _again(self) -> None:
        self._listen()

    def _event(self) -> None:
        """Read what is there, and call with each line of it."""
        self._soon = None
        if not self._waits():
            return
        stream = self._stream
        try:
            if self._left_lines:
                self._left_lines = False
            elif not self._at_end and stream._fetch() is False:
                self._at_end = True
                self._table.remove(self._watch)
            called = 0
            while self._waits():
                if called == LINES_PER_TURN:
                    # Others want their turn, and there may be thousands of lines yet.
                    self._left_lines = True
                    self._call_soon()
                    return
                called += 1
                # The limit is for the line without its end, which has two bytes at most.
                line = stream._take_line(self._limit + 2)
                if line is None:
                    break
                self._call(self._text(line))
            if self._at_end and self._waits():
                rest = stream._take_rest()
                if rest:
                    self._call(self._text(rest))
                if self._waits():
                    self._end_of_file()
        except BaseException as error:
            self._failed(error)

    def _waits(self) -> bool:
        """Return whether it is neither done nor paused."""
        return self._active and self._task is None

    def _text(self, line: bytes) -> str:
        """Return a line without its end."""
        if line.endswith(b"\n"):
            line = line[: -2 if line.endswith(b"\r\n") else -1]
        if len(line) > self._limit:
            message = (
                f"a line of {len(line)} bytes came, and {self._limit} is the limit: "
                f"pass a larger one"
            )
            raise LineTooLong(message)
        return line.decode(self._encoding, self._errors)

    def _end_of_file(self) -> None:
        if self._on_end is not None:
            # Whatever comes of it is treated as that of the callback.
            self._callback = self._on_end
            self._call()
        self.cancel()

    def _unregister(self) -> None:
        super()._unregister()
        self._let_go()

    def _let_go(self) -> None:
        self._stream._unclaim()
        if self._own:
            self._stream._give_back()


def check_encoding(encoding: str, errors: str) -> None:
    """Refuse an encoding in which a newline is not the byte of that number.

    Raises: LookupError for an unknown one, or an unknown way to treat errors; ValueError.
    """
    codecs.lookup_error(errors)
    try:
        fits = b"\n".decode(encoding) == "\n"
    except UnicodeError:
        fits = False
    if not fits:
        message = (
            f"on_line() was given encoding={encoding!r}, in which lines do not end with the byte "
            f"0x0A: use on_readable() and an incremental decoder"
        )
        raise ValueError(message)
