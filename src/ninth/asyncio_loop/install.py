"""Making ninth's loop the default of a program that cannot pass a factory.

Where a program says how its loop is made, say so: `asyncio.run(main(),
loop_factory=ninth.new_event_loop)` (Python 3.12) or the same of `asyncio.Runner`. Otherwise
asyncio.run(), asyncio.new_event_loop() and, where it makes loops, asyncio.get_event_loop() ask the
policy. Python 3.14 deprecates policies, and 3.16 has none; install() then says so.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import Any

from ninth.asyncio_loop.event_loop import new_event_loop


def install() -> None:
    """Make asyncio use ninth's loop wherever the program does not say which.

    The policy in force is kept for everything but the making of loops, so child watchers and
    the loops of other threads stay as they are. Calling it again changes nothing.
    Raises: RuntimeError on a Python without policies.

    Example:
        ninth.install()
        print(type(asyncio.new_event_loop()).__name__)  # -> EventLoop
    """
    with warnings.catch_warnings():
        # Deprecated for programs that can pass a factory; this is for those that cannot.
        warnings.simplefilter("ignore", DeprecationWarning)
        get_policy: Any = getattr(asyncio, "get_event_loop_policy", None)
        if get_policy is None:
            version = ".".join(map(str, sys.version_info[:2]))
            message = (
                f"Python {version} has no event loop policies, so there is nothing to install: "
                "pass loop_factory=ninth.new_event_loop to asyncio.run() or asyncio.Runner()"
            )
            raise RuntimeError(message)
        policy = get_policy()
        # Only in this one object: other policies that the program makes later are its own.
        policy.new_event_loop = new_event_loop
