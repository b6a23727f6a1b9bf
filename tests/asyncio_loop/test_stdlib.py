"""The private names of asyncio that we use exist, and do what we think."""

import asyncio
import inspect
import socket
import subprocess
import sys
from asyncio import base_events, base_subprocess, transports, unix_events
from pathlib import Path
from typing import Any

import pytest

import ninth
from ninth.asyncio_loop import stdlib

HOOKS = {
    "_make_self_pipe": [],
    "_close_self_pipe": [],
    "_write_to_self": [],
    "_run_once": [],
    "_add_reader": ["fd", "callback", "args"],
    "_remove_reader": ["fd"],
    "_add_writer": ["fd", "callback", "args"],
    "_remove_writer": ["fd"],
    "_add_callback": ["handle"],
    "_make_socket_transport": ["sock", "protocol", "waiter", "extra", "server"],
    "_make_read_pipe_transport": ["pipe", "protocol", "waiter", "extra"],
    "_make_write_pipe_transport": ["pipe", "protocol", "waiter", "extra"],
    "_check_closed": [],
    "_check_running": [],
    "_check_signal": ["sig"],
    "_asyncgen_firstiter_hook": ["agen"],
    "_asyncgen_finalizer_hook": ["agen"],
    "_set_coroutine_origin_tracking": ["enabled"],
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_there_with_its_arguments(name: str) -> None:
    method = getattr(unix_events._UnixSelectorEventLoop, name)
    assert list(inspect.signature(method).parameters)[1:] == HOOKS[name]


def test_hooks_that_gain_arguments_begin_as_we_think() -> None:
    loop: Any = unix_events._UnixSelectorEventLoop

    def begins(method: Any, *names: str) -> bool:
        return list(inspect.signature(method).parameters)[1 : len(names) + 1] == list(names)

    assert begins(
        loop._start_serving, "protocol_factory", "sock", "sslcontext", "server", "backlog"
    )
    assert begins(
        loop._accept_connection2, "protocol_factory", "conn", "extra", "sslcontext", "server"
    )
    assert begins(loop._make_datagram_transport, "sock", "protocol", "address", "waiter", "extra")
    assert begins(
        loop._make_subprocess_transport, "protocol", "args", "shell", "stdin", "stdout", "stderr"
    )


def test_the_names_of_modules_are_there() -> None:
    names: list[tuple[Any, str]] = [
        (base_events, "_set_nodelay"),
        (base_events, "_check_ssl_socket"),
        (base_events, "_format_handle"),
        (transports, "_FlowControlMixin"),
        (unix_events, "_UnixSubprocessTransport"),
    ]
    for module, name in names:
        assert callable(getattr(module, name))
    subprocess_transport: Any = getattr(unix_events, "_UnixSubprocessTransport")  # noqa: B009
    assert issubclass(subprocess_transport, base_subprocess.BaseSubprocessTransport)


def test_a_server_counts_its_transports() -> None:
    class Transport:
        """A stand-in that can be referred to weakly."""

    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        transport = Transport()
        stdlib.attach_to_server(server, transport)
        server.close()
        waiting = asyncio.ensure_future(server.wait_closed())
        await asyncio.sleep(0)
        stdlib.detach_from_server(server, transport)
        await waiting

    asyncio.run(main())


def test_no_other_module_of_ours_uses_private_names_of_asyncio() -> None:
    folder = Path(stdlib.__file__).parent
    for path in folder.glob("*.py"):
        text = path.read_text()
        if path.name != "stdlib.py":
            for module in ("base_events", "events", "unix_events", "selector_events", "sslproto"):
                assert f"asyncio.{module}" not in text, path
                assert f"from asyncio import {module}" not in text, path


def test_transports_of_a_descriptor_are_known() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        one, other = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        assert loop.transport_of(one.fileno()) is transport
        number = one.fileno()
        transport.close()
        assert loop.transport_of(number) is None
        other.close()

    with asyncio.Runner(loop_factory=ninth.new_event_loop) as runner:
        runner.run(main())


def test_installing_makes_it_the_default() -> None:
    code = (
        "import asyncio, ninth, warnings\n"
        "warnings.simplefilter('error')\n"
        "ninth.install(); ninth.install()\n"
        "async def main(): return type(asyncio.get_running_loop())\n"
        "assert asyncio.run(main()) is ninth.EventLoop\n"
        "loop = asyncio.new_event_loop()\n"
        "assert type(loop) is ninth.EventLoop\n"
        "loop.close()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_ninth_does_not_import_asyncio() -> None:
    code = "import sys, ninth; assert 'asyncio' not in sys.modules; ninth.EventLoop"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys; from ninth import Loop; assert 'asyncio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
