"""The tests of `test_asyncio` that cannot apply to another loop, each with its reason.

A name is module.Class.test; a `*` stands for the variants of one test (over epoll, poll, select).
An exclusion holds only while the test fails: the runner runs it, and complains if it passes.
`since` and `until` (inclusive) bound the Pythons where it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Exclusion:
    """One test, or one test in its variants, that cannot apply, and why."""

    test: str
    reason: str
    since: tuple[int, int] = (3, 11)
    until: tuple[int, int] = (3, 99)

    def covers(self, test: str, version: tuple[int, ...]) -> bool:
        """Tell whether test is excluded on a Python."""
        return self.since <= version[:2] <= self.until and fnmatchcase(test, self.test)


EXCLUSIONS: tuple[Exclusion, ...] = ()


def exclusion(test: str, version: tuple[int, ...]) -> Exclusion | None:
    """Return what excludes test on a Python, if anything."""
    return next((entry for entry in EXCLUSIONS if entry.covers(test, version)), None)
