"""Sockets that listen."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninth.net.addresses import Address

# With port 0 the system chooses one for the first family; for the next it may be taken.
TRIES = 10


def listen_tcp(addresses: Sequence[Address], backlog: int, reuse_port: bool) -> list[socket.socket]:
    """Return a listening socket for each address, all of the same port.

    Raises: OSError; nothing stays open then.
    """
    unspecified = all(address.where[1] == 0 for address in addresses) and len(addresses) > 1
    for _ in range(TRIES if unspecified else 1):
        try:
            return listen_once(addresses, backlog, reuse_port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not unspecified:
                raise
            failure = error
    raise failure


def listen_once(
    addresses: Sequence[Address], backlog: int, reuse_port: bool
) -> list[socket.socket]:
    """Do what listen_tcp() does, once."""
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for address in dict.fromkeys(addresses):
            try:
                sock = socket.socket(address.family, address.kind, address.protocol)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and len(addresses) > 1:
                    # A kernel without IPv6, for a name that has an address there too.
                    continue
                raise
            opened.enter_context(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if address.family == socket.AF_INET6:
                # Else it takes the port of IPv4 as well.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            where = address.where
            if where[1] == 0 and sockets:
                where = (where[0], sockets[0].getsockname()[1], *where[2:])
            try:
                sock.bind(where)
                sock.listen(backlog)
            except OSError as error:
                message = f"cannot listen on {address}: {error.strerror}"
                raise OSError(error.errno, message) from error
            sockets.append(sock)
        opened.pop_all()
    return sockets


def listen_unix(path: str, backlog: int, mode: int | None) -> socket.socket:
    r"""Return a socket that listens on a path, or on an abstract name that begins with "\0".

    mode: of the file, None for what the umask gives. A file that a dead server left is replaced.
    Raises: OSError, of which EADDRINUSE is one if somebody listens there, or it is no socket.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if not path.startswith("\0"):
            remove_stale(path)
        try:
            sock.bind(path)
            if mode is not None and not path.startswith("\0"):
                os.chmod(path, mode)
            sock.listen(backlog)
        except OSError as error:
            message = f"cannot listen on {path!r}: {error.strerror or error}"
            raise OSError(error.errno or errno.ENAMETOOLONG, message) from error
    except BaseException:
        sock.close()
        raise
    return sock


def remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) == errno.ECONNREFUSED:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
