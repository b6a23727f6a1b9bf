"""From what happens to bytes that are written: when to draw, and what to do with a slow reader.

What shows a state is drawn --max-fps times a second at most, and never before the last frame has
gone out; what tells every line is written as it comes. Neither waits for its reader: what he does
not take yet is kept, and while that is too much nothing should be produced.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .writer import Writer, hang_up_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ninth.scope import Scope
    from ninth.scopes.registrations import Registration

    from .options import Settings
    from .outputs.base import Output
    from .watched import Watched

ABOVE_LIMIT = 65536  # characters of standard error that wait to be drawn


class Events(NamedTuple):
    """Whom to tell what has come of writing.

    full: too much waits to be shown. drawn: less does. written: nothing does. broken: nothing can
    be written any more.
    """

    full: Callable[[], object]
    drawn: Callable[[], object]
    written: Callable[[], object]
    broken: Callable[[], object]


class Showing:
    """Writes an output to descriptor 1: first without a loop, by begin(), then in a scope.

    error: why nothing can be written, None as long as it can.
    """

    def __init__(self, output: Output, settings: Settings, watched: Sequence[Watched]) -> None:
        self.output = output
        self.error: OSError | None = None
        self._watched = watched
        self._named = settings.named
        self._shortest = 1 / settings.max_fps
        self._interval = settings.interval
        self._writer = Writer(1)
        self._scope: Scope
        self._events: Events
        self._flush: Registration | None = None
        self._above: list[str] = []
        self._above_size = 0
        self._paused = False  # by the bar
        self._draw_due: Registration | None = None
        self._last_draw = 0.0
        self._began = time.monotonic()

    @property
    def too_much(self) -> bool:
        """Whether more waits to be shown than should."""
        return self._writer.full if self.output.every_line else self._above_size > ABOVE_LIMIT

    def begin(self) -> None:
        """Show the beginning. Raises: OSError when it cannot be written."""
        self._writer.write(self.output.begin())
        self._writer.write(self.output.draw(self._watched))

    def go_on(self, scope: Scope, events: Events) -> None:
        """Go on in a scope."""
        self._scope = scope
        self._events = events
        scope.after(self._interval, self._tick, background=True)
        hang_up = hang_up_of(1)
        if hang_up is not None:
            scope.on_readable(hang_up, self._on_hang_up, background=True)
        if self._writer.pending:
            self._written()

    def end(self, *, wait: bool) -> bool:
        """Show the end. Return whether all has gone out, or nobody is to wait for it.

        If not, events.written will tell.
        """
        if self.error is None:
            self._draw(last=True)
            self.write(self.output.end())
        return not (wait and self._writer.pending and self.error is None)

    # Writing

    def write(self, data: bytes) -> None:
        """Write, or let it wait."""
        if not data or self.error is not None:
            return
        try:
            self._writer.write(data)
        except OSError as error:
            self._fail(error)
            return
        if self._writer.pending and self._flush is None:
            self._flush = self._scope.on_writable(1, self._written, background=True)
        if self.too_much:
            self._events.full()

    def _written(self) -> object:
        """Write more of what waits."""
        from ninth import STOP  # noqa: PLC0415 - asyncio takes longer than all the rest

        try:
            self._writer.flush()
        except OSError as error:
            self._flush = None
            self._fail(error)
            return STOP
        if self._writer.pending:
            if self._flush is None:
                self._flush = self._scope.on_writable(1, self._written, background=True)
            return None
        self._flush = None
        self.draw_soon()
        self._events.written()
        return STOP

    def _on_hang_up(self) -> object:
        from ninth import STOP  # noqa: PLC0415

        self._fail(BrokenPipeError("nobody reads the output any more"))
        return STOP

    def _fail(self, error: OSError) -> None:
        self.error = self.error or error
        self._writer.drop()
        self._events.broken()

    # Drawing

    def draw_soon(self) -> None:
        """Draw as soon as --max-fps allows."""
        if self.output.every_line or self._draw_due is not None or self._paused:
            return
        wait = self._last_draw + self._shortest - time.monotonic()
        self._draw_due = self._scope.after(max(wait, 0), self._draw, background=True)

    def _draw(self, *, last: bool = False) -> None:
        self._draw_due = None
        if (self._paused and not last) or self.error is not None:
            return
        if self._writer.pending and not last:
            return  # drawn when that has gone, with what is new until then
        self._last_draw = time.monotonic()
        data = b""
        if self._above:
            data = self.output.above(self._above)
            self._above, self._above_size = [], 0
        self.write(data + self.output.draw(self._watched))
        self._events.drawn()

    def put_above(self, one: Watched, texts: Sequence[str]) -> None:
        """Show lines of standard error with the next frame."""
        if self._named:
            texts = [f"{one.name} │ {text}" for text in texts]
        self._above += texts
        self._above_size += sum(map(len, texts))
        if self.too_much:
            self._events.full()
        self.draw_soon()

    def _tick(self) -> None:
        # What a pause of the whole program (Ctrl-Z, a lid that was shut) made us miss is not made
        # up for, as every() would do; but the ticks keep their beat.
        late = (time.monotonic() - self._began) % self._interval
        self._scope.after(self._interval - late, self._tick, background=True)
        self.write(self.output.tick())
        self.draw_soon()

    # The terminal, or the bar

    def resized(self) -> None:
        """Draw anew: the terminal has another size."""
        self.output.resized()
        self._draw()

    def moved(self) -> None:
        """Draw anew: others wrote to the terminal."""
        self.output.moved()
        self.draw_soon()

    def pause(self, paused: bool) -> None:
        """Write nothing for a while, or go on."""
        self._paused = paused
        self.draw_soon()
