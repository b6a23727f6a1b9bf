"""The servers that the clients talk to, one function each, all on the loop of one contestant.

Run as `python -m bench.servers NAME MODULE [ARGUMENT…]`; prints the port when it is ready, and
serves until it is killed. The code is what a user of asyncio writes; nothing is tuned for a loop.
"""

import asyncio
import importlib
import os
import resource
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from bench.contestants import new_loop

BACKLOG = 4096


class Echo(asyncio.Protocol):
    """Send back what comes."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class EchoDatagrams(asyncio.DatagramProtocol):
    """Send every datagram back to where it came from."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class EchoPipe(asyncio.Protocol):
    """Write what comes from one pipe to another."""

    def __init__(self, out: asyncio.WriteTransport) -> None:
        self.out = out

    def data_received(self, data: bytes) -> None:
        self.out.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        os._exit(0 if exc is None else 1)


def listener() -> tuple[socket.socket, int]:
    """Return a listening socket and its port, free on the loopback; some loops take it apart."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    return sock, sock.getsockname()[1]


def announce(port: int) -> None:
    """Tell the caller where the server is."""
    print(port, flush=True)


async def forever() -> None:
    """Wait for the end of the process."""
    await asyncio.get_running_loop().create_future()


async def protocol() -> None:
    sock, port = listener()
    await asyncio.get_running_loop().create_server(Echo, sock=sock, backlog=BACKLOG)
    announce(port)
    await forever()


async def streams() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    sock, port = listener()
    server = await asyncio.start_server(echo, sock=sock, backlog=BACKLOG)
    announce(port)
    await server.serve_forever()


async def sock() -> None:
    loop = asyncio.get_running_loop()

    async def echo(peer: socket.socket) -> None:
        with peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := await loop.sock_recv(peer, 65536):
                await loop.sock_sendall(peer, data)

    server, port = listener()
    server.setblocking(False)
    announce(port)
    tasks = set()
    while True:
        peer, _ = await loop.sock_accept(server)
        task = loop.create_task(echo(peer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def stream() -> None:
    ninth = importlib.import_module("ninth")

    loop = asyncio.get_running_loop()

    async def echo(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with ninth.Stream(peer) as stream:
            while data := await stream.read():
                await stream.write(data)

    server, port = listener()
    server.setblocking(False)
    announce(port)
    tasks = set()
    while True:
        peer, _ = await loop.sock_accept(server)
        task = loop.create_task(echo(peer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def udp() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        EchoDatagrams, local_addr=("127.0.0.1", 0)
    )
    announce(transport.get_extra_info("sockname")[1])
    await forever()


async def pipe(reading: str, writing: str) -> None:
    loop = asyncio.get_running_loop()
    out, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(int(writing), "wb", 0))
    await loop.connect_read_pipe(lambda: EchoPipe(out), os.fdopen(int(reading), "rb", 0))
    announce(0)
    await forever()


async def tls(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    sock, port = listener()
    await asyncio.get_running_loop().create_server(Echo, sock=sock, ssl=context, backlog=BACKLOG)
    announce(port)
    await forever()


async def uvicorn() -> None:
    web = importlib.import_module("uvicorn")

    async def app(_scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"Hello, world!"})

    sock, port = listener()
    config = web.Config(app, http="httptools", lifespan="off", log_config=None, access_log=False)
    announce(port)
    await web.Server(config).serve(sockets=[sock])


async def aiohttp() -> None:
    web = importlib.import_module("aiohttp.web")

    async def hello(_request: Any) -> Any:
        return web.Response(text="Hello, world!")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock, port = listener()
    await web.SockSite(runner, sock).start()
    announce(port)
    await forever()


SERVERS: dict[str, Callable[..., Awaitable[None]]] = {
    "protocol": protocol,
    "streams": streams,
    "sock": sock,
    "stream": stream,
    "udp": udp,
    "pipe": pipe,
    "tls": tls,
    "uvicorn": uvicorn,
    "aiohttp": aiohttp,
}


def main(name: str, module: str, *arguments: str) -> None:
    """Serve on a loop of the contestant until killed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = new_loop(module)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(SERVERS[name](*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
