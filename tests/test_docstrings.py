"""Every public name shows in its docstring how it is used, and what it shows is so.

The example of a docstring is the indented block behind the line `Example:`. It is run as a program
of its own, with `await` allowed everywhere; what it prints has to be what its comments `# -> ` say.
The prelude below is what it finds.
"""

import ast
import inspect
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ninth
import ninth.testing

# What needs no example: numbers and marks, which those of functions show, and errors, which the
# docstrings of what raises them name.
ERRORS = {"BusyError", "FileClosedError", "LineTooLong"}
# And what others make and show: scope().
WITHOUT = {"READ", "WRITE", "STOP", "__version__", "Scope", *ERRORS}
# The methods that have to be shown, by an example of their own or by that of their class.
METHODS = {
    "Scope": (
        "start process promise on_readable on_writable on_line after every on_signal on_exit "
        "subscope cancel"
    ),
    "Stream": (
        "read read_available read_exactly read_until read_line lines pending write write_eof "
        "sendfile start_tls"
    ),
    "Process": "wait send_signal terminate kill",
    "Registration": "cancel",
    "Datagrams": "send",
    "Server": "stop cancel serve_forever",
    "EventStream": "send",
    "Promise": ("then catch finally_ resolve reject with_resolvers all all_settled race any"),
    "Loop": (
        "call_soon call_later call_at call_soon_threadsafe time add_reader remove_reader "
        "add_writer remove_writer watch watch_child add_signal_handler remove_signal_handler "
        "set_exception_handler run stop close"
    ),
}
PRELUDE = """\
import asyncio, os, signal, socket, ssl, subprocess, sys, time
from subprocess import PIPE
import ninth, ninth.testing
"""
EXAMPLE = re.compile(r"^Example:\n((?: {4}.*\n|\n)+)", re.MULTILINE)


def example_of(thing: Any) -> str | None:
    """Return the example in a docstring, None if there is none."""
    found = EXAMPLE.search(inspect.cleandoc(thing.__doc__ or "") + "\n")
    return None if found is None else textwrap.dedent(found[1])


def public() -> dict[str, Any]:
    """Return what people use, by its name."""
    things = {name: getattr(ninth, name) for name in ninth.__all__ if name not in WITHOUT}
    things["testing.VirtualLoop"] = ninth.testing.VirtualLoop
    for name, methods in METHODS.items():
        for method in methods.split():
            things[f"{name}.{method}"] = getattr(getattr(ninth, name), method)
    return things


PUBLIC = public()
EXAMPLES = {name: text for name, thing in PUBLIC.items() if (text := example_of(thing))}


class Peer(threading.Thread):
    """An echo server, for the examples; what begins with STARTTLS is sent back over TLS."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate[1], certificate[0])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls_listener = socket.create_server(("127.0.0.1", 0))
        self.tls_port = self.tls_listener.getsockname()[1]

    def run(self) -> None:
        """Serve one after the other."""
        while True:
            ready, _, _ = select.select([self.listener, self.tls_listener], [], [])
            sock, _ = ready[0].accept()
            with sock:
                if ready[0] is self.tls_listener:
                    self.echo_over_tls(sock)
                    continue
                data = sock.recv(65536)
                if data == b"stop":
                    return
                if data.startswith(b"GET"):
                    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
                elif data == b"STARTTLS\n":
                    sock.sendall(b"go on\n")
                    self.echo_over_tls(sock)
                else:
                    sock.sendall(data)

    def echo_over_tls(self, sock: socket.socket) -> None:
        with self.context.wrap_socket(sock, server_side=True) as secure:
            secure.sendall(secure.recv(65536))
            # Until the client has closed.
            secure.recv(1)

    def stop(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall(b"stop")
        self.join()
        self.listener.close()
        self.tls_listener.close()


@pytest.fixture(scope="module")
def peer(certificate: tuple[Path, Path]) -> Iterator[Peer]:
    """Serve for as long as the tests of this module run."""
    peer = Peer(certificate)
    peer.start()
    yield peer
    peer.stop()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_shown(name: str) -> None:
    if name in EXAMPLES:
        return
    owner, _, method = name.partition(".")
    assert method, f"{name} has no example"
    # Its class shows it, or what undoes it.
    shown = "".join(text for one, text in EXAMPLES.items() if one.partition(".")[0] == owner)
    assert re.search(rf"\.{method}\b", shown), f"{name} has no example"


def program_of(example: str) -> str:
    """Return an example as a program: within a coroutine, if it awaits anything itself."""
    code = compile(example, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if not code.co_flags & inspect.CO_COROUTINE:
        return example
    return f"async def example():\n{textwrap.indent(example, '    ')}\nninth.run(example)\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_do_what_they_say(
    name: str, tmp_path: Path, peer: Peer, certificate: tuple[Path, Path]
) -> None:
    example = EXAMPLES[name]
    expected = re.findall(r"# -> (.*)$", example, re.MULTILINE)
    assert expected or "assert " in example, "an example that could not fail"
    path = tmp_path / "hello"
    path.write_text("hello world")
    given = {
        "port": peer.port,
        "http_port": peer.port,
        "tls_port": peer.tls_port,
        "path": str(path),
        "certificate": str(certificate[1]),
    }
    settings = "".join(f"{key} = {value!r}\n" for key, value in given.items())
    program = tmp_path / "program.py"
    program.write_text(PRELUDE + settings + program_of(example))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", program],
        cwd=tmp_path,
        env=os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == expected
