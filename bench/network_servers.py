"""Echo servers as each library's users write them: by piece, by line, over TLS.

    python -m bench.network_servers LIBRARY STYLE [CERTIFICATE]

Prints its port, and serves until it is killed.
"""

import asyncio
import importlib
import resource
import ssl
import sys
from collections.abc import Callable
from typing import Any

BACKLOG = 1024
MOST = 65536


def context_of(certificate: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def announce(port: int) -> None:
    print(port, flush=True)


def ninth(style: str, certificate: str | None) -> None:
    library = importlib.import_module("ninth")

    async def pieces(stream: Any) -> None:
        while data := await stream.read():
            await stream.write(data)

    async def lines(stream: Any) -> None:
        async for line in stream:
            await stream.write(line)

    async def main() -> None:
        handler = lines if style == "line" else pieces
        async with library.serve_tcp(
            handler, "127.0.0.1", 0, ssl=context_of(certificate)
        ) as server:
            announce(server.port)
            await server.serve_forever()

    library.run(main)


def streams(loop_factory: Any, style: str, certificate: str | None) -> None:
    async def pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(MOST):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            writer.write(line)
            await writer.drain()
        writer.close()

    async def main() -> None:
        handler = lines if style == "line" else pieces
        server = await asyncio.start_server(
            handler, "127.0.0.1", 0, ssl=context_of(certificate), backlog=BACKLOG
        )
        announce(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def on_asyncio(style: str, certificate: str | None) -> None:
    streams(asyncio.SelectorEventLoop, style, certificate)


def on_uvloop(style: str, certificate: str | None) -> None:
    streams(importlib.import_module("uvloop").new_event_loop, style, certificate)


def trio(style: str, certificate: str | None) -> None:
    library = importlib.import_module("trio")

    async def pieces(stream: Any) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def lines(stream: Any) -> None:
        # trio leaves lines to its users.
        held = bytearray()
        async for data in stream:
            held += data
            while (end := held.find(b"\n")) >= 0:
                line = bytes(held[: end + 1])
                del held[: end + 1]
                await stream.send_all(line)

    async def main() -> None:
        handler = lines if style == "line" else pieces
        async with library.open_nursery() as nursery:
            if certificate is None:
                listeners = await nursery.start(library.serve_tcp, handler, 0)
                announce(listeners[0].socket.getsockname()[1])
            else:
                listeners = await nursery.start(
                    lambda task_status: library.serve_ssl_over_tcp(
                        handler,
                        0,
                        context_of(certificate),
                        host="127.0.0.1",
                        task_status=task_status,
                    )
                )
                announce(listeners[0].transport_listener.socket.getsockname()[1])

    library.run(main)


def gevent(style: str, certificate: str | None) -> None:
    server_module = importlib.import_module("gevent.server")

    def pieces(sock: Any, _address: Any) -> None:
        while data := sock.recv(MOST):
            sock.sendall(data)

    def lines(sock: Any, _address: Any) -> None:
        with sock.makefile("rb") as file:
            for line in file:
                sock.sendall(line)

    handler = lines if style == "line" else pieces
    options: dict[str, Any] = {}
    if certificate is not None:
        # A class of its own, which waits by gevent's means.
        tls = importlib.import_module("gevent.ssl")
        options["ssl_context"] = tls.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl_context"].load_cert_chain(certificate)
    server = server_module.StreamServer(("127.0.0.1", 0), handler, backlog=BACKLOG, **options)
    server.start()
    announce(server.server_port)
    server.serve_forever()


LIBRARIES: dict[str, Callable[[str, str | None], None]] = {
    "ninth": ninth,
    "asyncio": on_asyncio,
    "uvloop": on_uvloop,
    "trio": trio,
    "gevent": gevent,
}


def main(library: str, style: str, certificate: str | None = None) -> None:
    """Serve until killed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    LIBRARIES[library](style, certificate)


if __name__ == "__main__":
    main(*sys.argv[1:])
