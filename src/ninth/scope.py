"""Scopes: what can be started in one; see owner.py and block.py for how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from ninth.numbers import seconds_of
from ninth.scopes import callbacks
from ninth.scopes.block import Block
from ninth.scopes.current import innermost
from ninth.scopes.owner import ENDED, LEAVING, NEW
from ninth.scopes.registrations import (
    ExitRegistration,
    FileRegistration,
    Registration,
    SignalRegistration,
    TimerRegistration,
    context_in,
)
from ninth.waiting.fanout import check_signal
from ninth.waiting.watchers import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ninth.processes import Command, Process
    from ninth.promise import Promise
    from ninth.scopes.block import LoopFactory
    from ninth.waiting.files import File

T = TypeVar("T")

__all__ = ["Registration", "Scope", "scope"]


class Scope(Block):
    """Tasks, callbacks and children that end together; see ninth.scope().

    name: for errors. loop: the event loop that runs it, once it was entered.
    cancelled: whether it was stopped before its contents had ended, by cancel(), its timeout, an
    error or from outside. reason: what was given to cancel(), or the exception that stopped it;
    once the block is left, a likeness of that, for what has left must not be kept alive from here.
    Thread-safe: no; from another thread use from_thread().
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        timeout: float | None = None,
        name: str | None = None,
        loop_factory: LoopFactory | None = None,
    ) -> None:
        super().__init__(timeout, name, loop_factory)

    def start(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]] | Coroutine[Any, Any, T],
        /,
        *args: Any,
        background: bool = False,
        name: str | None = None,
    ) -> asyncio.Task[T]:
        """Run a coroutine as a task of the scope.

        fn: a coroutine function, which is called with args, or a coroutine.
        background: it does not keep the scope open; name: the task's.
        Returns: the task. Its exception stops the scope; it may be cancelled on its own.
        Raises: TypeError for what is no coroutine; RuntimeError when the scope is not open.

        Example:
            async with ninth.scope() as scope:
                task = scope.start(asyncio.sleep, 0.01, "slept")
                print(await task)  # -> slept
        """
        if not self._takes_more():
            if asyncio.iscoroutine(fn):
                fn.close()
            self._require_open("start")
        coroutine = callbacks.coroutine_of(fn, args, "start")
        context = None if innermost.get() is self else context_in(self)
        task: asyncio.Task[T] = self._add_task(
            coroutine, name, background, context, self._task_done
        )
        return task

    def process(self, command: Command, *, background: bool = False, **options: Any) -> Process:
        r"""Start a child, at once; the scope owns it: stops it when it stops, and always reaps it.

        command, options: as in ninth.open_process(). background: it does not keep the scope open.
        Returns: the Process.
        Raises: what open_process() raises; RuntimeError when the scope is not open.

        Example:
            async with ninth.scope() as scope:
                child = scope.process(["echo", "hello"], stdout=PIPE)
                print(await child.stdout.read())  # -> b'hello\n'
        """
        from ninth.processes import start_process  # noqa: PLC0415

        self._require_open("process")
        return start_process(self, command, background=background, **options)

    def promise(
        self,
        source: Callable[..., Awaitable[T]] | Awaitable[T],
        /,
        *args: Any,
        background: bool = False,
    ) -> Promise[T]:
        """Return a promise of this scope, as are those that are derived from it.

        source: a coroutine, a task, or what else can be awaited; a coroutine function, which is
        called with args. background: a coroutine does not keep the scope open.
        Raises: TypeError for what cannot be awaited; RuntimeError when the scope is not open.

        Example:
            with ninth.scope() as scope:
                scope.promise(asyncio.sleep(0.01, 6)).then(lambda six: six * 7).then(print)  # -> 42
        """
        from ninth.promise import Promise, check_awaitable  # noqa: PLC0415
        from ninth.promises.home import check_thread, home_of  # noqa: PLC0415

        try:
            self._require_open("promise")
            check_thread(self.loop, "promise()")
        except RuntimeError:
            if asyncio.iscoroutine(source):
                source.close()
            raise
        given: Any = source
        if asyncio.iscoroutine(source) or asyncio.iscoroutinefunction(source):
            given = callbacks.coroutine_of(source, args, "promise")
        check_awaitable(given, "promise()")
        promise: Promise[T] = Promise.__new__(Promise)
        promise._begin(home_of(self), given, True, background)
        return promise

    def on_readable(
        self, file: File, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a file can be read without blocking.

        Until the callback returns ninth.STOP, the registration is cancelled or the file is closed
        by ninth.close(). The end of a file is readable, and stays so: the callback has to see it.

        file: a descriptor, or anything with fileno() whose buffer hides nothing.
        Returns: a Registration. Raises: TypeError for what is no file, hides data or cannot be
        called like that; FileClosedError for a closed file; OSError for what cannot be polled;
        RuntimeError when the scope is not open.

        Example:
            reading, writing = os.pipe()

            def take():
                print(os.read(reading, 100))  # -> b'hello'
                return ninth.STOP

            with ninth.scope() as scope:
                scope.on_readable(reading, take)
                os.write(writing, b"hello")
        """
        return self._on_file(file, callback, args, background, READ, "on_readable")

    def on_writable(
        self, file: File, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a file can be written without blocking; see on_readable.

        Example:
            reading, writing = os.pipe()

            def give():
                os.write(writing, b"hello")
                return ninth.STOP

            with ninth.scope() as scope:
                scope.on_writable(writing, give)
            print(os.read(reading, 100))  # -> b'hello'
        """
        return self._on_file(file, callback, args, background, WRITE, "on_writable")

    def on_line(
        self,
        file: File | None,
        callback: Callable[[str], object],
        *,
        encoding: str = "utf-8",
        errors: str = "replace",
        limit: int = 65536,
        on_end: Callable[[], object] | None = None,
        background: bool = False,
    ) -> Registration:
        r"""Call callback(line) with each line of a file, and on_end() at its end.

        Lines end with "\n" or "\r\n", which the callback does not get; a last line without one
        counts. The registration ends with the file. It reads ahead: what the callback leaves unread
        by returning ninth.STOP stays in the file only if that is a Stream.

        file: a Stream, or what one can be made of. limit: how many bytes a line may have.
        encoding, errors: as in bytes.decode(); only encodings that keep ASCII as it is.
        Returns: a Registration. Raises: as on_readable(), and as Stream(): BusyError if somebody
        reads the Stream; LookupError and ValueError for an encoding. The scope fails with
        LineTooLong for a longer line, and with OSError when reading fails.

        Example:
            with ninth.scope() as scope:
                child = scope.process("echo one; echo two", shell=True, stdout=PIPE)
                scope.on_line(child.stdout, print)
            # -> one
            # -> two
        """
        from ninth.scopes.lines import LineRegistration  # noqa: PLC0415

        self._check(callback, 1, "on_line")
        if on_end is not None:
            callbacks.check(on_end, 0, "on_line")
        return self._begin(
            LineRegistration(self, callback, background, file, encoding, errors, limit, on_end)
        )

    def after(
        self, seconds: float, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) once, some seconds from now; zero or less: in the next turn.

        Returns: a Registration. Raises: TypeError and ValueError for what is no number of seconds,
        TypeError for what cannot be called like that; RuntimeError when the scope is not open.

        Example:
            with ninth.scope() as scope:
                scope.after(0.01, print, "later")  # -> later
        """
        seconds_of(seconds, "after")
        self._check(callback, len(args), "after")
        return self._begin(TimerRegistration(self, callback, args, background, seconds, False))

    def every(
        self, seconds: float, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) every so many seconds: the n-th call is due at start + n*seconds.

        A call that comes late does not move those after it, and none is left out: what became due
        meanwhile follows at once. Until the callback returns ninth.STOP or it is cancelled.

        seconds: more than zero.
        Returns: a Registration. Raises: as after(); ValueError for zero or less.

        Example:
            ticks = []

            def tick():
                ticks.append("tick")
                return ninth.STOP if len(ticks) == 3 else None

            with ninth.scope() as scope:
                scope.every(0.01, tick)
            print(*ticks)  # -> tick tick tick
        """
        if seconds_of(seconds, "every") <= 0:
            message = f"every() was given {seconds} seconds: pass more than zero"
            raise ValueError(message)
        self._check(callback, len(args), "every")
        return self._begin(TimerRegistration(self, callback, args, background, seconds, True))

    def on_signal(
        self, signum: int, callback: Callable[..., object], *args: Any, background: bool = False
    ) -> Registration:
        """Call callback(*args) whenever a signal has come; several owners may listen to one.

        Returns: a Registration. Raises: TypeError, ValueError and RuntimeError as signals();
        TypeError for what cannot be called like that; RuntimeError when the scope is not open.

        Example:
            def hung_up():
                print("hung up")  # -> hung up
                return ninth.STOP

            with ninth.scope() as scope:
                scope.on_signal(signal.SIGHUP, hung_up)
                scope.after(0, os.kill, os.getpid(), signal.SIGHUP)
        """
        self._check(callback, len(args), "on_signal")
        check_signal(signum, "on_signal()")
        return self._begin(SignalRegistration(self, callback, args, background, signum))

    def on_exit(
        self, child: Any, callback: Callable[[int | None], object], *, background: bool = False
    ) -> Registration:
        """Call callback(returncode) once, when a process has ended.

        child: a Process, subprocess.Popen, multiprocessing.Process or a pid; see exited().
        Returns: a Registration. Raises: TypeError for what is no child or cannot be called like
        that; ProcessLookupError if there is no such process; RuntimeError when the scope is not
        open.

        Example:
            with ninth.scope() as scope:
                child = scope.process("exit 3", shell=True)
                scope.on_exit(child, print)  # -> 3
        """
        self._check(callback, 1, "on_exit")
        return self._begin(ExitRegistration(self, callback, background, child))

    def subscope(
        self,
        *,
        timeout: float | None = None,
        name: str | None = None,
        background: bool = False,
    ) -> Scope:
        """Return a scope within this one that needs no block: it ends when its contents do.

        It is open at once, and at least until the loop has taken a turn. What goes wrong in it
        leaves it and stops this one; cancel() ends it alone.

        timeout, name: as in ninth.scope(). background: it does not keep this scope open.
        Raises: TypeError and ValueError for a bad timeout; RuntimeError when this one is not open.

        Example:
            with ninth.scope() as scope:
                part = scope.subscope()
                part.after(60, print, "never")
                scope.after(0.01, part.cancel)
            print(part.cancelled)  # -> True
        """
        self._require_open("subscope")
        child = Scope(timeout=timeout, name=name)
        child.loop = self.loop
        child._state = LEAVING
        child._plain = self._plain
        item = Subscope(self, child, background)
        child._on_end = item.finish
        self._enter(item)
        child._start_timer()
        self.loop.call_soon(child._release_body)
        return child

    def cancel(self, reason: object = None) -> None:
        """Stop everything in the scope and leave it, without an error.

        The body is cancelled at its next await. reason: anything; kept in `reason`. Idempotent, and
        nothing happens in a scope that has ended.
        Raises: RuntimeError if the scope has not been entered.

        Example:
            async with ninth.scope() as scope:
                scope.start(ninth.sleep, 60)
                scope.cancel("enough")
            print(scope.cancelled, scope.reason)  # -> True enough
        """
        if self._state is NEW:
            message = f"{self} has not been entered: write `async with` it, or `with` it, first"
            raise RuntimeError(message)
        self._stop(reason)

    def _on_file(
        self,
        file: Any,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        background: bool,
        interest: int,
        method: str,
    ) -> Registration:
        self._check(callback, len(args), method)
        return self._begin(
            FileRegistration(self, callback, args, background, file, interest, method)
        )

    def _begin(self, registration: Registration) -> Registration:
        """Own a registration, and have it wait for its event."""
        self._enter(registration)
        try:
            registration._begin()
        except BaseException:
            registration._active = False
            self._leave(registration)
            raise
        return registration

    def _check(self, callback: Any, count: int, method: str) -> None:
        """Refuse what cannot be registered."""
        self._require_open(method)
        callbacks.check(callback, count, method)


class Subscope:
    """A scope as an item of the scope around it."""

    __slots__ = ("background", "outer", "scope")

    def __init__(self, outer: Scope, scope: Scope, background: bool) -> None:
        self.outer = outer
        self.scope = scope
        self.background = background

    def stop(self) -> None:
        """Stop what is in it."""
        outer = self.outer
        self.scope._stop(outer.reason, early=outer.cancelled, seen=outer._saw_reason)

    def hurry(self) -> None:
        """Pass on a second cancellation."""
        for item in list(self.scope._items):
            item.hurry()
        for task in list(self.scope._tasks):
            task.cancel()

    def finish(self) -> None:
        """Pass on what went wrong: everything in it has ended."""
        scope = self.scope
        scope._state = ENDED
        left = scope._outcome(None, False)
        scope._forget_errors()
        if scope._promises is not None:
            scope._promises.close()
            scope._promises = None
        self.outer._leave(self, left)


def scope(
    *,
    timeout: float | None = None,
    name: str | None = None,
    loop_factory: LoopFactory | None = None,
) -> Scope:
    """Return a scope: what is started in its block ends with the block.

    For `async with` in a coroutine, or `with` where no loop runs.

    timeout: seconds until everything in it is stopped and TimeoutError is raised; None for never.
    name: for errors. loop_factory: for plain `with` only: what makes the loop; ninth's by default.
    Raises: TypeError and ValueError for a bad timeout. The block raises one flat ExceptionGroup
    with the errors of its body, its tasks and its callbacks; a bare TimeoutError for its timeout
    alone; KeyboardInterrupt and SystemExit bare; CancelledError when it was cancelled from outside.

    Example:
        async with ninth.scope(timeout=10) as scope:
            task = scope.start(asyncio.sleep, 0.01, "a coroutine")
            scope.after(0.02, print, "a callback")
        print(task.result())
        # -> a callback
        # -> a coroutine
    """
    return Scope(timeout=timeout, name=name, loop_factory=loop_factory)
