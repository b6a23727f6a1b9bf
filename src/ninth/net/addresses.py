"""Addresses of the internet: what may be given, and what it stands for."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Address(NamedTuple):
    """One address of a host, as the system wants it."""

    family: int
    kind: int
    protocol: int
    # (host, port), with IPv6 (host, port, flow, zone)
    where: Any

    def __str__(self) -> str:
        """Return host:port, an IPv6 host in brackets."""
        host, port = self.where[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_host(host: object, function: str) -> None:
    """Refuse what is no name and no literal address. Raises: TypeError, ValueError."""
    if not isinstance(host, str):
        message = f"{function}() was given host={host!r}: pass a name or an address as a str"
        raise TypeError(message)
    if "\0" in host:
        message = f"{function}() was given host={host!r}: a name has no NUL in it"
        raise ValueError(message)


def check_port(port: object, function: str) -> None:
    """Refuse what is no port. Raises: TypeError, ValueError."""
    if isinstance(port, bool) or not isinstance(port, int):
        message = f"{function}() was given port={port!r}: pass a number"
        raise TypeError(message)
    if not 0 <= port <= 65535:
        message = f"{function}() was given port={port}: pass 0 to 65535"
        raise ValueError(message)


async def resolve(
    host: str | None,
    port: int,
    function: str,
    *,
    family: int = socket.AF_UNSPEC,
    kind: int = socket.SOCK_STREAM,
    flags: int = 0,
) -> list[Address]:
    """Return the addresses of a host, in the order of the resolver; one at least.

    host: a literal address needs no resolver, and no thread. None: all of this machine's.
    Raises: socket.gaierror, an OSError, if there are none.
    """
    try:
        found = socket.getaddrinfo(
            host,
            port,
            family,
            kind,
            flags=flags | socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
    except (socket.gaierror, UnicodeError):
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, family=family, type=kind, flags=flags)
        except (socket.gaierror, UnicodeError) as error:
            number = error.errno if isinstance(error, socket.gaierror) else socket.EAI_NONAME
            reason = error.strerror if isinstance(error, socket.gaierror) else str(error)
            message = (
                f"{function}(): {host!r} has no address ({reason}): "
                "check the name, and whether its resolver can be reached"
            )
            raise socket.gaierror(number, message) from error
    return [Address(family, kind, protocol, where) for family, kind, protocol, _, where in found]


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Return addresses with their families taking turns, the first one first.

    Source: RFC 8305, section 4.
    """
    by_family: dict[int, list[Address]] = {}
    for address in addresses:
        by_family.setdefault(address.family, []).append(address)
    turns = itertools.zip_longest(*by_family.values())
    return [address for turn in turns for address in turn if address is not None]
