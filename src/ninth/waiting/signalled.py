"""The condition that a signal has come, which listens also while nobody awaits it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from ninth.scopes.current import innermost
from ninth.waiting.condition import Condition, NotTrueError
from ninth.waiting.fanout import check_signal, listen, name_of

if TYPE_CHECKING:
    from ninth.waiting.condition import Cancellable, Wait


class Signalled(Condition[signal.Signals]):
    """One of some signals has come.

    It is an item of the innermost scope, and listens until that ends or stops.
    """

    __slots__ = (
        "__weakref__",
        "_arrived",
        "_listeners",
        "_scope",
        "_subject",
        "_waits",
        "background",
    )

    _subject: frozenset[signal.Signals]

    def __init__(self, signums: tuple[int, ...]) -> None:
        if not signums:
            raise TypeError("signalled() was given no signal: pass one or more, like SIGTERM")
        checked = [check_signal(signum, "signalled()") for signum in signums]
        scope = innermost.get()
        if scope is None:
            message = (
                "signalled() keeps listening between two awaits, so it needs a scope to end with: "
                "make it inside `async with ninth.scope()`"
            )
            raise RuntimeError(message)
        scope._require_open("signalled")
        self._subject = frozenset(checked)
        self.background = True
        self._scope = scope
        # What came and was not awaited yet, oldest first; equal ones merge, as in the kernel.
        self._arrived: dict[signal.Signals, None] = {}
        self._waits: dict[Wait, int] = {}
        self._listeners: list[Cancellable] = []
        try:
            for signum in self._subject:
                self._listeners.append(listen(scope.loop, signum, self._arrive))
        except BaseException:
            self._unlisten()
            raise
        scope._enter(self)

    def stop(self) -> None:
        """Stop listening: the scope ends."""
        self._unlisten()
        for wait in self._waits:
            wait.fail(RuntimeError(f"{self!r} is over: the scope it was made in has ended"))
        self._scope._leave(self)

    def hurry(self) -> None:
        """Do nothing: stopping takes no time."""

    def _unlisten(self) -> None:
        for listener in self._listeners:
            listener.cancel()
        self._listeners.clear()

    def _arrive(self, signum: signal.Signals) -> None:
        self._arrived[signum] = None
        for wait, index in self._waits.items():
            wait.fire(index)

    def _begin(self, wait: Wait, index: int) -> Cancellable | None:
        if not self._listeners:
            message = (
                f"{self!r} is over: the scope it was made in has ended; make it in the scope "
                f"that awaits it"
            )
            raise RuntimeError(message)
        if self._arrived:
            return wait.loop.call_soon(wait.fire, index)
        self._waits[wait] = index
        return SignalWait(self._waits, wait)

    def _is_true(self, _start: float, _now: float) -> bool:
        return bool(self._arrived)

    def _value(self) -> signal.Signals:
        if not self._arrived:
            raise NotTrueError
        signum = next(iter(self._arrived))
        del self._arrived[signum]
        return signum

    def _identity(self) -> object:
        return self._subject

    def __repr__(self) -> str:
        return f"signalled({', '.join(map(name_of, sorted(self._subject)))})"


class SignalWait:
    """A Wait among those of a condition."""

    __slots__ = ("wait", "waits")

    def __init__(self, waits: dict[Wait, int], wait: Wait) -> None:
        self.waits = waits
        self.wait = wait

    def cancel(self) -> None:
        """Stop waiting; idempotent."""
        self.waits.pop(self.wait, None)
