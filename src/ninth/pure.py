"""Choosing the source of a module where a compiled one lies beside it."""

from __future__ import annotations

import importlib.machinery
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class SourceFinder:
    """A finder for one package that sees no extension modules."""

    def __init__(self, package: str) -> None:
        self.prefix = package + "."

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of the package by its source; leave all others to other finders."""
        if path is None or not name.startswith(self.prefix):
            return None
        loader = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
        for entry in path:
            finder = importlib.machinery.FileFinder(entry, loader)
            spec = finder.find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def prefer_source(package: str = "ninth") -> None:
    """Import the modules of the package as plain Python from now on."""
    sys.meta_path.insert(0, SourceFinder(package))
