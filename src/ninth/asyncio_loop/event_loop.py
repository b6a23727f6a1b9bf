"""ninth's loop as asyncio knows it.

The engine is a Core (ninth.loop.core), which this class has. What runs per callback, per packet
and per wait goes straight to it; what runs once per connection or per loop is asyncio's own code,
which reaches the engine through the hooks below.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import weakref
from selectors import BaseSelector
from typing import TYPE_CHECKING, Any

from ninth.asyncio_loop import stdlib
from ninth.asyncio_loop.making import Transports
from ninth.asyncio_loop.selector_view import SelectorView
from ninth.asyncio_loop.sockets import SocketOperations
from ninth.asyncio_loop.subprocesses import Subprocesses
from ninth.loop import forks, formatting
from ninth.loop.binding import bind
from ninth.loop.children import Children
from ninth.loop.core import Core
from ninth.loop.new_poller import new_poller
from ninth.loop.selectors_poller import SelectorsPoller
from ninth.loop.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from ninth.loop.handles import Handle


class EventLoop(SocketOperations, Transports, Subprocesses):
    """A complete asyncio event loop.

    selector: one of `selectors`; poller: an object like ninth.loop.poller.EpollPoller; by default
    epoll is used directly, where there is epoll.
    Thread-safe: only call_soon_threadsafe(), and what asyncio's documentation adds to it.

    Example:
        loop = ninth.EventLoop()
        print(loop.run_until_complete(asyncio.sleep(0.01, "slept")))  # -> slept
        loop.close()
    """

    # For loops that order or time things differently, as tests want to.
    core_class: type[Core] = Core

    def __init__(self, selector: Any = None, *, poller: Any = None) -> None:
        # Closed until it is complete: what fails below must not be closed by __del__.
        self._closed = True
        if isinstance(selector, BaseSelector):
            poller = SelectorsPoller(selector)
        face = weakref.ref(self)

        def report(context: dict[str, Any]) -> None:
            loop = face()
            if loop is not None:
                loop.call_exception_handler(context)

        self.core = self.core_class(new_poller() if poller is None else poller, report)
        self.core.on_slow = stdlib.report_slow
        self.core.faces = (asyncio.Handle, asyncio.TimerHandle)
        super().__init__(SelectorView(self.core))
        self._signals = Signals(self.core)
        self.core.signals = self._signals
        self._children = Children(self.core, self._signals)
        bind(self, EventLoop, self.core)
        forks.tell(self)

    def _forked(self) -> None:
        """Be of no use any more: this is a forked child, see ninth.loop.forks."""
        self._signals.unlisten()
        self._signals.close()
        self.core.disown()
        self._thread_id = None
        # Only in the child, for it is asked for every task.
        self._check_closed = self._refuse

    def _refuse(self) -> None:
        raise RuntimeError(forks.MESSAGE)

    # Running

    def run_forever(self) -> None:
        """Run until stop() is called.

        Raises: RuntimeError when the loop is closed, running already, or was made by the parent
        of a forked process.
        """
        if self.core.pid != os.getpid():
            self._refuse()
        core = self.core
        main = threading.current_thread() is threading.main_thread()
        # Not undone if it refuses: then this loop, or another one, is running here.
        stdlib.begin_run(self)
        try:
            core.thread = threading.get_ident()
            if main:
                self._signals.listen()
            core.run()
        finally:
            if main:
                self._signals.unlisten()
            core.thread = 0
            stdlib.end_run(self)

    def _run_once(self) -> None:
        self.core.turn()

    def stop(self) -> None:
        """Leave run_forever() when this turn is over."""
        self.core.stop()

    def close(self) -> None:
        """Drop all that is registered and give the descriptors back; idempotent.

        Raises: RuntimeError when the loop is running.
        """
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        self._signals.close()
        self._children.close()
        super().close()
        self.core.close()

    def set_debug(self, enabled: bool) -> None:
        """Switch asyncio's debug mode on or off."""
        super().set_debug(enabled)
        self.core.debug = bool(enabled)

    @property
    def slow_callback_duration(self) -> float:
        """From how many seconds on a callback is reported in debug mode."""
        return self.core.slow_callback_duration

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self.core.slow_callback_duration = seconds

    # Calls. These are the versions that an overriding class reaches through super().

    def time(self) -> float:
        """Return the loop's time: seconds of a clock that never goes back. Thread-safe: yes."""
        return self.core.time()

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        """Run callback(*args) once, in the next turn; see Core.call_soon."""
        return self.core.call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        """Like call_soon(), from any thread. Thread-safe: yes."""
        return self.core.call_soon_threadsafe(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        """Run callback(*args) once, delay seconds from now; see Core.call_later."""
        if delay is None:
            raise TypeError("delay must not be None: pass seconds, 0 for the next turn")
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        """Run callback(*args) once, when time() has reached `when`; see Core.call_at."""
        return self.core.call_at(when, callback, *args, context=context)

    # What asyncio's own code reaches the queues through.

    @property
    def _ready(self) -> Any:
        return self.core.ready

    @_ready.setter
    def _ready(self, value: Any) -> None:
        """Ignore the queue that asyncio makes for itself."""

    @property
    def _scheduled(self) -> Any:
        return self.core.timers.timers()

    @_scheduled.setter
    def _scheduled(self, value: Any) -> None:
        """Ignore the heap that asyncio makes for itself."""

    @property
    def _stopping(self) -> bool:
        return self.core.stopping

    @_stopping.setter
    def _stopping(self, value: bool) -> None:
        self.core.stopping = value

    @property
    def _current_handle(self) -> Any:
        return self.core.current

    @_current_handle.setter
    def _current_handle(self, value: Any) -> None:
        self.core.current = value

    def _add_callback(self, handle: Handle) -> None:
        if not handle.cancelled():
            self.core.ready.append(handle)

    def _write_to_self(self) -> None:
        self.core.wake()

    # Files

    def _add_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> Handle:
        self._check_closed()
        handle = self.core.make_handle(callback, args, "add_reader")
        self.core.set_reader(fd, handle)
        return handle

    def _remove_reader(self, fd: int) -> bool:
        # The transports of asyncio close what they remove: the poller must know at once.
        return not self.is_closed() and self.core.clear_reader(fd, True)

    def _add_writer(self, fd: int, callback: Callable[..., object], *args: Any) -> Handle:
        self._check_closed()
        handle = self.core.make_handle(callback, args, "add_writer")
        self.core.set_writer(fd, handle)
        return handle

    def _remove_writer(self, fd: int) -> bool:
        return not self.is_closed() and self.core.clear_writer(fd)

    def _added_fd(self, file: Any) -> int:
        """Return the descriptor under which a file was added, -1 if it is closed and unknown.

        Closing first and removing then is common, and asyncio's own loop allows it.
        """
        try:
            return self._own_fd(file)
        except ValueError:
            if not hasattr(file, "fileno"):
                raise
            return self.core.fd_of(file)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        """Call callback(*args) whenever fd is readable; replaces the callback before.

        Raises: ValueError for what is no open file; RuntimeError if a transport uses it.
        Thread-safe: no.
        """
        number = self._own_fd(fd)
        self.core.note_file(number, fd)
        self._add_reader(number, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        """Undo add_reader(); return whether there was a callback."""
        return not self.is_closed() and self.core.clear_reader(self._added_fd(fd), False)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        """Call callback(*args) whenever fd is writable; replaces the callback before.

        Raises: as add_reader().
        Thread-safe: no.
        """
        number = self._own_fd(fd)
        self.core.note_file(number, fd)
        self._add_writer(number, callback, *args)

    def remove_writer(self, fd: Any) -> bool:
        """Undo add_writer(); return whether there was a callback."""
        return self._remove_writer(self._added_fd(fd))

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Resolve a name, in a thread; a literal address at once, for it needs no resolver.

        Raises: socket.gaierror.
        """
        if isinstance(port, int) and is_literal(host):
            numeric = flags | socket.AI_NUMERICHOST
            return socket.getaddrinfo(host, port, family, type, proto, numeric)
        return await super().getaddrinfo(
            host, port, family=family, type=type, proto=proto, flags=flags
        )

    # Signals

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        """Call callback(*args) in the loop whenever a signal comes; replaces the one before.

        Raises: TypeError for what cannot be called, and for coroutine functions; ValueError for
        what is no signal; RuntimeError outside the main thread and for signals that cannot be
        caught.
        """
        formatting.refuse_coroutine(callback, "add_signal_handler")
        handle = self.core.make_handle(callback, args, "add_signal_handler")
        self._check_signal(sig)
        self._check_closed()
        self._signals.add(sig, handle)

    def remove_signal_handler(self, sig: int) -> bool:
        """Put the handler back that was there before; return whether there was one of ours.

        Raises: TypeError and ValueError for what is no signal.
        """
        self._check_signal(sig)
        return self._signals.remove(sig)


def is_literal(host: Any) -> bool:
    """Return whether a host is an address in numbers."""
    if not isinstance(host, str):
        return False
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def new_event_loop() -> EventLoop:
    """Return a new event loop: `asyncio.Runner(loop_factory=ninth.new_event_loop)`.

    Example:
        with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
            print(runner.run(asyncio.sleep(0.01, "slept")))  # -> slept
    """
    return EventLoop()
