"""A loop whose clock jumps, and whose order can be shuffled, for tests.

The clock of a `VirtualLoop` stands still while anything is ready. When nothing is, it does not
wait for
the next timer, it sets the clock to it: an hour of timers takes milliseconds, and takes exactly an
hour by `loop.time()`. Files are real: the loop looks at them before every jump, and if no timer is
pending it waits for them as any loop does. What happens outside, in a child or a thread, takes real
time, which the clock does not know of; `patience` is how long, in real seconds, the loop waits for
it before every jump.

Callbacks that are ready together run in the order in which they became ready; programs come to rely
on that without knowing. With a seed the order is shuffled, differently for each seed and the same
each time. (asyncio's own transports rely on that order: use them without a seed.)

This happens in the poller: it is asked when nothing is ready, and is told for how long to wait.

Source: trio.testing.MockClock (autojump).
"""

from __future__ import annotations

import random
from typing import Any

from ninth.asyncio_loop import EventLoop
from ninth.loop.selectors_poller import SelectorsPoller


class VirtualLoop(EventLoop):
    """An event loop with a clock that jumps.

    seed: shuffles the order of callbacks that are ready together; None leaves it.
    patience: real seconds to wait for files and threads before the clock jumps.
    start: what time() gives at first, in seconds.
    Raises: ValueError for a negative patience.
    Thread-safe: as EventLoop.

    Example:
        async def main():
            await ninth.sleep(3600)
            return "an hour later"

        print(ninth.run(main, loop_factory=ninth.testing.VirtualLoop))  # -> an hour later
    """

    def __init__(
        self, seed: int | None = None, *, patience: float = 0.0, start: float = 0.0
    ) -> None:
        # Closed until it is complete: what fails below must not be closed by __del__.
        self._closed = True
        if not patience >= 0:
            message = f"patience is {patience}: pass seconds, 0 to jump at once"
            raise ValueError(message)
        self.seed = seed
        self._poller = VirtualPoller(patience, start)
        super().__init__(poller=self._poller)
        if seed is not None:
            core: Any = self.core
            core.reorder = random.Random(seed).shuffle  # noqa: S311  (repeatable, not secret)

    def time(self) -> float:
        """Return the virtual time, in seconds. Thread-safe: yes."""
        return self._poller.now


class VirtualPoller(SelectorsPoller):
    """A poller that jumps where another would wait.

    now: the virtual time, in seconds. patience: see VirtualLoop.
    """

    def __init__(self, patience: float, start: float) -> None:
        super().__init__()
        self.patience = patience
        self.now = start

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Return the events that are there; if there are none, jump by timeout seconds.

        timeout: virtual seconds; below zero there is no timer, and only a file can end the wait.
        """
        if timeout <= 0:
            return super().wait(timeout)
        found = super().wait(min(self.patience, timeout))
        if not found:
            self.now += timeout
        return found
