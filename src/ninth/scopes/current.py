"""The innermost scope of the running code."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninth.scopes.block import Block

# A task and a callback inherit it with the context in which they were started.
innermost: ContextVar[Block | None] = ContextVar("innermost", default=None)
