"""The two ends of a stream, and the shortest ways through them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ninth.streaming.incoming import MOST, Incoming
from ninth.streaming.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.pythread import PyThread_get_thread_ident as get_ident
    from cython.cimports.ninth.streaming.incoming import new_read
    from cython.cimports.ninth.streaming.outgoing import new_write
else:
    from ninth.streaming.incoming import new_read
    from ninth.streaming.outgoing import new_write

    get_ident = threading.get_ident


class Ends:
    """What every stream has, whatever it is over. Thread-safe: no."""

    __slots__ = ("__weakref__", "_incoming", "_outgoing")

    def __init__(self, incoming: Incoming, outgoing: Outgoing) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def read(self, max_bytes: int = MOST) -> Coroutine[Any, Any, bytes]:
        """Wait until there is something to read, and return up to max_bytes of it.

        Returns: b"" at the end of the file.
        Raises: ValueError for max_bytes below one; BusyError if another task reads; FileClosedError
        if the stream is closed, or gets closed meanwhile; OSError from the system.
        Cancelling: nothing is lost.

        Example:
            reading, writing = os.pipe()
            os.write(writing, b"hello")
            async with ninth.Stream(reading) as stream:
                print(await stream.read(4))  # -> b'hell'
        """
        incoming = self._incoming
        core = incoming.core
        # On ninth's loop one object and no frame: what reads most is worth a way of its own.
        if core is not None and core.thread == get_ident() and max_bytes > 0:
            return new_read(incoming, max_bytes, False)  # type: ignore[no-any-return]
        return self._read(max_bytes)

    def write(self, data: bytes | bytearray | memoryview) -> Coroutine[Any, Any, None]:
        """Write all of the data, and wait until the system has taken it.

        Raises: BusyError if another task writes; FileClosedError if the stream is closed, or gets
        closed meanwhile; BrokenPipeError and other OSErrors from the system; RuntimeError after
        write_eof().
        Cancelling: the rest is sent all the same, before what is written next.

        Example:
            reading, writing = os.pipe()
            async with ninth.Stream(writing) as stream:
                await stream.write(b"hello")
            print(os.read(reading, 100))  # -> b'hello'
        """
        return new_write(self._outgoing, self, data)  # type: ignore[no-any-return]

    def _read(self, max_bytes: int) -> Coroutine[Any, Any, bytes]:
        """Do what read() does, for any file on any loop."""
        raise NotImplementedError

    def _write(self, data: bytes | bytearray | memoryview) -> Coroutine[Any, Any, None]:
        """Write, and wait for what the system does not take at once."""
        raise NotImplementedError
