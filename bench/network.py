"""Servers of ninth beside those of other libraries, each written as its users write them.

    python -m bench.network [--rounds N] [--scale X] [--rows NAME,...] [--json FILE]

CPU microseconds of the server per answer, each sample in fresh processes, all libraries of a row in
turns, as in the rest of the bench (sample.py tells how). The contestants are libraries here, not
loops, so this has a command of its own.

`raw`: 1 KiB is sent back as it comes; `line`: 100 bytes, read by line; `tls`: 1 KiB over TLS; each
on 50 connections. `idle`: KiB of memory for each of 5,000 connections that say nothing.
"""

import argparse
import importlib.util
import json
import socket
import statistics
import sys
import time
from pathlib import Path

from bench.network_servers import LIBRARIES
from bench.sample import NO_FILES, _expect, _number, _process, _tell, cpu_clock
from bench.tools import Tools, allow_descriptors

CONNECTIONS = 50
IDLE = 5000
# The size of an answer, and how many make a sample.
ROWS = {"raw": (1024, 200_000), "line": (100, 200_000), "tls": (1024, 60_000), "idle": (0, 0)}
C = "c"


def server_command(library: str, row: str, tools: Tools) -> list[str]:
    if library == C:
        return [tools.echo_server, "tcp"]
    command = [sys.executable, "-m", "bench.network_servers", library, row]
    return [*command, tools.certificate] if row == "tls" else command


def echoes(library: str, row: str, scale: float, tools: Tools) -> float:
    """Return CPU microseconds per answer."""
    size, operations = ROWS[row]
    count = max(CONNECTIONS, round(operations * scale))
    with _process(server_command(library, row, tools), None, NO_FILES) as server:
        numbers = [_number(server), CONNECTIONS, size, count // 10, count]
        arguments = [str(number) for number in numbers]
        if row == "tls":
            command = [sys.executable, "-m", "bench.tls_load", tools.certificate, *arguments]
        else:
            command = [tools.load, "line" if row == "line" else "tcp", *arguments]
        with _process(command, None, NO_FILES) as client:
            clock = cpu_clock(server.pid)
            _expect(client, "warm")
            start = time.clock_gettime_ns(clock)
            _tell(client)
            _expect(client, "done")
            return (time.clock_gettime_ns(clock) - start) / count / 1000


def resident(pid: int) -> int:
    """Return the KiB of memory that a process has of its own."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise RuntimeError("the system does not tell")


def idle(library: str, tools: Tools) -> float:
    """Return KiB for each connection that has said one thing, and then nothing."""
    with _process(server_command(library, "raw", tools), None, NO_FILES) as server:
        port = _number(server)
        before = resident(server.pid)
        connections = []
        try:
            for _ in range(IDLE):
                connections.append(socket.create_connection(("127.0.0.1", port)))
                connections[-1].sendall(b"x")
                if connections[-1].recv(1) != b"x":
                    raise RuntimeError("the echo differs from what was sent")
            return (resident(server.pid) - before) / IDLE
        finally:
            for connection in connections:
                connection.close()


def main() -> None:
    """Run the rows that were asked for, and print their medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.network")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each figure (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="length of a sample (1)")
    parser.add_argument("--rows", default=",".join(ROWS), help="rows, with commas")
    parser.add_argument("--json", metavar="FILE", help="write all samples there")
    options = parser.parse_args()
    scale = options.scale
    tools = Tools()
    allow_descriptors(IDLE)
    libraries = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    missing = [name for name in LIBRARIES if name not in libraries]
    samples: dict[str, dict[str, list[float]]] = {}
    for row in options.rows.split(","):
        contestants = [*([C] if row == "raw" else []), *libraries]
        samples[row] = {name: [] for name in contestants}
        for _ in range(options.rounds if row != "idle" else 1):
            for name in contestants:
                measured = idle(name, tools) if row == "idle" else echoes(name, row, scale, tools)
                samples[row][name].append(measured)
    tools.close()
    print(f"Python {sys.version.split()[0]}; not installed: {', '.join(missing) or 'nothing'}")
    for row, figures in samples.items():
        ours = statistics.median(figures["ninth"])
        print(f"{row}: {'KiB each' if row == 'idle' else 'CPU microseconds per answer'}")
        for name, values in figures.items():
            middle = statistics.median(values)
            print(
                f"  {name:8} {middle:7.2f} [{min(values):.2f}, {max(values):.2f}]"
                f"  ninth is {ours / middle:.2f} of it"
            )
    if options.json:
        Path(options.json).write_text(json.dumps(samples, indent=1))


if __name__ == "__main__":
    main()
