"""What can be waited for as a file.

The kernel knows when a descriptor is ready; it does not know what a Python object above it has
read already. So there are three kinds of files:

- those that hold nothing: descriptors, sockets, raw files, pipes of multiprocessing;
- those that say whether they hold something: a BufferedReader by peek(), a TLS socket by
  pending(), ninth's own Stream by `buffered`; they are asked before the descriptor is waited for;
- those that hide what they hold: text wrappers, decompressors, HTTP responses. They are refused,
  by type, and the error says what to pass instead.

peek() blocks on an empty pipe, so it is called only with O_NONBLOCK set, which belongs to the open
file and is seen by everybody who shares it; it is put back before anything else can run.
"""

from __future__ import annotations

import errno
import io
import os
import select
import ssl
import stat
from typing import TYPE_CHECKING, Any, Protocol

from ninth.errors import FileClosedError

if TYPE_CHECKING:
    from collections.abc import Callable


class HasFileno(Protocol):
    """Anything with a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


File = int | HasFileno

# What hides data, by module and name so that nothing has to be imported for it; what to pass.
HIDING = {
    ("io", "TextIOBase"): "its buffer, as in sys.stdin.buffer",
    ("_io", "_TextIOBase"): "its buffer, as in sys.stdin.buffer",
    ("codecs", "StreamReader"): "the file below it",
    ("codecs", "StreamReaderWriter"): "the file below it",
    ("gzip", "GzipFile"): "the file below it, and decompress what was read",
    ("bz2", "BZ2File"): "the file below it, and decompress what was read",
    ("lzma", "LZMAFile"): "the file below it, and decompress what was read",
    ("http.client", "HTTPResponse"): "the socket of its connection",
    ("urllib.response", "addbase"): "the socket of its connection",
    ("zipfile", "ZipExtFile"): "the file below it",
}

# How to look whether an object of a type holds data, None if it cannot.
_looks: dict[type, Callable[[Any, int], bool] | None] = {int: None}


def descriptor(file: Any, function: str) -> int:
    """Return the descriptor of a file that can be waited for.

    function: who asks, for the errors.
    Raises: TypeError for what is no file or hides data; FileClosedError for a closed file.
    """
    kind = type(file)
    if kind not in _looks:
        _looks[kind] = look_of(file, function)
    if kind is int:
        number = file
    else:
        try:
            number = file.fileno()
        except (ValueError, io.UnsupportedOperation) as error:
            if isinstance(error, io.UnsupportedOperation):
                message = f"{function}() was given {file!r}, which has no descriptor: {error}"
                raise TypeError(message) from None
            raise closed(file, function) from None
    if number < 0:
        raise closed(file, function)
    return int(number)


def closed(file: Any, function: str) -> FileClosedError:
    """Return the error for a file that is closed."""
    shown = f"descriptor {file}" if isinstance(file, int) else repr(file)
    return FileClosedError(
        errno.EBADF, f"{function}() was given {shown}, which is closed: pass an open file"
    )


def look_of(file: Any, function: str) -> Callable[[Any, int], bool] | None:
    """Return how to look whether files of this type hold data, None if they never do.

    Raises: TypeError for what is no file or hides data.
    """
    kind = type(file)
    for base in kind.__mro__:
        cure = HIDING.get((base.__module__, base.__name__))
        if cure is not None:
            message = (
                f"{function}() was given a {kind.__name__}; its buffer can hide data: pass {cure}"
            )
            raise TypeError(message)
    if isinstance(file, bool) or not (isinstance(file, int) or hasattr(file, "fileno")):
        message = (
            f"{function}() was given {file!r}, which is no file: "
            f"pass a descriptor or something with fileno()"
        )
        raise TypeError(message)
    if hasattr(kind, "buffered"):
        return says_buffered
    if hasattr(kind, "pending"):
        return says_pending
    if isinstance(file, (io.BufferedReader, io.BufferedRandom)):
        return buffer_holds
    return None


def holds_data(file: Any, fd: int) -> bool:
    """Return whether a file can be read at once from what it holds, whatever its descriptor says.

    Raises: what the file raises when it is read.
    """
    look = _looks[type(file)]
    return look is not None and look(file, fd)


def can_hold_data(file: Any) -> bool:
    """Return whether holds_data() can ever be true for a file."""
    return _looks[type(file)] is not None


def says_buffered(file: Any, _fd: int) -> bool:
    """Ask a file that counts its buffer."""
    return bool(file.buffered)


def says_pending(file: Any, _fd: int) -> bool:
    """Ask a file that counts what is pending."""
    return bool(file.pending())


def buffer_holds(file: Any, fd: int) -> bool:
    """Look into a buffered reader, without blocking; a descriptor that is ready is left alone."""
    if is_ready(fd, select.POLLIN):
        # Reading it is then up to the caller, and so is the end of the file.
        return True
    # A socket with a timeout is non-blocking for the kernel, and waited for by Python.
    sock = getattr(getattr(file, "raw", None), "_sock", None)
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    timeout = None if sock is None else sock.gettimeout()
    blocking = os.get_blocking(fd)
    try:
        if sock is not None:
            sock.settimeout(0.0)
        elif blocking:
            os.set_blocking(fd, False)
        try:
            return bool(file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
    finally:
        if sock is not None:
            sock.settimeout(timeout)
        elif blocking:
            os.set_blocking(fd, True)


def is_ready(fd: int, events: int) -> bool:
    """Return whether a descriptor is ready for one of the events of poll(2) right now."""
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(0))


def refuse_directory(fd: int, function: str) -> None:
    """Raise IsADirectoryError for a directory, which the poller takes for always ready."""
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        message = f"{function}() was given descriptor {fd}, a directory: pass a file that has data"
        raise IsADirectoryError(errno.EISDIR, message)


def is_same(file: Any, fd: int) -> bool:
    """Return whether a file still has the descriptor it had; of an int that is not known."""
    if isinstance(file, int):
        return True
    try:
        return bool(file.fileno() == fd)
    except (OSError, ValueError):
        return False
