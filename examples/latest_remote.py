"""The first program with its commands on another machine: their lines arrive over TCP or TLS.

    python latest_remote.py serve PORT [CERTIFICATE KEY]         on that machine
    python latest_remote.py show HOST PORT [CERTIFICATE] COMMAND...

A client sends a command, and gets its lines; when it goes, the command is stopped. That is a shell
for everybody who can connect, so the server listens on this machine only: put it behind something
that knows who is who.
"""

import pathlib
import ssl
import sys
import time
from subprocess import PIPE

import ninth


async def run_command(stream: ninth.Stream) -> None:
    """Run the command that a client sends, until it ends or the client goes."""
    command = (await stream.read_line()).decode()
    async with ninth.scope() as scope:
        child = scope.process(command, shell=True, stdout=PIPE)
        assert child.stdout is not None
        output = child.stdout

        async def send() -> None:
            async for line in output:
                await stream.write(line)
            scope.cancel("the command has ended")

        async def watch() -> None:
            # It has nothing more to say: this ends when it goes.
            await stream.read()
            scope.cancel("the client has gone")

        scope.start(send)
        scope.start(watch)


async def serve(port: str, *files: str) -> None:
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    async with ninth.serve_tcp(run_command, "127.0.0.1", int(port), ssl=context) as server:
        print(server.port, flush=True)
        await server.serve_forever()


async def show(host: str, port: str, *rest: str) -> None:
    secure = bool(rest) and pathlib.Path(rest[0]).is_file()
    context = ssl.create_default_context(cafile=rest[0]) if secure else None
    commands = rest[1:] if secure else rest
    latest = [""] * len(commands)

    async def follow(index: int) -> None:
        async with ninth.connect_tcp(host, int(port), ssl=context) as stream:
            await stream.write(commands[index].encode() + b"\n")
            async for line in stream.lines():
                latest[index] = line
                print(time.strftime("%H:%M:%S"), *latest, flush=True)

    async with ninth.scope() as scope:
        for index in range(len(commands)):
            scope.start(follow, index)


ninth.run(serve if sys.argv[1] == "serve" else show, *sys.argv[2:])
