"""What asyncio's own transports ask of a selector: which descriptors are polled."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING, Any

from ninth.loop.poller import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ninth.loop.core import Core


class SelectorView(selectors.BaseSelector):
    """A selector to look at; registering goes through the loop."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Refuse: the loop's own queues would not know of it."""
        message = "this selector is for looking only: use the loop's add_reader()"
        raise NotImplementedError(message)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Refuse, as register() does."""
        message = "this selector is for looking only: use the loop's remove_reader()"
        raise NotImplementedError(message)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Refuse, as register() does."""
        message = "this selector is for looking only: the loop polls by itself"
        raise NotImplementedError(message)

    def key_of(self, fd: int) -> selectors.SelectorKey | None:
        """Return the key of a descriptor, None if nobody waits for it."""
        watch = self.core.known(fd)
        wanted = 0 if watch is None else watch.wanted()
        if watch is None or not wanted:
            return None
        events = selectors.EVENT_READ if wanted & READ else 0
        events |= selectors.EVENT_WRITE if wanted & WRITE else 0
        return selectors.SelectorKey(fd, fd, events, (watch.reader, watch.writer))

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Return the key of a file. Raises: KeyError if nobody waits for it."""
        key = self.key_of(fileobj if isinstance(fileobj, int) else fileobj.fileno())
        if key is None:
            message = f"{fileobj!r} is not registered"
            raise KeyError(message)
        return key

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return the keys of all descriptors that somebody waits for."""
        keys = (self.key_of(watch.fd) for watch in self.core.table if watch is not None)
        return {key.fd: key for key in keys if key is not None}

    def close(self) -> None:
        """Close nothing: the core closes its poller."""
