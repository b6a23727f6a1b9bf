"""Connecting sockets: one address after the other, without waiting long for any of them.

A descriptor is closed by the very function that opened it, unless that returns it; so a
cancellation, whenever it comes, leaves none behind.

Source: RFC 8305, happy eyeballs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from ninth.conditions import after, finished, writable
from ninth.run import sleep
from ninth.scope import scope
from ninth.waiting.watchers import close

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Sequence

    from ninth.net.addresses import Address

    Attempt = Callable[[Address], Coroutine[Any, Any, socket.socket]]

# Seconds until a unix socket whose queue is full is tried again, at first and at most.
FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.1


async def connect_to_any(
    addresses: Sequence[Address], local: Sequence[Address], delay: float, target: str
) -> socket.socket:
    """Return a socket connected to one of several addresses, the first that answers.

    delay: seconds after which the next one is tried beside those before.
    local: where to bind to, one for each family at least; empty for anywhere. target: for errors.
    Raises: OSError if none can be connected to.
    """

    async def attempt(address: Address) -> socket.socket:
        return await connect_to(address, local)

    if len(addresses) == 1:
        try:
            return await attempt(addresses[0])
        except OSError as error:
            raise refused(target, [(addresses[0], error)]) from error
    return await race(addresses, attempt, delay, target)


async def race(
    addresses: Sequence[Address], attempt: Attempt, delay: float, target: str
) -> socket.socket:
    """Return the first socket of several attempts, each begun a little after the one before."""
    won: list[socket.socket] = []
    failures: list[tuple[Address, OSError]] = []
    try:
        async with scope(name=f"connecting to {target}") as attempts:

            async def run(address: Address) -> None:
                try:
                    sock = await attempt(address)
                except OSError as error:
                    failures.append((address, error))
                    return
                if won:
                    close(sock)
                else:
                    won.append(sock)
                    attempts.cancel("connected")

            for address in addresses:
                task: asyncio.Task[None] = attempts.start(run, address)
                await (finished(task) | after(delay))
    except BaseException:
        for sock in won:
            close(sock)
        raise
    if not won:
        raise refused(target, failures) from failures[0][1]
    return won[0]


async def connect_to(address: Address, local: Sequence[Address]) -> socket.socket:
    """Return a socket connected to one address. Raises: OSError."""
    sock = socket.socket(address.family, address.kind, address.protocol)
    try:
        sock.setblocking(False)
        here = [one for one in local if one.family == address.family]
        if here:
            sock.bind(here[0].where)
        elif local:
            message = f"no local address is of the family of {address}"
            raise OSError(errno.EAFNOSUPPORT, message)
        await connect(sock, address.where)
        if sock.getsockname() == sock.getpeername():
            # Nobody listens: a port that the system chose for us has met itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except BaseException:
        close(sock)
        raise
    return sock


async def connect(sock: socket.socket, where: Any) -> None:
    """Connect a socket that is not blocking. Raises: OSError."""
    pause = FIRST_PAUSE
    while True:
        code = sock.connect_ex(where)
        if code in {errno.EINPROGRESS, errno.EINTR}:
            await writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif code == errno.EAGAIN and sock.family == socket.AF_UNIX:
            # Its queue is full, and no event tells when it is not.
            await sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        if code:
            raise OSError(code, os.strerror(code))
        return


def refused(target: str, failures: Sequence[tuple[Address, OSError]]) -> OSError:
    """Return the one error for attempts that all failed."""
    reasons = dict.fromkeys(f"{error.strerror or error} ({address})" for address, error in failures)
    numbers = {error.errno for _, error in failures}
    number = numbers.pop() if len(numbers) == 1 else errno.EHOSTUNREACH
    message = f"cannot connect to {target}: {'; '.join(reasons)}"
    error = OSError(number, message)
    if len(failures) > 1:
        with contextlib.suppress(TypeError):
            error.__cause__ = ExceptionGroup(message, [error for _, error in failures])
    return error
