"""The pipe that ends a wait: written by other threads and, in C, by signals.

What is in the pipe means nothing, only that something is there. What happened is kept elsewhere
(the loop's queue of calls from threads, a flag per signal), so a pipe that is full loses nothing.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.ninth.loop.c_system import c_read, c_write

# How much of the pipe is read at a time.
MOST_WASTE = 4096


class WakeUp:
    """A non-blocking pipe. wake() may be called from any thread and any signal handler."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)

    def wake(self) -> None:
        """End the wait of the loop, now or the next one. Thread-safe: yes."""
        # Full: it will wake up all the same. Closed: nobody is left to wake up.
        if cython.compiled:
            c_write(self.write_fd, b"\0", 1)
        else:
            with contextlib.suppress(OSError):
                os.write(self.write_fd, b"\0")

    def drain(self) -> None:
        """Empty the pipe."""
        if cython.compiled:
            got = MOST_WASTE
            while got == MOST_WASTE:
                got = c_read(self.read_fd, waste, MOST_WASTE)  # type: ignore[name-defined]  # noqa: F821
        else:
            with contextlib.suppress(BlockingIOError):
                while len(os.read(self.read_fd, MOST_WASTE)) == MOST_WASTE:
                    pass

    def close(self) -> None:
        """Give both descriptors back; idempotent."""
        read_fd, write_fd = self.read_fd, self.write_fd
        self.read_fd = self.write_fd = -1
        if read_fd >= 0:
            os.close(read_fd)
            os.close(write_fd)
