"""The watchers of ninth's own loop, in which a descriptor stays registered between two waits.

A watcher is put straight into the loop's table, where several may share a descriptor, and is told
by the poll itself. When the last one leaves, the descriptor stays registered with epoll until an
event finds nobody: whoever waits again before that costs no call to the kernel. But the number may
be another file's by then, and epoll has forgotten the old one without a word. So the call is saved
only where that cannot be: for an object that keeps its descriptor until it is closed, and that
is the very object that was waited for last.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ninth import files
from ninth.loop.poller import READ

if TYPE_CHECKING:
    from ninth.errors import FileClosedError
    from ninth.loop.core import Core
    from ninth.loop.watch import Watch
    from ninth.watchers import Watcher


class DirectTable:
    """The watchers of a loop that has a Core."""

    direct = True

    def __init__(self, core: Core) -> None:
        self.core = core

    def add(self, watcher: Watcher) -> None:
        """Begin to watch; see Table.add."""
        core = self.core
        fd = watcher.fd
        watch = core.watch_of(fd)
        dropped = bool(watch.waiters) and self.drop_closed(watch)
        if dropped:
            watch = core.watch_of(fd)
        again = (not note_file(watch, watcher.file) and not watch.wanted()) or dropped
        watch.waiters.append(watcher)
        try:
            core.arm(watch, again)
            if watch.always:
                files.refuse_directory(fd, "readable" if watcher.interest == READ else "writable")
        except BaseException:
            watch.waiters.remove(watcher)
            core.settle(watch, True)  # noqa: FBT003
            raise

    def remove(self, watcher: Watcher) -> None:
        """Stop watching; idempotent."""
        watch = self.core.known(watcher.fd)
        if watch is not None and watcher in watch.waiters:
            watch.waiters.remove(watcher)
            self.core.settle(watch, False)  # noqa: FBT003

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

    def drop_closed(self, watch: Watch) -> bool:
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
    if type(file) not in files.STEADY:
        watch.file = None
        return False
    if watch.file is not None and watch.file() is file:
        return True
    watch.file = weakref.ref(file)
    return False
