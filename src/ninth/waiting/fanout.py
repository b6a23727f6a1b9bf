"""One fan-out under everything that listens to signals.

A process has one handler per signal; here it can have several owners. Each loop has a `Fanout`,
which installs one Python-level handler per signal. The handler only sets a flag and asks the loop
to look, so no user code runs inside it, a wake-up pipe that is full loses nothing, and equal
signals that come before the loop looks merge, as in the kernel.

How the loop wakes up differs. ninth's and uvloop's always listen to the wake-up pipe that C-level
signal handling writes to; asyncio's does so from its first `add_signal_handler` on. So that is
called for each signal, with nothing to do, and our handler then takes its place. If the loop
has a handler of the user's for the signal already, that one is left alone and goes on to be called:
it is one owner more.

Handlers are only put back if ours is still there: who replaced it meanwhile, keeps it.

Source: signal(7); cpython#74224 (why the pipe is not enough), cpython#88378 (one owner).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_fanouts: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Fanout] = weakref.WeakKeyDictionary()


def check_signal(signum: object, asker: str) -> signal.Signals:
    """Return the signal of a number, fit to be listened to in this thread.

    asker: who was given it, for the text of the error.
    Raises: TypeError and ValueError for what is no signal or cannot be caught; RuntimeError outside
    the main thread.
    """
    if isinstance(signum, bool) or not isinstance(signum, int):
        message = f"{asker} was given {signum!r}, which is no signal: pass one like signal.SIGTERM"
        raise TypeError(message)
    if signum not in signal.valid_signals():
        message = f"{asker} was given {signum}, which is no signal of this system: see `kill -l`"
        raise ValueError(message)
    if signum in {signal.SIGKILL, signal.SIGSTOP}:
        message = f"{asker} was given {signal.Signals(signum).name}, which no process can catch"
        raise ValueError(message)
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        message = (
            f"{asker} was called in thread {thread.name!r}, but signals reach the main thread "
            "only: listen in a loop of the main thread, and pass on what comes with "
            "call_soon_threadsafe()"
        )
        raise RuntimeError(message)
    try:
        return signal.Signals(signum)
    except ValueError:
        # Real-time signals between SIGRTMIN and SIGRTMAX have no name of their own.
        return signum  # type: ignore[return-value]


def name_of(signum: int) -> str:
    """Return the name of a signal, its number where it has none."""
    try:
        return signal.Signals(signum).name
    except ValueError:
        return str(signum)


def listen(
    loop: asyncio.AbstractEventLoop, signum: int, callback: Callable[[signal.Signals], object]
) -> Listener:
    """Call callback(signum) in the loop whenever the signal comes; others may listen as well.

    The callback runs in the context of this call; what it raises goes to the loop's exception
    handler, and the other listeners are called all the same.
    Returns: the listener; cancel() is idempotent.
    Raises: as check_signal(); RuntimeError if the loop does not give the signal away.
    Thread-safe: no, main thread only.
    """
    signum = check_signal(signum, "listen()")
    fanout = _fanouts.get(loop)
    if fanout is None:
        fanout = _fanouts[loop] = Fanout(loop)
    listener = Listener(fanout, signum, callback)
    fanout.add(listener)
    return listener


class Listener:
    """One owner of a signal."""

    __slots__ = ("callback", "context", "fanout", "signum")

    def __init__(
        self, fanout: Fanout, signum: signal.Signals, callback: Callable[[signal.Signals], object]
    ) -> None:
        self.fanout = fanout
        self.signum = signum
        self.callback: Callable[[signal.Signals], object] | None = callback
        self.context = contextvars.copy_context()

    def cancel(self) -> None:
        """Stop listening; idempotent. The last one puts the previous handler back."""
        if self.callback is not None:
            self.callback = None
            self.fanout.remove(self)


class Fanout:
    """The listeners of one loop to all signals, and the handlers that serve them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Weak: the table of fan-outs must not keep its own keys alive.
        self.loop = weakref.ref(loop)
        self.context = contextvars.Context()
        self.listeners: dict[int, list[Listener]] = {}
        self.previous: dict[int, Any] = {}
        # Signals whose slot in the loop is ours.
        self.lent: set[int] = set()
        self.arrived: dict[int, None] = {}
        # One object, so that it can be recognised: each access of a method makes a new one.
        self.handler = self.note

    def add(self, listener: Listener) -> None:
        """Take in a listener; installs the handler for the first one of a signal."""
        signum = listener.signum
        if signum not in self.listeners:
            self.install(signum)
            self.listeners[signum] = []
        self.listeners[signum].append(listener)

    def remove(self, listener: Listener) -> None:
        """Let a listener go; puts the previous handler back after the last one of a signal."""
        listeners = self.listeners[listener.signum]
        listeners.remove(listener)
        if not listeners:
            del self.listeners[listener.signum]
            self.uninstall(listener.signum)

    def install(self, signum: int) -> None:
        """Take over a signal."""
        previous = signal.getsignal(signum)
        loop = self.loop()
        assert loop is not None  # noqa: S101  (whoever listens holds it)
        if not belongs_to_a_loop(previous):
            try:
                loop.add_signal_handler(signum, nothing)
            except RuntimeError as error:
                raise RuntimeError(refusal(loop, signum, error)) from error
            self.lent.add(signum)
            # asyncio has Python complain of each byte that does not fit; here nothing is lost.
            fd = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        signal.signal(signum, self.handler)
        # System calls of libraries go on instead of failing with EINTR.
        signal.siginterrupt(signum, False)
        self.previous[signum] = previous

    def uninstall(self, signum: int) -> None:
        """Give a signal back to whom it belonged."""
        previous = self.previous.pop(signum)
        current = signal.getsignal(signum)
        if current == self.handler:
            # None: it was not set from Python, and cannot be put back from there.
            current = signal.SIG_DFL if previous is None else previous
        loop = self.loop()
        with blocked(signum):
            if signum in self.lent:
                self.lent.discard(signum)
                if loop is not None and not loop.is_closed():
                    # This sets the default action for a moment, hence the blocking.
                    loop.remove_signal_handler(signum)
            signal.signal(signum, current)

    def note(self, signum: int, _frame: FrameType | None) -> None:
        """Take note of a signal: what Python runs between two steps of the main thread."""
        scheduled = bool(self.arrived)
        self.arrived[signum] = None
        loop = self.loop()
        if not scheduled and loop is not None:
            # A loop that is closed meanwhile has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.deliver, context=self.context)

    def deliver(self) -> None:
        """Call the listeners of all signals that came."""
        while self.arrived:
            signum = next(iter(self.arrived))
            del self.arrived[signum]
            for listener in list(self.listeners.get(signum, ())):
                if listener.callback is None:
                    continue
                try:
                    listener.context.run(listener.callback, listener.signum)
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:
                    loop = self.loop()
                    assert loop is not None  # noqa: S101  (it is running this)
                    loop.call_exception_handler(
                        {
                            "message": f"Exception in a listener to {name_of(signum)}",
                            "exception": error,
                        }
                    )


def nothing() -> None:
    """Be a handler that has nothing to do: it makes the loop listen to its wake-up pipe."""


def belongs_to_a_loop(handler: Any) -> bool:
    """Return whether a handler was installed by the add_signal_handler() of a loop."""
    owner = getattr(handler, "__self__", None)
    module = type(owner).__module__ if owner is not None else getattr(handler, "__module__", "")
    return str(module).startswith(("asyncio.", "uvloop", "ninth.loop."))


def refusal(loop: asyncio.AbstractEventLoop, signum: int, error: RuntimeError) -> str:
    """Return why a loop does not give a signal away."""
    kind = f"{type(loop).__module__}.{type(loop).__name__}"
    if signum == signal.SIGCHLD:
        return (
            f"{kind} keeps SIGCHLD to itself, to reap its own children ({error}): wait for a child "
            "with exited(), or run on ninth's or asyncio's loop"
        )
    return f"{kind} does not let {name_of(signum)} be listened to: {error}"


@contextlib.contextmanager
def blocked(signum: int) -> Iterator[None]:
    """Hold a signal back from this thread for a moment; it is delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signum})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
