"""The watchers of ninth's own loop, in which a descriptor stays registered between two waits.

A watcher is put straight into the loop's table, where several may share a descriptor, and is told
by the poll itself. When the last one leaves, the descriptor stays registered with epoll until an
event finds nobody: whoever waits again before that costs no call to the kernel. But the number may
be another file's by then, and epoll has forgotten the old one without a word. So the call is saved
only where that cannot be: for an object that keeps its descriptor until it is closed, and that
is the very object that was waited for last.

DirectWait is what `await readable(file)` comes to here: one object that is the watcher in the table
and the iterator that the task runs.
"""

from __future__ import annotations

import asyncio
import errno
import io
import socket
import weakref
from typing import TYPE_CHECKING, Any

from ninth import files
from ninth.errors import FileClosedError
from ninth.loop.core import Core
from ninth.loop.poller import READ
from ninth.loop.watch import Source

if TYPE_CHECKING:
    from ninth.loop.watch import Watch

# Objects of these very types keep their descriptor until they are closed, and then say so: if such
# an object has its number still, the number is still the same file.
STEADY = frozenset({io.FileIO, io.BufferedReader, io.BufferedWriter, socket.socket})

# A name of our own, for the compiled module to find quickly.
Future = asyncio.Future


class DirectTable:
    """The watchers of a loop that has a Core."""

    direct = True

    def __init__(self, core: Core) -> None:
        self.core = core

    def add(self, watcher: Any) -> None:
        """Begin to watch; see Table.add."""
        add(self.core, watcher, watcher.fd, watcher.file)

    def remove(self, watcher: Any) -> None:
        """Stop watching; idempotent."""
        remove(self.core, watcher, watcher.fd)

    def close(self, fd: int, error: FileClosedError) -> None:
        """Tell all watchers of a descriptor that it will be closed, and forget it."""
        watch = self.core.known(fd)
        if watch is not None:
            told = [waiter for waiter in watch.waiters if hasattr(waiter, "on_closed")]
            for watcher in told:
                watch.waiters.remove(watcher)
            self.core.settle(watch, True)  # noqa: FBT003
            for watcher in told:
                watcher.on_closed(error)


def add(core: Core, watcher: Any, fd: int, file: Any) -> None:
    """Put a watcher into the table, and have the kernel watch the descriptor.

    Raises: OSError if the file cannot be watched, IsADirectoryError among them.
    """
    watch = core.watch_of(fd)
    dropped = False
    if watch.waiters and drop_closed(watch):
        dropped = True
        watch = core.watch_of(fd)
    known = note_file(watch, file)
    again = dropped or (not known and watch.wanted() == 0)
    watch.waiters.append(watcher)
    try:
        core.arm(watch, again)
        if watch.always:
            files.refuse_directory(fd, "readable" if watcher.interest == READ else "writable")
    except BaseException:
        watch.waiters.remove(watcher)
        core.settle(watch, True)  # noqa: FBT003
        raise


def remove(core: Core, watcher: Any, fd: int) -> None:
    """Take a watcher out of the table; idempotent."""
    watch = core.known(fd)
    if watch is not None and watcher in watch.waiters:
        watch.waiters.remove(watcher)
        core.settle(watch, False)  # noqa: FBT003


def drop_closed(watch: Watch) -> bool:
    """Tell the watchers whose file was closed; return whether there were any."""
    dropped = False
    for watcher in list(watch.waiters):
        file = getattr(watcher, "file", None)
        if file is not None and not files.is_same(file, watch.fd):
            dropped = True
            watcher.close_behind()
    return dropped


def note_file(watch: Watch, file: Any) -> bool:
    """Take note of the file that is waited for.

    Returns: whether the descriptor is known to be still the file that is registered.
    """
    if type(file) is int or type(file) not in STEADY:
        watch.file = None
        return False
    if watch.file is not None and watch.file() is file:
        return True
    watch.file = weakref.ref(file)
    return False


def closed_behind(file: Any) -> FileClosedError:
    """Return the error for a file that somebody closed without ninth.close()."""
    message = f"{file!r} was closed while it was waited for: close it with ninth.close()"
    return FileClosedError(errno.EBADF, message)


class DirectWait(Source):
    """One `await` of one file, which holds no data of its own, on a loop that has a Core.

    interest: READ or WRITE. The value of the await is the file.
    """

    __slots__ = ("core", "error", "fd", "file", "future", "loop", "steps")

    def __init__(self, core: Core, loop: Any, file: Any, fd: int, interest: int) -> None:
        self.core = core
        self.loop = loop
        self.file = file
        self.fd = fd
        self.interest = interest
        self.future: Any = None
        self.steps: Any = None
        self.error: Any = None

    def __iter__(self) -> DirectWait:
        return self

    def __next__(self) -> Any:
        """Begin to wait; and when the task runs again, return the file."""
        if self.future is None:
            self.future = Future(loop=self.loop)
            add(self.core, self, self.fd, self.file)
            self.steps = iter(self.future)
            return next(self.steps)
        if self.error is not None:
            raise self.error
        if not self.future.done():
            # Somebody else than asyncio runs the task: asyncio says so.
            return next(self.steps)
        raise StopIteration(self.file)

    def send(self, _value: Any) -> Any:
        """Do what next() does."""
        return self.__next__()

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Stop waiting, and raise: the task was cancelled."""
        remove(self.core, self, self.fd)
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        if traceback is not None:
            value = value.with_traceback(traceback)
        raise value

    def close(self) -> None:
        """Stop waiting: the coroutine is thrown away."""
        remove(self.core, self, self.fd)

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Wake the task."""
        if type(self.file) is not int and not files.is_same(self.file, self.fd):
            self.close_behind()
            return False
        if not self.future.done():
            self.future.set_result(None)
        return True

    def close_behind(self) -> None:
        """Take note that somebody closed the file without ninth.close()."""
        remove(self.core, self, self.fd)
        self.on_closed(closed_behind(self.file))

    def on_closed(self, error: FileClosedError) -> None:
        """Wake the task with the error."""
        self.error = error
        if not self.future.done():
            self.future.set_result(None)
