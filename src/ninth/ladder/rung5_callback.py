"""Callback: a loop that knows nothing, and functions that it calls.

New here: the loop is taken out of the program. `Loop` waits for files, times and signals, and
calls what was registered for each; the program is now a set of small functions. A new kind of
event is a new registration, the loop stays as it is.

Signals come in through the self-pipe trick: the interpreter's handler writes the number into a
socket, whose other end is a file like any other. So a signal is handled between two callbacks,
never inside one.

Still wrong: the story of one child is spread over functions that share variables, and each has
to know which of the others must still run. An exception in a callback reaches the caller of
`run`, who did not register it: the traceback does not say who did. Nothing in `Loop` ties a
registration to a clean-up; only the `with` around all of it stops the children.
"""

import functools
import heapq
import itertools
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Self

from .program import Child, Program

Callback = Callable[[], object]


class Loop:
    """Calls callbacks when files are readable, times have come and signals have arrived."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callback]] = []  # a heap: due, order, callback
        self._order = itertools.count()
        self._files = 0
        self._wakeup, self._signpost = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signpost.setblocking(False)
        self._signal_callbacks: dict[int, Callback] = {}
        self._previous: dict[int, object] = {}
        self._previous_fd = -1

    def set_timeout(self, callback: Callback, delay: float) -> None:
        """Call back once, delay seconds from now."""
        self._set_timer(time.monotonic() + delay, callback)

    def set_interval(self, callback: Callback, delay: float) -> None:
        """Call back every delay seconds, the n-th time n delays from now: it does not drift."""
        self._repeat(time.monotonic() + delay, callback, delay)

    def register_file(self, file: int | socket.socket, callback: Callback) -> None:
        """Call back whenever the file is readable. The loop runs as long as it has files."""
        self._selector.register(file, selectors.EVENT_READ, callback)
        self._files += 1

    def unregister_file(self, file: int | socket.socket) -> None:
        """Forget the file."""
        self._selector.unregister(file)
        self._files -= 1

    def on_signal(self, signum: int, callback: Callback) -> None:
        """Call back when the signal has arrived, until the loop is closed."""
        if not self._signal_callbacks:
            self._selector.register(self._wakeup, selectors.EVENT_READ, self._read_signals)
            self._previous_fd = signal.set_wakeup_fd(
                self._signpost.fileno(), warn_on_full_buffer=False
            )
        # The interpreter tells us only of signals with a handler. Whose it is does not matter, as
        # long as it does not raise; where there is none, one that does nothing will do.
        if signal.getsignal(signum) in {*signal.Handlers, signal.default_int_handler}:
            self._previous[signum] = signal.signal(signum, lambda *_: None)
        self._signal_callbacks[signum] = callback

    def run(self) -> None:
        """Call back what is due, wait, repeat, until no file is registered."""
        while self._files:
            timeout = None
            if self._timers:
                timeout = max(0.0, self._timers[0][0] - time.monotonic())
            for key, _ in self._selector.select(timeout):
                # A callback before this one may have taken the file out.
                if self._selector.get_map().get(key.fileobj) is key:
                    key.data()
            self._run_timers(time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._signal_callbacks:
            signal.set_wakeup_fd(self._previous_fd)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._selector.close()
        self._wakeup.close()
        self._signpost.close()

    def _set_timer(self, due: float, callback: Callback) -> None:
        heapq.heappush(self._timers, (due, next(self._order), callback))

    def _repeat(self, due: float, callback: Callback, delay: float) -> None:
        def call_and_repeat() -> None:
            callback()
            # From when it was due, or it would drift; what was missed is not made up for.
            missed = max(0.0, time.monotonic() - due) // delay
            self._repeat(due + (missed + 1) * delay, callback, delay)

        self._set_timer(due, call_and_repeat)

    def _run_timers(self, now: float) -> None:
        # Taken out before any is called: a callback may set new ones, also for now.
        due = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for callback in due:
            callback()

    def _read_signals(self) -> None:
        for signum in self._wakeup.recv(4096):
            if signum in self._signal_callbacks:
                self._signal_callbacks[signum]()


def watch(program: Program) -> None:
    """Run the program to its end."""

    def on_output(child: Child) -> None:
        if not child.read():
            loop.unregister_file(child.output.fileno())
        program.render()

    def on_end(child: Child) -> None:
        if not child.running():
            loop.unregister_file(child.end)

    with program, Loop() as loop, program.shielded():
        for signum in program.signals:
            loop.on_signal(signum, program.raise_if_asked)
        for command in program.commands:
            child = program.start(command)
            loop.register_file(child.output.fileno(), functools.partial(on_output, child))
            loop.register_file(child.end, functools.partial(on_end, child))
        loop.set_interval(program.render, program.interval)
        loop.run()
