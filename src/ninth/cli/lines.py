"""All lines of a stream of bytes, fit to be shown, in bounded memory."""

import codecs

from ninth.ladder.program import LINE_LIMIT, printable


class AllLines:
    """Cuts what is read into lines; the sibling of LatestLine, which keeps the last one only.

    A line longer than LINE_LIMIT comes up to the limit and with an ellipsis, as soon as it is known
    to be; its rest is skipped.
    """

    def __init__(self) -> None:
        self._partial = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Take in what was read; return the lines that are complete now."""
        complete, newline, rest = data.rpartition(b"\n")
        found: list[str] = []
        if newline:
            complete = self._partial + complete
            self._partial = b""
            if self._skipping:
                self._skipping = False
                _, newline, complete = complete.partition(b"\n")
            if newline or complete:
                found = _texts(complete)
        if not self._skipping:
            self._partial += rest
            if len(self._partial) > LINE_LIMIT:
                found.append(_cut(self._partial))
                self._partial = b""
                self._skipping = True
        return found

    def end(self) -> list[str]:
        """Take in the end: a last line without newline counts."""
        partial, self._partial = self._partial, b""
        return _texts(partial) if partial else []


def _texts(data: bytes) -> list[str]:
    """Return the lines in data, which has no newline at its end."""
    text = data.decode(errors="replace")
    lines = text.split("\n")
    if len(data) > LINE_LIMIT:
        lines = [
            line if len(line) <= LINE_LIMIT // 4 else _checked(line.encode()) for line in lines
        ]
    # One look at everything is many times faster than one at each line, and it is a flood that
    # has many lines.
    if text.replace("\n", "").isprintable():
        return lines
    return [printable(line.rstrip("\r")) for line in lines]


def _checked(line: bytes) -> str:
    return _cut(line) if len(line) > LINE_LIMIT else line.decode()


def _cut(line: bytes) -> str:
    # The cut may split a character: an incremental decoder keeps the half back.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return printable(decoder.decode(line[:LINE_LIMIT])) + "…"
