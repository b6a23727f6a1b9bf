"""One watched command: the run that it is in, what it said last, how it ended."""

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from typing import IO

from ninth.ladder.program import LatestLine

from .commands import Command
from .lines import AllLines
from .restarts import Restarts


class Run:
    """A command that was started: a shell that leads a session, and the files that it writes to.

    output, errors: descriptors to read, -1 when they are closed or there is none. clicks: what
    it reads. returncode: as in subprocess.Popen, None while it runs; its end is taken note of
    with WNOWAIT, and it is reaped by release(), because its number is that of its session too.
    """

    def __init__(
        self,
        command: str,
        *,
        stdin: int,
        stderr: int | None,
        pty: bool,
        env: Mapping[str, str],
    ) -> None:
        self.output = self.errors = -1
        self.clicks: IO[bytes] | None = None
        self.returncode: int | None = None
        self.started = time.monotonic()
        self.ended = 0.0
        slave = -1
        if pty:
            self.output, slave = open_terminal()
        try:
            self.popen = subprocess.Popen(
                ["/bin/sh", "-c", "--", command],  # --: a command line may begin with a dash
                stdin=stdin,
                stdout=slave if pty else subprocess.PIPE,
                stderr=stderr,
                env=env,
                bufsize=0,
                start_new_session=True,
            )
        except BaseException:
            self.close()
            raise
        finally:
            if slave >= 0:
                os.close(slave)
        self.pid = self.popen.pid
        self.clicks = self.popen.stdin
        if self.popen.stdout is not None:
            self.output = self.popen.stdout.fileno()
        if self.popen.stderr is not None:
            self.errors = self.popen.stderr.fileno()
        for descriptor in (self.output, self.errors):
            if descriptor >= 0:
                os.set_blocking(descriptor, False)
        if self.clicks is not None:
            os.set_blocking(self.clicks.fileno(), False)

    def end(self, code: int | None) -> None:
        """Take note of the end."""
        self.returncode = 0 if code is None else code
        self.ended = self.ended or time.monotonic()

    def release(self) -> None:
        """Reap it and close its files."""
        self.popen.wait()
        self.close()

    def close(self) -> None:
        """Close its files; idempotent."""
        self.close_output()
        self.close_errors()
        if self.clicks is not None:
            self.clicks.close()
            self.clicks = None

    def close_output(self) -> None:
        """Close the output."""
        if self.output >= 0:
            if self.popen_file("stdout") is None:
                os.close(self.output)
            self.output = -1

    def close_errors(self) -> None:
        """Close the error output."""
        if self.errors >= 0:
            self.popen_file("stderr")
            self.errors = -1

    def popen_file(self, name: str) -> object:
        """Close a file of the Popen, if there is one; return it."""
        file = getattr(getattr(self, "popen", None), name, None)
        if file is not None:
            file.close()
        return file


class Watched:
    """A command, over all its runs.

    latest: the latest line. run: the current run, or the last one. code: how the last run ended,
    None while one runs. over: whether there will be no other run and no output. stopped: whether
    it was us who ended it. again: seconds until the next run, from its last end, if there is one.
    """

    def __init__(self, command: Command, index: int, restarts: Restarts) -> None:
        self.name = command.name
        self.line = command.line
        self.index = index
        self.restarts = restarts
        self.latest = LatestLine()
        self.all_lines = AllLines()
        self.error_lines = AllLines()
        self.run: Run | None = None
        self.code: int | None = None
        self.over = False
        self.stopped = False
        self.again: float | None = None
        self.started = 0.0  # the first run
        self.ended = 0.0  # the last one

    @property
    def failed(self) -> bool:
        """Whether it has ended by itself, and not with 0."""
        return bool(self.code) and not self.stopped

    @property
    def ending(self) -> str:
        """How it ended if not with 0, such as `exit 3` or `SIGSEGV`; else the empty string."""
        return describe(self.code) if self.code else ""


def describe(code: int) -> str:
    """Return a return code in words."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def open_terminal() -> tuple[int, int]:
    """Return a new terminal that changes nothing of what is written to it: our end, and theirs."""
    master, slave = os.openpty()
    with contextlib.suppress(termios.error):
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
    with contextlib.suppress(OSError):
        size = os.get_terminal_size(1)
        set_size(master, size.lines, size.columns)
    return master, slave


def set_size(terminal: int, lines: int, columns: int) -> None:
    """Tell a terminal how large it is."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
