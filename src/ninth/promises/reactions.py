"""What waits for a promise to be settled, beside the promises that are derived from it."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ninth.promises.core import Core


class Reaction(Protocol):
    """What waits for a promise to be settled."""

    def _settled(self, source: Core) -> None:
        """See to it that the loop does what is due."""


class Waiter:
    """A task that awaits a promise."""

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def _settled(self, _source: Core) -> None:
        if not self.future.done():
            self.future.set_result(None)


class DoneCallback:
    """What add_done_callback() was given."""

    __slots__ = ("callback", "context")

    def __init__(
        self, callback: Callable[[Any], object], context: contextvars.Context | None
    ) -> None:
        self.callback = callback
        self.context = contextvars.copy_context() if context is None else context

    def _settled(self, source: Core) -> None:
        loop = source._home.loop
        if not loop.is_closed():
            loop.call_soon(self.callback, source, context=self.context)
