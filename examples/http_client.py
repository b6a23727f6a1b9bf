"""An HTTP/1.1 client: h11 knows the protocol, ninth the connection.

    python http_client.py http://HOST[:PORT]/PATH

Prints the status to stderr, and the body to stdout. https:// works, too.
"""

import sys
from urllib.parse import urlsplit

import h11

import ninth


async def main(url: str) -> int:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [("host", parts.netloc), ("accept", "*/*"), ("connection", "close")]
    status = 0
    async with (
        ninth.timeout(30),
        ninth.connect_tcp(host, parts.port or (443 if secure else 80), ssl=secure) as stream,
        ninth.EventStream(stream, h11.Connection(h11.CLIENT)) as connection,
    ):
        request = h11.Request(method="GET", target=target, headers=headers)
        await connection.send(request, h11.EndOfMessage())
        async for event in connection:
            if isinstance(event, h11.Response):
                status = event.status_code
                print(status, event.reason.decode(), file=sys.stderr)
            elif isinstance(event, h11.Data):
                sys.stdout.buffer.write(event.data)
    return 0 if status < 400 else 1


sys.exit(ninth.run(main, sys.argv[1]))
