"""Who waits for a file: one table per loop, in which several watchers may share a descriptor.

On loops other than ninth's a descriptor has one reader and one writer. The table registers itself
as both, by number, and tells all of its watchers. Limits of that: a direct add_reader() of the same
file by others replaces ours; and a file that the poller refuses, because it is always ready, is
answered once per turn for as long as somebody waits for it.

A descriptor may be closed behind our back, and its number be another file's at once. With a file
object this shows when somebody else registers the same number, or when an event comes: an object
that no longer has its number is closed, and its watchers are told. With a bare number it cannot
show; close() below tells them first.
On other loops than ninth's, an event of a closed file whose duplicate survives, in a forked child
say, cannot be removed from the poller, and comes again each turn until the duplicate is closed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from ninth.errors import FileClosedError
from ninth.loop.core import Core
from ninth.loop.poller import READ, WRITE
from ninth.loop.watch import Source
from ninth.scopes.current import innermost
from ninth.waiting import files
from ninth.waiting.direct import DirectTable, closed_behind, function_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninth.waiting.files import File

__all__ = ["READ", "WRITE", "CallbackWatcher", "Watcher", "close", "table_of", "watch"]


class Watcher(Source):
    """Something that waits for a file; subclasses say what for.

    file, fd: the file, and the descriptor that it had. interest: READ or WRITE.
    table: the table it is in, or was. function: what it works for, for errors.
    Thread-safe: no.
    """

    __slots__ = ("fd", "file", "function", "table")

    file: File
    fd: int
    function: str
    interest: int
    table: Table

    def on_events(self, mask: int) -> bool:
        """Take note that the file is ready; return whether this was all that was waited for.

        Called from within the loop's poll: it must run nothing of the user's there.
        """
        raise NotImplementedError

    def on_closed(self, error: FileClosedError) -> None:
        """Take note that the file was closed; it is not watched any more."""
        raise NotImplementedError

    def is_open(self) -> bool:
        """Return whether the file has its number still; if not, tell on_closed()."""
        if type(self.file) is int or files.is_same(self.file, self.fd):
            return True
        self.close_behind()
        return False

    def close_behind(self) -> None:
        """Take note that somebody closed the file without ninth.close()."""
        self.table.remove(self)
        self.on_closed(closed_behind(self.file))


class Table(Protocol):
    """The watchers of one loop."""

    # Whether on_events() is called by the poll, so that callbacks have to wait for their turn.
    direct: bool

    def add(self, watcher: Watcher) -> None:
        """Begin to watch.

        Raises: OSError if the file cannot be watched, IsADirectoryError among them.
        """

    def remove(self, watcher: Watcher) -> None:
        """Stop watching; idempotent."""

    def close(self, fd: int, error: FileClosedError) -> None:
        """Tell all watchers of a descriptor that it will be closed, and forget it."""


class Entry:
    """The watchers of one descriptor."""

    __slots__ = ("always", "fd", "readers", "writers")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.always = False
        self.readers: list[Watcher] = []
        self.writers: list[Watcher] = []


class SharedTable:
    """The watchers of a loop that knows one reader and one writer of a descriptor."""

    direct = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop has this table; see tables below.
        self._loop = weakref.ref(loop)
        self.entries: dict[int, Entry] = {}
        self.always: dict[int, Entry] = {}
        self.turning = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop whose table it is."""
        loop = self._loop()
        if loop is None or loop.is_closed():
            raise RuntimeError("the event loop of these files is closed")
        return loop

    def add(self, watcher: Watcher) -> None:
        """Begin to watch; see Table.add."""
        entry = self.entries.get(watcher.fd)
        if entry is not None and not self.drop_closed(entry):
            entry = None
        if entry is None:
            entry = self.entries[watcher.fd] = Entry(watcher.fd)
        mine = entry.readers if watcher.interest == READ else entry.writers
        mine.append(watcher)
        if len(mine) == 1 and not entry.always:
            try:
                self.arm(entry, watcher.interest, function_of(watcher))
            except BaseException:
                mine.remove(watcher)
                self.settle(entry)
                raise

    def arm(self, entry: Entry, interest: int, function: str) -> None:
        """Have the loop watch a descriptor."""
        loop = self.loop
        try:
            if interest == READ:
                loop.add_reader(entry.fd, self.on_event, entry, READ)
            else:
                loop.add_writer(entry.fd, self.on_event, entry, WRITE)
        except PermissionError:
            files.refuse_directory(entry.fd, function)
            entry.always = True
            self.always[entry.fd] = entry
            if not self.turning:
                self.turning = True
                loop.call_soon(self.turn)
        except OSError as error:
            if error.errno == errno.EBADF:
                raise files.closed(entry.fd, function) from None
            raise

    def remove(self, watcher: Watcher) -> None:
        """Stop watching; idempotent."""
        entry = self.entries.get(watcher.fd)
        if entry is not None:
            mine = entry.readers if watcher.interest == READ else entry.writers
            if watcher in mine:
                mine.remove(watcher)
                if not mine:
                    self.disarm(entry, watcher.interest)
                    self.settle(entry)

    def disarm(self, entry: Entry, interest: int) -> None:
        """Have the loop forget one condition of a descriptor."""
        loop = self._loop()
        if not entry.always and loop is not None and not loop.is_closed():
            if interest == READ:
                loop.remove_reader(entry.fd)
            else:
                loop.remove_writer(entry.fd)

    def settle(self, entry: Entry) -> None:
        """Forget an entry that has no watchers."""
        if not entry.readers and not entry.writers and self.entries.get(entry.fd) is entry:
            del self.entries[entry.fd]
            self.always.pop(entry.fd, None)

    def on_event(self, entry: Entry, interest: int) -> None:
        """Tell the watchers of a descriptor that it is ready."""
        mine = entry.readers if interest == READ else entry.writers
        for watcher in list(mine):
            if watcher not in mine:
                # One told before it has cancelled it.
                continue
            if watcher.on_events(interest):
                self.remove(watcher)

    def turn(self) -> None:
        """Answer the files that are always ready, once per turn."""
        for entry in list(self.always.values()):
            self.on_event(entry, READ)
            self.on_event(entry, WRITE)
        self.turning = bool(self.always)
        if self.turning:
            self.loop.call_soon(self.turn)

    def drop_closed(self, entry: Entry) -> bool:
        """Tell the watchers whose file was closed; return whether others are left."""
        for watcher in [*entry.readers, *entry.writers]:
            if not files.is_same(watcher.file, watcher.fd):
                watcher.close_behind()
        return bool(entry.readers or entry.writers)

    def close(self, fd: int, error: FileClosedError) -> None:
        """Tell all watchers of a descriptor that it will be closed, and forget it."""
        entry = self.entries.get(fd)
        if entry is not None:
            for watcher in [*entry.readers, *entry.writers]:
                self.remove(watcher)
                watcher.on_closed(error)


tables: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Table] = weakref.WeakKeyDictionary()


def table_of(loop: asyncio.AbstractEventLoop) -> Table:
    """Return the table of a loop, making it if need be. Thread-safe: for loops of one's own."""
    table = tables.get(loop)
    if table is None:
        core = getattr(loop, "core", None)
        table = DirectTable(core) if isinstance(core, Core) else SharedTable(loop)
        tables[loop] = table
    return table


class CallbackWatcher(Watcher):
    """Calls on_ready() each time its file is ready, until it is cancelled."""

    __slots__ = ("closed", "loop", "ready", "waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_ready: Callable[[], object],
        on_closed: Callable[[FileClosedError], object],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.ready = on_ready
        self.closed = on_closed
        self.waiting = False

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Call on_ready(), at once or in the turn's step for callbacks."""
        if self.loop is None:
            return True
        if not self.is_open():
            return False
        if not self.table.direct:
            self.ready()
        elif not self.waiting:
            self.waiting = True
            self.loop.call_soon(self.call)
        return False

    def call(self) -> None:
        """Call on_ready(), unless it was cancelled meanwhile."""
        self.waiting = False
        if self.loop is not None:
            self.ready()

    def on_closed(self, error: FileClosedError) -> None:
        """Pass the error on."""
        self.loop = None
        self.closed(error)

    def cancel(self) -> None:
        """Stop watching; idempotent."""
        if self.loop is not None:
            self.table.remove(self)
            self.loop = None


def watch(
    loop: asyncio.AbstractEventLoop,
    file: File,
    interest: int,
    on_ready: Callable[[], object],
    on_closed: Callable[[FileClosedError], object],
) -> CallbackWatcher:
    """Call on_ready() in the loop whenever a file is ready for interest, READ or WRITE.

    on_closed: called with the error when the file is closed; it is then not watched any more.
    Returns: a watcher; cancel() is idempotent.
    Raises: what files.descriptor() and Table.add() raise.
    Thread-safe: no.
    """
    watcher = CallbackWatcher(loop, on_ready, on_closed)
    watcher.file = file
    watcher.fd = files.descriptor(file, "readable" if interest == READ else "writable")
    watcher.interest = interest
    watcher.function = "watch"
    watcher.table = table_of(loop)
    watcher.table.add(watcher)
    return watcher


def close(file: Any) -> None:
    """Close a file after waking everything in this thread that waits for it.

    Waiting coroutines get FileClosedError; callbacks registered for the file end. epoll forgets a
    closed descriptor without a word, so who closes a file that somebody waits for, without this,
    leaves them waiting.

    file: a descriptor, or anything with fileno() and close(); closing it twice is no error, but a
    number that is closed already is.
    Raises: what closing raises: OSError, or a buffered file's errors of writing the rest.
    Thread-safe: no; it knows of the loop that runs in this thread, and of a plain scope's.

    Example:
        reading, writing = os.pipe()
        async with ninth.scope() as scope:
            scope.after(0.01, ninth.close, reading)
            try:
                await ninth.readable(reading)
            except ninth.FileClosedError:
                print("closed meanwhile")  # -> closed meanwhile
    """
    try:
        fd = file if isinstance(file, int) else file.fileno()
    except ValueError:
        # Closed already. Closing a file object twice does nothing.
        fd = -1
    if fd >= 0:
        loop = the_loop()
        if loop is not None:
            message = f"{file!r} was closed while it was waited for"
            table_of(loop).close(fd, FileClosedError(errno.EBADF, message))
    if isinstance(file, int):
        os.close(file)
    else:
        file.close()


def the_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running loop, or that of the plain scope whose block is being run."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        scope = innermost.get()
        return None if scope is None else scope.loop
