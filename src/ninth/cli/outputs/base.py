"""What an output is: it turns what happens into bytes, and writes nothing itself.

There are two kinds. One shows a *state*, the latest line of each command: `draw()` is called after
a change, not oftener than --max-fps, and what has changed in between is never seen. The other
tells *events*, and gets every single line: `every_line` is true. Each method returns the bytes to
write, which may be none.
"""

import time
from collections.abc import Sequence

from ninth.cli.options import Settings
from ninth.cli.watched import Watched


class Output:
    """An output that says nothing; formats override what they have something to say about."""

    every_line = False
    # Whether commands get a pipe as stdin, for what begin() asked the reader to send us.
    takes_clicks = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def set_names(self, names: Sequence[str]) -> None:
        """Take note of all names before the first output, to make room for the longest."""

    def clock(self) -> list[str]:
        """Return the time as it is to be shown, in a list that is empty for no time."""
        form = self.settings.time_format
        return [time.strftime(form)] if form else []

    def begin(self) -> bytes:
        """Return what comes first of all."""
        return b""

    def draw(self, watched: Sequence[Watched]) -> bytes:  # noqa: ARG002
        """Return what shows the state, nothing if it has not changed."""
        return b""

    def above(self, lines: Sequence[str]) -> bytes:  # noqa: ARG002
        """Return what shows lines of standard error, on a terminal that this output owns."""
        return b""

    def resized(self) -> None:
        """Take note that the terminal has another size."""

    def moved(self) -> None:
        """Take note that others wrote to the terminal, so that the cursor is somewhere else."""

    def lines(self, watched: Watched, texts: Sequence[str]) -> bytes:  # noqa: ARG002
        """Return what tells new lines of a command."""
        return b""

    def exited(self, watched: Watched) -> bytes:  # noqa: ARG002
        """Return what tells the end of a run, with watched.code and watched.again."""
        return b""

    def restarted(self, watched: Watched) -> bytes:  # noqa: ARG002
        """Return what tells that a command was started again."""
        return b""

    def tick(self) -> bytes:
        """Return what tells the time, every --interval seconds."""
        return b""

    def end(self) -> bytes:
        """Return what comes last of all."""
        return b""
