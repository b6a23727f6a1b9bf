"""Waiting for files: epoll, and what it takes to trust it.

epoll keeps one entry per pair of an open file and a descriptor number. It forgets the entry
without a word when the last descriptor of the file is closed; while a duplicate survives, in a
forked child say, it goes on reporting the old number, which then may name another file or none.
An entry of a number that is closed cannot be removed any more. So: a change that fails because
the kernel forgot adds anew, and an event that nobody wants and that cannot be removed makes a
fresh epoll with all entries that are known (`rebuild`). A number that was closed while it was
waited for and then means another file is a suspect. Compiled, its entries are numbered, the number
stands in the data of each event, and only those of the latest entry are believed. Python's epoll
has no room for it: there the events of a suspect are believed only if poll() says the same.

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
    from cython.cimports.ninth.loop.c_system import EINTR, epoll_ctl, epoll_wait
    from cython.cimports.ninth.loop.c_system import errno as c_errno

# The two conditions of a file, also as the bits of epoll.
READ = 1
WRITE = 4

# How many events one wait takes from the kernel; the rest comes with the next one.
MOST_EVENTS = 256

# The operations of epoll_ctl().
EPOLL_CTL_ADD = 1
EPOLL_CTL_DEL = 2
EPOLL_CTL_MOD = 3

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
        self.suspects: dict[int, int] = {}
        self.entries = 0
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
        error = self.change(fd, known, mask)
        if error == 0 and mask:
            self.interest[fd] = mask
            return True
        self.interest.pop(fd, None)
        if error == 0:
            return True
        if error == errno.EPERM:
            return False
        if mask == 0:
            # Closed behind our back. The kernel has forgotten it, or cannot forget it.
            self.suspect(fd)
            return True
        raise OSError(error, os.strerror(error))

    def change(self, fd: int, known: int, mask: int) -> int:
        """Bring the kernel from the known mask to another; return 0 or the number of the error."""
        if mask == 0:
            return self.control(EPOLL_CTL_DEL, fd, 0) if known else 0
        if known == 0:
            error = self.control(EPOLL_CTL_ADD, fd, mask)
            return self.control(EPOLL_CTL_MOD, fd, mask) if error == errno.EEXIST else error
        error = self.control(EPOLL_CTL_MOD, fd, mask)
        if error == errno.ENOENT:
            # Another file has the number by now; the entry of the first one may live on.
            self.suspect(fd)
            error = self.control(EPOLL_CTL_ADD, fd, mask)
        return error

    def control(self, operation: int, fd: int, mask: int) -> int:
        """Call epoll_ctl(); return 0 or the number of the error."""
        if cython.compiled:
            self.event.events = mask  # type: ignore[attr-defined]
            tag = self.suspects.get(fd, 0) if self.suspects else 0
            self.event.data.u64 = fd | tag << 32  # type: ignore[attr-defined]
            if epoll_ctl(self.epoll_fd, operation, fd, cython.address(self.event)) == 0:  # type: ignore[attr-defined]
                return 0
            return c_errno
        try:
            if operation == EPOLL_CTL_ADD:
                self.epoll.register(fd, mask)
            elif operation == EPOLL_CTL_MOD:
                self.epoll.modify(fd, mask)
            else:
                self.epoll.unregister(fd)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def suspect(self, fd: int) -> None:
        """Tell the entry that a number gets next from one that may live on under it."""
        self.entries += 1
        self.suspects[fd] = self.entries

    def is_stale(self, fd: int, mask: int, tag: int) -> bool:
        """Return whether an event of a suspect is another file's, and get rid of that one.

        tag: compiled, what the upper half of the event's data holds: the number of its entry.
        """
        entry = self.suspects.get(fd)
        if entry is None:
            return False
        if cython.compiled:
            if tag == entry:
                return False
        else:
            poll = select.poll()
            poll.register(fd, mask & (READ | WRITE) or READ)
            if poll.poll(0):
                return False
        self.rebuild()
        return True

    def drop(self, fd: int) -> None:
        """Get rid of an event that nobody wants; afterwards fd is not waited for."""
        self.interest.pop(fd, None)
        if self.control(EPOLL_CTL_DEL, fd, 0) != 0:
            self.rebuild()

    def rebuild(self) -> None:
        """Make a fresh epoll with all that is known; what is closed by now is left out."""
        self.epoll.close()
        self.epoll = select.epoll()
        self.epoll_fd = self.epoll.fileno()
        self.suspects.clear()
        for fd, mask in list(self.interest.items()):
            if self.control(EPOLL_CTL_ADD, fd, mask) != 0:
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
        self.epoll_fd = -1
        self.found = 0
        self.suspects.clear()
        self.interest.clear()
