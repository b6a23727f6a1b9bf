"""Let the names by which `test_asyncio` makes a loop give another loop.

The only place that patches asyncio. The classes that stand below the stock loop keep their names
where a test module derives a fake loop of its own from them: such tests are about those classes.
"""

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any
from unittest import mock

LOOP_NAMES = {
    "asyncio": ("SelectorEventLoop", "EventLoop"),
    "asyncio.unix_events": ("SelectorEventLoop", "EventLoop", "_UnixSelectorEventLoop"),
}
BASE_NAMES = {"asyncio": ("BaseEventLoop",), "asyncio.base_events": ("BaseEventLoop",)}
# The tests of BaseEventLoop complete that class with mocks of these, which a whole loop has itself.
ORGANS = {"_process_events", "_selector", "_write_to_self"}
POLICY = ("asyncio.unix_events", "_UnixDefaultEventLoopPolicy")


class Installation:
    """A loop class under asyncio's names, and how many loops of it have been made."""

    def __init__(self, factory: str) -> None:
        """Install the class of the loops that factory, a `MODULE:NAME`, makes."""
        module_name, colon, name = factory.partition(":")
        if not colon:
            raise SystemExit(
                f"{factory!r} is no factory: write MODULE:NAME, as ninth:new_event_loop"
            )
        loop = getattr(importlib.import_module(module_name), name)()
        loop.close()
        self.loop_class: type[asyncio.AbstractEventLoop] = type(loop)
        self.made = 0
        self._count()
        self._rename(LOOP_NAMES, self.loop_class)
        policy = getattr(importlib.import_module(POLICY[0]), POLICY[1])
        # A class is no function: as an attribute of the policy it does not become a method.
        policy._loop_factory = self.loop_class  # noqa: SLF001

    def install_base(self) -> None:
        """Let `asyncio.BaseEventLoop()` give the loop too, for tests that call it for any loop.

        After the test modules are imported: their fake loop derives from the stock class.
        """
        loop_class: Any = self.loop_class

        class Whole(loop_class):  # type: ignore[misc]
            """A loop that keeps its own organs when a test gives it mocks."""

            def __setattr__(self, name: str, value: Any) -> None:
                if name in ORGANS and isinstance(value, mock.Mock):
                    value = stand_in(getattr(self, name, None))
                super().__setattr__(name, value)

        self._rename(BASE_NAMES, Whole)

    def _rename(self, names: Mapping[str, tuple[str, ...]], loop_class: type) -> None:
        for module_name, module_names in names.items():
            module = importlib.import_module(module_name)
            for name in module_names:
                if hasattr(module, name):
                    setattr(module, name, loop_class)

    def _count(self) -> None:
        original = self.loop_class.__init__

        def __init__(loop: asyncio.AbstractEventLoop, *args: Any, **options: Any) -> None:  # noqa: N807
            self.made += 1
            original(loop, *args, **options)

        self.loop_class.__init__ = __init__  # type: ignore[method-assign,assignment]


def stand_in(organ: Any) -> mock.Mock:
    """Return a mock that does what organ does, whatever a test tells it to return."""
    if callable(organ):
        return mock.Mock(side_effect=organ)
    wrapped = mock.Mock(wraps=organ)
    if organ is not None:
        wrapped.select.side_effect = organ.select
    return wrapped
