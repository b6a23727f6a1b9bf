"""What is known of a callback: whether it can be called, and where it was registered.

An exception in a callback has no caller that could be found in its traceback, so the scope adds a
note that names the line that registered it. Most callbacks never fail, so only what is cheap is
kept: the code object of that line's frame and the offset in it. The frame is the first that is not
in one of ninth's own files; counting frames would not do, for compiled code has none.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import os
import sys
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from types import FrameType, TracebackType


class Stop(enum.Enum):
    """The type of STOP."""

    STOP = "stop"

    def __repr__(self) -> str:
        return "ninth.STOP"


# A callback that returns it is not called again.
STOP: Final[Literal[Stop.STOP]] = Stop.STOP

PACKAGE = os.path.dirname(os.path.dirname(__file__))
# Nobody registers from within these; the command line is a program like any other.
OWN_FILES = frozenset(
    os.path.join(folder, name)
    for folder in (
        PACKAGE,
        *(
            os.path.join(PACKAGE, name)
            for name in ("children", "net", "promises", "scopes", "streaming", "waiting")
        ),
    )
    for name in os.listdir(folder)
)


class Place(NamedTuple):
    """A line of code that is executed: its code object, and the offset of the instruction."""

    code: CodeType
    offset: int

    def __str__(self) -> str:
        """Return `show() at app.py:12`; the path is relative if it lies below the directory."""
        line = self.code.co_firstlineno
        for start, end, number in self.code.co_lines():
            if start <= self.offset < end and number is not None:
                line = number
        path = self.code.co_filename
        try:
            relative = os.path.relpath(path)
        except (OSError, ValueError):
            # The directory is gone; only how the path is shown depends on it.
            relative = path
        if not relative.startswith(os.pardir):
            path = relative
        where = f"{path}:{line}"
        if self.code.co_name == "<module>":
            return where
        return f"{self.code.co_qualname}() at {where}"


def calling_frame() -> FrameType:
    """Return the frame that called into ninth."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename in OWN_FILES and frame.f_back is not None:
        frame = frame.f_back
    return frame


def caller() -> Place:
    """Return the line that called into ninth."""
    frame = calling_frame()
    return Place(frame.f_code, frame.f_lasti)


def name_of(callback: Any) -> str:
    """Return how a callback is called in errors: `show()`."""
    name = getattr(callback, "__qualname__", None)
    return f"{name}()" if isinstance(name, str) else repr(callback)


def check(callback: Any, count: int, method: str) -> None:
    """Refuse what cannot be called with `count` arguments.

    method: the name of the method that got it, for the error.
    Raises: TypeError.
    """
    function, given = callback, count
    if type(function) is MethodType:
        function, given = function.__func__, count + 1
    if type(function) is FunctionType:
        code = function.__code__
        if (
            given >= code.co_argcount - len(function.__defaults__ or ())
            and (given <= code.co_argcount or code.co_flags & inspect.CO_VARARGS)
            and code.co_kwonlyargcount <= len(function.__kwdefaults__ or ())
        ):
            return
    elif inspect.iscoroutine(callback):
        callback.close()
        message = (
            f"{method}() was given the coroutine {name_of(callback)}, which can run only once: "
            f"pass the function itself, without the brackets"
        )
        raise TypeError(message)
    elif not callable(callback):
        message = f"{method}() was given {callback!r}, which cannot be called: pass a function"
        raise TypeError(message)
    try:
        signature = inspect.signature(callback, follow_wrapped=False)
    except (TypeError, ValueError):
        # Written in C, without a description of its arguments.
        return
    try:
        signature.bind(*(None,) * count)
    except TypeError as error:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        message = (
            f"{method}() would call {name_of(callback)[:-2]}{signature} with {arguments}: {error}; "
            f"change its parameters, or bind the others with functools.partial"
        )
        raise TypeError(message) from None


def coroutine_of(fn: Any, args: tuple[Any, ...], function: str) -> Coroutine[Any, Any, Any]:
    """Return the coroutine that a coroutine function makes, or a coroutine itself.

    function: who was given it, for the errors.
    Raises: TypeError for what is neither, and for a coroutine with arguments.
    """
    if asyncio.iscoroutine(fn):
        if args:
            fn.close()
            message = (
                f"{function}() was given the coroutine {name_of(fn)} and arguments: "
                f"pass the function itself, without the brackets"
            )
            raise TypeError(message)
        return fn
    if not callable(fn):
        message = (
            f"{function}() was given {fn!r}: pass a coroutine function and its arguments, "
            f"or a coroutine"
        )
        raise TypeError(message)
    coroutine = fn(*args)
    if not asyncio.iscoroutine(coroutine):
        message = (
            f"{function}() was given {name_of(fn)}, which is no coroutine function and returned "
            f"{coroutine!r}: make it an `async def`; in a scope, after(0, fn) calls a plain one"
        )
        raise TypeError(message)
    return coroutine


async def outcome_of(awaitable: Awaitable[Any]) -> Any:
    """Await a future, a task, a promise, whatever can be; return or raise its outcome.

    Cancelled, it cancels what it awaits, as any `await` does.
    """
    try:
        return await awaitable
    finally:
        # The frame is in the traceback of what it raises: a cycle, if it kept the task.
        del awaitable


def decline(result: Any) -> None:
    """Let go of what a callback returned to be awaited, for nobody will."""
    if asyncio.iscoroutine(result):
        result.close()
    elif asyncio.isfuture(result):
        result.cancel()


def blame(error: BaseException, place: Place) -> None:
    """Note on an error where its callback was registered; once."""
    note = (
        f"registered by {place}" if place.code.co_name != "<module>" else f"registered at {place}"
    )
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def without_own(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is not ninth's own."""
    trace = traceback
    while trace is not None and trace.tb_frame.f_code.co_filename in OWN_FILES:
        trace = trace.tb_next
    return traceback if trace is None else trace
