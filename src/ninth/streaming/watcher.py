"""A stream's interest in its file, on loops where the file is not read by the poll itself."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ninth.waiting.watchers import READ, Watcher

if TYPE_CHECKING:
    from ninth.errors import FileClosedError
    from ninth.waiting.watchers import Table


class StreamWatcher(Watcher):
    """Tells a stream that its file is ready, for reading or for writing."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any, table: Table, interest: int) -> None:
        # Weak: a stream that is given up is not to be kept by its loop.
        self.stream = weakref.ref(stream)
        self.fd = stream.fileno()
        self.file = stream.file
        self.interest = interest
        self.table = table
        self.table.add(self)

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Read or write; return whether there is nothing more to watch for."""
        stream = self.stream()
        if stream is None:
            return True
        return bool(stream._on_readable() if self.interest == READ else stream._on_writable())

    def on_closed(self, error: FileClosedError) -> None:
        """Tell the stream."""
        stream = self.stream()
        if stream is not None:
            stream._on_closed(error)
