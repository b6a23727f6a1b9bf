"""Stopping all that the commands have started: ask, wait, kill, and see that nothing is left."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ninth.scope import Scope
    from ninth.scopes.registrations import Registration

    from .family import Family, Member

LAST_GRACE = 2.0  # seconds from the kill on, after which we leave what cannot be killed


class Stopping:
    """Stops a family, once; before that, what is left in the session of one leader.

    seconds: from asking to killing. then: called, perhaps more than once, when nothing is left, or
    nothing that can be killed. killed: whom it had to kill, by pid. look() has to be called
    whenever a child has ended.
    """

    def __init__(
        self, family: Family, scope: Scope, seconds: float, then: Callable[[], object]
    ) -> None:
        self._family = family
        self._scope = scope
        self._seconds = seconds
        self._then = then
        self._begun = False
        self._kill_time = 0.0
        # By their leaders, the sessions that are to be emptied: what then, and when to kill.
        self._sessions: dict[int, tuple[Callable[[], object], Registration | None]] = {}
        self.killed: dict[int, Member] = {}

    def begin(self, *, hurry: bool) -> None:
        """Ask everything to end, and kill it after the timeout; in a hurry at once."""
        self._begun = True
        for _, timer in self._sessions.values():
            if timer is not None:
                timer.cancel()
        self._sessions.clear()
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
            self._scope.after(LAST_GRACE, self._look_at_all, background=True)
        self.kill(self._family.living())
        # What was forked while we looked has not been seen.
        self._scope.after(0.02, self._look_at_all, background=True)

    def kill(self, members: Sequence[Member]) -> None:
        """Kill these, and remember that."""
        self.killed.update({member.pid: member for member in members})
        self._family.send(members, signal.SIGKILL)

    def look(self) -> None:
        """See whether what was to end has ended."""
        for leader in list(self._sessions):
            self._look_at_session(leader)
        if self._begun:
            self._look_at_all()

    def _look_at_all(self) -> None:
        members = self._family.living()
        if members:
            if not self._kill_time:
                return
            if time.monotonic() < self._kill_time + LAST_GRACE:
                if not {member.pid for member in members} <= self.killed.keys():
                    self.kill_all()
                return
        self._then()

    def empty_session(self, leader: int, then: Callable[[], object]) -> None:
        """Stop what is left in the session of a leader that has ended; then call then(), once."""
        if self._begun:
            return
        members = self._family.living(leader)
        timer = None
        if members:
            self._family.send(members, signal.SIGTERM, signal.SIGCONT)
            timer = self._scope.after(self._seconds, self._kill_session, leader, background=True)
        self._sessions[leader] = (then, timer)
        self._look_at_session(leader)

    def _look_at_session(self, leader: int) -> None:
        if not self._family.living(leader):
            then, timer = self._sessions.pop(leader)
            if timer is not None:
                timer.cancel()
            then()

    def _kill_session(self, leader: int) -> None:
        self.kill(self._family.living(leader))
        then, _ = self._sessions[leader]
        # Again, for what was forked meanwhile.
        timer = self._scope.after(0.1, self._kill_session, leader, background=True)
        self._sessions[leader] = (then, timer)
        self._look_at_session(leader)
