"""Every example runs, and the broken one shows what it says."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from aiohttp import web

import ninth
from tests.conftest import TAG, tagged

EXAMPLES = Path(__file__).parent.parent / "examples"
LATEST = ("latest_callbacks", "latest_coroutines", "latest_both")
NUMBERS = "printf '1\\n2\\n3\\n'"


class Examples:
    """Starts examples in processes that can be found again, with all that they start."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.started: list[subprocess.Popen[str]] = []

    def start(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        example = subprocess.Popen(
            [sys.executable, EXAMPLES / f"{name}.py", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {TAG: self.tag},
            **({"stdin": subprocess.DEVNULL} | options),
        )
        self.started.append(example)
        return example

    def run(self, name: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        """Run an example to its end; return its status, output and errors."""
        example = self.start(name, *arguments, **options)
        output, errors = example.communicate(timeout=60)
        return example.returncode, output, errors

    def left(self) -> list[int]:
        return tagged(self.tag)

    def kill(self, example: subprocess.Popen[str]) -> tuple[str, str]:
        """Kill an example and all that it started; return the rest of its output and errors."""
        # What it started has its pipes, too, and would keep them open.
        while left := self.left():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return example.communicate(timeout=60)


@pytest.fixture
def examples() -> Iterator[Examples]:
    found = Examples(f"examples-{os.getpid()}-{time.monotonic_ns()}")
    yield found
    for example in found.started:
        found.kill(example)


def numbers(output: str) -> list[str]:
    """Return the lines of the output without the time."""
    lines = []
    for line in output.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d ", line)
        lines.append(line[9:])
    return lines


def read_until(example: subprocess.Popen[str], end: str) -> list[str]:
    """Read the output of an example until a line ends like this."""
    assert example.stdout is not None
    lines = []
    for line in example.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1].endswith(end):
            return lines
    raise AssertionError(f"{end!r} did not come; the output was {lines}")


def test_all_are_here() -> None:
    """A test for each example, so that a new one is not forgotten."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {
        *LATEST,
        "latest_broken",
        "everything_is_a_file",
        "promises",
        "latest_remote",
        "all_cores",
        "http_server",
        "http_client",
        "websocket_echo",
    }


# The first program


@pytest.mark.parametrize("name", LATEST)
def test_the_first_program(name: str, examples: Examples) -> None:
    status, output, errors = examples.run(name, NUMBERS, "echo 7; sleep 0.1; echo 8")
    assert (status, errors) == (0, "")
    shown = numbers(output)
    assert len(shown) == 5
    assert shown[-1] == "3 8"
    assert {line.split()[0] for line in shown} >= {"1", "2", "3"}


@pytest.mark.parametrize("name", LATEST)
def test_a_failing_line_ends_it_and_says_where(name: str, examples: Examples) -> None:
    status, _, errors = examples.run(name, "echo 1; echo oops; sleep 60", "sleep 60 & sleep 61")
    assert status == 1
    assert "ValueError: invalid literal for int() with base 10: " in errors
    if name == "latest_callbacks":
        assert "registered at " in errors
        assert "latest_callbacks.py:" in errors
    assert not examples.left()


@pytest.mark.parametrize("name", LATEST)
def test_ctrl_c_leaves_nothing(name: str, examples: Examples) -> None:
    example = examples.start(name, "echo 5; sleep 60 & wait")
    read_until(example, " 5")
    example.send_signal(signal.SIGINT)
    _, errors = example.communicate(timeout=60)
    assert example.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not examples.left()


def test_each_is_short() -> None:
    for name in LATEST:
        text = (EXAMPLES / f"{name}.py").read_text()
        code = [
            line for line in text.splitlines() if line and not line.startswith(("import", "from"))
        ]
        assert len(code) <= 25, name


def test_the_broken_one_shows_one_line_of_three(examples: Examples) -> None:
    example = examples.start("latest_broken", f"{NUMBERS}; sleep 60")
    read_until(example, " 1")
    output, _ = examples.kill(example)
    assert output == ""


def test_the_broken_one_logs_an_error_and_goes_on(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo oops; sleep 0.2; echo 9; sleep 60")
    read_until(example, " 9")
    assert example.poll() is None
    _, errors = examples.kill(example)
    assert errors.count("ValueError: invalid literal for int()") == 1
    assert "Exception in callback show(" in errors
    assert "registered" not in errors


def test_the_broken_one_spins_and_does_not_end(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo 1")
    assert example.stderr is not None
    logged = 0
    for line in example.stderr:
        logged += line.startswith("ValueError")
        if logged == 1000:
            break
    assert example.poll() is None


def test_the_broken_one_leaves_processes_behind(examples: Examples) -> None:
    example = examples.start("latest_broken", "echo 5; sleep 60 & wait")
    read_until(example, " 5")
    example.send_signal(signal.SIGINT)
    example.wait(60)
    assert examples.left()


# Files of every kind


@pytest.mark.parametrize("stdin", ["here-document", "file", "null", "pipe"])
def test_everything_is_a_file(stdin: str, examples: Examples, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("hello\n")
    reading, writing = os.pipe()
    os.write(writing, b"hello\n")
    os.close(writing)
    given: dict[str, Any] = {"null": subprocess.DEVNULL, "pipe": reading}
    with data.open() as file:
        given["file"] = file
        if stdin == "here-document":
            # What a shell makes of one: a file that has no name any more.
            data.unlink()
            given[stdin] = file
        status, output, errors = examples.run("everything_is_a_file", stdin=given[stdin])
    os.close(reading)
    assert (status, errors) == (0, "")
    assert [line.removesuffix(" is readable") for line in output.splitlines()] == [
        "pipe",
        "terminal",
        "unix_socket",
        "listening_socket",
        "datagram_socket",
        "pidfd",
        "eventfd",
        "timerfd",
        "inotify",
        "device",
        "regular_file",
        "standard_input",
    ]


def test_promises(examples: Examples) -> None:
    commands = ["sleep 0.2; echo slow", "echo quick; echo lines", "exit 3"]
    status, output, errors = examples.run("promises", *commands)
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "slow",
        "quick lines",
        "failed: 'exit 3': status 3",
        "first: echo quick; echo lines",
    ]
    assert examples.run("promises", "exit 1")[1].splitlines()[-1] == "first: none"


# The network


def port_of(example: subprocess.Popen[str]) -> int:
    """Return the port that an example serves, which is the first that it prints."""
    assert example.stdout is not None
    return int(example.stdout.readline())


def interrupt(example: subprocess.Popen[str]) -> None:
    """End a server as Ctrl-C does."""
    example.send_signal(signal.SIGINT)
    _, errors = example.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("secure", [False, True])
def test_commands_on_another_machine(
    secure: bool, examples: Examples, certificate: tuple[Path, Path]
) -> None:
    key, cert = map(str, certificate)
    server = examples.start("latest_remote", "serve", "0", *([cert, key] if secure else []))
    port = str(port_of(server))
    options = [cert] if secure else []
    commands = [NUMBERS, "echo 7; sleep 0.1; echo 8"]
    status, output, errors = examples.run(
        "latest_remote", "show", "127.0.0.1", port, *options, *commands
    )
    assert (status, errors) == (0, "")
    assert numbers(output)[-1] == "3 8"
    # A client that goes takes its command with it.
    client = examples.start(
        "latest_remote", "show", "127.0.0.1", port, *options, "echo 5; sleep 60"
    )
    read_until(client, " 5")
    client.kill()
    client.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while len(examples.left()) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    interrupt(server)
    assert not examples.left()


def test_all_cores_serve_one_port(examples: Examples) -> None:
    server = examples.start("all_cores", "0")
    port = port_of(server)
    assert server.stdout is not None
    serving = {int(server.stdout.readline()) for _ in os.sched_getaffinity(0)}
    served = set()
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as file:
            served.add(int(file.readline()))
            sock.sendall(b"x")
            assert file.read(1) == b"x"
    assert served == serving
    interrupt(server)
    assert not examples.left()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_http_server_by_curl(examples: Examples, certificate: tuple[Path, Path]) -> None:
    key, cert = map(str, certificate)
    for secure in (False, True):
        server = examples.start("http_server", "0", *([cert, key] if secure else []))
        url = f"{'https' if secure else 'http'}://localhost:{port_of(server)}"
        # The certificate is for a name, which is to lead here.
        place = f"{url[url.index('//') + 2 :]}:127.0.0.1"
        options = ["-sS", "--cacert", cert, "--resolve", place]
        # Two requests over one connection, then one with a body that is announced first.
        twice = ["curl", *options, f"{url}/one", f"{url}/two"]
        body = ["-H", "Expect: 100-continue", "-d", "x" * 2000, f"{url}/three"]
        command = [*twice, "--next", *options, *body]
        got = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert got == f"GET /one\nGET /two\nPOST /three\n{'x' * 2000}"
        command = ["curl", *options, "-I", url]
        head = subprocess.run(command, check=True, capture_output=True, text=True)
        assert head.stdout.startswith("HTTP/1.1 200")
        interrupt(server)


def test_the_http_server_and_what_is_no_http(examples: Examples) -> None:
    server = examples.start("http_server", "0")
    with socket.create_connection(("127.0.0.1", port_of(server))) as sock:
        sock.sendall(b"what?\r\n\r\n")
        assert sock.makefile("rb").read().startswith(b"HTTP/1.1 400")
    interrupt(server)


def test_the_http_client_and_aiohttp(examples: Examples) -> None:
    async def answer(request: Any) -> Any:
        if request.path == "/missing":
            raise web.HTTPNotFound
        return web.Response(text=f"hello {request.query_string}")

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            for path, expected in (("/a?b=c", (0, "hello b=c", "200 OK\n")),):
                assert await ninth.to_thread(examples.run, "http_client", url + path) == expected
            status, _, errors = await ninth.to_thread(examples.run, "http_client", f"{url}/missing")
            assert (status, errors) == (1, "404 Not Found\n")
        finally:
            await runner.cleanup()

    ninth.run(serve)


def test_the_websocket_server_and_a_client(examples: Examples) -> None:
    server = examples.start("websocket_echo", "0")
    port = port_of(server)

    async def talk() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
            for message in ("hello", b"bytes", "x" * 300_000):
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping())

    ninth.run(talk)
    interrupt(server)
