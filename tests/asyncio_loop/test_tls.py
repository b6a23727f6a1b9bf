"""TLS transports after their end."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def use_everything(transport: Any) -> None:
    """Call every method of a transport."""
    transport.get_extra_info("peername")
    transport.get_extra_info("nothing", 5)
    transport.get_protocol()
    transport.set_protocol(asyncio.Protocol())
    transport.is_closing()
    transport.is_reading()
    transport.pause_reading()
    transport.resume_reading()
    transport.get_write_buffer_size()
    transport.get_write_buffer_limits()
    transport.set_write_buffer_limits(10, 5)
    transport.write(b"x")
    transport.writelines([b"x"])
    transport.can_write_eof()
    transport.close()
    transport.abort()
    repr(transport)


def test_a_closed_transport_stays_usable(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=contexts[0])
        address = server.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        for wait in (False, True):
            reader, writer = await asyncio.open_connection(
                *address, ssl=contexts[1], server_hostname="localhost"
            )
            data = b"d" * 300_000
            writer.write(bytearray(data))
            assert await reader.readexactly(len(data)) == data
            transport = writer.transport
            transport.close()
            transport.close()
            if wait:
                await writer.wait_closed()
                for _ in range(5):
                    await asyncio.sleep(0)
            use_everything(transport)
            use_everything(transport)
        server.close()
        await server.wait_closed()
        await loop.shutdown_asyncgens()

    run(main())


def test_start_tls_upgrades_and_its_transport_stays_usable(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go\n")
        await writer.start_tls(contexts[0])
        writer.write(await reader.readline())
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(contexts[1], server_hostname="localhost")
        writer.write(b"secret\n")
        assert await reader.read() == b"secret\n"
        transport = writer.transport
        writer.close()
        use_everything(transport)
        use_everything(transport)
        server.close()

    run(main())
