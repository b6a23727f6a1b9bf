"""A stream of signals; what it rests on is told in waiting/fanout.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from ninth.errors import BusyError
from ninth.waiting.fanout import check_signal, listen

if TYPE_CHECKING:
    import signal
    from types import TracebackType

    from ninth.waiting.fanout import Listener


def signals(*signums: int) -> SignalStream:
    """Listen to signals: a stream of them, for `async with`.

    What comes between two steps of the iteration is kept; equal signals that wait may merge, as
    in the kernel. Others may listen to the same signals; the previous handler is back when the
    last of them has left.
    signums: one signal or more.
    Returns: an async iterator of signal.Signals that ends when the block is left.
    Raises: TypeError and ValueError for what is no signal or cannot be caught; RuntimeError outside
    the main thread, and on entry if the loop keeps the signal to itself (uvloop: SIGCHLD).
    Thread-safe: no, main thread only.

    Example:
        async with ninth.signals(signal.SIGTERM, signal.SIGHUP) as arriving:
            os.kill(os.getpid(), signal.SIGHUP)
            async for signum in arriving:
                print(signum.name)  # -> SIGHUP
                break
    """
    if not signums:
        raise TypeError("signals() was given no signal: pass one or more, like signal.SIGTERM")
    return SignalStream([check_signal(signum, "signals()") for signum in signums])


class SignalStream:
    """What signals() returns."""

    def __init__(self, signums: list[signal.Signals]) -> None:
        self._signums = signums
        self._listeners: list[Listener] = []
        self._arrived: dict[signal.Signals, None] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._left = False

    async def __aenter__(self) -> Self:
        if self._listeners or self._left:
            raise RuntimeError("this signals() was entered before: make a new one for each block")
        loop = asyncio.get_running_loop()
        try:
            for signum in dict.fromkeys(self._signums):
                self._listeners.append(listen(loop, signum, self._arrive))
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._left = True
        for listener in self._listeners:
            listener.cancel()
        self._listeners.clear()
        self._wake()

    def _arrive(self, signum: signal.Signals) -> None:
        self._arrived[signum] = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> signal.Signals:
        if not self._listeners and not self._left:
            raise RuntimeError("signals() listens to nothing yet: use it in `async with`")
        if self._waiter is not None:
            raise BusyError("this signals() is being waited for already: make one for each task")
        while not self._arrived:
            if self._left:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        signum = next(iter(self._arrived))
        del self._arrived[signum]
        return signum
