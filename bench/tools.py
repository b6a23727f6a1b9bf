"""What is made at run time: the C programs and a certificate, in a directory that goes away."""

import resource
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

SOURCES = Path(__file__).parent / "c"


def allow_descriptors(count: int) -> None:
    """Let this process have that many descriptors, beside those that it has anyway."""
    needed = count + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))


class UnavailableError(Exception):
    """A row cannot be measured on this machine; the text says what to install."""


class Tools:
    """Compiled programs and a certificate, each made when it is first asked for."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="ninth-bench-")
        self._path = Path(self._directory.name)

    def close(self) -> None:
        """Remove what was made."""
        self._directory.cleanup()

    @cached_property
    def load(self) -> str:
        """The path of the client. Raises: UnavailableError."""
        return self._compile("load")

    @cached_property
    def echo_server(self) -> str:
        """The path of the C echo server. Raises: UnavailableError."""
        return self._compile("echo_server")

    @cached_property
    def certificate(self) -> str:
        """The path of a key and a certificate for localhost in one file.

        Raises: UnavailableError.
        """
        if not (openssl := shutil.which("openssl")):
            raise UnavailableError("no openssl program to make a certificate with: install openssl")
        path, key = self._path / "certificate.pem", self._path / "key.pem"
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key)]
        command += ["-out", str(path)]
        _run(command, "openssl could not make a certificate")
        path.write_text(path.read_text() + key.read_text())
        return str(path)

    def _compile(self, name: str) -> str:
        compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
        if compiler is None:
            raise UnavailableError("no C compiler for the client and the server in C: get gcc")
        program = str(self._path / name)
        source = str(SOURCES / f"{name}.c")
        _run([compiler, "-O2", "-o", program, source], f"{name}.c does not compile")
        return program


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise UnavailableError(f"{failure}: {done.stderr.strip()[-500:]}")
