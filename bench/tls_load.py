"""The TLS client: the same talk with the caller as c/load.c, over Python's blocking sockets.

In each pass every connection sends its request, then every connection reads its answer. It costs
more than the C client; only the server's CPU is counted, so that does no harm.
"""

import socket
import ssl
import sys
import time


def run(connections: list[ssl.SSLSocket], request: bytes, count: int) -> None:
    """Have `count` answers, and check each."""
    left = count
    while left:
        turn = connections[:left]
        for connection in turn:
            connection.sendall(request)
        for connection in turn:
            answer = bytearray()
            while len(answer) < len(request):
                data = connection.recv(65536)
                if not data:
                    raise ConnectionError("the server closed a connection")
                answer += data
            if answer != request:
                raise ValueError("the echo differs from what was sent")
        left -= len(turn)


def main(certificate: str, port: int, number: int, size: int, warmup: int, count: int) -> None:
    """Open everything, warm up, wait for a line, run, and say how long it took."""
    context = ssl.create_default_context(cafile=certificate)
    connections = []
    for _ in range(number):
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections.append(context.wrap_socket(plain, server_hostname="localhost"))
    request = bytes(ord("a") + index % 23 for index in range(size))
    run(connections, request, warmup)
    print("warm", flush=True)
    if not sys.stdin.readline():
        sys.exit(1)
    start = time.monotonic()
    run(connections, request, count)
    print(f"done {time.monotonic() - start:.6f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
