"""Eight loops for one small program: each mends what the one before got wrong.

`program.py` is what they share. Each rung is a module with a function `watch(program)`.
"""

import importlib
from types import ModuleType

from .program import Program

RUNGS = ("blocking", "busy", "sleepy", "select", "callback", "generator", "coroutine", "asyncio")


def rung(name: str) -> ModuleType:
    """Return the module of the rung with this name. Raises ValueError when there is none."""
    if name not in RUNGS:
        raise ValueError(f"there is no loop {name!r}; choose from {', '.join(RUNGS)}")
    return importlib.import_module(f"{__name__}.rung{RUNGS.index(name) + 1}_{name}")


def watch(name: str, program: Program) -> None:
    """Run the program on the rung with this name, to its end."""
    program.run(rung(name).watch)
