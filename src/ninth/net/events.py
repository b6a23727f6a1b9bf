"""Protocols that do no I/O of their own, over a stream: bytes in, events out.

Libraries like h11, wsproto and h2 are state machines: they are given what came, and say what it
means and what to answer. Three shapes of that are known here, by their methods and not by their
names, so that none of them has to be installed:

- `next_event()`: events are asked for one by one, and a mark says that more has to come (h11);
- `events()`: those that are complete are taken after each piece (wsproto);
- neither: `receive_data()` returns them (h2).

What is to be sent is returned by `send(event)` (h11, wsproto), or taken by `data_to_send()` (h2).

Source: sans-io.readthedocs.io.
"""

from __future__ import annotations

import asyncio
import collections
import sys
from typing import TYPE_CHECKING, Any, Self

from ninth.errors import BusyError
from ninth.streaming.closing import Closing
from ninth.streaming.incoming import MOST

if TYPE_CHECKING:
    from ninth.streams import Stream


class EventStream(Closing):
    """The events of a protocol over a stream.

    stream: a Stream, which this owns. connection: the state machine of the protocol; its other
    methods are called directly.
    `async for` ends with the connection; with h11, with each message: after
    connection.start_next_cycle() another one gives the next.
    One task may receive and one may send at a time. Usable as `async with`, which closes the
    stream.
    Raises: TypeError for what is no such state machine.
    Thread-safe: no.

    Example:
        import h11

        async with (
            ninth.connect_tcp("localhost", http_port) as stream,
            ninth.EventStream(stream, h11.Connection(h11.CLIENT)) as connection,
        ):
            request = h11.Request(method="GET", target="/", headers=[("host", "localhost")])
            await connection.send(request, h11.EndOfMessage())
            async for event in connection:
                print(type(event).__name__)
        # -> Response
        # -> Data
        # -> EndOfMessage
    """

    def __init__(self, stream: Stream, connection: Any) -> None:
        if not hasattr(connection, "receive_data"):
            message = (
                f"EventStream() was given {connection!r}, which has no receive_data(): "
                "pass a connection of h11, wsproto, h2 or the like"
            )
            raise TypeError(message)
        self.stream = stream
        self.connection = connection
        self._asks = hasattr(connection, "next_event")
        self._takes = hasattr(connection, "events")
        # The marks of h11 are constants of the library.
        library = sys.modules.get(type(connection).__module__.partition(".")[0])
        self._need_data: Any = getattr(library, "NEED_DATA", None)
        self._paused: Any = getattr(library, "PAUSED", None)
        self._over = [getattr(library, name, None) for name in ("DONE", "MUST_CLOSE", "CLOSED")]
        self._waiting: collections.deque[Any] = collections.deque()
        self._ended = False
        self._receiving = False
        self._sending = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<EventStream of {self.connection!r} over {self.stream!r}>"

    async def receive(self) -> Any:
        """Wait for an event, and return it; None when the connection has ended.

        What the protocol wants answered by itself, as h2 does, is sent first.
        Raises: BusyError if another task receives; what the library raises for a peer that breaks
        the protocol; else as Stream.read().
        Cancelling: nothing is lost.
        """
        if self._receiving:
            raise BusyError("receive(): somebody else receives here: only one can at a time")
        self._receiving = True
        try:
            while True:
                # First, so that a cancellation finds no event taken. Who sends at the moment sends
                # this too; waiting for that could be for ever, if the peer waits for us to read.
                if not self._sending.locked():
                    await self.flush()
                event = self._next()
                if event is not None or self._ended:
                    return event
                self._feed(await self.stream.read(MOST))
        finally:
            self._receiving = False

    def _next(self) -> Any:
        """Return an event that is complete, None if there is none."""
        if self._asks:
            event = self.connection.next_event()
            if event is not self._need_data:
                if type(event).__name__ == "ConnectionClosed":
                    # Told again for ever, whoever asks.
                    if self._ended:
                        return None
                    self._ended = True
                return event
            return None
        return self._waiting.popleft() if self._waiting else None

    def _feed(self, data: bytes) -> None:
        """Give the library what came, b"" at the end of the stream."""
        if self._asks:
            self.connection.receive_data(data)
            return
        self._ended = not data
        if self._takes:
            # None is its word for the end.
            self.connection.receive_data(data or None)
            self._waiting.extend(self.connection.events())
        elif data:
            self._waiting.extend(self.connection.receive_data(data))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._asks and getattr(self.connection, "their_state", self) in self._over:
            raise StopAsyncIteration
        event = await self.receive()
        if event is None or event is self._paused:
            raise StopAsyncIteration
        return event

    async def send(self, *events: Any) -> None:
        """Send events, in one write.

        Raises: what the library raises for what does not fit its state; TypeError if it takes no
        events, as h2: call its methods, then flush(); else as Stream.write().
        Cancelling: they are sent all the same.
        """
        send = getattr(self.connection, "send", None)
        if send is None:
            message = (
                f"{type(self.connection).__name__} has no send(): call its own methods, "
                "and then flush()"
            )
            raise TypeError(message)
        async with self._sending:
            parts: list[bytes] = []
            try:
                parts.extend(send(event) or b"" for event in events)
            finally:
                # Also those before one that is refused: the library counts them as sent.
                if data := b"".join(parts):
                    await self.stream.write(data)

    async def flush(self) -> None:
        """Send what the library has to send, after its own methods were called.

        Raises: as Stream.write(). Cancelling: it is sent all the same.
        """
        data_to_send = getattr(self.connection, "data_to_send", None)
        if data_to_send is not None:
            async with self._sending:
                # Until there is no more: others leave to this what comes up meanwhile.
                while data := data_to_send():
                    await self.stream.write(data)

    async def aclose(self) -> None:
        """Close the stream; idempotent."""
        await self.stream.aclose()
