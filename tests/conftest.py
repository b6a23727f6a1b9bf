"""What many tests need: a running `ninth watch`, and proof that nothing of it survives."""

import contextlib
import gc
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loops import FACTORIES, Factory

LOOPS = (
    "blocking",
    "busy",
    "sleepy",
    "select",
    "callback",
    "generator",
    "coroutine",
    "asyncio",
    "ninth",
)
TAG = "NINTH_TEST_TAG"

# A shell without job control starts what is to run in the background with these ignored; children
# inherit that, and tests that interrupt them would wait for ever.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        _default = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, _default)


def tagged(tag: str) -> list[int]:
    """Return the living processes that inherited the tag, however far they have gone."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            if f"{TAG}={tag}".encode() in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


class Runner:
    """Starts the command line in processes that can be found again."""

    def __init__(self) -> None:
        self.tag = uuid.uuid4().hex
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `ninth ARGUMENTS`, its output piped."""
        settings: dict[str, Any] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
            "env": os.environ | {TAG: self.tag},
        }
        command = [sys.executable, "-m", "ninth", *arguments]
        process = subprocess.Popen(command, text=True, **(settings | options))
        self.processes.append(process)
        return process

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `ninth ARGUMENTS` to its end."""
        process = self.start(*arguments, **options)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def survivors(self) -> list[int]:
        """Return the processes that are still there."""
        return tagged(self.tag)

    def wait_for(self, count: int) -> None:
        """Wait until that many processes run."""
        deadline = time.monotonic() + 30
        while len(self.survivors()) < count:
            assert time.monotonic() < deadline, f"only {self.survivors()} of {count} have started"
            time.sleep(0.01)

    def stop(self, process: subprocess.Popen[str], signum: int = signal.SIGINT) -> str:
        """Send a signal, wait for the end, return what was written to stderr."""
        process.send_signal(signum)
        _, errors = process.communicate(timeout=60)
        return errors


@pytest.fixture
def ninth() -> Iterator[Runner]:
    """The command line; the test fails if anything that it started is left at the end."""
    runner = Runner()
    try:
        yield runner
        for process in runner.processes:
            process.wait(60)
        left = runner.survivors()
        assert not left, f"still there: {left}"
    finally:
        for pid in runner.survivors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in runner.processes:
            process.wait(60)
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """The name of each loop in turn."""
    return str(request.param)


@pytest.fixture(params=FACTORIES)
def loop_factory(request: pytest.FixtureRequest) -> Factory:
    """What makes a new event loop, for each kind of them in turn."""
    return FACTORIES[request.param]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a key and of a certificate for localhost, which vouches for itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    return key, certificate


@pytest.fixture(scope="session")
def contexts(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server and a client that trusts it."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate[1], certificate[0])
    return server, ssl.create_default_context(cafile=str(certificate[1]))


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail if the test leaves a descriptor, a child or a signal handler behind."""

    def state() -> tuple[list[str], list[object]]:
        return (
            sorted(os.listdir("/proc/self/fd")),
            # SIGALRM belongs to the time limit of the tests themselves.
            [signal.getsignal(one) for one in signal.valid_signals() if one != signal.SIGALRM],
        )

    before = state()
    yield
    assert state() == before
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Have no garbage collection while the test runs."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
