"""The table of what is measured; everything else in this package reads it.

A row is either run inside the loop's own process (`LoopRow`) or by a client outside against a
server on the loop (`ServerRow`). `operations` is the count of one sample at scale 1, chosen so
that asyncio takes about a third of a second.
"""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class LoopRow:
    """Operations that a process does by itself; `work` names a function of bench.in_loop."""

    name: str
    group: str
    work: str
    operations: int


@dataclass(frozen=True)
class ServerRow:
    """Requests to a server process.

    server: a name in bench.servers.SERVERS.
    load: the mode of the client: tcp, udp, http, pipe or tls.
    size: bytes of one request, which comes back; unused for http.
    limit: the mode of the C program that does the same, None where there is none.
    """

    name: str
    group: str
    server: str
    load: str
    size: int
    connections: int
    operations: int
    limit: str | None = None


Row = LoopRow | ServerRow

SCHEDULING = [
    LoopRow("call_soon-batch", "scheduling", "call_soon_batch", 400_000),
    LoopRow("call_soon-chain", "scheduling", "call_soon_chain", 200_000),
    LoopRow("call_later-cancel", "scheduling", "call_later_cancel", 200_000),
    LoopRow("call_later-fired", "scheduling", "call_later_fired", 100_000),
    LoopRow("sleep0", "scheduling", "sleep0", 200_000),
    LoopRow("gather", "scheduling", "gather", 100_000),
    LoopRow("future", "scheduling", "future_set", 100_000),
    LoopRow("threadsafe-batch", "scheduling", "threadsafe_batch", 100_000),
    LoopRow("threadsafe-turn", "scheduling", "threadsafe_turn", 10_000),
    LoopRow("reader-event", "scheduling", "reader_event", 50_000),
    LoopRow("reader-wait", "scheduling", "reader_wait", 30_000),
    LoopRow("spawn", "processes", "spawn", 400),
]

# Requests of one sample; large messages and many connections cost more each.
ECHO_REQUESTS = {(KIB, 1): 15_000, (KIB, 50): 20_000, (KIB, 1000): 20_000}
ECHO_REQUESTS |= {(64 * KIB, 1): 4_000, (64 * KIB, 50): 6_000, (64 * KIB, 1000): 6_000}

ECHO = [
    ServerRow(
        f"{style}-{size // KIB}k-{connections}",
        f"tcp {style}",
        style,
        "tcp",
        size,
        connections,
        requests,
        "tcp",
    )
    for style in ("protocol", "streams", "sock", "stream")
    for (size, connections), requests in ECHO_REQUESTS.items()
]

OTHERS = [
    ServerRow("pipe-1k", "pipes", "pipe", "pipe", KIB, 1, 15_000, "pipe"),
    ServerRow("pipe-64k", "pipes", "pipe", "pipe", 64 * KIB, 1, 4_000, "pipe"),
    ServerRow("udp-1k-1", "udp", "udp", "udp", KIB, 1, 15_000, "udp"),
    ServerRow("udp-1k-50", "udp", "udp", "udp", KIB, 50, 20_000, "udp"),
    ServerRow("tls-1k-50", "tls", "tls", "tls", KIB, 50, 8_000),
    ServerRow("tls-64k-10", "tls", "tls", "tls", 64 * KIB, 10, 1_500),
    ServerRow("uvicorn", "http", "uvicorn", "http", 0, 50, 10_000),
    ServerRow("aiohttp", "http", "aiohttp", "http", 0, 50, 6_000),
]

_ALL: list[Row] = [*SCHEDULING, *ECHO, *OTHERS]
ROWS = {row.name: row for row in _ALL}


def select(patterns: list[str]) -> list[Row]:
    """Return the rows whose name or group starts with one of the patterns, in the table's order.

    Raises: ValueError for a pattern that fits no row; the text lists what there is.
    """
    for pattern in patterns:
        if not any(_fits(row, pattern) for row in ROWS.values()):
            groups = sorted({row.group for row in ROWS.values()})
            raise ValueError(
                f"no row or group starts with {pattern!r}; groups: {', '.join(groups)}; "
                f"rows: {', '.join(ROWS)}"
            )
    return [row for row in ROWS.values() if any(_fits(row, pattern) for pattern in patterns)]


def _fits(row: Row, pattern: str) -> bool:
    return row.name.startswith(pattern) or row.group.startswith(pattern)
