"""Compile the hot modules where that is possible; see pyproject.toml for all else.

A module is hot when a `.pxd` with its C types lies beside it (one without a `.py` only declares
what C itself has). The `.py` is compiled as it is:
nothing is written twice. Everything here is optional: without Cython, without a C compiler or
with NINTH_PURE=1 in the environment the same files are installed and run as plain Python.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

SOURCE = Path("src")

# annotation_typing would turn the hints, which are for people and type checkers, into C types.
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "binding": True,
    "embedsignature": False,
    # Every index is checked by the code itself, and none is negative.
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
}


class BuildPy(build_py):
    """Copy the packages, but not the `.pxd` files: they would become API."""

    def find_data_files(self, package, src_dir):
        """Return the data files of one package without the declarations."""
        return [name for name in super().find_data_files(package, src_dir) if name[-4:] != ".pxd"]


def extensions():
    """Return the optional extensions, an empty list where they cannot be translated."""
    hot = sorted(path for path in SOURCE.rglob("*.pxd") if path.with_suffix(".py").exists())
    if not hot or os.environ.get("NINTH_PURE") == "1":
        return []
    try:
        from Cython.Build import cythonize  # noqa: PLC0415
    except ImportError as error:
        sys.stderr.write(f"ninth: no Cython, so no compiled modules: {error}\n")
        return []
    modules = []
    for declaration in hot:
        source = declaration.with_suffix(".py")
        name = ".".join(source.relative_to(SOURCE).with_suffix("").parts)
        modules.append(Extension(name, [str(source)]))
    translated = cythonize(modules, compiler_directives=DIRECTIVES, include_path=[str(SOURCE)])
    for module in translated:
        # Said here, for Cython makes new ones, which do not know it.
        module.optional = True
    return translated


setup(
    ext_modules=extensions(),
    cmdclass={"build_py": BuildPy},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
