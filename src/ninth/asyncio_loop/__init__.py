"""ninth's loop as asyncio knows it."""

from ninth.asyncio_loop.event_loop import EventLoop, new_event_loop
from ninth.asyncio_loop.install import install

__all__ = ["EventLoop", "install", "new_event_loop"]
