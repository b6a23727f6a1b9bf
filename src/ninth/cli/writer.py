"""Writing to standard output without ever waiting for its reader.

A terminal, and what was inherited as descriptor 1, is shared with other processes, which would
fail if it stayed non-blocking: it is so for the time of each single call only.
"""

import contextlib
import os
import select

# A pipe takes that much at once or says that it is full; larger writes may come through in part.
CHUNK = 65536


class Writer:
    """Keeps what a descriptor does not take yet, and says when there is too much of it.

    limit: bytes from which on `full` is true: then nothing more should be produced.
    """

    def __init__(self, descriptor: int, limit: int = 65536) -> None:
        self.descriptor = descriptor
        self._limit = limit
        self._unsent = bytearray()

    @property
    def pending(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._unsent)

    @property
    def full(self) -> bool:
        """Whether more waits than should."""
        return len(self._unsent) > self._limit

    def write(self, data: bytes) -> None:
        """Write now what the descriptor takes, and keep the rest. Raises: OSError."""
        if self._unsent:
            self._unsent += data
            return
        sent = self._send(data)
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]

    def flush(self) -> None:
        """Write more of what waits. Raises: OSError."""
        del self._unsent[: self._send(self._unsent)]

    def drop(self) -> None:
        """Forget what waits."""
        self._unsent.clear()

    def _send(self, data: bytes | bytearray) -> int:
        sent = 0
        blocking = os.get_blocking(self.descriptor)
        if blocking:
            os.set_blocking(self.descriptor, False)
        try:
            with contextlib.suppress(BlockingIOError), memoryview(data) as view:
                while sent < len(data):
                    with view[sent : sent + CHUNK] as chunk:
                        sent += os.write(self.descriptor, chunk)
        finally:
            if blocking:
                os.set_blocking(self.descriptor, True)
        return sent


def hang_up_of(descriptor: int) -> "select.epoll | None":
    """Return a file that becomes readable when nobody reads from the descriptor any more.

    An epoll that asks for nothing still reports errors and hang-ups, and nothing else: not that
    somebody types. None for what cannot be polled, as a regular file, and where there is no epoll.
    """
    if not hasattr(select, "epoll"):
        return None
    watching = select.epoll()
    try:
        watching.register(descriptor, 0)
    except OSError:
        watching.close()
        return None
    return watching
