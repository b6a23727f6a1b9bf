"""A program in a pseudo-terminal, and other things that can be looked at from outside."""

import fcntl
import os
import signal
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pexpect
import pyte

from tests.conftest import TAG, Runner


def until(true: Callable[[], object]) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting_in(pipe: IO[str] | int | None) -> int:
    """Return how many bytes are in a pipe."""
    size = bytearray(4)
    assert pipe is not None
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return int.from_bytes(size, sys.byteorder)


def status_of(pid: int, field: str) -> str:
    """Return a field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise KeyError(field)


def switches(pid: int) -> int:
    """Return how often a process went to sleep by itself."""
    return int(status_of(pid, "voluntary_ctxt_switches"))


def until_idle(pid: int) -> None:
    """Wait until a process sleeps and has not woken up for a while."""
    seen = [-1]

    def idle() -> bool:
        seen.append(switches(pid))
        return len(seen) > 10 and len(set(seen[-10:])) == 1 and status_of(pid, "State")[0] == "S"

    until(idle)


class Screen(pyte.Screen):
    """A screen that takes a space of no width as real terminals do: pyte drops what follows it."""

    def draw(self, data: str) -> None:
        super().draw(data.replace("\u200b", ""))


class Terminal:
    """A program in a pseudo-terminal, and what its screen shows.

    arguments: of `ninth`; or program: another one, with its arguments.
    """

    def __init__(
        self,
        runner: Runner,
        *arguments: str,
        rows: int = 10,
        columns: int = 40,
        size: tuple[int, int] | None = None,
        program: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.screen = Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.child = pexpect.spawn(
            program or sys.executable,
            list(arguments) if program else ["-m", "ninth", *arguments],
            dimensions=size or (rows, columns),
            env={**environ, "TERM": "xterm", TAG: runner.tag, **(env or {})},
            timeout=30,
        )
        self.raw = b""

    @property
    def rows(self) -> list[str]:
        """The rows of the screen."""
        return [row.rstrip() for row in self.screen.display]

    def until(self, *texts: str) -> list[str]:
        """Read until all texts are on the screen; return its rows."""
        self.until_true(lambda: all(any(text in row for row in self.rows) for text in texts))
        return self.rows

    def until_true(self, true: Callable[[], object]) -> None:
        """Read until it is true."""
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, self.screen.display
            self._read()

    def end(self) -> list[str]:
        """Read to the end; return the rows of the screen."""
        while not self.child.flag_eof:
            self._read()
        self.child.wait()
        return self.rows

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def frames(self) -> int:
        """Return how often a frame was drawn so far."""
        return self.raw.count(b"\x1b[?7l")

    def interrupt(self) -> list[str]:
        """Type Ctrl-C, and read to the end."""
        self.child.sendintr()
        rows = self.end()
        assert self.child.signalstatus == signal.SIGINT
        return rows

    def _read(self) -> None:
        try:
            data = self.child.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            return
        self.raw += data
        self.stream.feed(data)
