"""Every line of every command, each with the time and a name before it: for reading along."""

from collections.abc import Sequence

from ninth.cli.cells import width
from ninth.cli.options import Settings
from ninth.cli.watched import Watched

from .base import Output
from .styles import color_of, dim


class LogOutput(Output):
    """Lines with a prefix, TIME NAME | TEXT; also a line when a command fails or starts again."""

    every_line = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._width = 0

    def lines(self, watched: Watched, texts: Sequence[str]) -> bytes:
        prefix = self._prefix(watched)
        return "".join(f"{prefix}{text}\n" for text in texts).encode(errors="replace")

    def exited(self, watched: Watched) -> bytes:
        if watched.again is None and not watched.failed:
            return b""
        return self._note(watched, ending_of(watched))

    def restarted(self, watched: Watched) -> bytes:
        return self._note(watched, "[restarted]")

    def set_names(self, names: Sequence[str]) -> None:
        self._width = max(map(width, names))

    def _note(self, watched: Watched, text: str) -> bytes:
        if self.settings.color:
            text = dim(text)
        return f"{self._prefix(watched)}{text}\n".encode(errors="replace")

    def _prefix(self, watched: Watched) -> str:
        name = watched.name + " " * (self._width - width(watched.name))
        prefix = " ".join([*self.clock(), name, "|"])
        return (color_of(watched.index, prefix) if self.settings.color else prefix) + " "


def ending_of(watched: Watched) -> str:
    """Return how a run ended and whether there will be another, in brackets."""
    ending = watched.ending or "exit 0"
    if watched.again is not None:
        ending += f", again in {watched.again:g} s"
    return f"[{ending}]"
