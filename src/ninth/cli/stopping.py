"""Stopping all that the commands have started: ask, wait, kill, and see that nothing is left."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ninth.scope import Scope

    from .family import Family, Member

LAST_GRACE = 2.0  # seconds from the kill on, after which we leave what cannot be killed


class Stopping:
    """Stops a family; used once.

    seconds: from asking to killing. then: called, perhaps more than once, when nothing is left, or
    nothing that can be killed. killed: whom it had to kill, by pid.
    """

    def __init__(
        self, family: Family, scope: Scope, seconds: float, then: Callable[[], object]
    ) -> None:
        self._family = family
        self._scope = scope
        self._seconds = seconds
        self._then = then
        self._kill_time = 0.0
        self.killed: dict[int, Member] = {}

    def begin(self, *, hurry: bool) -> None:
        """Ask everything to end, and kill it after the timeout; in a hurry at once."""
        members = self._family.living()
        self._family.send(members, signal.SIGTERM, signal.SIGCONT)
        if members:
            if hurry or not self._seconds:
                self.kill_all()
            else:
                self._scope.after(self._seconds, self.kill_all, background=True)
            if not self._family.hears_all:
                self._scope.every(0.05, self.look, background=True)
        self.look()

    def kill_all(self) -> None:
        """Kill what has not ended yet."""
        if not self._kill_time:
            self._kill_time = time.monotonic()
            self._scope.after(LAST_GRACE, self.look, background=True)
        self.kill(self._family.living())
        # What was forked while we looked has not been seen.
        self._scope.after(0.02, self.look, background=True)

    def kill(self, members: Sequence[Member]) -> None:
        """Kill these, and remember that."""
        self.killed.update({member.pid: member for member in members})
        self._family.send(members, signal.SIGKILL)

    def look(self) -> None:
        """See whether everything has ended."""
        members = self._family.living()
        if members:
            if not self._kill_time:
                return
            if time.monotonic() < self._kill_time + LAST_GRACE:
                if not {member.pid for member in members} <= self.killed.keys():
                    self.kill_all()
                return
        self._then()
