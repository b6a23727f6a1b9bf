"""What becomes of a loop in a forked child.

The child has a copy of all that is in memory, but shares the epoll, the wake-up pipe and every
connection with its parent: what it took out of that epoll the parent would wait for in vain. So a
loop is of no use in the child from the moment of the fork. Its own descriptors are closed there,
which the parent does not notice, the signal handlers before it are back, and whatever is asked of
it is refused with MESSAGE. A fork that Python does not know of, in C, is noticed by run() alone.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

MESSAGE = "this loop belongs to the parent process: make a new one after fork()"


class Owner(Protocol):
    """A loop that wants to know of forks."""

    def _forked(self) -> None:
        """Let go of what is shared with the parent: this is the child."""


owners: weakref.WeakSet[Any] = weakref.WeakSet()


def tell(owner: Owner) -> None:
    """Call owner._forked() in every child that is forked from now on, while owner lives."""
    owners.add(owner)


def in_child() -> None:
    """Tell all owners; what Python runs in a forked child."""
    for owner in list(owners):
        owner._forked()
    owners.clear()


os.register_at_fork(after_in_child=in_child)


class NoPoller:
    """Stands for the poller of the parent, which the child must not change."""

    keeps = True

    def set(self, fd: int, mask: int, again: bool) -> bool:  # noqa: ARG002
        """Refuse to wait for anything; forgetting is fine."""
        if mask:
            raise RuntimeError(MESSAGE)
        return True

    def drop(self, fd: int) -> None:
        """Do nothing: nothing is waited for."""

    def wait(self, timeout: float) -> list[tuple[int, int]]:  # noqa: ARG002
        """Refuse to wait."""
        raise RuntimeError(MESSAGE)

    def close(self) -> None:
        """Do nothing: it was closed when the process was forked."""
