"""The small program that all eight loops run: N commands, the latest line of each, the time.

A rung decides one thing only: how to wait. All else is told here, once:

- A `Child` is a running command. It is two files: `output`, readable when there is something to
  read, and `end`, readable when the command has ended. A rung that can wait for files can wait
  for both; one that cannot has to ask again and again.
- `Program` starts children, renders, and is a `with` block: however the block is left, every
  child and what it started is stopped and reaped. On Ctrl-C, SIGTERM, SIGHUP and SIGQUIT it is left
  by an exception.

Why a child has a file for its end: end of output and end of process are different events. A
command can close its output and work on, and one it left in the background can hold the output
open after it. So a rung has to wait for both, and then nothing is lost, no line and no status.

Why an ended child stays a zombie until the block is left: its process id is also the id of its
session and its group. As long as it is not reaped the number cannot be given to a stranger, so
signals for what it left behind can reach nobody else.

Source: setsid(2), waitid(2), pidfd_open(2), ECMA-48 for control sequences.
"""

import codecs
import contextlib
import errno
import os
import re
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import IO, Self

CHUNK = 65536  # bytes to read at once: what a pipe of Linux holds
LINE_LIMIT = 65536  # bytes of one line that are kept
GRACE = 5.0  # seconds between the request to stop and the kill
LAST_GRACE = 2.0  # seconds from the kill on, after which we leave what cannot be killed
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

Show = Callable[[str, Sequence[str]], None]  # takes the time and the latest lines


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to stop.

    A KeyboardInterrupt, because event loops let that pass through their callbacks and log others.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class StartError(Exception):
    """A command could not be started; the text says why and what helps."""


def cannot_start(command: str, number: int, count: int, error: OSError | ValueError) -> StartError:
    """Return the error for a command that could not be started, the number-th of so many."""
    name = command if len(command) <= 60 else command[:60] + "…"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    cure = ""
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        cure = (
            f": this process may have {limit} files open and each command takes two;"
            " raise the limit (ulimit -n) or give fewer commands"
        )
    return StartError(
        f"cannot start command {number} of {count}, {name!r}: {reason}{cure}; "
        f"those before it were stopped"
    )


# --- lines ---------------------------------------------------------------------------------------

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS and the like: titles, links
    r"|\x1b[ -/]*[0-Z\\^-~]"  # two and three character sequences
)
# What is left of controls becomes visible: ␀, ␍, ␛ …; eight-bit controls have no such picture,
# nor have those that turn the direction of the rest of a row around.
_CONTROLS: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20) if code != 0x09}
_CONTROLS |= {0x7F: "\u2421", 0x2028: " ", 0x2029: " "}
_CONTROLS |= dict.fromkeys(
    [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    "\N{REPLACEMENT CHARACTER}",
)


def printable(text: str) -> str:
    """Return the text without control sequences and with other controls (but tabs) made visible."""
    if text.isprintable():
        return text
    return _ESCAPE_SEQUENCE.sub("", text).translate(_CONTROLS)


class LatestLine:
    """The latest complete line of a stream of bytes, in bounded memory.

    `text` is that line without its end, `count` how many lines there have been. A line longer
    than LINE_LIMIT is shown as soon as it is known to be, up to the limit and with an ellipsis.
    """

    def __init__(self) -> None:
        self.count = 0
        self._line = b""
        self._cut = False
        self._text: str | None = ""
        self._partial = bytearray()
        self._skipping = False  # the rest of a line that was cut

    @property
    def text(self) -> str:
        """The latest complete line, fit to be shown."""
        if self._text is None:
            # A cut may have split a character: an incremental decoder keeps the half back.
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            line = decoder.decode(self._line, final=not self._cut)
            self._text = printable(line.rstrip("\r")) + ("…" if self._cut else "")
        return self._text

    def feed(self, data: bytes) -> None:
        """Take in what was read."""
        first, newline, rest = data.partition(b"\n")
        if newline:
            if not self._skipping:
                self._complete(self._partial + first)
            self._partial.clear()
            self._skipping = False
            between, newline, data = rest.rpartition(b"\n")
            if newline:  # only the last of these lines can be seen, but all count
                self.count += between.count(b"\n")
                self._complete(between.rpartition(b"\n")[2])
        if not self._skipping:
            self._partial += data
            if len(self._partial) > LINE_LIMIT:
                self._complete(self._partial)
                self._partial.clear()
                self._skipping = True

    def end(self) -> None:
        """Take in the end of the stream: a last line without newline counts."""
        if self._partial:
            self._complete(self._partial)
            self._partial.clear()

    def _complete(self, line: bytes | bytearray) -> None:
        self._line = bytes(line[:LINE_LIMIT])
        self._cut = len(line) > LINE_LIMIT
        self._text = None
        self.count += 1


# --- children ------------------------------------------------------------------------------------


class Child:
    """A running shell command, in a session of its own, with nothing on its standard input.

    `output` and `end` are files to wait for. `returncode` is None while it runs, then its exit
    status, or -n when signal n ended it, as in subprocess; `ended` is when that was noticed, on
    the monotonic clock.
    """

    def __init__(self, command: str, stderr: int | None = None) -> None:
        self.command = command
        self.latest = LatestLine()
        self.returncode: int | None = None
        self.ended = 0.0
        self._asked = False
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", "--", command],  # --: a command line may begin with a dash
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.output: IO[bytes] = self._process.stdout
        self.pid = self._process.pid
        try:
            self.end: int = _end_file(self.pid)
        except BaseException:
            self.signal(signal.SIGKILL)
            self.reap()
            self.output.close()
            raise

    def read(self) -> bool:
        """Read what is there; wait for it if the output blocks. Return False at its end."""
        data = os.read(self.output.fileno(), CHUNK)
        if data:
            self.latest.feed(data)
        else:
            self.latest.end()
        return bool(data)

    def read_line(self) -> bool:
        """Wait until there is another complete line. Return False at the end of the output."""
        count = self.latest.count
        while self.read():
            if self.latest.count > count:
                return True
        return False

    def running(self) -> bool:
        """Return whether the command still runs; never waits."""
        return self.returncode is None and not self._take_status(os.WNOHANG)

    def wait(self) -> None:
        """Wait until the command has ended."""
        if self.returncode is None:
            self._take_status(0)

    def _take_status(self, flags: int) -> bool:
        # WNOWAIT: the zombie has to hold the number until the last signal is sent.
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | flags)
        if status is None:
            return False
        self.ended = time.monotonic()
        exited = status.si_code == os.CLD_EXITED
        self.returncode = status.si_status if exited else -status.si_status
        return True

    def signal(self, signum: int) -> None:
        """Send a signal to the process group of the command. Not after reap()."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signum)

    def stop(self) -> None:
        """Ask the command to stop, and do not wait; the program does, for all."""
        # Once only: many programs take a second request as "now, without clean-up".
        if not self._asked:
            self._asked = True
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a stopped process cannot act on the request

    def reap(self) -> None:
        """Wait for the end, let go of the process id, and keep the status."""
        self.wait()
        self._process.wait()

    def close(self) -> None:
        """Close both files."""
        self.output.close()
        if self.end >= 0:
            os.close(self.end)
            self.end = -1


def _end_file(pid: int) -> int:
    """Return a descriptor that becomes readable when the child with that pid has ended."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {errno.ENOSYS, errno.EPERM}:
            raise
    # No such files here (before Linux 5.3, or not Linux): a thread waits, and closes a pipe.
    end, signpost = os.pipe()

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os.close(signpost)

    threading.Thread(target=wait, daemon=True).start()
    return end


def _sessions() -> dict[int, list[int]]:
    """Return the living processes of every session on this machine, but for its leader.

    A shell with job control gives each background job a process group of its own, so the group
    of the command alone would miss some of what it started. Empty where there is no /proc.
    """
    members: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        names = []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # pid (name of any bytes) state ppid pgrp session …
                state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if state not in b"ZX" and name.encode() != session:
            members.setdefault(int(session), []).append(int(name))
    return members


def _signal_all(children: Iterable[Child], signum: int) -> list[int]:
    """Send a signal to all that the children started. Return what was alive before it."""
    sessions = _sessions()
    alive = []
    for child in children:
        members = sessions.get(child.pid, [])
        if child.running():
            alive.append(child.pid)
        elif not members:
            continue
        alive += members
        if signum == signal.SIGTERM:
            child.stop()
        elif signum:
            child.signal(signum)
        for pid in members if signum else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) != child.pid:
                    os.kill(pid, signum)
                    os.kill(pid, signal.SIGCONT)
    return alive


# --- the program ---------------------------------------------------------------------------------


class LineDisplay:
    """Shows a render as one line of text, at once, and only when it differs from the last one.

    descriptor: where to write. interval: seconds for which to wait for a first line before a
    render without any is shown.
    """

    def __init__(self, descriptor: int = 1, separator: str = " ", interval: float = 0.0) -> None:
        self._descriptor = descriptor
        self._separator = separator
        self._last = ""
        self._start = time.monotonic() + interval

    def __call__(self, clock: str, lines: Sequence[str]) -> None:
        """Show the time and the latest lines. Raises OSError when that cannot be written."""
        if not any(lines) and not self._last and time.monotonic() < self._start:
            return
        text = self._separator.join([clock, *lines])
        if text != self._last:
            write_all(self._descriptor, text.encode(errors="replace") + b"\n")
            self._last = text


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data, also to a descriptor that somebody has set non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


class Program:
    """What a rung runs: the commands to start, and how and how often to show them.

    commands: shell command lines. show: takes the time and the latest line of each command.
    interval: seconds after which to render even without a new line. grace: seconds that a child
    has to end by itself when it is asked to. stderr: of the children, as in subprocess.Popen.

    As a `with` block it is entered once; on leaving, all children are stopped and reaped. `left`
    then holds the ids of processes that could not be stopped: another user's, for one.
    """

    def __init__(
        self,
        commands: Sequence[str],
        show: Show | None = None,
        interval: float = 10.0,
        grace: float = GRACE,
        stderr: int | None = None,
    ) -> None:
        self.commands = commands
        self.interval = interval
        self.children: list[Child] = []
        self.left: list[int] = []
        # What our parent has set to be ignored (nohup) stays so; handlers need the main thread.
        self.signals = [
            signum
            for signum in STOP_SIGNALS
            if threading.current_thread() is threading.main_thread()
            and signal.getsignal(signum) != signal.SIG_IGN
        ]
        self._show = show or LineDisplay(interval=interval)
        self._grace = grace
        self._stderr = stderr
        # Called in the handler, when a signal is only noted: for loops that have to be woken up.
        self.on_asked: Callable[[], object] = lambda: None
        self._signum: int | None = None  # the first that asked us to stop
        self._raised = False
        self._shield = False  # set while an exception from a signal would do harm
        self._hurry = False
        self._entered = False
        self._reserve = -1  # a descriptor kept for stopping, which has to look into /proc
        self._previous: dict[int, object] = {}

    def run(self, watch: Callable[["Program"], None]) -> None:
        """Have a loop run this program, to its end."""
        try:
            watch(self)
        finally:
            # A signal can strike in the very moment in which a loop leaves its `with` block, and
            # then nothing in there has been stopped. It strikes once only.
            self.close()

    def start(self, command: str) -> Child:
        """Start one command. Raises StartError with the reason when that is impossible."""
        with self.shielded():  # a signal between fork and append would lose the child
            try:
                child = Child(command, self._stderr)
            except (OSError, ValueError) as error:
                number, count = len(self.children) + 1, len(self.commands)
                raise cannot_start(command, number, count, error) from error
            self.children.append(child)
        return child

    def render(self) -> None:
        """Show the current time and the latest complete line of every command."""
        lines = [child.latest.text for child in self.children]
        lines += [""] * (len(self.commands) - len(lines))
        # Nobody may be reading, and then this would block: signals have to come through.
        shield, self._shield = self._shield, False
        try:
            self.raise_if_asked()
            self._show(time.strftime("%Y-%m-%d %H:%M:%S"), lines)
        finally:
            self._shield = shield

    def raise_if_asked(self) -> None:
        """Raise Interrupted if a signal has asked the program to stop."""
        if self._signum is not None:
            self._raised = True
            raise Interrupted(self._signum)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Only note signals in this block, but while something is shown; raise at its end."""
        shield, self._shield = self._shield, True
        try:
            yield
        finally:
            self._shield = shield
        if not shield:
            self.raise_if_asked()

    def close(self) -> None:
        """Stop and reap all children, and give the signals back. Idempotent."""
        self._shield = True  # from here on a signal only shortens the grace
        if not self._entered:
            return
        self._entered = False
        self._hurry = False
        try:
            self._stop_children()
        finally:
            for signum, handler in self._previous.items():
                signal.signal(signum, handler)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self.render()  # the time, and empty lines: so that there is something to look at
        for signum in self.signals:
            self._previous[signum] = signal.signal(signum, self._on_signal)
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            # Inherited, it would make the kernel throw away what we wait for.
            self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._reserve = os.open(os.devnull, os.O_RDONLY)
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is None:
            self.raise_if_asked()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self._hurry = self._signum is not None
        self._signum = self._signum or signum
        # Raised once: a second exception could hit the clean-up that the first has started. That
        # Python drops exceptions in some places, a __del__ for one, is made good by render().
        if self._shield:
            self.on_asked()
        elif not self._raised:
            self.raise_if_asked()

    def _stop_children(self) -> None:
        """Stop and reap all that was started: ask, give it the grace, kill."""
        os.close(self._reserve)
        for child in self.children:
            os.set_blocking(child.output.fileno(), False)
        deadline = time.monotonic() + self._grace
        killed = None
        pause = 0.001
        _signal_all(self.children, signal.SIGTERM)
        while alive := _signal_all(self.children, 0):
            now = time.monotonic()
            if self._hurry or now >= deadline:
                killed = killed or now
                if now > killed + LAST_GRACE:  # another user's, or stuck in the kernel
                    self.left = sorted(alive)
                    break
                _signal_all(self.children, signal.SIGKILL)
            for child in self.children:
                # What it says while it stops is not shown, but with a full pipe it would be stuck.
                with contextlib.suppress(BlockingIOError):
                    child.read()
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        for child in self.children:
            if not child.running():
                child.reap()
            child.close()
