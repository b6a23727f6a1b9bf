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
    from ninth.asyncio_loop import EventLoop, install, new_event_loop
    from ninth.children.process import Process
    from ninth.conditions import after, at, exited, finished, readable, signalled, writable
    from ninth.errors import BusyError, FileClosedError, LineTooLong
    from ninth.loop import READ, WRITE, Loop
    from ninth.net.datagrams import Datagrams
    from ninth.net.events import EventStream
    from ninth.net.server import Server
    from ninth.net.tls import TLSStream
    from ninth.network import connect_tcp, connect_unix, open_udp, serve_tcp, serve_unix
    from ninth.processes import open_process, run_process
    from ninth.promise import Promise
    from ninth.run import run, sleep, timeout
    from ninth.scope import Scope, scope
    from ninth.scopes.callbacks import STOP
    from ninth.scopes.registrations import Registration
    from ninth.signals import signals
    from ninth.streams import Stream
    from ninth.threads import from_thread, to_thread
    from ninth.waiting.watchers import close

__version__ = "0.1.0.dev0"

__all__ = [
    "READ",
    "STOP",
    "WRITE",
    "BusyError",
    "Datagrams",
    "EventLoop",
    "EventStream",
    "FileClosedError",
    "LineTooLong",
    "Loop",
    "Process",
    "Promise",
    "Registration",
    "Scope",
    "Server",
    "Stream",
    "TLSStream",
    "__version__",
    "after",
    "at",
    "close",
    "connect_tcp",
    "connect_unix",
    "exited",
    "finished",
    "from_thread",
    "install",
    "is_compiled",
    "new_event_loop",
    "open_process",
    "open_udp",
    "readable",
    "run",
    "run_process",
    "scope",
    "serve_tcp",
    "serve_unix",
    "signalled",
    "signals",
    "sleep",
    "timeout",
    "to_thread",
    "writable",
]

# Where each public name lives; loaded when it is first asked for, because the command line must
# not wait for asyncio.
HOMES = {
    "BusyError": "ninth.errors",
    "Datagrams": "ninth.net.datagrams",
    "EventLoop": "ninth.asyncio_loop",
    "EventStream": "ninth.net.events",
    "FileClosedError": "ninth.errors",
    "LineTooLong": "ninth.errors",
    "Loop": "ninth.loop",
    "Process": "ninth.children.process",
    "Promise": "ninth.promise",
    "READ": "ninth.loop",
    "Registration": "ninth.scopes.registrations",
    "STOP": "ninth.scopes.callbacks",
    "Scope": "ninth.scope",
    "Server": "ninth.net.server",
    "Stream": "ninth.streams",
    "TLSStream": "ninth.net.tls",
    "WRITE": "ninth.loop",
    "after": "ninth.conditions",
    "at": "ninth.conditions",
    "close": "ninth.waiting.watchers",
    "connect_tcp": "ninth.network",
    "connect_unix": "ninth.network",
    "exited": "ninth.conditions",
    "finished": "ninth.conditions",
    "from_thread": "ninth.threads",
    "install": "ninth.asyncio_loop",
    "new_event_loop": "ninth.asyncio_loop",
    "open_process": "ninth.processes",
    "open_udp": "ninth.network",
    "readable": "ninth.conditions",
    "run": "ninth.run",
    "run_process": "ninth.processes",
    "scope": "ninth.scope",
    "serve_tcp": "ninth.network",
    "serve_unix": "ninth.network",
    "signalled": "ninth.conditions",
    "signals": "ninth.signals",
    "sleep": "ninth.run",
    "timeout": "ninth.run",
    "to_thread": "ninth.threads",
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
    """Return whether the hot modules run compiled; otherwise they run as plain Python.

    Example:
        print(ninth.is_compiled() in (True, False))  # -> True
    """
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
