"""A server on all cores: one process for each, which share a port.

    python all_cores.py PORT

The system spreads connections over the processes. Each connection is told which one serves it, and
gets back what it sends. PORT may be 0; the port is printed, and then each process that serves it.
Ctrl-C ends all of them.
"""

import os
import signal
import socket
import sys

import ninth


async def echo(stream: ninth.Stream) -> None:
    await stream.write(b"%d\n" % os.getpid())
    while data := await stream.read():
        await stream.write(data)


async def serve(port: int) -> None:
    """Be one of the processes, until it is told to end; connections may finish."""
    async with (
        ninth.serve_tcp(echo, "127.0.0.1", port, reuse_port=True),
        ninth.signals(signal.SIGTERM) as terminations,
    ):
        # One write, for several processes share the file.
        os.write(sys.stdout.fileno(), b"%d\n" % os.getpid())
        await anext(terminations)


async def start(port: int) -> None:
    """Start the processes, and wait for their end."""
    # It never listens: it only keeps the port for them.
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", port))
        port = keeper.getsockname()[1]
        print(port, flush=True)
        async with ninth.scope() as scope:
            for _ in os.sched_getaffinity(0):
                scope.process([sys.executable, __file__, str(port), "one of them"])


ninth.run(serve if sys.argv[2:] else start, int(sys.argv[1]))
