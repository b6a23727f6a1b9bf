"""The ninth loop: callbacks and coroutines in one scope."""

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if os.environ.get("NINTH_PURE") == "1":
    # Must come before the first import of a module that may be compiled.
    from ninth import pure

    pure.prefer_source()

if TYPE_CHECKING:
    from ninth.asyncio_loop import EventLoop, new_event_loop
    from ninth.callbacks import STOP
    from ninth.conditions import after, at, exited, finished, readable, signalled, writable
    from ninth.errors import BusyError, FileClosedError, LineTooLong
    from ninth.run import run, sleep, timeout
    from ninth.registrations import Registration
    from ninth.scope import Scope, scope
    from ninth.watchers import close

__version__ = "0.1.0.dev0"

__all__ = [
    "STOP",
    "BusyError",
    "EventLoop",
    "FileClosedError",
    "LineTooLong",
    "Registration",
    "Scope",
    "__version__",
    "after",
    "at",
    "close",
    "exited",
    "finished",
    "is_compiled",
    "new_event_loop",
    "readable",
    "run",
    "scope",
    "signalled",
    "sleep",
    "timeout",
    "writable",
]

# Where each public name lives; loaded when it is first asked for, because the command line must
# not wait for asyncio.
HOMES = {
    "BusyError": "ninth.errors",
    "EventLoop": "ninth.asyncio_loop",
    "FileClosedError": "ninth.errors",
    "LineTooLong": "ninth.errors",
    "Registration": "ninth.registrations",
    "STOP": "ninth.callbacks",
    "Scope": "ninth.scope",
    "after": "ninth.conditions",
    "at": "ninth.conditions",
    "close": "ninth.watchers",
    "exited": "ninth.conditions",
    "finished": "ninth.conditions",
    "new_event_loop": "ninth.asyncio_loop",
    "readable": "ninth.conditions",
    "run": "ninth.run",
    "scope": "ninth.scope",
    "signalled": "ninth.conditions",
    "sleep": "ninth.run",
    "timeout": "ninth.run",
    "writable": "ninth.conditions",
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


class Package(ModuleType):
    """This package, in which `scope` is the function, however its module came to be imported.

    The import system binds a module to its parent when it is first imported, under the name of
    the function that `ninth.scope()` is to find; the same goes for `run` and `signals`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = Package
