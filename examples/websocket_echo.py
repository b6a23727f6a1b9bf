"""A WebSocket server that sends back what it gets: wsproto knows the protocol, ninth the rest.

    python websocket_echo.py PORT

PORT may be 0; the port that it got is printed.
"""

import sys

import wsproto
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request

import ninth


async def echo(stream: ninth.Stream) -> None:
    protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    async with ninth.EventStream(stream, protocol) as connection:
        async for event in connection:
            if isinstance(event, Request):
                await connection.send(AcceptConnection())
            elif isinstance(event, Message):
                await connection.send(event)
            elif isinstance(event, Ping):
                await connection.send(event.response())
            elif isinstance(event, CloseConnection):
                if protocol.state is ConnectionState.REMOTE_CLOSING:
                    await connection.send(event.response())
                return


async def main(port: int) -> None:
    async with ninth.serve_tcp(echo, "127.0.0.1", port) as server:
        print(server.port, flush=True)
        await server.serve_forever()


ninth.run(main, int(sys.argv[1]))
