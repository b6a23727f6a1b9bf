"""Every contact with asyncio's private names, so that there is one place to look.

tests/asyncio_loop/test_stdlib.py checks each of them on every Python that is supported.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from asyncio import (
    base_events,
    constants,
    events,
    futures,
    sslproto,
    transports,
    trsock,
    unix_events,
)
from asyncio.log import logger
from typing import TYPE_CHECKING, Any

from ninth.loop.children import reap
from ninth.loop.core import fileno

if TYPE_CHECKING:
    import socket

    from ninth.loop.core import Core

__all__ = [
    "SENDFILE_TRY_NATIVE",
    "Base",
    "FlowControlMixin",
    "SSLProtocol",
    "StreamSocket",
    "TransportSocket",
    "UnixSubprocessTransport",
    "app_transport_of",
    "attach_to_server",
    "begin_run",
    "check_ssl_socket",
    "describe_socket",
    "detach_from_server",
    "end_run",
    "has_child_watcher_of_user",
    "keep_usable",
    "logger",
    "process_ended",
    "report_slow",
    "resolve",
    "set_nodelay",
    "set_result_unless_cancelled",
]

SSLProtocol = sslproto.SSLProtocol
# loop.sendfile() accepts only what derives from it; nothing of it is used.
FlowControlMixin = transports._FlowControlMixin
TransportSocket = trsock.TransportSocket
UnixSubprocessTransport = unix_events._UnixSubprocessTransport
set_nodelay = base_events._set_nodelay
set_result_unless_cancelled = futures._set_result_unless_cancelled
check_ssl_socket = base_events._check_ssl_socket
SENDFILE_TRY_NATIVE = constants._SendfileMode.TRY_NATIVE


def report_slow(handle: Any, seconds: float) -> None:
    """Warn of a callback that kept the loop busy, in debug mode."""
    shown = base_events._format_handle(handle)
    base_events.logger.warning("Executing %s took %.3f seconds", shown, seconds)


class StreamSocket(TransportSocket):
    """The socket of a stream transport, for a look or an option.

    What is done with it comes after what was written before, as if that had been sent at once.
    """

    __slots__ = ("_stream",)

    def __init__(self, sock: socket.socket, stream: Any) -> None:
        super().__init__(sock)
        self._stream = stream

    def fileno(self) -> int:
        """Return the descriptor, -1 when it is closed."""
        self._stream.flush()
        return super().fileno()

    def dup(self) -> socket.socket:
        """Return a socket object of its own for the same connection."""
        self._stream.flush()
        return super().dup()

    def shutdown(self, how: int) -> None:
        """Close one half of the connection or both."""
        self._stream.flush()
        super().shutdown(how)


def attach_to_server(server: Any, transport: Any) -> None:
    """Count a transport among the server's connections."""
    if sys.version_info >= (3, 13):
        server._attach(transport)
    else:
        server._attach()


def detach_from_server(server: Any, transport: Any) -> None:
    """Undo attach_to_server()."""
    if sys.version_info >= (3, 13):
        server._detach(transport)
    else:
        server._detach()


def describe_socket(sock: socket.socket, extra: dict[str, Any]) -> None:
    """Add what get_extra_info() knows of every socket: itself and its two addresses."""
    extra["socket"] = TransportSocket(sock)
    try:
        extra["sockname"] = sock.getsockname()
    except OSError:
        extra["sockname"] = None
    if "peername" not in extra:
        try:
            extra["peername"] = sock.getpeername()
        except OSError:
            extra["peername"] = None


class EndedTLS:
    """Stands in for the TLS protocol of a transport whose connection is gone."""

    _app_protocol = None
    _app_reading_paused = True
    _app_writing_paused = False
    _incoming_low_water = _incoming_high_water = 0
    _outgoing_low_water = _outgoing_high_water = 0

    def _get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def _get_read_buffer_size(self) -> int:
        return 0

    _get_write_buffer_size = _get_read_buffer_size

    def _ignore(self, *_: object) -> None:
        """Do nothing: there is nobody left to do it for."""

    _abort = _control_app_writing = _control_ssl_reading = _pause_reading = _ignore
    _resume_reading = _set_app_protocol = _set_read_buffer_limits = _ignore
    _set_write_buffer_limits = _write_appdata = _ignore


class FadingTLS:
    """The TLS protocol of a transport as long as somebody else holds it, then an EndedTLS."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = weakref.ref(protocol)

    def __getattr__(self, name: str) -> Any:
        protocol = self.protocol()
        return getattr(EndedTLS() if protocol is None else protocol, name)


class SSLProtocolTransport(sslproto._SSLProtocolTransport):
    """asyncio's TLS transport, whose methods stay usable when it is closed twice.

    The original drops its protocol then, even if that is still writing what is left, and every
    later call is an AttributeError.
    """

    def close(self) -> None:
        """Shut the connection down; idempotent."""
        if not self._closed:
            self._closed = True
            self._ssl_protocol._start_shutdown()  # type: ignore[union-attr]
        elif not isinstance(self._ssl_protocol, FadingTLS):
            # Not held any more, for it holds the SSLContext and the program's protocol.
            self._ssl_protocol = FadingTLS(self._ssl_protocol)  # type: ignore[assignment]


def keep_usable(transport: Any) -> Any:
    """Turn a TLS transport that asyncio made into one of ours, and return it."""
    transport.__class__ = SSLProtocolTransport
    return transport


def app_transport_of(protocol: Any) -> Any:
    """Return the transport that the program sees of a TLS protocol."""
    return keep_usable(protocol._app_transport)


def begin_run(loop: Any) -> None:
    """Make loop the running loop of this thread; asyncio's part of run_forever().

    Raises: RuntimeError when it is closed or running, or another loop is running here.
    """
    loop._check_closed()
    loop._check_running()
    loop._set_coroutine_origin_tracking(loop._debug)
    loop._old_agen_hooks = sys.get_asyncgen_hooks()
    loop._thread_id = threading.get_ident()
    sys.set_asyncgen_hooks(
        firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
    )
    events._set_running_loop(loop)


def end_run(loop: Any) -> None:
    """Undo begin_run()."""
    loop._stopping = False
    loop._thread_id = None
    events._set_running_loop(None)
    loop._set_coroutine_origin_tracking(False)
    if loop._old_agen_hooks is not None:
        sys.set_asyncgen_hooks(*loop._old_agen_hooks)
        loop._old_agen_hooks = None


def process_ended(transport: Any, pid: int) -> None:
    """Tell a subprocess transport that its child has ended, and with which code."""
    code = transport._proc.returncode
    if code is None:
        code = reap(pid)
    if code is None:
        logger.warning("Unknown child process pid %d, will report returncode 255", pid)
        code = 255
    transport._process_exited(code)
    # Whoever waits for the process does not wait for its pipes, which others may hold open.
    waiters = transport._exit_waiters or []
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(code)
    waiters.clear()


async def wait_for_process(transport: Any) -> None:
    """Wait until a subprocess transport has seen the end of its child."""
    await transport._wait()


async def resolve(loop: Any, address: Any, sock: socket.socket) -> Any:
    """Return what getaddrinfo() says of an address; no resolver is asked for literal ones."""
    return await loop._ensure_resolved(
        address, family=sock.family, type=sock.type, proto=sock.proto, loop=loop
    )


def has_child_watcher_of_user() -> bool:
    """Return whether the program chose a child watcher itself, which Python 3.14 has no more.

    One of asyncio's defaults is no choice: ours takes its place.
    """
    if sys.version_info >= (3, 14):
        return False
    watcher = getattr(events._event_loop_policy, "_watcher", None)
    defaults = (unix_events.PidfdChildWatcher, unix_events.ThreadedChildWatcher)
    return watcher is not None and not isinstance(watcher, defaults)


class Base(asyncio.SelectorEventLoop):
    """asyncio's loop without its engine: no selector, no pipe, no queues of its own."""

    core: Core

    def _make_self_pipe(self) -> None:
        """Make nothing: the core has its own."""
        self._ssock = self._csock = None
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        """Close nothing."""
        self._internal_fds -= 1

    def _own_fd(self, file: Any) -> int:
        """Return the descriptor of a file that no transport uses."""
        fd = fileno(file)
        transport = self.transport_of(fd)
        if transport is not None:
            message = f"File descriptor {file!r} is used by transport {transport!r}"
            raise RuntimeError(message)
        return fd

    def transport_of(self, fd: int) -> Any:
        """Return the open transport that uses a descriptor, or None."""
        transport = self._transports.get(fd)
        if transport is not None and not transport.is_closing():
            return transport
        return None

    def claim(self, sock: socket.socket, transport: Any) -> None:
        """Note that a descriptor belongs to a transport."""
        fd = fileno(sock)
        self._transports[fd] = transport
        self.core.note_file(fd, sock)
