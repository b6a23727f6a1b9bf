"""Fixtures for pytest: put `pytest_plugins = ["ninth.pytest_plugin"]` into the top conftest.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ninth.testing import VirtualLoop


@pytest.fixture
def virtual_loop(request: pytest.FixtureRequest) -> Iterator[VirtualLoop]:
    """Give a loop whose clock jumps, and close it at the end.

    The order is as usual, or shuffled by a seed that is passed as the fixture's parameter:
    `@pytest.mark.parametrize("virtual_loop", range(10), indirect=True)`.
    """
    from ninth.testing import VirtualLoop  # noqa: PLC0415  (so that coverage sees it)

    loop = VirtualLoop(getattr(request, "param", None))
    try:
        yield loop
    finally:
        loop.close()
