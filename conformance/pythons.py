"""Find interpreters that have CPython's tests, and install the project for each of them."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
KNOWN = ("3.11", "3.12", "3.13", "3.14")

PROBE = """
import json, sys
try:
    import test.test_asyncio
    complete = True
except ImportError:
    complete = False
print(json.dumps([sys.version_info[:3], sys.base_prefix, complete]))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter that can run the tests, and where it finds the project."""

    executable: str
    version: tuple[int, int, int]
    prefix: str
    path: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """Return the version."""
        return ".".join(map(str, self.version))

    def environment(self, *, pure: bool) -> dict[str, str]:
        """Return the variables for a worker on this interpreter."""
        variables = dict(os.environ)
        path = [*map(str, self.path), str(ROOT), os.environ.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        variables.pop("NINTH_PURE", None)
        # What these would change is what the tests are about.
        variables.pop("PYTHONASYNCIODEBUG", None)
        variables.pop("PYTHONWARNINGS", None)
        if pure:
            variables["NINTH_PURE"] = "1"
        return variables


class UnusableError(Exception):
    """An interpreter cannot run the tests."""


def probe(executable: str) -> Python:
    """Ask an interpreter about itself; raise UnusableError, saying why, if it will not do."""
    try:
        answer = subprocess.run(
            [executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True
        )
        version, prefix, complete = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UnusableError(f"{executable} does not run: {error}") from error
    if tuple(version[:2]) < OLDEST:
        raise UnusableError(f"{executable} is older than {'.'.join(map(str, OLDEST))}")
    if not complete:
        raise UnusableError(
            f"{executable} has no test.test_asyncio: install the package with its tests"
        )
    return Python(executable, tuple(version), prefix)


def found() -> list[Python]:
    """Return every usable interpreter at hand, the oldest first, each once.

    The running one; pythonX.Y on the PATH; those of pyenv.
    """
    candidates = [sys.executable]
    candidates += [path for v in KNOWN if (path := shutil.which(f"python{v}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(str(path) for path in pyenv.glob("versions/*/bin/python3"))
    pythons: dict[tuple[tuple[int, int, int], str], Python] = {}
    for candidate in candidates:
        try:
            python = probe(candidate)
        except UnusableError:
            continue
        pythons.setdefault((python.version, python.prefix), python)
    return sorted(pythons.values(), key=lambda python: python.version)


LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "*.so", "*.c")


def install(python: Python, directory: Path) -> Python:
    """Install the project for an interpreter into a new directory; return it with that path."""
    target = directory / str(python)
    # From a copy: building writes beside the sources, where somebody may be at work.
    source = directory / f"source-{python}"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    subprocess.run(
        [
            *(python.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            "--root-user-action=ignore",
            *("--no-deps", "--target", str(target), str(source)),
        ],
        check=True,
        env={name: value for name, value in os.environ.items() if name != "NINTH_PURE"},
    )
    return replace(python, path=(target,))


def in_place(python: Python) -> Python:
    """Return an interpreter that imports the project from the source tree."""
    return replace(python, path=(ROOT / "src",))
