"""The callback loop; knows nothing of asyncio."""

from ninth.loop.loop import Loop, Registration
from ninth.loop.poller import READ, WRITE

__all__ = ["READ", "WRITE", "Loop", "Registration"]
