"""Reading from many commands: from each in pieces, and from none while too much waits to be shown.

A piece for each turn of the loop, so that a command that writes without pause delays nobody. While
nothing is read, the commands fill their pipes and then wait: memory is bounded, nothing is lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninth.scope import Scope
    from ninth.scopes.registrations import Registration


class Reading:
    """The descriptors that are read from, in a scope.

    too_much: tells whether all of them have to wait.
    """

    def __init__(self, scope: Scope, too_much: Callable[[], bool]) -> None:
        self._scope = scope
        self._too_much = too_much
        self._read: dict[int, tuple[Callable[[], object], Registration | None]] = {}
        self._paused = False
        self._due: Registration | None = None

    def begin(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call callback() whenever there is something to read, unless all have to wait."""
        registration = None
        if not self._paused:
            registration = self._scope.on_readable(descriptor, callback, background=True)
        self._read[descriptor] = (callback, registration)

    def end(self, descriptor: int) -> None:
        """Read no more from it."""
        _, registration = self._read.pop(descriptor, (None, None))
        if registration is not None:
            registration.cancel()

    def look(self) -> None:
        """Let all wait if too much waits to be shown; else go on."""
        pause = self._too_much()
        if pause == self._paused:
            return
        self._paused = pause
        for descriptor, (callback, registration) in list(self._read.items()):
            if registration is not None:
                registration.cancel()
            self.begin(descriptor, callback)

    def look_soon(self) -> None:
        """Look in the next turn.

        In this one everybody who has something to read has his turn, or whoever comes first would
        be the only one to be read each time.
        """
        if self._due is None:
            self._due = self._scope.after(0, self._look_now, background=True)

    def _look_now(self) -> None:
        self._due = None
        self.look()


def read(descriptor: int, size: int) -> bytes | None:
    """Return what can be read now, b"" at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # how a terminal says that nobody has its other end open any more
