"""Waiting for files: epoll, and what it takes to trust it.

epoll keeps one entry per pair of an open file and a descriptor number. It forgets the entry
without a word when the last descriptor of the file is closed; while a duplicate survives, in a
forked child say, it goes on reporting the old number, which then may name another file or none.
An entry of a number that is closed cannot be removed any more. So: a change that fails because
the kernel forgot adds anew, and an event that nobody wants and that cannot be removed makes a
fresh epoll with all entries that are known (`rebuild`).

epoll refuses regular files and /dev/null with EPERM, for they never block: `set` answers False
and the loop counts them as ready.

Times are seconds; epoll's are whole milliseconds, rounded up, for a timer that is looked at too
early would find nothing and poll again.
"""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.exc import PyErr_CheckSignals
    from cython.cimports.ninth.loop.c_system import EINTR, epoll_wait
    from cython.cimports.ninth.loop.c_system import errno as c_errno

# The two conditions of a file, also as the bits of epoll.
READ = 1
WRITE = 4

# How many events one wait takes from the kernel; the rest comes with the next one.
MOST_EVENTS = 256

NOTHING: list[tuple[int, int]] = []


class EpollPoller:
    """Tells which descriptors are ready, by epoll. Thread-safe: no.

    keeps: whether a descriptor that is closed while it is waited for does no harm.
    """

    keeps = True

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.epoll_fd = self.epoll.fileno()
        self.interest: dict[int, int] = {}
        self.found = 0

    def set(self, fd: int, mask: int, again: bool) -> bool:
        """Wait for the conditions in mask on fd, and for no others; 0 forgets it.

        again: tell the kernel even if nothing seems to change, for the number may by now be
        another file's.
        Returns: False if this file cannot be waited for because it is always ready.
        Raises: OSError when fd is closed or the system refuses.
        """
        known = self.interest.get(fd, 0)
        if known == mask and not again:
            return True
        try:
            if mask == 0:
                del self.interest[fd]
                self.epoll.unregister(fd)
            elif known:
                try:
                    self.epoll.modify(fd, mask)
                except FileNotFoundError:
                    self.epoll.register(fd, mask)
            else:
                try:
                    self.epoll.register(fd, mask)
                except FileExistsError:
                    self.epoll.modify(fd, mask)
        except OSError as error:
            self.interest.pop(fd, None)
            if error.errno == errno.EPERM:
                return False
            if mask == 0:
                # Closed behind our back. Whether the kernel forgot it shows with the next event.
                return True
            raise
        if mask:
            self.interest[fd] = mask
        return True

    def drop(self, fd: int) -> None:
        """Get rid of an event that nobody wants; afterwards fd is not waited for."""
        self.interest.pop(fd, None)
        try:
            self.epoll.unregister(fd)
        except OSError:
            self.rebuild()

    def rebuild(self) -> None:
        """Make a fresh epoll with all that is known; what is closed by now is left out."""
        self.epoll.close()
        self.epoll = select.epoll()
        self.epoll_fd = self.epoll.fileno()
        for fd, mask in list(self.interest.items()):
            try:
                self.epoll.register(fd, mask)
            except OSError:
                del self.interest[fd]

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Wait for events and return them as pairs of a descriptor and its conditions.

        timeout: seconds; below zero waits for ever, zero only looks. Conditions are READ, WRITE,
        and further bits for an error or a hang-up.
        Returns: an empty list when the time is over, or when a signal came. Compiled, the list
        is always empty: `found` is the number of events in `buffer`.
        Raises: whatever a Python signal handler raises.
        """
        if not cython.compiled:
            return self.epoll.poll(timeout if timeout >= 0 else None, MOST_EVENTS)
        milliseconds = -1 if timeout < 0 else int(timeout * 1000.0 + 0.999999)
        if milliseconds == 0:
            count = epoll_wait(self.epoll_fd, self.buffer, MOST_EVENTS, 0)  # type: ignore[attr-defined]
        else:
            with cython.nogil:
                count = epoll_wait(self.epoll_fd, self.buffer, MOST_EVENTS, milliseconds)  # type: ignore[attr-defined]
        self.found = max(0, count)
        if count < 0 and c_errno != EINTR:
            raise OSError(c_errno, os.strerror(c_errno))
        # A signal that ended the wait through the wake-up pipe has its handler run here.
        PyErr_CheckSignals()
        return NOTHING

    def close(self) -> None:
        """Give the descriptor back; idempotent."""
        self.epoll.close()
        self.interest.clear()
