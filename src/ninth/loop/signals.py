"""Signals as callbacks, without loss.

A signal does two things. In C, Python writes a byte to the wake-up pipe, which ends the loop's
wait; in Python, a handler of ours sets a flag for the number. The loop looks at the flags every
turn. So a full pipe loses nothing, and no user code runs inside a handler. Signals of one number
that arrive before the loop looks merge into one call, as in the kernel.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from ninth.loop.core import Core
    from ninth.loop.handles import Handle


# All that have handlers: one that leaves before those that came later is put out of their way.
listeners: list[Signals] = []


class Signals:
    """The signal handlers of one loop. Only the main thread may change or deliver them."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.handles: dict[int, Handle] = {}
        self.previous: dict[int, Any] = {}
        self.arrived: set[int] = set()
        self.outer_wakeup_fd = -1
        self.listening = False

    def add(self, signum: int, handle: Handle) -> None:
        """Make handle ready whenever the signal comes; replaces the handle before.

        Raises: RuntimeError outside the main thread and for what cannot be caught.
        """
        if signum not in self.handles:
            try:
                previous = signal.signal(signum, self.arrive)
                # System calls of libraries go on instead of failing with EINTR.
                signal.siginterrupt(signum, False)
            except (ValueError, OSError) as error:
                raise RuntimeError(self.refusal(signum, error)) from error
            self.previous[signum] = previous
            if self not in listeners:
                listeners.append(self)
        self.handles[signum] = handle

    def refusal(self, signum: int, error: Exception) -> str:
        """Return why there is no handler for a signal."""
        if isinstance(error, ValueError):
            return f"{error}: add the handler of signal {signum} from the main thread"
        return f"sig {signum} cannot be caught"

    def remove(self, signum: int) -> bool:
        """Put the previous handler back; return whether there was one of ours."""
        handle = self.handles.pop(signum, None)
        if handle is None:
            return False
        handle.cancel()
        previous = self.previous.pop(signum)
        if not self.handles:
            listeners.remove(self)
        if signal.getsignal(signum) == self.arrive:
            # None means that it was not set from Python; we cannot put that one back.
            signal.signal(signum, signal.SIG_DFL if previous is None else previous)
            return True
        for later in listeners:
            # Whose handler came after ours is to put back what was there before ours.
            if later.previous.get(signum) == self.arrive:
                later.previous[signum] = previous
        return True

    def arrive(self, signum: int, _frame: FrameType | None) -> None:
        """Take note of a signal: the handler that Python runs."""
        self.arrived.add(signum)
        self.core.signalled = True
        self.core.wake()

    def deliver(self) -> None:
        """Make the handles of all signals that arrived ready."""
        while self.arrived:
            handle = self.handles.get(self.arrived.pop())
            if handle is not None:
                self.core.ready.append(handle)

    def listen(self) -> None:
        """Let signals end the loop's wait, for the time of a run; no-op outside main."""
        with contextlib.suppress(ValueError):
            self.outer_wakeup_fd = signal.set_wakeup_fd(
                self.core.wakeup.write_fd, warn_on_full_buffer=False
            )
            self.listening = True

    def unlisten(self) -> None:
        """End what listen() began."""
        if self.listening:
            self.listening = False
            with contextlib.suppress(ValueError):
                now = signal.set_wakeup_fd(self.outer_wakeup_fd)
                if now != self.core.wakeup.write_fd:
                    # Somebody else took it over meanwhile, and keeps it.
                    signal.set_wakeup_fd(now)

    def close(self) -> None:
        """Remove all handlers; also what a forked child does, where the loop cannot run."""
        for signum in list(self.handles):
            self.remove(signum)
