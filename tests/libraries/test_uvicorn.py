"""uvicorn with httptools: inside a running loop, and as the program `uvicorn --loop ninth:…`."""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

uvicorn = pytest.importorskip("uvicorn", reason="the extra `libraries` installs uvicorn")
pytest.importorskip("httptools", reason="the extra `libraries` installs httptools")

APPLICATION = """
import asyncio

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    loop = type(asyncio.get_running_loop())
    start = {"type": "http.response.start", "status": 200, "headers": [
        (b"x-loop", f"{loop.__module__}.{loop.__qualname__}".encode()),
        (b"content-length", str(len(body)).encode()),
    ]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
"""


def application() -> Any:
    """Return the application that the program serves, too."""
    names: dict[str, Any] = {}
    exec(APPLICATION, names)
    return names["app"]


async def post(port: int, bodies: list[bytes]) -> list[bytes]:
    """Post bodies one after the other over one connection; return the answers' bodies."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for body in bodies:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        answers.append(await reader.readexactly(len(body)))
    writer.close()
    await writer.wait_closed()
    return answers


def test_the_server_answers_inside_a_running_loop(run: Run) -> None:
    async def main() -> None:
        config = uvicorn.Config(
            application(), port=0, http="httptools", lifespan="off", log_level="error"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        bodies = [b"", b"small", bytes(300_000), b"last"]
        answers = await asyncio.gather(*(post(port, bodies) for _ in range(20)))
        assert answers == [bodies] * 20
        server.should_exit = True
        await serving

    run(main)


def test_the_program_takes_the_loop_by_name_and_stops_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(APPLICATION)
    command = [
        *(sys.executable, "-m", "uvicorn", "served:app", "--port", "0", "--http", "httptools"),
        *("--loop", "ninth:new_event_loop", "--lifespan", "off"),
    ]
    program = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert program.stderr is not None
    try:
        port = 0
        for line in program.stderr:
            if "running on http://127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split()[0])
                break
        assert port, "uvicorn ended before it served"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for body in (b"hello", bytes(1_000_000)):
            connection.request("POST", "/", body)
            response = connection.getresponse()
            assert response.read() == body
            assert response.headers["x-loop"].startswith("ninth.")
        connection.close()
        program.send_signal(signal.SIGTERM)
        rest = program.stderr.read()
        assert "Finished server process" in rest
        assert "Traceback" not in rest
        assert program.wait(20) in {0, -signal.SIGTERM}
    finally:
        program.kill()
        program.wait()
        program.stderr.close()
