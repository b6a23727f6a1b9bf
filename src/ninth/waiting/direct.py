"""The watchers of ninth's own loop, in which a descriptor stays registered between two waits.

A watcher is put straight into the loop's table, where several may share a descriptor, and is told
by the poll itself. When the last one leaves, the descriptor stays registered with epoll until an
event finds nobody: whoever waits again before that costs no call to the kernel. But the number may
be another file's by then, and epoll has forgotten the old one without a word. So the call is saved
only where that cannot be: for an object that keeps its descriptor until it is closed, and that
is the very object that was waited for last.

DirectWait is what `await readable(file)` comes to here: one object that is the watcher in the table
and the iterator that the task runs.
"""

from __future__ import annotations

import asyncio
import errno
import weakref
from io import BufferedReader, BufferedWriter, FileIO
from socket import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ninth.errors import FileClosedError
from ninth.loop.core import Core
from ninth.loop.poller import READ
from ninth.loop.watch import Source
from ninth.waiting import files

if TYPE_CHECKING:
    import cython

    from ninth.loop.watch import Watch
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.ninth.loop.handles import new_handle
else:
    from ninth.loop.handles import new_handle

# Objects of these very types keep their descriptor until they are closed, and then say so: if such
# an object has its number still, the number is still the same file.
STEADY = frozenset({FileIO, BufferedReader, BufferedWriter, socket})

# No system has more, and C could not hold any number.
MOST_DESCRIPTORS = 2**30

# A name of our own, which the compiled module finds quickly.
running_loop = asyncio.get_running_loop


# The argument for the callback of a task whose wait is over, as if it had waited for this future:
# it asks for the result, and of a future of the very type that it knows it does so without a call.
_over: asyncio.Future[None] = asyncio.Future(
    loop=SimpleNamespace(get_debug=bool)  # type: ignore[arg-type]  # all that it asks a loop for
)
_over.set_result(None)
OVER = (_over,)


class DirectTable:
    """The watchers of a loop that has a Core."""

    direct = True

    def __init__(self, core: Core) -> None:
        self.core = core

    def add(self, watcher: Any) -> None:
        """Begin to watch; see Table.add."""
        add(self.core, watcher, watcher.fd, watcher.file)

    def remove(self, watcher: Any) -> None:
        """Stop watching; idempotent."""
        remove(self.core, watcher, watcher.fd)

    def close(self, fd: int, error: FileClosedError) -> None:
        """Tell all watchers of a descriptor that it will be closed, and forget it."""
        watch = self.core.known(fd)
        if watch is not None:
            told = [waiter for waiter in watch.waiters if hasattr(waiter, "on_closed")]
            for watcher in told:
                watch.waiters.remove(watcher)
            self.core.settle(watch, True)
            for watcher in told:
                watcher.on_closed(error)


def add(core: Core, watcher: Any, fd: int, file: Any) -> None:
    """Put a watcher into the table, and have the kernel watch the descriptor.

    Raises: OSError if the file cannot be watched, IsADirectoryError among them.
    """
    try:
        watch = core.watch_of(fd)
    except OSError:
        raise files.closed(fd, function_of(watcher)) from None
    dropped = False
    if watch.waiters and drop_closed(watch):
        dropped = True
        watch = core.watch_of(fd)
    known = note_file(watch, file)
    again = dropped or (not known and watch.wanted() == 0)
    watch.waiters.append(watcher)
    try:
        core.arm(watch, again)
        if watch.always:
            files.refuse_directory(fd, function_of(watcher))
    except OSError as error:
        watch.waiters.remove(watcher)
        core.settle(watch, True)
        if error.errno == errno.EBADF:
            raise files.closed(fd, function_of(watcher)) from None
        raise


def function_of(watcher: Any) -> str:
    """Return the name of the function that a watcher works for, for errors."""
    default = "readable" if watcher.interest == READ else "writable"
    return str(getattr(watcher, "function", default))


def remove(core: Core, watcher: Any, fd: int) -> None:
    """Take a watcher out of the table; idempotent."""
    watch = core.known(fd)
    if watch is not None and watcher in watch.waiters:
        watch.waiters.remove(watcher)
        core.settle(watch, False)


def drop_closed(watch: Watch) -> bool:
    """Tell the watchers whose file was closed; return whether there were any."""
    dropped = False
    waiters: list[Any] = list(watch.waiters)
    for watcher in waiters:
        file = getattr(watcher, "file", None)
        if file is not None and not files.is_same(file, watch.fd):
            dropped = True
            watcher.close_behind()
    return dropped


def note_file(watch: Watch, file: Any) -> bool:
    """Take note of the file that is waited for.

    Returns: whether the descriptor is known to be still the file that is registered.
    """
    if type(file) is int or type(file) not in STEADY:
        watch.file = None
        return False
    if watch.file is not None and watch.file() is file:
        return True
    watch.file = weakref.ref(file)
    return False


def closed_behind(file: Any) -> FileClosedError:
    """Return the error for a file that somebody closed without ninth.close()."""
    message = f"{file!r} was closed while it was waited for: close it with ninth.close()"
    return FileClosedError(errno.EBADF, message)


def number_of(file: Any) -> int:
    """Return the descriptor of what is used most; -1 for what needs a closer look."""
    if type(file) is int:
        return file if file <= MOST_DESCRIPTORS else -1
    if type(file) is socket or type(file) is FileIO:
        try:
            return int(file.fileno())
        except ValueError:
            return -1
    return -1


class FileCondition:
    """A condition of a file, as far as it is worth compiling.

    interest: READ or WRITE. function: the name of the function that makes it, for errors.
    """

    __slots__ = ("__weakref__", "_function", "_interest", "_subject")

    def __init__(self, file: Any, interest: int, function: str) -> None:
        if number_of(file) < 0:
            files.descriptor(file, function)
        self._subject = file
        self._interest = interest
        self._function = function

    def __await__(self) -> Any:
        """Wait until it is true, and return the file."""
        loop = running_loop()
        core = getattr(loop, "core", None)
        file = self._subject
        if isinstance(core, Core):
            fd = number_of(file)
            if fd >= 0:
                return new_wait(core, loop, file, fd, self._interest)
            if not files.can_hold_data(file):
                fd = files.descriptor(file, self._function)
                return new_wait(core, loop, file, fd, self._interest)
        return self._await_anywhere()

    def _await_anywhere(self) -> Any:
        """Wait by the means that every loop has."""
        raise NotImplementedError


class DirectSource(Source):
    """What the loop's table tells of the events of a file, and that knows whether it is open."""

    __slots__ = ("core", "fd", "file")

    core: Any
    fd: int
    file: Any

    def is_open(self) -> bool:
        """Return whether the file object has its number still."""
        try:
            return bool(self.file.fileno() == self.fd)
        except (OSError, ValueError):
            return False

    def close_behind(self) -> None:
        """Take note that somebody closed the file without ninth.close()."""
        remove(self.core, self, self.fd)
        self.on_closed(closed_behind(self.file))

    def on_closed(self, error: FileClosedError) -> None:
        """Take note that the file was closed; it is not watched any more."""
        raise NotImplementedError


class DirectWait(DirectSource):
    """One `await` of one file, which holds no data of its own, on a loop that has a Core.

    It is three things at once, so that a wait costs one object: what the loop's table tells of an
    event; the iterator that the task's coroutine goes through; and what that gives to the task
    to be woken by, which needs the methods below of a future, and of asyncio's protocol for one.

    Made by new_wait(). interest: READ or WRITE. The value of the await is the file.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "begun",
        "callback",
        "context",
        "error",
        "loop",
        "over",
    )

    # None before it has begun: asyncio takes what has True or False there for a future, and a read
    # that is to become a task, in gather() say, is none.
    _asyncio_future_blocking: bool | None
    begun: bool
    callback: Any
    context: Any
    error: Any
    loop: Any
    over: bool

    # For the coroutine

    def __iter__(self) -> DirectWait:
        return self

    def __next__(self) -> Any:
        """Begin to wait; and when the task runs again, return the value."""
        # Compiled, next_of() below does the same, and takes the place of this.
        if self.advance():
            return self
        raise StopIteration(self.value())

    def advance(self) -> bool:
        """Begin to wait, or raise the error that ended it; return whether to wait now."""
        if self.over:
            if self.error is not None:
                raise self.error
            return False
        if not self.begun:
            self.begun = True
            add(self.core, self, self.fd, self.file)
        elif self._asyncio_future_blocking:
            raise RuntimeError("this wait needs a task: await it in a coroutine that asyncio runs")
        self._asyncio_future_blocking = True
        return True

    def value(self) -> Any:
        """Return the value of the await, once it is over."""
        return self.file

    def send(self, _value: Any) -> Any:
        """Do what next() does."""
        return self.__next__()

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Stop waiting, and raise: the task was cancelled."""
        self.close()
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        if traceback is not None:
            value = value.with_traceback(traceback)
        raise value

    def close(self) -> None:
        """Stop waiting: the coroutine is thrown away, or cancelled."""
        self.over = True
        remove(self.core, self, self.fd)

    # For the task

    def get_loop(self) -> Any:
        """Return the loop on which it waits."""
        return self.loop

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        """Take the one callback: that of the task that waits."""
        self.callback = callback
        self.context = context
        if self.over:
            self.wake()

    def remove_done_callback(self, callback: Any) -> int:
        """Forget the callback."""
        if self.callback is None or self.callback != callback:
            return 0
        self.callback = None
        return 1

    def done(self) -> bool:
        """Return whether the wait is over."""
        return self.over

    def result(self) -> None:
        """Return nothing: what came of it is told to the coroutine."""

    def cancel(self, msg: Any = None) -> bool:
        """Decline, once it is over; else wake the task, which then is told that it is cancelled."""
        if self.over:
            return False
        self.close()
        # The task raises what its coroutine is to get, if it has been told before.
        self.error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self.wake()
        return True

    def wake(self) -> None:
        """Let the task run again, in the step for callbacks."""
        self.over = True
        callback = self.callback
        if callback is not None:
            self.callback = None
            self.core.ready.append(new_handle(callback, OVER, self.core, self.context))

    # For the loop

    def on_events(self, mask: int) -> bool:  # noqa: ARG002
        """Wake the task."""
        if type(self.file) is not int and not self.is_open():
            self.close_behind()
            return False
        if not self.over:
            self.wake()
        return True

    def on_closed(self, error: FileClosedError) -> None:
        """Wake the task with the error."""
        if not self.over:
            self.error = error
            self.wake()


def new_wait(core: Core, loop: Any, file: Any, fd: int, interest: int) -> DirectWait:
    """Return a wait, made without a call of its class."""
    wait = DirectWait.__new__(DirectWait)
    wait.core = core
    wait.loop = loop
    wait.file = file
    wait.fd = fd
    wait.interest = interest
    if not cython.compiled:
        # Which C does by itself.
        wait.callback = wait.context = wait.error = wait._asyncio_future_blocking = None
        wait.begun = wait.over = False
    return wait


if cython.compiled:
    # What raises from compiled code gets a traceback, which costs more than the rest of the wait.
    iterate_by_slot(DirectWait)  # type: ignore[name-defined]  # noqa: F821
