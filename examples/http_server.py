"""An HTTP/1.1 server: h11 knows the protocol, ninth the connections.

    python http_server.py PORT [CERTIFICATE KEY]

Answers GET and POST with what was asked. PORT may be 0; the port that it got is printed.
"""

import ssl
import sys

import h11

import ninth

IDLE = 30.0  # seconds that a connection may say nothing


async def serve(stream: ninth.Stream) -> None:
    async with ninth.EventStream(stream, h11.Connection(h11.SERVER)) as connection:
        try:
            while True:
                async with ninth.timeout(IDLE):
                    if not await answer(connection):
                        return
                connection.connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            if connection.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                await respond(connection, error.error_status_hint, str(error).encode())


async def answer(connection: ninth.EventStream) -> bool:
    """Answer one request; return whether another one may follow."""
    request, body = None, b""
    async for event in connection:
        if isinstance(event, h11.Request):
            request = event
            if connection.connection.they_are_waiting_for_100_continue:
                await connection.send(h11.InformationalResponse(status_code=100, headers=[]))
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    if request is None:
        return False
    text = b"%s %s\n" % (request.method, request.target)
    await respond(connection, 200, text + body, head=request.method == b"HEAD")
    return connection.connection.our_state is h11.DONE


async def respond(
    connection: ninth.EventStream, status: int, body: bytes, *, head: bool = False
) -> None:
    headers = [("content-type", "text/plain"), ("content-length", str(len(body)))]
    response = h11.Response(status_code=status, headers=headers)
    data = [] if head else [h11.Data(data=body)]
    await connection.send(response, *data, h11.EndOfMessage())


async def main(port: int, certificate: str | None = None, key: str | None = None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    async with ninth.serve_tcp(serve, "127.0.0.1", port, ssl=context) as server:
        print(server.port, flush=True)
        await server.serve_forever()


ninth.run(main, int(sys.argv[1]), *sys.argv[2:])
