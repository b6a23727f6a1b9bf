"""What a registration returns: a callback that waits for its turn.

Handles look like asyncio's, down to the private names that debuggers and tests of asyncio read,
but share no class with them: a compiled class cannot derive from one that Python made.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from ninth.loop import formatting

if TYPE_CHECKING:
    import traceback
    from collections.abc import Callable

    import cython

    from ninth.loop.core import Core
else:
    from ninth.loop import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.contextvars import (
        PyContext_CopyCurrent,
        PyContext_Enter,
        PyContext_Exit,
    )


class Handle:
    """A callback, its arguments and its context.

    owner: None, or what an exception of the callback is given to instead of the loop's
    exception handler, as `owner.callback_failed(handle, error)`.
    Thread-safe: no.
    """

    __slots__ = (
        "__weakref__",
        "_args",
        "_callback",
        "_cancelled",
        "_context",
        "_loop",
        "_repr",
        "_source_traceback",
        "owner",
    )

    _callback: Callable[..., object] | None
    _args: tuple[Any, ...]
    _context: contextvars.Context
    _loop: Core
    _source_traceback: traceback.StackSummary | None
    _repr: str | None
    owner: Any

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: Core,
        context: contextvars.Context | None,
    ) -> None:
        if cython.compiled:
            self._context = PyContext_CopyCurrent() if context is None else context
        else:
            self._context = contextvars.copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._loop = loop
        self._cancelled = False
        self._source_traceback = None
        self._repr = None
        self.owner = None

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What isinstance() accepts beside the type; see Core.faces."""
        faces = self._loop.faces
        if faces is None:
            return type(self)
        return faces[0] if type(self) is Handle else faces[1]

    def call(self) -> None:
        """Call the callback in its context; whatever it raises goes to the caller."""
        if cython.compiled:
            context = self._context
            PyContext_Enter(context)
            try:
                if self._args:
                    self._callback(*self._args)  # type: ignore[misc]
                else:
                    self._callback()  # type: ignore[misc]
            finally:
                PyContext_Exit(context)
        else:
            self._context.run(self._callback, *self._args)  # type: ignore[arg-type]
            # Breaks a cycle, see Core.run_handle.
            self = None  # type: ignore[assignment]  # noqa: PLW0642

    def _run(self) -> None:
        self._loop.run_handle(self)

    def cancel(self) -> None:
        """See to it that the callback is not called; idempotent."""
        if not self._cancelled:
            self._cancelled = True
            if self._source_traceback is not None:
                # Debug mode: reports may still want to show what it was.
                self._repr = repr(self)
            self._callback = None
            self._args = ()

    def cancelled(self) -> bool:
        """Return whether cancel() was called."""
        return self._cancelled

    def get_context(self) -> contextvars.Context:
        """Return the context in which the callback runs."""
        return self._context

    def describe(self) -> list[str]:
        """Return the parts of the handle's representation."""
        parts = [type(self).__name__]
        if self._cancelled:
            parts.append("cancelled")
        if self._callback is not None:
            debug = self._loop.debug
            parts.append(formatting.format_callback(self._callback, self._args, debug=debug))
        if self._source_traceback:
            frame = self._source_traceback[len(self._source_traceback) - 1]
            parts.append(f"created at {frame.filename}:{frame.lineno}")
        return parts

    def __repr__(self) -> str:
        if self._repr is not None:
            return self._repr
        return f"<{' '.join(self.describe())}>"


def new_handle(
    callback: Callable[..., object],
    args: tuple[Any, ...],
    loop: Core,
    context: contextvars.Context | None,
) -> Handle:
    """Return Handle(callback, args, loop, context); compiled, at less cost."""
    if not cython.compiled:
        return Handle(callback, args, loop, context)
    handle = Handle.__new__(Handle)
    handle._context = PyContext_CopyCurrent() if context is None else context
    handle._callback = callback
    handle._args = args
    handle._loop = loop
    return handle
