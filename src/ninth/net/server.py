"""A server: sockets that listen, and a scope in which each connection has a handler.

Accepting is a callback of the scope. It takes what is there, a bounded number, so that the
connections that it accepted get their turn; and when descriptors or memory run out it stops
listening for a while: the socket would be ready in every turn otherwise, and the loop spin.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, Self

from ninth.errors import LineTooLong
from ninth.net.opening import Delegate
from ninth.run import timeout
from ninth.scope import scope
from ninth.scopes.callbacks import STOP
from ninth.streams import Stream, identity
from ninth.waiting.watchers import close

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

    from ninth.scope import Scope
    from ninth.scopes.registrations import Registration

    Handler = Callable[[Stream], Awaitable[object]]
    OnError = Callable[[Exception, Stream], object]

# So many are accepted in one turn.
BATCH = 64
# Seconds until it is tried again, when what a connection needs has run out.
PAUSE = 0.1
RUN_OUT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Of one connection, which is gone: accept(2) says that they are to be taken like EAGAIN.
GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    }
)
# What a peer can bring about by itself, so that it must not end a server.
PEER_ERRORS = (ConnectionError, EOFError, LineTooLong, TimeoutError, ssl.SSLError)


class Server(Delegate[None]):
    """What serve_tcp() and serve_unix() return; await it, or enter it by `async with`.

    Example:
        async def greet(stream):
            await stream.write(b"hello")

        async with ninth.serve_tcp(greet, "127.0.0.1", 0) as server:
            assert server.addresses == [("127.0.0.1", server.port)]
            print(server.connections)  # -> 0
            server.stop(grace=1)
            await server.serve_forever()

        async with ninth.serve_tcp(greet, "127.0.0.1", 0) as server:
            server.cancel()
    """

    def __init__(
        self,
        handler: Handler,
        listen: Callable[[], Coroutine[Any, Any, list[socket.socket]]],
        context: ssl.SSLContext | None,
        handshake_timeout: float,
        grace: float | None,
        on_error: OnError | None,
        name: str,
    ) -> None:
        check_handler(handler, name)
        self._handler = handler
        self._listen = listen
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._grace = grace
        self._on_error = on_error
        self._name = name
        self._scope: Scope = scope(name=name)
        self._listeners: dict[socket.socket, Registration] = {}
        # The files of unix sockets, and what tells them from others of the same name.
        self._paths: list[tuple[str, tuple[int, int]]] = []
        self._addresses: list[Any] = []
        self._streams: set[Stream] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._stopped = False
        self._serving: Coroutine[Any, Any, None] | None = None

    def __repr__(self) -> str:
        return f"<{self._name}, {self.connections} connections>"

    @property
    def addresses(self) -> list[Any]:
        """Where it listens, or did: (host, port, …) for each socket, or the path."""
        return list(self._addresses)

    @property
    def port(self) -> int:
        """The port of the first address. Raises: AttributeError for a unix socket."""
        address = self._addresses[0]
        if not isinstance(address, tuple):
            message = f"{self!r} listens on a path and has no port"
            raise AttributeError(message)
        return int(address[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._streams)

    def stop(self, grace: float | None = None) -> None:
        """Accept no more, and let the handlers finish; idempotent.

        grace: seconds until those that have not finished are cancelled; None for what
        serve_tcp() was given.
        """
        self._accept_no_more()
        limit = self._grace if grace is None else grace
        if limit is not None and not self._scope.cancelled:
            with contextlib.suppress(RuntimeError):
                # It has ended, and there is nobody to cancel.
                self._scope.after(limit, self.cancel, background=True)

    def cancel(self) -> None:
        """Accept no more, and cancel the handlers; idempotent."""
        self._accept_no_more()
        self._scope.cancel("the server was cancelled")

    def _accept_no_more(self) -> None:
        """Close what listens, and wake who waits for the end; idempotent."""
        self._stopped = True
        self._close_listeners()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def serve_forever(self) -> None:
        """Wait until the server is stopped; in `async with`."""
        while not self._stopped:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    # Awaiting, as a coroutine: serve until stopped or cancelled

    async def _serve_forever(self) -> None:
        async with self:
            await self.serve_forever()

    def _running(self) -> Coroutine[Any, Any, None]:
        if self._serving is None:
            self._serving = self._serve_forever()
        return self._serving

    def close(self) -> None:
        """End it, as a coroutine; in a block the same as stop()."""
        if self._serving is not None:
            self._serving.close()
        else:
            self.stop()

    # Serving in a block

    async def __aenter__(self) -> Self:
        sockets = [] if self._stopped else await self._listen()
        if self._stopped:
            # Before it began, or meanwhile.
            for sock in sockets:
                sock.close()
            sockets = []
        try:
            self._addresses = [sock.getsockname() for sock in sockets]
            for address in self._addresses:
                if isinstance(address, str) and address:
                    self._paths.append((address, identity(address)))
            # Awaits nothing.
            await self._scope.__aenter__()
        except BaseException:
            for sock in sockets:
                sock.close()
            raise
        for sock in sockets:
            self._accept_from(sock)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            if error is None:
                self.stop()
            return await self._scope.__aexit__(kind, error, traceback)
        finally:
            self._accept_no_more()

    def _close_listeners(self) -> None:
        for path, ours in self._paths:
            with contextlib.suppress(OSError):
                # It may be that of a server that took its place.
                if identity(path) == ours:
                    os.unlink(path)
        self._paths.clear()
        for sock, registration in self._listeners.items():
            registration.cancel()
            close(sock)
        self._listeners.clear()

    def _accept_from(self, listener: socket.socket) -> None:
        """Accept connections, now or again after a pause."""
        if not self._stopped:
            self._listeners[listener] = self._scope.on_readable(
                listener, self._accept, listener, background=True
            )

    def _accept(self, listener: socket.socket) -> object:
        """Begin to serve who waits for it."""
        for _ in range(BATCH):
            if self._stopped:
                # By a handler that has begun at once.
                return None
            try:
                peer, _address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return None
            except OSError as error:
                if error.errno in GONE:
                    continue
                if error.errno in RUN_OUT:
                    self._scope.after(PAUSE, self._accept_from, listener, background=True)
                    return STOP
                raise
            self._begin(peer)
        return None

    def _begin(self, peer: socket.socket) -> None:
        """Start the handler of a connection."""
        try:
            if peer.family != socket.AF_UNIX:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = Stream(peer)
        except OSError:
            # It has gone already.
            peer.close()
            return
        self._streams.add(stream)

        def done(_task: object) -> None:
            # Also if it was cancelled before it began.
            self._streams.discard(stream)
            stream.close()

        self._scope.start(self._serve, stream).add_done_callback(done)

    async def _serve(self, stream: Stream) -> None:
        """Serve one connection."""
        if self._context is not None:
            try:
                async with timeout(self._handshake_timeout):
                    secure = await stream.start_tls(self._context, server_side=True)
            except OSError:
                # Also TimeoutError and what TLS says: it is nothing that a handler could know.
                return
            self._streams.discard(stream)
            self._streams.add(secure)
            stream = secure
        try:
            served: Any = self._handler(stream)
            if not inspect.isawaitable(served):
                message = f"the handler {self._handler!r} returned {served!r}: make it an async def"
                raise TypeError(message)
            await served
        except Exception as error:
            rest = unexpected(error)
            if self._on_error is not None:
                self._on_error(error, stream)
            elif rest is error:
                raise
            elif rest is not None:
                raise rest from error.__cause__
        finally:
            self._streams.discard(stream)
            stream.close()


def unexpected(error: Exception) -> Exception | None:
    """Return an error without what a peer can bring about; None if nothing is left."""
    if isinstance(error, ExceptionGroup):
        return error.split(PEER_ERRORS)[1]
    return None if isinstance(error, PEER_ERRORS) else error


def check_handler(handler: Any, server: str) -> None:
    """Refuse what cannot serve a connection. Raises: TypeError."""
    if inspect.iscoroutine(handler):
        handler.close()
    elif callable(handler) and not (
        inspect.isfunction(handler) and not inspect.iscoroutinefunction(handler)
    ):
        return
    message = f"{server} was given the handler {handler!r}: pass a coroutine function of a stream"
    raise TypeError(message)
