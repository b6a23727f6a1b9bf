"""Functions in threads, and functions of the loop called from threads.

Each call gets a thread of its own, which ends with it: nothing of it is left afterwards, there is
no pool to fill up or to shut down, and no call waits for another one's thread. Starting one takes
some 50 microseconds, little beside what is worth a thread. How many run at once is up to the
caller.

A thread cannot be interrupted. So a cancelled to_thread() waits for its end, and only then leaves;
whoever can do without the result and its end, abandons it. What the thread itself waits for in the
loop, with from_thread(), is cancelled at once, so a thread that waits there ends soon.

All of them are daemons: the interpreter does not wait for them at its end, so one that never ends
cannot keep the program from ending.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

# How often a thread that waits looks whether its loop was closed: then nobody would ever answer.
SECONDS_PER_LOOK = 0.5


class Here(threading.local):
    """What a thread knows of the to_thread() it runs for."""

    job: Job[Any] | None = None


_here = Here()


class Outcome(Generic[T]):
    """What a function returned or raised."""

    __slots__ = ("error", "value")

    value: T
    error: BaseException | None

    def __init__(self) -> None:
        self.error = None

    def get(self) -> T:
        """Return or raise it."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The error's traceback has this frame, and this frame would have the error.
                self.error = None
        return self.value


class Job(Generic[T]):
    """One call of to_thread()."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fn: Callable[..., T], args: tuple[Any, ...]
    ) -> None:
        self.loop = loop
        self.fn = fn
        self.args = args
        self.context = contextvars.copy_context()
        self.outcome: Outcome[T] = Outcome()
        self.waiter: asyncio.Future[None] | None = None
        self.ended = False
        self.abandoned = False
        self.cancelled = False
        # What the thread waits for in the loop; changed in the loop only.
        self.called: set[asyncio.Future[Any]] = set()
        name = getattr(fn, "__qualname__", repr(fn))
        self.thread = threading.Thread(target=self.run, name=f"to_thread {name}", daemon=True)

    def run(self) -> None:
        """Call the function; the thread runs this."""
        _here.job = self
        try:
            self.outcome.value = self.context.run(self.fn, *self.args)
        except BaseException as error:
            self.outcome.error = error
        try:
            self.loop.call_soon_threadsafe(self.end)
        except RuntimeError:
            # The loop is closed: only one that was abandoned can live longer.
            if self.outcome.error is not None:
                self.outcome.get()

    def end(self) -> None:
        """Take in that the function is done; the loop runs this."""
        # It has nothing left to do but to end, so this takes no time.
        self.thread.join()
        self.ended = True
        if self.abandoned:
            self.report()
        elif self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def report(self) -> None:
        """Report the error of a function that nobody waits for."""
        error = self.outcome.error
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.loop.call_exception_handler(
                {
                    "message": f"Exception in the abandoned thread of {self.fn!r}",
                    "exception": error,
                }
            )

    def cancel_calls(self) -> None:
        """Cancel what the thread waits for in the loop."""
        self.cancelled = True
        for task in list(self.called):
            task.cancel()


async def to_thread(fn: Callable[..., T], *args: Any, abandon: bool = False) -> T:
    """Call fn(*args) in a thread of its own, and wait for what it returns.

    The context of the caller goes along. In the thread, from_thread() calls back into the loop.
    abandon: whether cancelling leaves at once, and lets the thread run on by itself; an error it
    raises then goes to the loop's exception handler. Otherwise cancelling waits until fn is done,
    and what fn raises leaves instead of the cancellation.
    Returns: what fn returns. Raises: what fn raises; TypeError for a coroutine function, and for
    what cannot be called; RuntimeError if the system has no thread left.

    Example:
        print(await ninth.to_thread(sum, [1, 2, 3]))  # -> 6
    """
    if inspect.iscoroutinefunction(fn):
        message = f"to_thread() was given the coroutine function {fn!r}: await it, or start() it"
        raise TypeError(message)
    check_function(fn, "to_thread")
    loop = asyncio.get_running_loop()
    job = Job(loop, fn, args)
    job.thread.start()
    cancelled: asyncio.CancelledError | None = None
    while not job.ended:
        job.waiter = loop.create_future()
        try:
            await job.waiter
        except asyncio.CancelledError as error:
            cancelled = error
            if abandon and not job.ended:
                job.abandoned = True
                raise
            job.cancel_calls()
    if cancelled is None:
        return job.outcome.get()
    if job.outcome.error is not None and not isinstance(job.outcome.error, asyncio.CancelledError):
        job.outcome.get()
    raise cancelled


def check_function(fn: Any, asker: str) -> None:
    """Refuse what cannot be called. Raises: TypeError."""
    if inspect.iscoroutine(fn):
        fn.close()
        message = f"{asker}() was given the coroutine {fn!r}: pass its function and its arguments"
        raise TypeError(message)
    if not callable(fn):
        message = f"{asker}() was given {fn!r}, which cannot be called: pass a function"
        raise TypeError(message)


class Call(Generic[T]):
    """One call of from_thread()."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        job: Job[Any] | None,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        self.loop = loop
        self.job = job
        self.fn = fn
        self.args = args
        self.outcome: Outcome[T] = Outcome()
        self.done = threading.Event()
        self.future: asyncio.Future[T] | None = None

    def begin(self) -> None:
        """Call the function; the loop runs this."""
        job = self.job
        try:
            if job is not None and job.cancelled and inspect.iscoroutinefunction(self.fn):
                raise asyncio.CancelledError("the to_thread() of this thread was cancelled")
            value = self.fn(*self.args)
            if not inspect.isawaitable(value):
                self.outcome.value = value
                self.done.set()
                return
            self.future = asyncio.ensure_future(value, loop=self.loop)
        except BaseException as error:
            self.outcome.error = error
            self.done.set()
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return
        if job is not None:
            job.called.add(self.future)
        self.future.add_done_callback(self.end)

    def end(self, future: asyncio.Future[T]) -> None:
        """Take in that the coroutine is done; the loop runs this."""
        if self.job is not None:
            self.job.called.discard(future)
        try:
            self.outcome.value = future.result()
        except BaseException as error:
            self.outcome.error = error
        self.done.set()

    def wait(self) -> T:
        """Wait for the outcome; the thread runs this."""
        while not self.done.wait(SECONDS_PER_LOOK):
            if self.loop.is_closed() and not self.done.is_set():
                message = (
                    f"from_thread(): the loop was closed before {self.fn!r} was done; "
                    "end what runs in threads before the loop, as to_thread() does"
                )
                raise RuntimeError(message)
        return self.outcome.get()


def runs_a_loop() -> bool:
    """Return whether a loop runs in this thread, and is now running this."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@overload
def from_thread(
    fn: Callable[..., Coroutine[Any, Any, T]],
    *args: Any,
    loop: asyncio.AbstractEventLoop | None = None,
) -> T: ...
@overload
def from_thread(
    fn: Callable[..., T], *args: Any, loop: asyncio.AbstractEventLoop | None = None
) -> T: ...
def from_thread(
    fn: Callable[..., Any], *args: Any, loop: asyncio.AbstractEventLoop | None = None
) -> Any:
    """Call fn(*args) in the loop, from a thread, and block until it is done.

    fn: a plain function, or a coroutine function, which runs as a task.
    loop: which loop; in a thread of to_thread() its own by default.
    Returns: what fn returns. Raises: what fn raises; asyncio.CancelledError if its task is
    cancelled, or the to_thread() that this thread belongs to; RuntimeError in a thread that runs a
    loop, without a loop in other threads than those of to_thread(), and if the loop is closed or
    gets closed meanwhile; TypeError for what cannot be called.
    Thread-safe: yes, and for threads only.

    Example:
        def in_a_thread():
            return ninth.from_thread(asyncio.sleep, 0.01, "slept in the loop")

        print(await ninth.to_thread(in_a_thread))  # -> slept in the loop
    """
    check_function(fn, "from_thread")
    if runs_a_loop():
        message = (
            "from_thread() was called in the thread of a running loop, which would then stand "
            "still: call the function, or await it"
        )
        raise RuntimeError(message)
    job = _here.job
    if loop is None:
        if job is None:
            message = (
                "from_thread() does not know which loop: this thread was not started by "
                "to_thread(); pass loop="
            )
            raise RuntimeError(message)
        loop = job.loop
    call: Call[Any] = Call(loop, job if job is not None and job.loop is loop else None, fn, args)
    try:
        loop.call_soon_threadsafe(call.begin)
    except RuntimeError as error:
        message = f"from_thread() cannot call {fn!r}: the loop is closed"
        raise RuntimeError(message) from error
    return call.wait()
