"""The full tool, on ninth's own scope: commands that run, restart and end, and what shows them.

Commands are started first, and the loop is imported after that: importing takes longer than
starting, and what they write meanwhile waits in their pipes. Everything else is callbacks in one
scope, none of which waits.

Ends. A command is *over* when its shell has ended, its output has ended and no restart is due.
When all are over, what they left running is stopped; when a signal comes, everything is. Then the
scope is cancelled. Only after that the shells are reaped: see family.py.

Floods. A command is read in pieces, one for each turn of the loop, so it delays nobody. What shows
a state is drawn --max-fps times a second at most; what tells every line is written as it comes,
and while its reader is slow nothing is read: the commands wait, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from ninth.ladder.program import STOP_SIGNALS, Interrupted, cannot_start

from .ending import exit_status, fail, say_if_not_run
from .family import Family, Member, has_ended, stop_now
from .outputs import output_for
from .restarts import Restarts
from .watched import Run, Watched, set_size
from .writer import Writer, hang_up_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from ninth.scope import Scope
    from ninth.scopes.registrations import Registration

    from .commands import Command
    from .options import Settings

CHUNK = 65536  # what a pipe of Linux holds; for a state, of which only the last line is looked at
LINES_CHUNK = 16384  # for every line: that is a millisecond's work
ABOVE_LIMIT = 65536  # characters of standard error that wait to be drawn
LAST_GRACE = 2.0  # seconds from the kill on, after which we leave what cannot be killed
RESERVE = 16  # descriptors kept for importing and running the loop


class Watcher:
    """Runs commands to their end; used once. run() does everything."""

    def __init__(self, commands: Sequence[Command], settings: Settings) -> None:
        self.settings = settings
        self.output = output_for(settings)
        self.watched = [
            Watched(
                command,
                index,
                Restarts(settings.restart, settings.tries, settings.restart_after),
            )
            for index, command in enumerate(commands)
        ]
        self.output.set_names([one.name for one in self.watched])
        self.writer = Writer(1)
        self.scope: Scope
        self.signum: int | None = None  # the first that asked us to stop
        self.error: OSError | None = None  # why nothing can be written
        self.left: list[Member] = []  # what could not be stopped
        self._wake: Callable[[], object] = lambda: None
        self._hurry = False
        self._stopping = False  # all of it
        self._killed: dict[int, Member] = {}
        self._kill_time = 0.0
        self._clearing: dict[Watched, float] = {}  # whose session is emptied before a restart
        self._reading: dict[int, tuple[Callable[[], object], Registration | None]] = {}
        self._reads_paused = False
        self._pause_due: Registration | None = None
        self._flush: Registration | None = None
        self._above: list[str] = []
        self._above_size = 0
        self._paused = False  # by the bar
        self._draw_due: Registration | None = None
        self._last_draw = 0.0
        self._ended: list[Watched] = []  # in the order of their last ends
        self._first_failed: Watched | None = None
        self._began = time.monotonic()
        self._stderr = self._stderr_for_children()
        self._env = {"PYTHONUNBUFFERED": "1"} | dict(os.environ)

    # From start to end

    def run(self) -> int:
        """Run the commands to their end. Returns: the exit status.

        Raises: StartError; Interrupted when a signal asked to stop; OSError when nothing can be
        written, BrokenPipeError among them. All of them after everything was stopped.
        """
        previous = self._note_signals()
        reserve = [os.open(os.devnull, os.O_RDONLY) for _ in range(RESERVE)]
        self.family = Family()
        try:
            self.writer.write(self.output.begin())
            self.writer.write(self.output.draw(self.watched))
            for one in self.watched:
                if self.signum is not None:
                    break
                self._start(one)
            # One that ended at once may have done so before we knew its pid.
            self._note_ends()
            while reserve:
                os.close(reserve.pop())
            self._run_scope()
        finally:
            while reserve:
                os.close(reserve.pop())
            self.left = stop_now(self.family, 0 if self._hurry else self.settings.stop_timeout)
            for one in self.watched:
                if one.run is not None:
                    self._release(one.run)
            self.family.reap_orphans()
            for signum, handler in previous.items():
                signal.signal(signum, handler)
        self._say_what_was_killed()
        if self.settings.timings:
            self._say_timings()
        if self.error is not None:
            raise self.error
        if self.signum is not None:
            raise Interrupted(self.signum)
        return self._status()

    def _run_scope(self) -> None:
        import ninth  # noqa: PLC0415 - asyncio takes longer than all the rest

        try:
            with ninth.scope() as scope:
                self.scope = scope
                # Holds the scope open, until it is cancelled.
                scope.on_signal(signal.SIGCHLD, self._on_child)
                for signum in self._signals:
                    scope.on_signal(signum, self._on_stop_signal, signum, background=True)
                self._register_others(scope)
                for one in self.watched:
                    if one.run is not None:
                        self._follow(one)
                if self.settings.interval:
                    scope.after(self.settings.interval, self._tick, background=True)
                if self.writer.pending:
                    self._written()
                if self.signum is not None:
                    self._stop_all()
        except ExceptionGroup as errors:
            # One that is expected, from writing, or our own fault: neither needs the group.
            raise errors.exceptions[0] from None

    def _register_others(self, scope: Scope) -> None:
        if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
            scope.on_signal(signal.SIGTSTP, self._on_suspend, background=True)
        if self.settings.output == "tty" or self.settings.pty:
            scope.on_signal(signal.SIGWINCH, self._on_resize, background=True)
        if self.settings.output == "i3bar":
            scope.on_signal(signal.SIGUSR1, self._pause, True, background=True)
            scope.on_signal(signal.SIGUSR2, self._pause, False, background=True)
            if self.output.takes_clicks:
                scope.on_line(0, self._click, background=True, on_end=self._no_more_clicks)
        self._hang_up = hang_up_of(1)
        if self._hang_up is not None:
            scope.on_readable(self._hang_up, self._on_hang_up, background=True)

    def _note_signals(self) -> dict[int, Any]:
        """Take note of signals until the scope listens to them. Return the handlers before."""
        # What our parent has set to be ignored (nohup) stays so.
        self._signals = [one for one in STOP_SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
        previous: dict[int, Any] = {}
        for signum in self._signals:
            previous[signum] = signal.signal(signum, self._note)
        # Also because SIGCHLD may be ignored: inherited, that would make the kernel throw away what
        # we wait for.
        previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._note_ends)
        if self.settings.output == "i3bar":
            # Before the loop listens, a bar that hides itself would end us.
            for signum in (signal.SIGUSR1, signal.SIGUSR2):
                previous[signum] = signal.signal(signum, lambda *_: None)
        return previous

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self._hurry = self.signum is not None
        self.signum = self.signum or signum

    def _note_ends(self, *_: object) -> None:
        """Note which commands have ended before the loop tells: who was the first matters."""
        for one in self.watched:
            run = one.run
            if run is not None and not run.ended and has_ended(run.pid):
                run.ended = time.monotonic()

    # Starting and following commands

    def _stderr_for_children(self) -> int | None:
        choice = self.settings.stderr
        if choice == "merge":
            return subprocess.STDOUT
        if choice == "hide":
            return subprocess.DEVNULL
        # What goes to the terminal on which the frame stands would tear it.
        ours = sys.stderr is not None and sys.stderr.isatty()
        return subprocess.PIPE if self.settings.output == "tty" and ours else None

    def _start(self, one: Watched) -> None:
        """Start a command. Raises: StartError."""
        try:
            one.run = Run(
                one.line,
                stdin=subprocess.PIPE if self.output.takes_clicks else subprocess.DEVNULL,
                stderr=self._stderr,
                pty=self.settings.pty,
                env=self._env,
            )
        except (OSError, ValueError) as error:
            number, count = one.index + 1, len(self.watched)
            raise cannot_start(one.line, number, count, error) from error
        self.family.leaders.add(one.run.pid)
        one.code = one.again = None
        one.started = one.started or one.run.started

    def _follow(self, one: Watched) -> None:
        """Have the loop tell of what a command writes, and of its end."""
        run = one.run
        assert run is not None  # noqa: S101 - it was started
        self.scope.on_exit(run.pid, functools.partial(self._on_exit, one), background=True)
        self._read_from(run.output, functools.partial(self._on_output, one))
        if run.errors >= 0:
            self._read_from(run.errors, functools.partial(self._on_errors, one))

    def _release(self, run: Run) -> None:
        """Let go of a run, and of its number."""
        for descriptor in (run.output, run.errors):
            self._stop_reading(descriptor)
        run.release()
        self.family.leaders.discard(run.pid)

    # Reading

    def _read_from(self, descriptor: int, callback: Callable[[], object]) -> None:
        registration = None
        if not self._reads_paused:
            registration = self.scope.on_readable(descriptor, callback, background=True)
        self._reading[descriptor] = (callback, registration)

    def _stop_reading(self, descriptor: int) -> None:
        _, registration = self._reading.pop(descriptor, (None, None))
        if registration is not None:
            registration.cancel()

    @property
    def _too_much(self) -> bool:
        """Whether more waits to be shown than should."""
        if self.output.every_line:
            return self.writer.full
        return self._above_size > ABOVE_LIMIT

    def _pause_reading_soon(self) -> None:
        """Pause in the next turn, if it is still needed then.

        In this one everybody who has something to read has his turn, or whoever comes first would
        be the only one to be read each time.
        """
        if self._pause_due is None:
            self._pause_due = self.scope.after(0, self._pause_if_full, background=True)

    def _pause_if_full(self) -> None:
        self._pause_due = None
        self._pause_reading(pause=self._too_much)

    def _pause_reading(self, *, pause: bool) -> None:
        """Let commands wait until what they wrote has gone out; or go on."""
        # Who is being stopped has to come to its end, whether or not anybody reads.
        pause = pause and not self._stopping
        if pause == self._reads_paused:
            return
        self._reads_paused = pause
        for descriptor, (callback, registration) in list(self._reading.items()):
            if registration is not None:
                registration.cancel()
            self._read_from(descriptor, callback)

    def _on_output(self, one: Watched) -> None:
        run = one.run
        assert run is not None  # noqa: S101 - it is being read
        data = read(run.output, LINES_CHUNK if self.output.every_line else CHUNK)
        if data is None:
            return
        texts = self._take_in(one, data)
        if texts and not (self._stopping and self.writer.full):
            self._write(self.output.lines(one, texts))
        self._draw_soon()
        if not data:
            self._stop_reading(run.output)
            run.close_output()
            self._look(one)

    def _take_in(self, one: Watched, data: bytes) -> Sequence[str]:
        """Take in what was read of the output, b"" at its end; return the lines to tell of."""
        if self.output.every_line:
            return one.all_lines.feed(data) if data else one.all_lines.end()
        if data:
            one.latest.feed(data)
        else:
            one.latest.end()
        return ()

    def _on_errors(self, one: Watched) -> None:
        run = one.run
        assert run is not None  # noqa: S101 - it is being read
        data = read(run.errors, LINES_CHUNK)
        if data is None:
            return
        texts = one.error_lines.feed(data) if data else one.error_lines.end()
        if not (self._stopping and self._above_size > ABOVE_LIMIT):
            self._put_above(one, texts)
        if self._above_size > ABOVE_LIMIT:
            self._pause_reading_soon()
        self._draw_soon()
        if not data:
            self._stop_reading(run.errors)
            run.close_errors()
            self._look(one)

    def _put_above(self, one: Watched, texts: Sequence[str]) -> None:
        """Keep lines of standard error until a frame is drawn."""
        if self.settings.named:
            texts = [f"{one.name} │ {text}" for text in texts]
        self._above += texts
        self._above_size += sum(map(len, texts))

    # Ends and restarts

    def _on_exit(self, one: Watched, code: int | None) -> None:
        assert one.run is not None  # noqa: S101 - it has just ended
        one.run.end(code)
        self._look(one)

    def _look(self, one: Watched) -> None:
        """See whether a run is over: its shell has ended, and its output."""
        run = one.run
        if run is None or run.returncode is None or one.over or one.code is not None:
            return
        if run.output >= 0 or run.errors >= 0:
            return
        one.code = run.returncode
        one.ended = run.ended
        one.stopped = self._stopping
        if not self._stopping:
            one.again = one.restarts.after(one.code, run.ended - run.started)
        self._write(self.output.exited(one))
        self._draw_soon()
        if one.again is not None:
            self.scope.after(one.again, self._clear, one, background=True)
            return
        self._is_over(one)

    def _is_over(self, one: Watched) -> None:
        one.over = True
        self._ended.append(one)
        ends_all = self.settings.kill_others or (self.settings.kill_others_on_fail and one.failed)
        if all(other.over for other in self.watched) or ends_all:
            self._stop_all()

    def _clear(self, one: Watched) -> None:
        """Stop what the last run left in its session, and start the next one."""
        if self._stopping or one.run is None:
            return
        members = self.family.living(one.run.pid)
        if members:
            now = time.monotonic()
            if one not in self._clearing:
                self._clearing[one] = now + self.settings.stop_timeout
                self.family.send(members, signal.SIGTERM, signal.SIGCONT)
                self.scope.after(self.settings.stop_timeout, self._clear, one, background=True)
            elif now >= self._clearing[one]:
                self._kill(members)
                self.scope.after(0.1, self._clear, one, background=True)
            return
        self._clearing.pop(one, None)
        if one.again is None:
            return  # it was started meanwhile
        self._release(one.run)
        code = one.code
        self._start(one)
        one.code = code
        self._write(self.output.restarted(one))
        one.code = None
        self._follow(one)
        self._draw_soon()

    def _on_child(self) -> None:
        """Something has ended: one of ours, or one that we took in."""
        self.family.reap_orphans()
        for one in list(self._clearing):
            self._clear(one)
        if self._stopping:
            self._look_whether_stopped()

    # Stopping everything

    def _on_stop_signal(self, signum: int) -> None:
        self._hurry = self.signum is not None
        self.signum = self.signum or signum
        if self._stopping and self._hurry:
            self._kill_all()
        else:
            self._stop_all()

    def _stop_all(self) -> None:
        """Ask everything to end, and kill it after the timeout; then the scope ends."""
        if self._stopping:
            if self.signum is not None or self.error is not None:
                self._look_whether_stopped()
            return
        self._stopping = True
        self._pause_reading(pause=False)
        members = self.family.living()
        self.family.send(members, signal.SIGTERM, signal.SIGCONT)
        if members:
            if self._hurry or not self.settings.stop_timeout:
                self._kill_all()
            else:
                self.scope.after(self.settings.stop_timeout, self._kill_all, background=True)
            if not self.family.hears_all:
                self.scope.every(0.05, self._look_whether_stopped, background=True)
        self._look_whether_stopped()

    def _kill_all(self) -> None:
        if not self._kill_time:
            self._kill_time = time.monotonic()
            self.scope.after(LAST_GRACE, self._look_whether_stopped, background=True)
        self._kill(self.family.living())
        # What was forked while we looked has not been seen.
        self.scope.after(0.02, self._look_whether_stopped, background=True)

    def _kill(self, members: Sequence[Member]) -> None:
        self._killed.update({member.pid: member for member in members})
        self.family.send(members, signal.SIGKILL)

    def _look_whether_stopped(self) -> None:
        members = self.family.living()
        if members:
            if not self._kill_time:
                return
            if time.monotonic() < self._kill_time + LAST_GRACE:
                if not {member.pid for member in members} <= self._killed.keys():
                    self._kill_all()
                return
        # Nobody is left to write: what is in the pipes is all that there will be.
        for one in self.watched:
            self._read_the_rest(one)
        self._finish()

    def _read_the_rest(self, one: Watched) -> None:
        from ninth.children.exits import child_status  # noqa: PLC0415 - as ninth in _run_scope()

        run = one.run
        if run is None:
            return
        while run.output >= 0 and (data := read(run.output, LINES_CHUNK)) is not None:
            if texts := self._take_in(one, data):
                self._write(self.output.lines(one, texts))
            if not data:
                break
        while run.errors >= 0 and (data := read(run.errors, LINES_CHUNK)) is not None:
            self._put_above(one, one.error_lines.feed(data) if data else one.error_lines.end())
            if not data:
                break
        if one.code is None and one.again is None:
            _, code = child_status(run.pid)
            if code is not None and run.returncode is None:
                run.end(code)
            self._stop_reading(run.output)
            self._stop_reading(run.errors)
            run.close()
            self._look(one)

    def _finish(self) -> None:
        """End the scope, when all has been written that somebody will read."""
        if self.scope.cancelled:
            return
        if self.error is None:
            self._draw(last=True)
            self._write(self.output.end())
        if self.writer.pending and self.signum is None and self.error is None:
            return  # _written() comes here again
        self.scope.cancel("everything has ended")

    # Writing

    def _write(self, data: bytes) -> None:
        """Write, or let it wait. When nobody reads any more, everything is stopped."""
        if not data or self.error is not None:
            return
        try:
            self.writer.write(data)
        except OSError as error:
            self._cannot_write(error)
            return
        if self.writer.pending and self._flush is None:
            self._flush = self.scope.on_writable(1, self._written, background=True)
        if self.writer.full and self.output.every_line:
            self._pause_reading_soon()

    def _written(self) -> object:
        """Write more of what waits."""
        import ninth  # noqa: PLC0415

        try:
            self.writer.flush()
        except OSError as error:
            self._flush = None
            self._cannot_write(error)
            return ninth.STOP
        if self.writer.pending:
            if self._flush is None:
                self._flush = self.scope.on_writable(1, self._written, background=True)
            return None
        self._flush = None
        self._pause_reading(pause=False)
        if self._stopping and not self.family.living():
            self._finish()
        else:
            self._draw_soon()
        return ninth.STOP

    def _cannot_write(self, error: OSError) -> None:
        self.error = self.error or error
        self.writer.drop()
        self._stop_all()

    def _on_hang_up(self) -> object:
        import ninth  # noqa: PLC0415

        self._cannot_write(BrokenPipeError("nobody reads the output any more"))
        return ninth.STOP

    # Drawing

    def _tick(self) -> None:
        # What a pause of the whole program (Ctrl-Z, a lid that was shut) made us miss is not made
        # up for, as every() would do; but the ticks keep their beat.
        interval = self.settings.interval
        late = (time.monotonic() - self._began) % interval
        self.scope.after(interval - late, self._tick, background=True)
        if not self._stopping:
            self._write(self.output.tick())
            self._draw_soon()

    def _draw_soon(self) -> None:
        """Draw as soon as --max-fps allows."""
        if self.output.every_line or self._draw_due is not None or self._paused:
            return
        wait = self._last_draw + 1 / self.settings.max_fps - time.monotonic()
        self._draw_due = self.scope.after(max(wait, 0), self._draw, background=True)

    def _draw(self, *, last: bool = False) -> None:
        self._draw_due = None
        if (self._paused and not last) or self.error is not None:
            return
        if self.writer.pending and not last:
            return  # drawn when that has gone, with what is new until then
        self._last_draw = time.monotonic()
        data = b""
        if self._above:
            data = self.output.above(self._above)
            self._above, self._above_size = [], 0
        self._write(data + self.output.draw(self.watched))
        self._pause_reading(pause=self._too_much)

    def _on_resize(self) -> None:
        self.output.resized()
        if self.settings.pty:
            with contextlib.suppress(OSError):
                size = os.get_terminal_size(1)
                for one in self.watched:
                    if one.run is not None and one.run.output >= 0:
                        set_size(one.run.output, size.lines, size.columns)
                        # It is not their controlling terminal, so the system does not tell them.
                        self.family.send(self.family.living(one.run.pid), signal.SIGWINCH)
        self._draw()

    def _on_suspend(self) -> None:
        """Stop with the commands (Ctrl-Z), and go on with them."""
        members = self.family.living()
        self.family.send(members, signal.SIGSTOP)
        # Not SIGSTOP: where no shell could continue us, the system ignores a SIGTSTP that is not
        # handled (setpgid(2), orphaned process groups).
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Here we are when somebody says: go on.
        signal.signal(signal.SIGTSTP, handler)
        self.family.send(members, signal.SIGCONT)
        self.output.moved()
        self._draw_soon()

    # For bars

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        self._draw_soon()

    def _click(self, line: str) -> None:
        from .outputs.i3bar import instance_of  # noqa: PLC0415

        name = instance_of(line.encode())
        for one in self.watched:
            if one.name == name and one.run is not None and one.run.clicks is not None:
                # A command that does not read its clicks loses them.
                with contextlib.suppress(OSError):
                    one.run.clicks.write(line.strip().lstrip("[,").encode() + b"\n")

    def _no_more_clicks(self) -> None:
        for one in self.watched:
            if one.run is not None and one.run.clicks is not None:
                one.run.clicks.close()
                one.run.clicks = None

    # What is said at the end

    def _status(self) -> int:
        """Return the exit status: 0 when --success is met."""
        ends = sorted((one for one in self.watched if one.over), key=lambda one: one.ended)
        ends = [one for one in ends if not one.stopped]
        failed = [one for one in ends if one.failed]
        for one in failed:
            say_if_not_run(one.line, one.code or 0)
        judged = {"all": ends, "first": ends[:1], "last": ends[-1:]}[self.settings.success]
        if not any(one.failed for one in judged) or not failed:
            return 0
        return exit_status(failed[0].code or 0)

    def _say_what_was_killed(self) -> None:
        said = [f"{member.pid} ({member.name})" for member in self._killed.values()]
        if said:
            word = "process" if len(said) == 1 else "processes"
            fail(f"killed {len(said)} {word} that did not stop when asked: {', '.join(said)}")
        if self.left:
            pids = [member.pid for member in self.left]
            fail(f"could not stop these processes, not even by SIGKILL: {pids}")

    def _say_timings(self) -> None:
        for one in self.watched:
            if one.code is None:
                continue
            restarts = one.restarts.count
            word = "restart" if restarts == 1 else "restarts"
            again = f", {restarts} {word}" if restarts else ""
            ending = one.ending or "exit 0"
            started = one.started - self._began
            sys.stderr.write(
                f"ninth: {one.name} ran {one.ended - one.started:.3f} s"
                f" from {started:.3f} s on: {ending}{again}\n"
            )


def read(descriptor: int, size: int) -> bytes | None:
    """Return what can be read now, b"" at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # how a terminal says that nobody has its other end open any more
