"""ninth's loop as asyncio knows it."""

from ninth.asyncio_loop.event_loop import EventLoop, new_event_loop

__all__ = ["EventLoop", "new_event_loop"]
