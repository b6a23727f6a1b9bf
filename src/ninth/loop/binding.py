"""The short way of a loop's calls into its core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninth.loop.core import Core

# Each with the methods that its short way leaves out.
CALLS = {
    "call_soon": ("call_soon",),
    "call_soon_threadsafe": ("call_soon_threadsafe",),
    "call_at": ("call_at",),
    "call_later": ("call_later", "call_at", "time"),
    "time": ("time",),
}


def bind(loop: Any, base: type, core: Core) -> None:
    """Bind calls of a loop to its core, so that none pays for a frame of Python in between.

    base: the class whose methods do nothing else than call the core. What the class of the loop
    overrides stays as it is; its time() becomes the clock of the core.
    """
    cls = type(loop)
    for name, needs in CALLS.items():
        if all(getattr(cls, each) is getattr(base, each) for each in needs):
            setattr(loop, name, getattr(core, name))
    if cls.time is not base.time:  # type: ignore[attr-defined]
        core.clock = loop.time
