"""Who is interested in one descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import weakref

    from ninth.loop.handles import Handle


class Watch:
    """The watchers of one descriptor.

    reader, writer: asyncio's two slots, a Handle each or None.
    stream: what reads and delivers during the poll itself; an object with `on_events(mask)`.
    waiters: single operations that wait; objects with `interest` and `on_events(mask)`, which
    returns whether it is done.
    others: handles of `Loop.watch`, with the mask each waits for.
    armed: what the poller waits for, which may be more than somebody wants (see Loop.dispatch).
    born: number of the poll before which it was made; its events are of another file.
    file: a weak reference to the object the descriptor was last waited for through.
    """

    __slots__ = (
        "always",
        "armed",
        "born",
        "fd",
        "file",
        "others",
        "reader",
        "stream",
        "waiters",
        "writer",
    )

    reader: Handle | None
    writer: Handle | None
    stream: Any
    waiters: list[Any]
    others: list[tuple[int, Handle]]
    file: weakref.ref[Any] | None

    def __init__(self, fd: int, born: int) -> None:
        self.fd = fd
        self.armed = 0
        self.born = born
        self.always = False
        self.reader = None
        self.writer = None
        self.stream = None
        self.waiters = []
        self.others = []
        self.file = None

    def wanted(self) -> int:
        """Return the conditions that somebody waits for."""
        mask = 0
        if self.reader is not None:
            mask |= 1
        if self.writer is not None:
            mask |= 4
        if self.stream is not None:
            mask |= self.stream.interest
        for waiter in self.waiters:
            mask |= waiter.interest
        for conditions, _ in self.others:
            mask |= conditions
        return mask
