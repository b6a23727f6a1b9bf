"""Checks of numbers that users give."""

from __future__ import annotations

import math
from typing import Any


def seconds_of(seconds: Any, function: str) -> float:
    """Return a number of seconds, refusing what is none.

    function: who was given it, for the error.
    Raises: TypeError, ValueError.
    """
    if type(seconds) is float or isinstance(seconds, (int, float)):
        if math.isnan(seconds):
            message = f"{function}() was given NaN: pass seconds as a number"
            raise ValueError(message)
        return float(seconds) if isinstance(seconds, bool) else seconds
    message = f"{function}() was given {seconds!r}: pass seconds as an int or a float"
    raise TypeError(message)
