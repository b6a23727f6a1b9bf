"""For i3bar and swaybar: their protocol, with a block for each command and one for the time.

    bar { status_command ninth watch -o i3bar ... }

The bar stops its status command when it is hidden. By default it uses SIGSTOP, under which
nobody could stop the commands any more; so the header names two signals that pause the output
only. The text of a block is a command's, so the bar is told that it is no markup.

Clicks come as lines of JSON on our standard input, if that is a pipe: each is passed on to the
standard input of its command.

Source: https://i3wm.org/docs/i3bar-protocol.html
"""

import json
import os
import signal
import stat
from collections.abc import Sequence

from ninth.cli.options import Settings
from ninth.cli.watched import Watched

from .base import Output

STOP, CONTINUE = signal.SIGUSR1, signal.SIGUSR2


class I3barOutput(Output):
    """A header, and an endless array of status lines."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._last = ""
        self.takes_clicks = _is_pipe(0)

    def begin(self) -> bytes:
        header = {
            "version": 1,
            "stop_signal": int(STOP),
            "cont_signal": int(CONTINUE),
            "click_events": self.takes_clicks,
        }
        return f"{json.dumps(header)}\n[\n".encode()

    def draw(self, watched: Sequence[Watched]) -> bytes:
        blocks = [self._block(one) for one in watched]
        blocks += [{"name": "time", "full_text": text, "markup": "none"} for text in self.clock()]
        status = json.dumps(blocks, ensure_ascii=False)
        if status == self._last:
            return b""
        comma = "," if self._last else ""
        self._last = status
        return f"{comma}{status}\n".encode(errors="replace")

    def _block(self, watched: Watched) -> dict[str, object]:
        text = watched.latest.text
        if watched.ending:
            text = f"{text} [{watched.ending}]".lstrip()
        if self.settings.named:
            text = f"{watched.name} {text}".rstrip()
        return {
            "name": "command",
            "instance": watched.name,
            "full_text": text,
            "markup": "none",
            "urgent": watched.failed,
        }


def instance_of(line: bytes) -> str | None:
    """Return which command a click is for, None for what is none."""
    try:
        click = json.loads(line.strip().lstrip(b"[,"))
    except ValueError:
        return None
    if not isinstance(click, dict) or click.get("name") != "command":
        return None
    instance = click.get("instance")
    return instance if isinstance(instance, str) else None


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
