"""How callbacks are shown in errors and reports."""

import functools
import inspect
import reprlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

# Deep enough to find the caller, shallow enough for a report of one screen.
STACK_DEPTH = 10

# Where the loop itself lives, whose frames tell a user nothing.
PACKAGE = Path(__file__).parent.parent
OURS = tuple(str(PACKAGE / name) + "/" for name in ("loop", "asyncio_loop"))


def outer_frame() -> FrameType | None:
    """Return the innermost frame that is not ours.

    It is found by file and not by depth, for what is compiled has no frames.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return frame


def extract_stack() -> traceback.StackSummary:
    """Return the stack outside of our package, oldest frame first, without its source lines."""
    stack = traceback.StackSummary.extract(
        traceback.walk_stack(outer_frame()), limit=STACK_DEPTH, lookup_lines=False
    )
    stack.reverse()
    return stack


def registration() -> traceback.StackSummary:
    """Return the line outside of our package that is registering something, without its text.

    As a stack of one frame: cheap enough to be kept for every watcher, formatted on failure only.
    """
    frame = outer_frame()
    stack = traceback.StackSummary()
    if frame is not None:
        code = frame.f_code
        stack.append(
            traceback.FrameSummary(
                code.co_filename, frame.f_lineno, code.co_qualname, lookup_line=False
            )
        )
    return stack


def place_of(callback: Any) -> tuple[str, int] | None:
    """Return the file and the line where a callback is defined, None for what is written in C."""
    callback = inspect.unwrap(callback)
    if inspect.isfunction(callback):
        return callback.__code__.co_filename, callback.__code__.co_firstlineno
    if isinstance(callback, (functools.partial, functools.partialmethod)):
        return place_of(callback.func)
    inner = getattr(callback, "__func__", None)
    return None if inner is None else place_of(inner)


def format_call(callback: Any, args: tuple[Any, ...] | None, *, debug: bool) -> str:
    """Return a callback as it would be called: `name(args)`; the arguments only in debug mode."""
    if isinstance(callback, functools.partial):
        own = format_args(callback.args, callback.keywords, debug=debug)
        return format_call(callback.func, args, debug=debug) + own
    name = getattr(callback, "__qualname__", None) or getattr(callback, "__name__", None)
    shown = name or repr(callback)
    return str(shown) + ("" if args is None else format_args(args, {}, debug=debug))


def format_args(args: tuple[Any, ...], keywords: dict[str, Any], *, debug: bool) -> str:
    """Return arguments as they would be written, an empty pair of brackets outside debug mode."""
    if not debug:
        return "()"
    items = [reprlib.repr(item) for item in args]
    items.extend(f"{key}={reprlib.repr(value)}" for key, value in keywords.items())
    return f"({', '.join(items)})"


def format_callback(
    callback: Callable[..., object] | None, args: tuple[Any, ...] | None, *, debug: bool
) -> str:
    """Return a callback and where it is defined: `name() at file:line`."""
    shown = format_call(callback, args, debug=debug)
    place = place_of(callback)
    return shown if place is None else f"{shown} at {place[0]}:{place[1]}"


def refuse_coroutine(callback: Any, method: str) -> None:
    """Raise TypeError for a coroutine or a coroutine function, which a callback cannot be."""
    if inspect.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
        message = f"coroutines cannot be used with {method}(): make a task of it"
        raise TypeError(message)


def refuse_uncallable(callback: Any, method: str) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(callback):
        cure = ": make a task of it" if inspect.iscoroutine(callback) else ""
        message = f"a callable object was expected by {method}(), got {callback!r}{cure}"
        raise TypeError(message)
