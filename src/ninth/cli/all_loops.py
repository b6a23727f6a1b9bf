"""The nine loops of the command line: the eight rungs of the ladder, and ninth's own."""

import importlib
from types import ModuleType

from ninth.ladder import RUNGS, rung
from ninth.ladder.program import Program

LOOPS = (*RUNGS, "ninth")


def module_of(name: str) -> ModuleType:
    """Return the module that holds this loop. Raises ValueError when there is none."""
    if name == "ninth":
        return importlib.import_module("ninth.cli.on_ninth")
    if name not in LOOPS:
        raise ValueError(f"there is no loop {name!r}; choose from {', '.join(LOOPS)}")
    return rung(name)


def watch(name: str, program: Program) -> None:
    """Run the program on the loop with this name, to its end."""
    program.run(module_of(name).watch)
