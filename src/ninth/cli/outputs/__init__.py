"""The formats of `ninth watch --output`: one file each, all with the face told in base.py."""

import importlib

from ninth.cli.options import Settings

from .base import Output

# Where each lives; only the one that is asked for is loaded.
HOMES = {
    "tty": ("tty", "TtyOutput"),
    "line": ("line", "LineOutput"),
    "log": ("log", "LogOutput"),
    "json": ("json_events", "JsonOutput"),
    "i3bar": ("i3bar", "I3barOutput"),
    "tmux": ("tmux", "TmuxOutput"),
    "polybar": ("polybar", "PolybarOutput"),
}


def output_for(settings: Settings) -> Output:
    """Return the output that was asked for."""
    module, name = HOMES[settings.output]
    home = importlib.import_module(f"{__name__}.{module}")
    output: Output = getattr(home, name)(settings)
    return output
