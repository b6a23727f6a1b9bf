"""Connections over TCP, TLS and unix sockets, servers, and datagrams.

A connection is a Stream: there is nothing else to learn about it. TLS is a Stream over another.

Source: socket, ssl; RFC 8305 (happy eyeballs).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl as tls
from typing import TYPE_CHECKING, Any

from ninth.net.addresses import check_host, check_port, interleaved, resolve
from ninth.net.connecting import connect, connect_to_any
from ninth.net.datagrams import Datagrams
from ninth.net.listening import listen_tcp, listen_unix
from ninth.net.opening import Opening
from ninth.net.server import Server
from ninth.numbers import seconds_of
from ninth.streams import Stream
from ninth.waiting.watchers import close

if TYPE_CHECKING:
    from ninth.net.server import Handler, OnError

__all__ = [
    "Datagrams",
    "Opening",
    "Server",
    "connect_tcp",
    "connect_unix",
    "open_udp",
    "serve_tcp",
    "serve_unix",
]

BACKLOG = 1024
Path = str | bytes | os.PathLike[str]


def connect_tcp(
    host: str,
    port: int,
    *,
    ssl: tls.SSLContext | bool | None = None,
    server_hostname: str | None = None,
    local_address: tuple[str, int] | None = None,
    family: int = socket.AF_UNSPEC,
    happy_eyeballs_delay: float = 0.25,
) -> Opening[Stream]:
    r"""Connect to a TCP port; await it for the stream, or enter it, which closes the stream.

    All addresses of the host are tried, those of IPv6 and IPv4 in turns, each a little after the
    one before; the first that answers is taken. A literal address needs no resolver. For a limit
    of time, put it in `ninth.timeout()`.
    host: a name or a literal address. port: 1 to 65535.
    ssl: an ssl.SSLContext for TLS; True for ssl.create_default_context(), which accepts what the
    system's authorities vouch for. server_hostname: whom the certificate has to name, if not host.
    local_address: (host, port) to connect from. family: socket.AF_INET or AF_INET6 for only one.
    happy_eyeballs_delay: seconds after which the next address is tried beside those before.
    Returns: what to await or enter; the value is a Stream with TCP_NODELAY set.
    Raises: TypeError and ValueError at once; when awaited: socket.gaierror for a name without an
    address, ConnectionRefusedError and other OSErrors, ssl.SSLError.
    Cancelling: nothing stays open.

    Example:
        async with ninth.connect_tcp("localhost", port) as stream:
            await stream.write(b"hello\n")
            print(await stream.read_line())  # -> b'hello\n'
    """
    check_host(host, "connect_tcp")
    check_port(port, "connect_tcp")
    if port == 0:
        raise ValueError("connect_tcp() was given port=0, which nobody serves: pass 1 to 65535")
    context = context_of(ssl, server_hostname, "connect_tcp")
    delay = seconds_of(happy_eyeballs_delay, "connect_tcp")
    if local_address is not None:
        check_host(local_address[0], "connect_tcp")
        check_port(local_address[1], "connect_tcp")

    async def connected() -> Stream:
        target = f"{host}:{port}"
        addresses = interleaved(await resolve(host, port, "connect_tcp", family=family))
        local = [] if local_address is None else await resolve(*local_address, "connect_tcp")
        sock = await connect_to_any(addresses, local, delay, target)
        return await stream_of(sock, context, server_hostname or host)

    return Opening(connected())


def connect_unix(
    path: Path,
    *,
    ssl: tls.SSLContext | None = None,
    server_hostname: str | None = None,
) -> Opening[Stream]:
    r"""Connect to a unix socket; await it for the stream, or enter it, which closes the stream.

    path: of the socket; abstract if it begins with "\0". ssl, server_hostname: as in connect_tcp().
    Returns, raises: as connect_tcp(); FileNotFoundError if there is nothing of that name.

    Example:
        async def greet(stream):
            await stream.write(b"hello")

        async with ninth.serve_unix(greet, "socket"), ninth.connect_unix("socket") as stream:
            print(await stream.read())  # -> b'hello'
    """
    name = os.fsdecode(path)
    context = context_of(ssl, server_hostname, "connect_unix")

    async def connected() -> Stream:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await connect(sock, name)
        except OSError as error:
            close(sock)
            message = f"cannot connect to {name!r}: {error.strerror or error}"
            raise OSError(error.errno or errno.ENAMETOOLONG, message) from error
        except BaseException:
            close(sock)
            raise
        return await stream_of(sock, context, server_hostname or "")

    return Opening(connected())


def serve_tcp(
    handler: Handler,
    host: str | None,
    port: int,
    *,
    ssl: tls.SSLContext | None = None,
    family: int = socket.AF_UNSPEC,
    backlog: int = BACKLOG,
    reuse_port: bool = False,
    handshake_timeout: float = 30.0,
    grace: float | None = 5.0,
    on_error: OnError | None = None,
) -> Server:
    """Serve a TCP port: `await` it to do so until cancelled, or enter it and do other things.

    Each connection gets a task of the server's scope, which calls handler(stream); afterwards the
    stream is closed. Leaving the block, or stop(), accepts no more and lets the handlers finish; an
    error in the block, and cancel(), cancel them.

    An exception of a handler stops the server and leaves the block in a group, as the rules of a
    scope say. Not so what a peer alone can bring about (ConnectionError, EOFError, TimeoutError,
    LineTooLong, ssl.SSLError): it ends its own connection only, silently. With on_error, nothing
    that a handler raises stops the server, and on_error(error, stream) gets all of it.

    handler: a coroutine function of one argument, a Stream.
    host: a name or a literal address; None for all of this machine's. port: 0 for any that is free,
    the same for each address; see server.port.
    ssl: an ssl.SSLContext with a certificate, for TLS; a peer has handshake_timeout seconds for it.
    family: socket.AF_INET or AF_INET6 for only one. backlog: how many may wait to be accepted.
    reuse_port: let several processes serve the port; the system spreads connections over them.
    grace: seconds that handlers get to finish, None for any time.
    When descriptors run out, accepting pauses until there are some.
    Returns: a Server. Raises: TypeError and ValueError at once; OSError on entry.

    Example:
        async def echo(stream):
            while data := await stream.read():
                await stream.write(data)

        async with ninth.serve_tcp(echo, "127.0.0.1", 0) as server:
            async with ninth.connect_tcp("127.0.0.1", server.port) as stream:
                await stream.write(b"hello")
                print(await stream.read())  # -> b'hello'
    """
    if host is not None:
        check_host(host, "serve_tcp")
    check_port(port, "serve_tcp")
    context = context_of(ssl, None, "serve_tcp")

    async def listen() -> list[socket.socket]:
        addresses = await resolve(
            host or None, port, "serve_tcp", family=family, flags=socket.AI_PASSIVE
        )
        return listen_tcp(addresses, backlog, reuse_port)

    return Server(
        handler,
        listen,
        context,
        seconds_of(handshake_timeout, "serve_tcp"),
        None if grace is None else seconds_of(grace, "serve_tcp"),
        on_error,
        f"serve_tcp({host!r}, {port})",
    )


def serve_unix(
    handler: Handler,
    path: Path,
    *,
    ssl: tls.SSLContext | None = None,
    mode: int | None = None,
    backlog: int = BACKLOG,
    handshake_timeout: float = 30.0,
    grace: float | None = 5.0,
    on_error: OnError | None = None,
) -> Server:
    r"""Serve a unix socket; see serve_tcp().

    path: of the socket; abstract if it begins with "\0". A socket that a server left which is gone
    is replaced; the file is removed when the server stops. mode: of the file, as in os.chmod();
    None for what the umask gives.
    Raises: as serve_tcp(); OSError (EADDRINUSE) on entry if somebody serves it, or it is no socket.

    Example:
        async def greet(stream):
            await stream.write(b"hello")

        async with ninth.serve_unix(greet, "socket", mode=0o600) as server:
            print(server.addresses)  # -> ['socket']
    """
    name = os.fsdecode(path)
    context = context_of(ssl, None, "serve_unix")

    async def listen() -> list[socket.socket]:
        return [listen_unix(name, backlog, mode)]

    return Server(
        handler,
        listen,
        context,
        seconds_of(handshake_timeout, "serve_unix"),
        None if grace is None else seconds_of(grace, "serve_unix"),
        on_error,
        f"serve_unix({name!r})",
    )


def open_udp(
    host: str | None = None,
    port: int = 0,
    *,
    remote: tuple[str, int] | None = None,
    family: int = socket.AF_UNSPEC,
    broadcast: bool = False,
    reuse_port: bool = False,
) -> Opening[Datagrams]:
    """Open a UDP socket; await it for the Datagrams, or enter it, which closes them.

    host, port: where to receive; None and 0 for any address and a port that is free.
    remote: (host, port) to connect to: only that one's datagrams are received, send() needs no
    address, and a refusal shows. family: socket.AF_INET or AF_INET6, where nothing else tells.
    broadcast: allow to send to many at once. reuse_port: let several sockets have the port.
    Returns: what to await or enter. Raises: TypeError and ValueError at once; OSError when awaited.

    Example:
        async with ninth.open_udp("127.0.0.1") as udp:
            await udp.send(b"hello", to=udp.local_address)
            data, sender = await udp.receive()
            print(data, sender == udp.local_address)  # -> b'hello' True
    """
    if host is not None:
        check_host(host, "open_udp")
    check_port(port, "open_udp")
    if remote is not None:
        check_host(remote[0], "open_udp")
        check_port(remote[1], "open_udp")

    async def opened() -> Datagrams:
        kind = socket.SOCK_DGRAM
        there = None
        wanted = family
        if remote is not None:
            there = (await resolve(*remote, "open_udp", family=family, kind=kind))[0]
            wanted = there.family
        if host is None and wanted == socket.AF_UNSPEC:
            wanted = socket.AF_INET
        here = await resolve(
            host, port, "open_udp", family=wanted, kind=kind, flags=socket.AI_PASSIVE
        )
        sock = socket.socket(here[0].family, kind, here[0].protocol)
        try:
            sock.setblocking(False)
            if broadcast:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(here[0].where)
            if there is not None:
                sock.connect(there.where)
        except BaseException:
            sock.close()
            raise
        return Datagrams(sock)

    return Opening(opened())


async def stream_of(sock: socket.socket, context: tls.SSLContext | None, hostname: str) -> Stream:
    """Return the stream of a connected socket, with TLS if there is a context."""
    try:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = Stream(sock)
    except BaseException:
        close(sock)
        raise
    if context is None:
        return stream
    # Which closes it, if it fails.
    return await stream.start_tls(context, server_hostname=hostname)


def context_of(ssl: Any, server_hostname: str | None, function: str) -> tls.SSLContext | None:
    """Return the context for TLS, None for none. Raises: TypeError, ValueError."""
    if ssl is True and function == "connect_tcp":
        return tls.create_default_context()
    if ssl is None or ssl is False:
        if server_hostname is not None:
            message = f"{function}() was given a server_hostname without ssl: pass ssl=True too"
            raise ValueError(message)
        return None
    if not isinstance(ssl, tls.SSLContext):
        message = f"{function}() was given ssl={ssl!r}: pass an ssl.SSLContext"
        raise TypeError(message)
    return ssl
