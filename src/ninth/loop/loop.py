"""The callback loop as people use it: a Core with files, signals, children and errors."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from ninth.loop import forks, formatting
from ninth.loop.binding import bind
from ninth.loop.children import Children
from ninth.loop.core import Core, fileno
from ninth.loop.new_poller import new_poller
from ninth.loop.poller import READ, WRITE
from ninth.loop.signals import Signals

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable
    from typing import Self

    from ninth.loop.children import ChildWatch
    from ninth.loop.handles import Handle
    from ninth.loop.timers import Timer

logger = logging.getLogger("ninth")


class Registration:
    """A watcher made by Loop.watch(). cancel() is idempotent. Thread-safe: no."""

    def __init__(self, core: Core, fd: int, handle: Handle) -> None:
        self._core = core
        self._fd = fd
        self._handle = handle

    def __repr__(self) -> str:
        return f"<Registration fd={self._fd} {self._handle!r}>"

    def cancel(self) -> None:
        """Stop watching."""
        if not self._handle.cancelled():
            self._handle.cancel()
            self._core.remove_handle(self._fd, self._handle)

    def cancelled(self) -> bool:
        """Return whether cancel() was called."""
        return self._handle.cancelled()


class Loop:
    """A loop of callbacks: no coroutines, no futures, no asyncio.

    poller: an object like ninth.loop.poller.EpollPoller; the best of the system by default.
    Use it as a context manager, or call close() when it is done with.
    Thread-safe: only call_soon_threadsafe().

    Example:
        loop = ninth.Loop()
        loop.call_later(0.01, print, "later")
        loop.call_later(0.02, loop.stop)
        loop.call_soon(print, "soon")
        loop.run()
        loop.close()
        # -> soon
        # -> later
    """

    def __init__(self, *, poller: Any = None) -> None:
        face = weakref.ref(self)

        def report(context: dict[str, Any]) -> None:
            loop = face()
            if loop is not None:
                loop._report(context)

        def report_slow(handle: Handle, seconds: float) -> None:
            logger.warning("Executing %r took %.3f seconds", handle, seconds)

        self._core = Core(new_poller() if poller is None else poller, report)
        self._core.on_slow = report_slow
        self._core.debug = sys.flags.dev_mode
        self._signals = Signals(self._core)
        self._core.signals = self._signals
        self._children = Children(self._core, self._signals)
        self._handler: Callable[[Loop, dict[str, Any]], object] | None = None
        bind(self, Loop, self._core)
        forks.tell(self)

    def __repr__(self) -> str:
        core = self._core
        state = "closed" if core.closed else "running" if core.thread else "idle"
        return f"<{type(self).__name__} {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        core = getattr(self, "_core", None)
        if core is not None and not (core.closed or core.thread):
            warnings.warn(f"unclosed loop {self!r}", ResourceWarning, 2, source=self)
            self.close()

    def _forked(self) -> None:
        """Be of no use any more: this is a forked child, see forks.py."""
        self._signals.unlisten()
        self._signals.close()
        self._core.disown()

    # Calls

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Run callback(*args) once, in the next turn, after all that is ready already.

        Returns: a Handle; cancel() is idempotent.
        Raises: RuntimeError when the loop is closed; TypeError for what cannot be called.
        Thread-safe: no, see call_soon_threadsafe().
        """
        return self._core.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Run callback(*args) once, delay seconds from now.

        delay: seconds, int or float; zero or less means the next turn.
        Returns: a Timer; cancel() is idempotent.
        Raises: as call_soon(); ValueError for NaN.
        Thread-safe: no.
        """
        if delay is None:
            raise TypeError("delay must not be None: pass seconds, 0 for the next turn")
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Run callback(*args) once, when time() has reached `when`; otherwise as call_later().

        Example:
            loop = ninth.Loop()
            loop.call_at(loop.time() + 0.01, loop.stop)
            loop.run()
            loop.close()
            print("stopped")  # -> stopped
        """
        return self._core.call_at(when, callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Like call_soon(), from any thread and from signal handlers. Thread-safe: yes.

        Example:
            import threading

            loop = ninth.Loop()
            threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,)).start()
            loop.run()
            loop.close()
            print("stopped by a thread")  # -> stopped by a thread
        """
        return self._core.call_soon_threadsafe(callback, *args, context=context)

    def time(self) -> float:
        """Return the loop's time: seconds of a clock that never goes back. Thread-safe: yes."""
        return self._core.time()

    # Files

    def add_reader(self, file: Any, callback: Callable[..., object], *args: Any) -> None:
        """Call callback(*args) whenever file is readable; replaces the callback before.

        file: anything with fileno(), or an int; regular files are always ready.
        Raises: ValueError for what is no open file; TypeError for what cannot be called, and for
        coroutine functions; OSError from the system.
        Thread-safe: no.

        Example:
            loop = ninth.Loop()
            reading, writing = os.pipe()

            def take():
                print(os.read(reading, 100))  # -> b'hello'
                loop.remove_reader(reading)
                loop.stop()

            loop.add_reader(reading, take)
            os.write(writing, b"hello")
            loop.run()
            loop.close()
        """
        handle = self._handle(callback, args, "add_reader")
        self._core.set_reader(self._fd_of(file), handle)

    def remove_reader(self, file: Any) -> bool:
        """Undo add_reader(); return whether there was a callback."""
        return self._core.clear_reader(fileno(file), False)

    def add_writer(self, file: Any, callback: Callable[..., object], *args: Any) -> None:
        """Call callback(*args) whenever file is writable; otherwise as add_reader().

        Example:
            loop = ninth.Loop()
            reading, writing = os.pipe()

            def give():
                os.write(writing, b"hello")
                loop.remove_writer(writing)
                loop.stop()

            loop.add_writer(writing, give)
            loop.run()
            loop.close()
            print(os.read(reading, 100))  # -> b'hello'
        """
        handle = self._handle(callback, args, "add_writer")
        self._core.set_writer(self._fd_of(file), handle)

    def remove_writer(self, file: Any) -> bool:
        """Undo add_writer(); return whether there was a callback."""
        return self._core.clear_writer(fileno(file))

    def watch(
        self, file: Any, conditions: int, callback: Callable[..., object], *args: Any
    ) -> Registration:
        """Add a watcher of a file: one of any number, beside add_reader() and add_writer().

        conditions: READ, WRITE or READ | WRITE, of ninth.loop.
        Returns: a registration; cancel() is idempotent.
        Raises: ValueError for no condition or no open file; otherwise as add_reader().
        Thread-safe: no.

        Example:
            loop = ninth.Loop()
            reading, writing = os.pipe()
            os.write(writing, b"x")
            loop.watch(reading, ninth.READ, print, "one")
            loop.watch(reading, ninth.READ, print, "another")
            loop.watch(reading, ninth.READ, loop.stop)
            loop.run()
            loop.close()
            # -> one
            # -> another
        """
        if not conditions or conditions & ~(READ | WRITE):
            message = f"watch() was given conditions {conditions!r}: pass READ, WRITE or both"
            raise ValueError(message)
        handle = self._handle(callback, args, "watch")
        fd = self._fd_of(file)
        self._core.add_handle(fd, conditions, handle)
        return Registration(self._core, fd, handle)

    def _handle(
        self, callback: Callable[..., object], args: tuple[Any, ...], method: str
    ) -> Handle:
        """Return a handle that knows where it is registered; exceptions are reported with that."""
        formatting.refuse_coroutine(callback, method)
        handle = self._core.make_handle(callback, args, method)
        if not self._core.debug:
            handle._source_traceback = formatting.registration()
        return handle

    def _fd_of(self, file: Any) -> int:
        self._check()
        fd = fileno(file)
        self._core.note_file(fd, file)
        return fd

    # Signals and children

    def add_signal_handler(self, signum: int, callback: Callable[..., object], *args: Any) -> None:
        """Call callback(*args) in the loop whenever a signal comes; replaces the one before.

        Signals of one number that come before the loop looks merge into one call.
        Raises: ValueError for what is no signal; TypeError for what cannot be called, and for
        coroutine functions; RuntimeError outside the main thread and for signals that cannot be
        caught.

        Example:
            loop = ninth.Loop()
            loop.add_signal_handler(signal.SIGHUP, loop.stop)
            loop.call_soon(os.kill, os.getpid(), signal.SIGHUP)
            loop.run()
            loop.remove_signal_handler(signal.SIGHUP)
            loop.close()
            print("hung up")  # -> hung up
        """
        self._check()
        if signum not in signal.valid_signals():
            message = f"invalid signal number {signum!r}: pass one of signal.valid_signals()"
            raise ValueError(message)
        self._signals.add(signum, self._handle(callback, args, "add_signal_handler"))

    def remove_signal_handler(self, signum: int) -> bool:
        """Put the handler back that was there before; return whether there was one of ours."""
        return self._signals.remove(signum)

    def watch_child(self, pid: int, callback: Callable[[int], object]) -> ChildWatch:
        """Call callback(pid) once when a process has ended; it is not reaped.

        Returns: a registration; cancel() is idempotent.
        Raises: ProcessLookupError if there is no such process; ValueError for a number that no
        process has; TypeError for what is no int, or cannot be called.

        Example:
            loop = ninth.Loop()

            def ended(pid):
                print(child.wait())  # -> 3
                loop.stop()

            child = subprocess.Popen(["sh", "-c", "exit 3"])
            loop.watch_child(child.pid, ended)
            loop.run()
            loop.close()
        """
        self._check()
        return self._children.watch(pid, callback)

    # Errors

    def set_exception_handler(
        self, handler: Callable[[Loop, dict[str, Any]], object] | None
    ) -> None:
        """Call handler(loop, context) for exceptions of callbacks; None logs them.

        context: a dictionary with "message", "exception" and "handle", as with asyncio; for
        watchers and signal handlers also "source_traceback", the place where they were registered.
        So it has for call_soon() and its kin in debug mode alone: finding the place costs more
        than the call.
        Raises: TypeError for what cannot be called.

        Example:
            loop = ninth.Loop()
            loop.set_exception_handler(lambda loop, context: print(repr(context["exception"])))
            loop.call_soon(int, "x")
            loop.call_soon(loop.stop)
            loop.run()
            loop.close()
            # -> ValueError("invalid literal for int() with base 10: 'x'")
        """
        if not (handler is None or callable(handler)):
            message = f"a callable object or None was expected, got {handler!r}"  # type: ignore[unreachable]
            raise TypeError(message)
        self._handler = handler

    def _report(self, context: dict[str, Any]) -> None:
        if self._handler is not None:
            try:
                self._handler(self, context)
            except Exception:
                logger.exception("Exception in the exception handler of %r", self)
            else:
                return
        lines = [context["message"]]
        lines += [
            f"{key}: {context[key]!r}"
            for key in sorted(context)
            if key not in {"message", "exception", "source_traceback"}
        ]
        for frame in context.get("source_traceback", ()):
            lines.append(f"registered by {frame.name}() at {frame.filename}:{frame.lineno}")
        logger.error("\n".join(lines), exc_info=context.get("exception"))

    def get_debug(self) -> bool:
        """Return whether the loop is in debug mode."""
        return self._core.debug

    def set_debug(self, enabled: bool) -> None:
        """Switch debug mode on or off; on at first if Python runs with -X dev.

        In debug mode calls from the wrong thread and coroutine functions are refused, every
        callback knows where it was registered, and those that take longer than
        slow_callback_duration are logged.
        """
        self._core.debug = bool(enabled)

    @property
    def slow_callback_duration(self) -> float:
        """From how many seconds on a callback is logged in debug mode; 0.1 at first."""
        return self._core.slow_callback_duration

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self._core.slow_callback_duration = seconds

    # Running

    def run(self) -> None:
        """Run callbacks until stop() is called, or an interrupt leaves a callback.

        Raises: RuntimeError when the loop is closed, running already, or was made by the parent
        of a forked process; KeyboardInterrupt and SystemExit of callbacks.
        """
        self._check()
        core = self._core
        if core.thread:
            raise RuntimeError("this loop is running already: run() cannot be called inside it")
        core.thread = threading.get_ident()
        main = threading.current_thread() is threading.main_thread()
        if main:
            self._signals.listen()
        try:
            core.run()
        finally:
            if main:
                self._signals.unlisten()
            core.thread = 0

    def stop(self) -> None:
        """Leave run() when this turn is over. Thread-safe: no."""
        self._core.stop()

    def close(self) -> None:
        """Drop all that is registered and give the descriptors back; idempotent.

        Raises: RuntimeError when the loop is running.
        """
        if self._core.thread:
            raise RuntimeError("cannot close a running loop: call stop() first")
        if not self._core.closed:
            self._signals.close()
            self._children.close()
            self._core.close()

    def _check(self) -> None:
        if self._core.inherited or self._core.pid != os.getpid():
            raise RuntimeError(forks.MESSAGE)
        if self._core.closed:
            raise RuntimeError("this loop is closed: make a new one")
