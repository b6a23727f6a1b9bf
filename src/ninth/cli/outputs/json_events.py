"""A JSON object for each event, one a line: for programs.

Every object has the same five keys:

    time    when it was noticed: ISO 8601, with the offset from UTC
    event   "line", "exit", "restart", or "tick", every --interval seconds
    name    of the command; null for a tick
    text    of a line, without its end; of an exit, in words; else null
    code    of an exit: the status, or -n when signal n ended it; of a restart, that of the run
            before; else null
"""

import json
import time
from collections.abc import Sequence

from ninth.cli.watched import Watched, describe

from .base import Output


class JsonOutput(Output):
    """Objects, one a line."""

    every_line = True

    def lines(self, watched: Watched, texts: Sequence[str]) -> bytes:
        # All but the text is the same for all of them, and it is a flood that has many lines.
        form = _event("line", watched.name, "\0", None)
        before, _, after = form.partition('"\\u0000"')
        quoted = map(json.dumps, texts)
        return "".join([f"{before}{text}{after}\n" for text in quoted]).encode()

    def exited(self, watched: Watched) -> bytes:
        code = watched.code
        text = None if code is None else describe(code)
        return f"{_event('exit', watched.name, text, code)}\n".encode()

    def restarted(self, watched: Watched) -> bytes:
        return f"{_event('restart', watched.name, None, watched.code)}\n".encode()

    def tick(self) -> bytes:
        return f"{_event('tick', None, None, None)}\n".encode()


def _event(event: str, name: str | None, text: str | None, code: int | None) -> str:
    fields = {"time": _now(), "event": event, "name": name, "text": text, "code": code}
    return json.dumps(fields)


def _now() -> str:
    now = time.time()
    zone = time.strftime("%z", time.localtime(now))
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    return f"{second}.{int(now % 1 * 1000):03}{zone[:3]}:{zone[3:]}"
