"""The signals that ask to stop: noted from the very first, by a loop or without one.

Commands are started before there is a loop, and a signal may come at any time.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from ninth.ladder.program import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType


class StopSignals:
    """Takes note of them.

    listened: those that are not ignored; what our parent has set to be ignored (nohup) stays so.
    first: the first that came, None as long as there was none. again: whether another one followed.
    """

    def __init__(self) -> None:
        self.listened = [one for one in STOP_SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
        self.first: int | None = None
        self.again = False
        self._previous: dict[int, Any] = {}

    def install(self, on_child: Callable[..., object], harmless: Iterable[int]) -> None:
        """Handle them, SIGCHLD by on_child(), and some by doing nothing."""
        for signum in self.listened:
            self._handle(signum, self.note)
        # Also because SIGCHLD may be ignored: inherited, that would make the kernel throw away what
        # we wait for.
        self._handle(signal.SIGCHLD, on_child)
        for other in harmless:
            self._handle(other, lambda *_: None)

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def note(self, signum: int, _frame: FrameType | None = None) -> None:
        """Take note of one."""
        self.again = self.first is not None
        self.first = self.first or signum

    def _handle(self, signum: int, handler: Callable[..., object]) -> None:
        self._previous[signum] = signal.signal(signum, handler)
