"""The ninth loop: callbacks and coroutines in one scope."""

import os
from typing import TYPE_CHECKING, Any

if os.environ.get("NINTH_PURE") == "1":
    # Must come before the first import of a module that may be compiled.
    from ninth import pure

    pure.prefer_source()

if TYPE_CHECKING:
    from ninth.asyncio_loop import EventLoop, install, new_event_loop
    from ninth.loop import READ, WRITE, Loop

__version__ = "0.1.0.dev0"

__all__ = [
    "READ",
    "WRITE",
    "EventLoop",
    "Loop",
    "__version__",
    "install",
    "is_compiled",
    "new_event_loop",
]

# Where each public name lives; loaded when it is first asked for, because the command line must
# not wait for asyncio.
HOMES = {
    "READ": "ninth.loop",
    "WRITE": "ninth.loop",
    "EventLoop": "ninth.asyncio_loop",
    "Loop": "ninth.loop",
    "install": "ninth.asyncio_loop",
    "new_event_loop": "ninth.asyncio_loop",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    home = HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib  # noqa: PLC0415

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def is_compiled() -> bool:
    """Return whether the hot modules run compiled; otherwise they run as plain Python."""
    import importlib  # noqa: PLC0415

    return not str(importlib.import_module("ninth.loop.core").__file__).endswith(".py")


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *HOMES})
