"""Where a promise is in its life."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Where a promise is in its life."""

    PENDING = "pending"
    FULFILLED = "fulfilled"
    REJECTED = "rejected"


PENDING, FULFILLED, REJECTED = State
