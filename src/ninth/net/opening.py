"""What can be awaited for an object, and entered by `async with`, which closes the object."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType


class Closable(Protocol):
    """What can be closed."""

    async def aclose(self) -> None:
        """Close it."""


T = TypeVar("T", bound=Closable)


R = TypeVar("R")


class Delegate(Coroutine[Any, Any, R]):
    """A coroutine for those who start one (scopes, tasks, timeouts): that of `_running()`."""

    def _running(self) -> Coroutine[Any, Any, R]:
        raise NotImplementedError

    def __await__(self) -> Generator[Any, Any, R]:
        return self._running().__await__()

    def send(self, value: Any) -> Any:
        """Go on; see collections.abc.Coroutine."""
        return self._running().send(value)

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:  # noqa: ARG002
        """Go on with an error; see collections.abc.Coroutine."""
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        return self._running().throw(value)

    def close(self) -> None:
        """End it; see collections.abc.Coroutine."""
        self._running().close()


class Opening(Delegate[T]):
    """A coroutine that opens something, and a context manager of that.

    stream = await ninth.connect_tcp("localhost", 7)
    async with ninth.connect_tcp("localhost", 7) as stream: ...
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._opened: T

    def _running(self) -> Coroutine[Any, Any, T]:
        return self._coroutine

    async def __aenter__(self) -> T:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opened.aclose()
