"""The full tool, on ninth's own scope: commands that run, restart and end, and what shows them.

Commands are started first, and the loop is imported after that: importing takes longer than
starting, and what they write meanwhile waits in their pipes. Everything else is callbacks in one
scope, none of which waits.

Ends. A command is *over* when its shell has ended, its output has ended and no restart is due.
When all are over, what they left running is stopped; when a signal comes, everything is. Then the
scope is cancelled. Only after that the shells are reaped: see family.py.

Here is who does what when; how it is read, shown and stopped is told in reading.py, showing.py and
stopping.py.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from ninth.ladder.program import Interrupted, cannot_start

from .family import Family, Member, has_ended, stop_now, suspend
from .outputs import output_for
from .reading import Reading, read
from .restarts import Restarts
from .showing import Events, Showing
from .signals import StopSignals
from .stopping import Stopping
from .summary import say_timings, say_what_was_killed, status_of
from .watched import Run, Watched, set_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninth.scope import Scope

    from .commands import Command
    from .options import Settings

CHUNK = 65536  # what a pipe of Linux holds; for a state, of which only the last line is looked at
LINES_CHUNK = 16384  # for every line: that is a millisecond's work
RESERVE = 16  # descriptors kept for importing and running the loop


class Watcher:
    """Runs commands to their end; used once. run() does everything."""

    def __init__(self, commands: Sequence[Command], settings: Settings) -> None:
        self._settings = settings
        self._output = output_for(settings)
        self._watched = [
            Watched(
                command,
                index,
                Restarts(settings.restart, settings.tries, settings.restart_after),
            )
            for index, command in enumerate(commands)
        ]
        self._output.set_names([one.name for one in self._watched])
        self._show = Showing(self._output, settings, self._watched)
        self._signals = StopSignals()
        self._family: Family
        self._scope: Scope
        self._reading: Reading
        self._stop: Stopping
        self._stopping = False  # all of it
        self._stderr = self._stderr_for_children()
        self._env = {"PYTHONUNBUFFERED": "1"} | dict(os.environ)

    # From start to end

    def run(self) -> int:
        """Run the commands to their end. Returns: the exit status.

        Raises: StartError; Interrupted when a signal asked to stop; OSError when nothing can be
        written, BrokenPipeError among them. All of them after everything was stopped.
        """
        began = time.monotonic()
        # Before the loop listens, a bar that hides itself would end us.
        bar_signals = [signal.SIGUSR1, signal.SIGUSR2] if self._settings.output == "i3bar" else []
        self._signals.install(self._note_ends, bar_signals)
        reserve = [os.open(os.devnull, os.O_RDONLY) for _ in range(RESERVE)]
        self._family = Family()
        left: Sequence[Member] = ()
        try:
            self._show.begin()
            for one in self._watched:
                if self._signals.first is not None:
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
            left = stop_now(self._family, 0 if self._signals.again else self._settings.stop_timeout)
            for one in self._watched:
                if one.run is not None:
                    self._release(one.run)
            self._family.reap_orphans()
            self._signals.restore()
        say_what_was_killed(self._stop.killed.values(), left)
        if self._settings.timings:
            say_timings(self._watched, began)
        if self._show.error is not None:
            raise self._show.error
        if self._signals.first is not None:
            raise Interrupted(self._signals.first)
        return status_of(self._watched, self._settings.success)

    def _run_scope(self) -> None:
        import ninth  # noqa: PLC0415 - asyncio takes longer than all the rest

        try:
            with ninth.scope() as scope:
                self._scope = scope
                self._reading = Reading(scope, self._has_to_wait)
                self._stop = Stopping(
                    self._family, scope, self._settings.stop_timeout, self._on_stopped
                )
                # Holds the scope open, until it is cancelled.
                scope.on_signal(signal.SIGCHLD, self._on_child)
                self._listen(scope)
                for one in self._watched:
                    if one.run is not None:
                        self._follow(one)
                self._show.go_on(
                    scope,
                    Events(
                        full=self._reading.look_soon,
                        drawn=self._reading.look,
                        written=self._on_written,
                        broken=self._stop_all,
                    ),
                )
                if self._signals.first is not None:
                    self._stop_all()
        except ExceptionGroup as errors:
            # One that is expected, from writing, or our own fault: neither needs the group.
            raise errors.exceptions[0] from None

    def _listen(self, scope: Scope) -> None:
        """Have the loop tell of signals, and of clicks."""
        for signum in self._signals.listened:
            scope.on_signal(signum, self._on_stop_signal, signum, background=True)
        if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
            scope.on_signal(signal.SIGTSTP, self._on_suspend, background=True)
        if self._settings.output == "tty" or self._settings.pty:
            scope.on_signal(signal.SIGWINCH, self._on_resize, background=True)
        if self._settings.output == "i3bar":
            scope.on_signal(signal.SIGUSR1, self._show.pause, True, background=True)
            scope.on_signal(signal.SIGUSR2, self._show.pause, False, background=True)
        if self._output.takes_clicks:
            from . import clicks  # noqa: PLC0415 - for bars only

            on_click = functools.partial(clicks.pass_on, self._watched)
            no_more = functools.partial(clicks.end, self._watched)
            scope.on_line(0, on_click, background=True, on_end=no_more)

    def _note_ends(self, *_: object) -> None:
        """Note which commands have ended before the loop tells: who was the first matters."""
        for one in self._watched:
            run = one.run
            if run is not None and not run.ended and has_ended(run.pid):
                run.ended = time.monotonic()

    # Starting and following commands

    def _stderr_for_children(self) -> int | None:
        choice = self._settings.stderr
        if choice == "merge":
            return subprocess.STDOUT
        if choice == "hide":
            return subprocess.DEVNULL
        # What goes to the terminal on which the frame stands would tear it.
        ours = sys.stderr is not None and sys.stderr.isatty()
        return subprocess.PIPE if self._settings.output == "tty" and ours else None

    def _start(self, one: Watched) -> None:
        """Start a command. Raises: StartError."""
        try:
            one.run = Run(
                one.line,
                stdin=subprocess.PIPE if self._output.takes_clicks else subprocess.DEVNULL,
                stderr=self._stderr,
                pty=self._settings.pty,
                env=self._env,
            )
        except (OSError, ValueError) as error:
            number, count = one.index + 1, len(self._watched)
            raise cannot_start(one.line, number, count, error) from error
        self._family.leaders.add(one.run.pid)
        one.code = one.again = None
        one.started = one.started or one.run.started

    def _follow(self, one: Watched) -> None:
        """Have the loop tell of what a command writes, and of its end."""
        run = one.run
        assert run is not None  # noqa: S101 - it was started
        self._scope.on_exit(run.pid, functools.partial(self._on_exit, one), background=True)
        self._reading.begin(run.output, functools.partial(self._on_output, one))
        if run.errors >= 0:
            self._reading.begin(run.errors, functools.partial(self._on_errors, one))

    def _release(self, run: Run) -> None:
        """Let go of a run, and of its number."""
        run.release()
        self._family.leaders.discard(run.pid)

    # What they write

    def _has_to_wait(self) -> bool:
        """Whether nothing should be read from commands."""
        # Who is being stopped has to come to its end, whether or not anybody reads.
        return self._show.too_much and not self._stopping

    def _on_output(self, one: Watched) -> None:
        run = one.run
        assert run is not None  # noqa: S101 - it is being read
        data = read(run.output, LINES_CHUNK if self._output.every_line else CHUNK)
        if data is None:
            return
        self._take_in(one, data, dropping=self._dropping())
        if not data:
            self._reading.end(run.output)
            run.close_output()
            self._look(one)

    def _dropping(self) -> bool:
        """Whether lines are lost: while all is being stopped nobody has to wait."""
        return self._stopping and self._show.too_much

    def _take_in(self, one: Watched, data: bytes, *, dropping: bool) -> None:
        """Take in what was read of the output, b"" at its end."""
        if self._output.every_line:
            texts = one.all_lines.feed(data) if data else one.all_lines.end()
            if texts and not dropping:
                self._show.write(self._output.lines(one, texts))
        elif data:
            one.latest.feed(data)
        else:
            one.latest.end()
        self._show.draw_soon()

    def _on_errors(self, one: Watched) -> None:
        run = one.run
        assert run is not None  # noqa: S101 - it is being read
        data = read(run.errors, LINES_CHUNK)
        if data is None:
            return
        self._take_in_errors(one, data, dropping=self._dropping())
        if not data:
            self._reading.end(run.errors)
            run.close_errors()
            self._look(one)

    def _take_in_errors(self, one: Watched, data: bytes, *, dropping: bool) -> None:
        texts = one.error_lines.feed(data) if data else one.error_lines.end()
        if texts and not dropping:
            self._show.put_above(one, texts)

    def _read_the_rest(self, one: Watched) -> None:
        """Read what is left in the pipes of a command that has ended, with all that it started."""
        from ninth.children.exits import child_status  # noqa: PLC0415 - as ninth in _run_scope()

        run = one.run
        if run is None:
            return
        for descriptor, take_in in (
            (run.output, self._take_in),
            (run.errors, self._take_in_errors),
        ):
            data = b"there may be some"
            while data and descriptor >= 0:
                # Nobody is left to write: nothing to be read is the end.
                data = read(descriptor, LINES_CHUNK) or b""
                take_in(one, data, dropping=False)
        if one.code is None and one.again is None:
            _, code = child_status(run.pid)
            if code is not None and run.returncode is None:
                run.end(code)
            self._reading.end(run.output)
            self._reading.end(run.errors)
            run.close()
            self._look(one)

    def _on_written(self) -> None:
        """All that there was has been written."""
        self._reading.look()
        if self._stopping and not self._family.living():
            self._finish()

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
        self._show.write(self._output.exited(one))
        self._show.draw_soon()
        if one.again is not None:
            restart = functools.partial(self._restart, one)
            self._scope.after(
                one.again, self._stop.empty_session, run.pid, restart, background=True
            )
            return
        one.over = True
        ends_all = self._settings.kill_others or (self._settings.kill_others_on_fail and one.failed)
        if ends_all or all(other.over for other in self._watched):
            self._stop_all()

    def _restart(self, one: Watched) -> None:
        """Start a command again, of whose last run nothing is left."""
        if self._stopping or one.run is None:
            return
        self._release(one.run)
        code = one.code
        self._start(one)
        one.code = code
        self._show.write(self._output.restarted(one))
        one.code = None
        self._follow(one)
        self._show.draw_soon()

    def _on_child(self) -> None:
        """Something has ended: one of ours, or one that we took in."""
        self._family.reap_orphans()
        self._stop.look()

    # Stopping everything

    def _on_stop_signal(self, signum: int) -> None:
        self._signals.note(signum)
        if self._stopping and self._signals.again:
            self._stop.kill_all()
        else:
            self._stop_all()

    def _stop_all(self) -> None:
        """Stop everything; then the scope ends."""
        if not self._stopping:
            self._stopping = True
            self._reading.look()
            self._stop.begin(hurry=self._signals.again)
        elif self._signals.first is not None or self._show.error is not None:
            self._stop.look()  # what was waited for may not matter any more

    def _on_stopped(self) -> None:
        for one in self._watched:
            self._read_the_rest(one)
        self._finish()

    def _finish(self) -> None:
        """End the scope, when all has been written that somebody will read."""
        if not self._scope.cancelled and self._show.end(wait=self._signals.first is None):
            self._scope.cancel("everything has ended")

    # The terminal

    def _on_resize(self) -> None:
        self._show.resized()
        if not self._settings.pty:
            return
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(1)
            for one in self._watched:
                if one.run is not None and one.run.output >= 0:
                    set_size(one.run.output, size.lines, size.columns)
                    # It is not their controlling terminal, so the system does not tell them.
                    self._family.send(self._family.living(one.run.pid), signal.SIGWINCH)

    def _on_suspend(self) -> None:
        """Stop with the commands (Ctrl-Z), and go on with them."""
        suspend(self._family)
        self._show.moved()
