"""Checks of numbers that users give."""

from __future__ import annotations

import math


def seconds_of(seconds: float, function: str) -> float:
    """Return a number of seconds, refusing what is none.

    function: who was given it, for the error.
    Raises: TypeError, ValueError.
    """
    if type(seconds) is float or isinstance(seconds, (int, float)):
        if math.isnan(seconds):
            message = f"{function}() was given NaN: pass seconds as a number"
            raise ValueError(message)
        return seconds
    message = f"{function}() was given {seconds!r}: pass seconds as an int or a float"
    raise TypeError(message)
