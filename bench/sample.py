"""One sample: one row, one contestant, in fresh processes, as CPU nanoseconds per operation.

A server's CPU time is read from outside through the kernel's clock of its process, so measuring
costs the server nothing and every thread of it counts. The clock is read when the client says that
it is warm and again when it says that it is done; both are idle at those edges.

The client and the server share one processor, and neither pre-empts the other (SCHED_BATCH): the
client sends what it has to send, sleeps, and the server then finds all of it ready, as a server
under full load does. On two processors most of a figure is noise: each answer wakes a sleeping
client by an interrupt between processors, which costs the server, inside a virtual machine, more
than the echo, and it happens once per answer or hardly ever, as the speeds of the two fall out.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from bench.contestants import ROOT, Contestant
from bench.rows import LoopRow, Row, ServerRow
from bench.tools import Tools, UnavailableError

NO_FILES: tuple[int, ...] = ()


def cpu_clock(pid: int) -> int:
    """Return the clock id of a process's CPU time; what clock_getcpuclockid(3) computes."""
    return ~pid << 3 | 2


def sample(row: Row, contestant: Contestant, scale: float, tools: Tools) -> float | None:
    """Return nanoseconds of CPU per operation, None where the contestant does not do the row.

    Raises: UnavailableError when a tool is missing; RuntimeError when a process fails.
    """
    count = max(1, round(row.operations * scale))
    if isinstance(row, LoopRow):
        return None if contestant.module is None else _sample_loop(row, contestant, count)
    if contestant.module is None and row.limit is None:
        return None
    return _sample_server(row, contestant, max(count, row.connections), tools)


def _sample_loop(row: LoopRow, contestant: Contestant, count: int) -> float:
    command = [sys.executable, "-m", "bench.in_loop", row.work, str(contestant.module), str(count)]
    with _process(command, contestant.environment(), NO_FILES) as process:
        return float(_line(process))


def _sample_server(row: ServerRow, contestant: Contestant, count: int, tools: Tools) -> float:
    if row.server in {"uvicorn", "aiohttp"}:
        _require(row.server)
    with contextlib.ExitStack() as stack:
        pipes = [os.pipe() for _ in range(2)] if row.load == "pipe" else []
        for end in [end for pipe in pipes for end in pipe]:
            stack.callback(_close, end)
        served = (pipes[0][0], pipes[1][1]) if pipes else NO_FILES
        used = (pipes[1][0], pipes[0][1]) if pipes else NO_FILES
        command = _server_command(row, contestant, served, tools)
        server = stack.enter_context(_process(command, contestant.environment(), served))
        port = 0 if row.load == "pipe" and contestant.module is None else _number(server)
        client = stack.enter_context(
            _process(_client_command(row, port, count, used, tools), None, used)
        )
        clock = cpu_clock(server.pid)
        _expect(client, "warm")
        start = time.clock_gettime_ns(clock)
        _tell(client)
        _expect(client, "done")
        return (time.clock_gettime_ns(clock) - start) / count


def _server_command(
    row: ServerRow, contestant: Contestant, files: tuple[int, ...], tools: Tools
) -> list[str]:
    if contestant.module is None:
        return [tools.echo_server, str(row.limit), *map(str, files)]
    command = [sys.executable, "-m", "bench.servers", row.server, contestant.module]
    return command + ([tools.certificate] if row.load == "tls" else [*map(str, files)])


def _client_command(
    row: ServerRow, port: int, count: int, files: tuple[int, ...], tools: Tools
) -> list[str]:
    warmup = max(count // 10, row.connections)
    numbers = [str(number) for number in (row.connections, row.size, warmup, count)]
    if row.load == "tls":
        return [sys.executable, "-m", "bench.tls_load", tools.certificate, str(port), *numbers]
    if row.load == "pipe":
        return [tools.load, "pipe", *map(str, files), *numbers[1:]]
    return [tools.load, row.load, str(port), *numbers]


def _require(module: str) -> None:
    missing = [
        name
        for name in (module, "httptools" if module == "uvicorn" else module)
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise UnavailableError(f"{missing[0]} is not installed: pip install {missing[0]}")


@contextlib.contextmanager
def _process(
    command: list[str], environment: dict[str, str] | None, files: tuple[int, ...]
) -> Iterator[subprocess.Popen[str]]:
    """Start a process where all are measured; kill it at the end."""
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            pass_fds=files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            _place(process.pid)
            yield process
        except RuntimeError as error:
            # Passes the client's and the server's process on its way: each adds what it said.
            complaints.seek(0)
            raise RuntimeError(f"{error}\n{complaints.read()[-2000:]}".strip()) from None
        finally:
            process.kill()
            process.communicate()


def _place(pid: int) -> None:
    """Put a process on the last processor we may use, where it pre-empts nobody; Linux only."""
    if sys.platform == "linux":
        os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def _close(descriptor: int) -> None:
    os.close(descriptor)


def _line(process: subprocess.Popen[str]) -> str:
    """Return the next line of a process. Raises: RuntimeError when it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{process.args!r} ended")
    return line


def _number(process: subprocess.Popen[str]) -> int:
    return int(_line(process))


def _expect(process: subprocess.Popen[str], word: str) -> None:
    if (line := _line(process)).split()[0] != word:
        raise RuntimeError(f"the client said {line!r} instead of {word!r}")


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
