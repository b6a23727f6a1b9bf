"""Who is interested in one descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import weakref

    from ninth.loop.handles import Handle


class Source:
    """What handles the events of its descriptor itself, during the poll.

    interest: the conditions it waits for, READ, WRITE, both or neither.
    """

    __slots__ = ("__weakref__", "interest")

    interest: int

    def on_events(self, mask: int) -> bool:
        """Handle an event; return whether it is done and waits for no other."""
        raise NotImplementedError

    def handle(self, mask: int) -> None:
        """Handle an event from a callback; a plain method, for compiled ones are no objects."""
        self.on_events(mask)

    def describe(self) -> str:
        """Return what a report of a slow event is to say of it."""
        return repr(self)

    def flush(self) -> None:
        """Write out what was left since the last turn."""
        raise NotImplementedError


class Watch:
    """The watchers of one descriptor.

    reader, writer: asyncio's two slots, a Handle each or None.
    stream: the Source that reads and delivers, or None.
    waiters: Sources that each wait for one event.
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
    stream: Source | None
    waiters: list[Source]
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
