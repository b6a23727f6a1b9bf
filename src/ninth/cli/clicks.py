"""Clicks on a bar, passed on to the commands that they are for."""

import contextlib
from collections.abc import Sequence

from .outputs.i3bar import instance_of
from .watched import Watched


def pass_on(watched: Sequence[Watched], line: str) -> None:
    """Write a line of clicks to the command that it names. One that does not read loses them."""
    name = instance_of(line.encode())
    for one in watched:
        if one.name == name and one.run is not None and one.run.clicks is not None:
            with contextlib.suppress(OSError):
                one.run.clicks.write(line.strip().lstrip("[,").encode() + b"\n")


def end(watched: Sequence[Watched]) -> None:
    """Tell all commands that there will be no more."""
    for one in watched:
        if one.run is not None and one.run.clicks is not None:
            one.run.clicks.close()
            one.run.clicks = None
