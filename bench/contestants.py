"""Who takes part: a name for each loop, how it is made, and whether it is here.

Every measurement runs in a process of its own, so a contestant is a module to import there and
the environment it needs. `c` is no loop but the program in c/echo_server.c.
"""

import asyncio
import importlib
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Contestant:
    """One competitor.

    module: has `new_event_loop()`; None for the C program.
    variables: what is set in the environment of its processes.
    """

    name: str
    module: str | None
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a process of this contestant."""
        inherited = {name: value for name, value in os.environ.items() if name != "NINTH_PURE"}
        return {**inherited, **self.variables}


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("c", None),
        Contestant("asyncio", "asyncio"),
        Contestant("uvloop", "uvloop"),
        Contestant("ninth", "ninth"),
        Contestant("ninth-pure", "ninth", {"NINTH_PURE": "1"}),
        Contestant("rloop", "rloop"),
        Contestant("rsloop", "rsloop"),
        Contestant("zuvloop", "zuvloop"),
    )
}


def new_loop(module: str) -> asyncio.AbstractEventLoop:
    """Return a new loop of the contestant whose module this is; in its own process only."""
    loop: asyncio.AbstractEventLoop = importlib.import_module(module).new_event_loop()
    return loop


def probe(contestant: Contestant) -> tuple[bool, str]:
    """Return whether the contestant can run here, and its version or the reason why not."""
    command = [sys.executable, "-m", "bench.contestants", contestant.module or ""]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=contestant.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        return False, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "crashed"
    return True, done.stdout.strip()


def _compiled_modules() -> int:
    """Return how many of ninth's modules in this process are machine code."""
    return sum(
        1
        for name, module in sys.modules.items()
        if name.startswith("ninth.") and str(getattr(module, "__file__", "")).endswith(".so")
    )


def _describe(module: str) -> str:
    """Make a loop, close it, and return the version of what made it."""
    new_loop(module).close()
    if module == "asyncio":
        return f"Python {sys.version.split()[0]}"
    version = importlib.metadata.version(module)
    if module != "ninth":
        return version
    compiled = _compiled_modules()
    return f"{version}, {f'{compiled} modules compiled' if compiled else 'plain Python'}"


if __name__ == "__main__":
    print(_describe(sys.argv[1]))
