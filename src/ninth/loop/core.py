"""The callback loop.

One turn of it is `Loop.turn`, whose docstring lists the steps. What a turn runs is in `ready`;
what fills it is a call, a timer, a file, another thread or a signal. Streams (stream.py) are the
exception: they read and deliver during the poll, because that saves a turn through the queue for
every packet.

Polling. The poller is asked in the first turn of every run, and whenever nothing is ready. While
there is work, it is asked every 16 turns or once in a millisecond, whichever comes first: chains
of callbacks then do not pay a system call for each link, and a file waits a millisecond at most.
Calls from threads and signals are seen every turn, for they set a flag.

Interest. A descriptor whose last reader left stays with the poller until an event finds nobody,
for most come back; a reader that comes back costs one call to the kernel, which makes sure that
the number still means the same file. See poller.py for what epoll forgets.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from ninth.loop import allocator, forks, formatting
from ninth.loop.handles import Handle
from ninth.loop.poller import EpollPoller
from ninth.loop.timers import Timer, Timers
from ninth.loop.wakeup import WakeUp
from ninth.loop.watch import Source, Watch

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable

    import cython
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.pythread import PyThread_get_thread_ident as get_ident
    from cython.cimports.ninth.loop.c_system import READ, WRITE, monotonic
    from cython.cimports.ninth.loop.handles import new_handle
    from cython.cimports.ninth.loop.timers import new_timer
else:
    from threading import get_ident
    from time import monotonic

    from ninth.loop.handles import Handle as new_handle  # noqa: N813
    from ninth.loop.poller import READ, WRITE
    from ninth.loop.timers import Timer as new_timer  # noqa: N813

# While there is work, the poller is asked this often.
TURNS_PER_POLL = 16
SECONDS_PER_POLL = 0.001

# Memory of this order comes and goes within one turn of a busy loop, in bytes.
LARGEST_BUFFER = 8 * 1024 * 1024

# Longer waits are cut: some systems refuse them.
LONGEST_WAIT = 24 * 3600.0


def fileno(file: Any) -> int:
    """Return the descriptor of a file, or of an int itself.

    Raises: ValueError if there is none, or if the file is closed.
    """
    if isinstance(file, int):
        fd = file
    else:
        try:
            fd = int(file.fileno())
        except (AttributeError, TypeError, ValueError) as error:
            message = f"Invalid file object: {file!r}: pass an open file or its descriptor"
            raise ValueError(message) from error
    if fd < 0:
        message = f"Invalid file descriptor: {fd} ({file!r} is closed): pass an open file"
        raise ValueError(message)
    return fd


def has_fd(file: Any, fd: int) -> bool:
    """Return whether a file object is open on a descriptor."""
    try:
        return bool(file.fileno() == fd)
    except (OSError, ValueError):
        return False


class Core:
    """What runs per callback and per wait; Loop and EventLoop are its faces.

    report: called with a context, a dictionary like that of asyncio's exception handlers,
    for every exception of a callback that has no owner.
    clock: what time() asks instead of the system's monotonic clock, or None.
    reorder: called with each batch before it runs, and free to change its order; or None.
    faces: None, or the two classes that isinstance() is to take handles and timers for. People
    annotate with asyncio's and check types at run time; a compiled class cannot derive from those.
    Thread-safe: only call_soon_threadsafe() and wake().
    """

    ready: list[Handle]
    spare: list[Handle] | None
    table: list[Watch | None]
    unsent: list[Source]
    always: list[Watch]
    from_threads: deque[Handle]
    signals: Any
    clock: Callable[[], float] | None
    report: Callable[[dict[str, Any]], None]
    current: Handle | None
    poller: Any
    epoll: EpollPoller | None

    def __init__(self, poller: Any, report: Callable[[dict[str, Any]], None]) -> None:
        self.poller = poller
        self.epoll = poller if isinstance(poller, EpollPoller) else None
        self.report = report
        allocator.teach()
        self.ready = []
        self.spare = []
        self.table = []
        self.unsent = []
        self.always = []
        self.timers = Timers()
        self.from_threads = deque()
        self.signals = None
        self.signalled = False
        self.clock = None
        self.reorder: Callable[[list[Handle]], object] | None = None
        self.current = None
        self.debug = False
        self.slow_callback_duration = 0.1
        self.on_slow: Callable[[Handle, float], None] | None = None
        self.faces: tuple[type, type] | None = None
        self.closed = False
        self.inherited = False
        self.left: Any = None
        self.stopping = False
        self.waiting = False
        self.woken = False
        self.thread = 0
        self.pid = os.getpid()
        self.polls = 0
        self.turns = 0
        self.polled_at = 0.0
        self.first_poll = False
        # glibc takes blocks above 128 KiB from the kernel and gives each back when it is freed, and
        # so the end of its heap above 256 KiB, until it sees a larger block freed; buffers of
        # streams cross both lines all the time. One that is never touched takes no memory.
        bytearray(LARGEST_BUFFER)
        self.wakeup = WakeUp()
        self.wakeup_fd = self.wakeup.read_fd
        self.watch_wakeup()

    # Registering

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
        Source: PEP 3156, call_soon.
        """
        if self.closed or self.debug or not callable(callback):
            self.check(callback, "call_soon", True)
        handle = new_handle(callback, args, self, context)
        if self.debug:
            handle._source_traceback = formatting.extract_stack()
        self.ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Like call_soon(), from any thread and from signal handlers. Thread-safe: yes.

        Raises: RuntimeError when the loop is closed; TypeError for what cannot be called.
        """
        if self.closed or self.debug or not callable(callback):
            self.check(callback, "call_soon_threadsafe", False)
        handle = new_handle(callback, args, self, context)
        if self.debug:
            handle._source_traceback = formatting.extract_stack()
        if self.thread == 0 or self.thread == get_ident():
            self.ready.append(handle)
        else:
            self.from_threads.append(handle)
        self.wake()
        return handle

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
        Raises: RuntimeError when the loop is closed; TypeError for what cannot be called or is
        no number; ValueError for a delay that is not a number (NaN).
        Thread-safe: no, see call_soon_threadsafe().
        Source: PEP 3156, call_later.
        """
        if delay is None:
            raise TypeError("delay must not be None: pass seconds, 0 for the next turn")
        return self.schedule(self.time() + delay, callback, args, context, "call_later")

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Run callback(*args) once, when the loop's time() has reached `when`.

        Returns: a Timer; cancel() is idempotent.
        Raises: as call_later().
        Thread-safe: no.
        Source: PEP 3156, call_at.
        """
        if when is None:
            raise TypeError("when cannot be None: pass a loop time, see time()")
        return self.schedule(when, callback, args, context, "call_at")

    def schedule(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        method: str,
    ) -> Timer:
        """Make a timer and put it into the heap."""
        if not cython.compiled:
            # What C makes of `double when`: any number, and no text.
            when = math.fsum((when,))
        if self.closed or self.debug or not callable(callback):
            self.check(callback, method, True)
        if when != when:  # noqa: PLR0124  (only NaN is not equal to itself)
            message = f"{method}() was given NaN: pass seconds as a number"
            raise ValueError(message)
        timer = new_timer(when, callback, args, self, context)
        if self.debug:
            timer._source_traceback = formatting.extract_stack()
        self.timers.push(timer)
        return timer

    def check(self, callback: Any, method: str, same_thread: bool) -> None:
        """Refuse what call_soon() and its kind must not be given."""
        if self.inherited:
            raise RuntimeError(forks.MESSAGE)
        if self.closed:
            raise RuntimeError("Event loop is closed")
        if self.debug:
            if same_thread and self.thread not in {0, threading.get_ident()}:
                message = (
                    "Non-thread-safe operation invoked on an event loop other "
                    f"than the current one: {method}() was called from another thread than "
                    "the loop's: use call_soon_threadsafe()"
                )
                raise RuntimeError(message)
            formatting.refuse_coroutine(callback, method)
        formatting.refuse_uncallable(callback, method)

    def time(self) -> float:
        """Return the loop's time: seconds of a clock that never goes back. Thread-safe: yes."""
        if self.clock is not None:
            return self.clock()
        return monotonic()

    # Files

    def watch_of(self, fd: int) -> Watch:
        """Return the entry of a descriptor, making it if need be."""
        if fd >= len(self.table):
            # Refused if it is no open file, before memory is taken for all numbers below it.
            os.fstat(fd)
        while fd >= len(self.table):
            self.table.append(None)
        watch = self.table[fd]
        if watch is None:
            watch = Watch(fd, self.polls)
            self.table[fd] = watch
        return watch

    def known(self, fd: int) -> Watch | None:
        """Return the entry of a descriptor, None if there is none."""
        if 0 <= fd < len(self.table):
            return cython.cast(Watch, self.table[fd]) if cython.compiled else self.table[fd]
        return None

    def arm(self, watch: Watch, again: bool) -> None:
        """Make the poller wait for what is wanted; again: as in EpollPoller.set()."""
        wanted = watch.wanted()
        if not again and (watch.always or watch.armed & wanted == wanted):
            return
        if again and watch.armed == 0:
            watch.born = self.polls
        wanted |= watch.armed
        if self.poller.set(watch.fd, wanted, again):
            watch.armed = wanted
            if watch.always:
                watch.always = False
                self.always.remove(watch)
        elif not watch.always:
            watch.always = True
            watch.armed = 0
            self.always.append(watch)

    def disarm(self, watch: Watch, mask: int) -> None:
        """Stop the poller from waiting for mask."""
        remaining = watch.armed & ~mask
        if remaining != watch.armed:
            watch.armed = remaining
            try:
                self.poller.set(watch.fd, remaining, False)
            except OSError:
                # Closed behind our back: nothing of it is waited for any more.
                watch.armed = 0

    def settle(self, watch: Watch, eager: bool) -> None:
        """Tidy up after a watcher left: writability always, readability if eager."""
        if self.closed:
            return
        wanted = watch.wanted()
        if watch.always:
            if not wanted:
                watch.always = False
                self.always.remove(watch)
        elif eager or not self.poller.keeps:
            self.disarm(watch, ~wanted)
        elif watch.armed & WRITE & ~wanted:
            self.disarm(watch, WRITE)
        if not watch.armed and not wanted:
            self.table[watch.fd] = None

    def note_file(self, fd: int, file: Any) -> None:
        """Take note of the object through which a descriptor is about to be waited for.

        If it was waited for through another one that is closed, the number means a new file now:
        whoever waited for the old one is forgotten. A bare number tells nothing.
        """
        watch = self.watch_of(fd)
        if isinstance(file, int):
            before = None if watch.file is None else watch.file()
            if watch.file is not None and (before is None or not has_fd(before, fd)):
                self.forget(watch)
                self.watch_of(fd).file = None
            return
        if watch.file is not None:
            before = watch.file()
            if before is file:
                return
            if before is None or not has_fd(before, fd):
                self.forget(watch)
                watch = self.watch_of(fd)
        try:
            watch.file = weakref.ref(file)
        except TypeError:
            watch.file = None

    def fd_of(self, file: Any) -> int:
        """Return the descriptor a file object was waited for through, -1 for none; may be slow."""
        for watch in self.table:
            if watch is not None and watch.file is not None and watch.file() is file:
                return watch.fd
        return -1

    def forget(self, watch: Watch) -> None:
        """Drop everybody who waits for a descriptor that was closed behind our back."""
        if watch.reader is not None:
            watch.reader.cancel()
        if watch.writer is not None:
            watch.writer.cancel()
        for _, handle in watch.others:
            handle.cancel()
        watch.reader = watch.writer = None
        watch.others = []
        for waiter in list(watch.waiters):
            # Meets the error of the closed file.
            if waiter.on_events(READ | WRITE):
                watch.waiters.remove(waiter)
        self.settle(watch, True)

    def set_reader(self, fd: int, handle: Handle) -> None:
        """Put a handle into the reader's slot of a descriptor; the one before is cancelled."""
        watch = self.watch_of(fd)
        before = watch.reader
        watch.reader = handle
        try:
            # Again, for who waits already may have waited for a file that is closed by now.
            self.arm(watch, True)
        except OSError:
            self.table[fd] = None
            raise
        if before is not None:
            before.cancel()

    def set_writer(self, fd: int, handle: Handle) -> None:
        """Put a handle into the writer's slot of a descriptor; the one before is cancelled."""
        watch = self.watch_of(fd)
        before = watch.writer
        watch.writer = handle
        try:
            # Again, for who waits already may have waited for a file that is closed by now.
            self.arm(watch, True)
        except OSError:
            self.table[fd] = None
            raise
        if before is not None:
            before.cancel()

    def clear_reader(self, fd: int, eager: bool) -> bool:
        """Empty the reader's slot; return whether there was one."""
        watch = self.known(fd)
        if watch is None:
            return False
        handle = watch.reader
        watch.reader = None
        self.settle(watch, eager)
        if handle is None:
            return False
        handle.cancel()
        return True

    def clear_writer(self, fd: int) -> bool:
        """Empty the writer's slot; return whether there was one."""
        watch = self.known(fd)
        if watch is None:
            return False
        handle = watch.writer
        watch.writer = None
        self.settle(watch, False)
        if handle is None:
            return False
        handle.cancel()
        return True

    def add_waiter(self, fd: int, file: Any, waiter: Source) -> None:
        """Let a source wait for a file; it leaves when its on_events() says that it is done.

        Costs no call to the kernel if the descriptor was last waited for through the same file
        object. Raises: OSError when the file cannot be waited for.
        """
        watch = self.watch_of(fd)
        again = False
        if watch.file is None or watch.file() is not file:
            self.note_file(fd, file)
            watch = self.watch_of(fd)
            again = not watch.wanted()
        watch.waiters.append(waiter)
        try:
            self.arm(watch, again)
        except OSError:
            self.remove_waiter(fd, waiter)
            raise

    def remove_waiter(self, fd: int, waiter: Source) -> None:
        """Forget a source; idempotent."""
        watch = self.known(fd)
        if watch is not None and waiter in watch.waiters:
            watch.waiters.remove(waiter)
            self.settle(watch, False)

    def add_handle(self, fd: int, conditions: int, handle: Handle) -> None:
        """Make a handle ready whenever a descriptor is, beside all others."""
        watch = self.watch_of(fd)
        watch.others.append((conditions, handle))
        try:
            self.arm(watch, True)
        except OSError:
            self.remove_handle(fd, handle)
            raise

    def remove_handle(self, fd: int, handle: Handle) -> None:
        """Undo add_handle(); idempotent."""
        watch = self.known(fd)
        if watch is not None:
            watch.others = [other for other in watch.others if other[1] is not handle]
            self.settle(watch, False)

    def make_handle(
        self, callback: Callable[..., object], args: tuple[Any, ...], method: str
    ) -> Handle:
        """Return a handle that is not ready yet, for the slots of a descriptor or a signal.

        method: what the program called.
        Raises: TypeError for what cannot be called; in debug mode, for coroutine functions too:
        files are registered too often for a look at each.
        """
        formatting.refuse_uncallable(callback, method)
        handle = new_handle(callback, args, self, None)
        if self.debug:
            formatting.refuse_coroutine(callback, method)
            handle._source_traceback = formatting.extract_stack()
        return handle

    def watch_wakeup(self) -> None:
        """Have the poller wait for the wake-up pipe as well."""
        self.poller.set(self.wakeup_fd, READ, True)

    # Running

    def wake(self) -> None:
        """End the wait of the loop, if it is waiting. Thread-safe: yes."""
        # The flags are written by several threads, but never both at once: the lock of the
        # interpreter orders them, and turn() looks at the queues after it said it waits.
        if self.waiting and not self.woken:
            self.woken = True
            self.wakeup.wake()

    def run(self) -> None:
        """Take turns until stop(); the rest of what is ready then stays for the next run."""
        self.polls += 1
        self.turns = TURNS_PER_POLL
        self.first_poll = True
        try:
            while True:
                self.turn()
                if self.stopping:
                    break
        finally:
            self.stopping = False
            if not self.inherited:
                self.write_out()
        if self.inherited:
            # A callback forked, and the child came back from it into its parent's loop.
            raise RuntimeError(forks.MESSAGE)

    def turn(self) -> None:
        """Take one turn.

        1. write out what callbacks left in the streams, one call each;
        2. poll: no wait if something is ready or a timer is due, else until the next timer,
           else for ever;
        3. file events: a stream reads and delivers here, all others go to `ready`;
        4. timers that are now due go to `ready`, in the order of their `when`;
        5. run what is in `ready` now, and nothing that it adds.
        """
        if self.unsent:
            self.write_out()
        if self.from_threads or self.signalled:
            self.take_from_outside()
        now = 0.0
        if self.ready or self.stopping:
            now = monotonic() if self.clock is None else self.clock()
            self.turns += 1
            if self.turns >= TURNS_PER_POLL or now - self.polled_at >= SECONDS_PER_POLL:
                self.poll(0.0, now)
        elif self.always:
            now = self.poll(0.0, self.time())
        elif self.timers.heap:
            now = self.time()
            now = self.poll(self.longest_wait(now), now)
        else:
            now = self.poll(-1.0, now)
        if self.timers.heap:
            timer = self.timers.pop_due(now)
            while timer is not None:
                self.ready.append(timer)
                timer = self.timers.pop_due(now)
        if self.ready:
            self.run_ready()

    def longest_wait(self, now: float) -> float:
        """Return for how many seconds no timer can become due: 0, more, or -1 for ever."""
        seconds = self.timers.next_when() - now
        if seconds == float("inf"):
            return -1.0
        if seconds <= 0.0:
            return 0.0
        return min(seconds, LONGEST_WAIT)

    def poll(self, seconds: float, now: float) -> float:
        """Take steps 2 and 3; return the time afterwards."""
        if seconds != 0.0:
            self.waiting = True
            # From here on wake() works. What came before, from a thread, a signal handler or
            # code that the garbage collector ran, is seen here.
            if self.ready or self.from_threads or self.signalled:
                seconds = 0.0
        try:
            events = self.poller.wait(seconds) if self.epoll is None else self.epoll.wait(seconds)
        finally:
            self.waiting = False
        if seconds != 0.0:
            now = monotonic() if self.clock is None else self.clock()
        self.polls += 1
        self.turns = 0
        self.polled_at = now
        if cython.compiled and self.epoll is not None:
            for index in range(self.epoll.found):
                if self.epoll.suspects and self.is_stale_event(index):
                    continue
                self.dispatch(
                    self.epoll.buffer[index].data.u64 & 0xFFFFFFFF,  # type: ignore[attr-defined]
                    self.epoll.buffer[index].events,  # type: ignore[attr-defined]
                )
        else:
            for fd, mask in events:
                if self.epoll is None or not self.epoll.is_stale(fd, mask, 0):
                    self.dispatch(fd, mask)
        self.first_poll = False
        if self.always:
            for watch in list(self.always):
                self.deliver(watch, READ | WRITE)
        if self.from_threads or self.signalled:
            self.take_from_outside()
        return now

    def is_stale_event(self, index: int) -> bool:
        """Ask the poller whether the event at an index of its buffer is of a closed file."""
        if self.epoll is None or not cython.compiled:
            raise NotImplementedError
        return self.epoll.is_stale(
            self.epoll.buffer[index].data.u64 & 0xFFFFFFFF,  # type: ignore[attr-defined]
            self.epoll.buffer[index].events,  # type: ignore[attr-defined]
            self.epoll.buffer[index].data.u64 >> 32,  # type: ignore[attr-defined]
        )

    def dispatch(self, fd: int, mask: int) -> None:
        """Bring one event of the poller to those who wait for it."""
        if mask & ~(READ | WRITE):
            # An error or a hang-up is for whoever waits, so that they find out.
            mask = READ | WRITE
        if fd == self.wakeup_fd:
            self.woken = False
            self.wakeup.drain()
            return
        watch = self.table[fd] if fd < len(self.table) else None
        if watch is None:
            self.poller.drop(fd)
        elif watch.born == self.polls:
            # Registered after this event was found: the event is that of a closed file.
            return
        elif watch.stream is None:
            if mask == READ and watch.reader is not None and not watch.waiters and not watch.others:
                self.ready.append(watch.reader)
            else:
                self.deliver(watch, mask)
        elif self.first_poll and self.ready:
            # What was ready when run() was called comes before data that came meanwhile.
            self.call_soon(watch.stream.handle, mask)
        elif self.debug:
            self.measure_events(watch, mask)
        elif watch.writer is None and watch.reader is None:
            watch.stream.on_events(mask)
        else:
            # Somebody uses the socket of a paused stream, as sendfile() does.
            watch.stream.on_events(mask & watch.stream.interest)
            self.deliver(watch, mask)

    def measure_events(self, watch: Watch, mask: int) -> None:
        """Bring an event to a stream in debug mode, where a slow protocol is reported."""
        stream = watch.stream
        if stream is None or self.inherited:
            return
        shared = watch.writer is not None or watch.reader is not None
        handle = new_handle(
            stream.handle, (mask & stream.interest if shared else mask,), self, None
        )
        handle._repr = f"<Handle {stream.describe()}>"
        self.run_measured(handle)
        if shared:
            self.deliver(watch, mask)

    def deliver(self, watch: Watch, mask: int) -> None:
        """Make the handles of a descriptor ready; what nobody wants is disarmed."""
        found = 0
        if mask & READ and watch.reader is not None:
            self.ready.append(watch.reader)
            found |= READ
        if mask & WRITE and watch.writer is not None:
            self.ready.append(watch.writer)
            found |= WRITE
        if watch.waiters:
            # All are told: they look for themselves whether another one was faster.
            waiters = watch.waiters
            if len(waiters) == 1:
                # As nearly always: no copy of the list.
                found |= self.tell(waiters, waiters[0], mask)
            else:
                for waiter in list(waiters):
                    found |= self.tell(waiters, waiter, mask)
            if watch.armed & WRITE or not self.poller.keeps:
                self.settle(watch, False)
        for conditions, handle in watch.others:
            if conditions & mask:
                self.ready.append(handle)
                found |= conditions
        stale = watch.armed & mask & ~found
        if stale:
            self.disarm(watch, stale & ~watch.wanted())
            if not watch.armed and not watch.wanted():
                self.table[watch.fd] = None

    def tell(self, waiters: list[Source], waiter: Source, mask: int) -> int:
        """Tell one waiter of an event; return what of it the waiter waited for."""
        wanted = waiter.interest & mask
        if wanted and waiter.on_events(mask):
            waiters.remove(waiter)
        return wanted

    def take_from_outside(self) -> None:
        """Move what threads and signals left to `ready`."""
        while self.from_threads:
            self.ready.append(self.from_threads.popleft())
        if self.signalled:
            self.signalled = False
            self.signals.deliver()

    def run_ready(self) -> None:
        """Run what is ready now; the only place where callbacks run."""
        batch = self.ready
        if self.reorder is not None:
            self.reorder(batch)
        self.ready = [] if self.spare is None else self.spare
        self.spare = None
        size = len(batch)
        position = 0
        try:
            while position < size:
                # Entered once for all that follow, because compiled code pays for each entry.
                try:
                    while position < size:
                        handle = batch[position]
                        position += 1
                        if handle._cancelled:
                            pass
                        elif self.debug:
                            self.run_measured(handle)
                        elif cython.compiled:
                            handle.call()
                        else:
                            handle._context.run(handle._callback, *handle._args)  # type: ignore[arg-type]
                        # Not kept until the batch is over: what the callback held, a task say, is
                        # to be collected, and its loss reported, before the next callback runs.
                        batch[position - 1] = None  # type: ignore[call-overload]
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:
                    batch[position - 1] = None  # type: ignore[call-overload]
                    self.callback_failed(handle, error)
        except BaseException:
            # An interrupt, of a callback or of who was told of an exception: what did not run yet
            # stays for the next run.
            self.ready[:0] = batch[position:]
            raise
        finally:
            # An exception that the callback keeps, as a task does, keeps this frame: let no
            # cycle delay the end of the task.
            handle = None  # type: ignore[assignment]
        batch.clear()
        self.spare = batch

    def run_handle(self, handle: Handle) -> None:
        """Run one callback by itself; its exception goes to its owner or is reported."""
        try:
            handle.call()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.callback_failed(handle, error)
        handle = None  # type: ignore[assignment]

    def run_measured(self, handle: Handle) -> None:
        """Run one callback in debug mode, where one that takes long is reported."""
        if self.inherited:
            # disown() switched debug mode on, so that the rest of the parent's batch ends here.
            return
        self.current = handle
        started = time.monotonic()
        try:
            self.run_handle(handle)
            seconds = time.monotonic() - started
            if seconds >= self.slow_callback_duration and self.on_slow is not None:
                self.on_slow(handle, seconds)
        finally:
            self.current = None
            handle = None  # type: ignore[assignment]

    def callback_failed(self, handle: Handle, error: BaseException) -> None:
        """Pass on the exception of a callback."""
        if handle.owner is not None:
            handle.owner.callback_failed(handle, error)
            return
        shown = formatting.format_callback(
            handle._callback,
            handle._args,
            debug=self.debug,
        )
        context: dict[str, Any] = {
            "message": f"Exception in callback {shown}",
            "exception": error,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.report(context)

    def write_out(self) -> None:
        """Step 1: let every stream that has unsent data send it."""
        while self.unsent:
            streams = self.unsent
            self.unsent = []
            for stream in streams:
                stream.flush()

    def stop(self) -> None:
        """Leave run() when this turn is over. Thread-safe: no."""
        self.stopping = True

    def close(self) -> None:
        """Drop all that is registered and give the descriptors back; idempotent."""
        if self.closed:
            return
        self.closed = True
        self.ready.clear()
        self.from_threads.clear()
        self.timers.clear()
        self.table.clear()
        self.always.clear()
        self.unsent.clear()
        self.poller.close()
        self.wakeup.close()

    def disown(self) -> None:
        """Let go of all that a parent process goes on using, see forks.py: this is its child."""
        if self.closed:
            return
        self.closed = True
        self.inherited = True
        # A callback that forked may return: then no other runs any more, and run() says why.
        self.stopping = True
        self.debug = True
        self.waiting = False
        self.thread = 0
        self.poller.close()
        self.wakeup.close()
        self.poller = forks.NoPoller()
        # Kept as long as the loop: the child is not to see all transports end at once.
        self.left = (self.table, self.always, self.unsent, self.ready, list(self.from_threads))
        self.table = []
        self.always = []
        self.unsent = []
        self.ready = []
        self.from_threads.clear()
