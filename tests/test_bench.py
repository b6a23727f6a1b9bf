"""Every row of the bench still runs and yields a figure; how good it is, is not tested."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUPS = [
    "scheduling",
    "processes",
    "tcp protocol",
    "tcp streams",
    "tcp sock",
    "tcp stream",
    "pipes",
    "udp",
]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the bench's C programs are written for epoll"
)


def run(rows: str, loops: str, result: Path) -> dict[str, dict[str, list[float]]]:
    """Run the bench at its smallest and return its samples."""
    command = [sys.executable, "-m", "bench", "--rows", rows, "--loops", loops, "--rounds", "1"]
    command += ["--scale", "0.002", "--json", str(result)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    samples: dict[str, dict[str, list[float]]] = json.loads(result.read_text())["samples"]
    return samples


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"the bench needs {program} for this row")


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    if group not in {"scheduling", "processes"}:
        needs("cc")
    for row, figures in run(group, "c,asyncio,ninth", tmp_path / "result").items():
        wanted = {"ninth", "asyncio"} | (
            {"c"} if group not in {"scheduling", "processes"} else set()
        )
        assert set(figures) == wanted, row
        assert all(value > 0 for values in figures.values() for value in values), row


def test_tls(tmp_path: Path) -> None:
    needs("openssl")
    for row, figures in run("tls", "ninth", tmp_path / "result").items():
        assert figures["ninth"][0] > 0, row


@pytest.mark.parametrize("server", ["uvicorn", "aiohttp"])
def test_http(server: str, tmp_path: Path) -> None:
    needs("cc")
    for module in (server, "httptools"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    assert run(server, "ninth", tmp_path / "result")[server]["ninth"][0] > 0


@pytest.mark.parametrize("peer", ["uvloop", "rloop", "ninth"])
def test_peer(peer: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed")
    assert run("sleep0", peer, tmp_path / "result")["sleep0"][peer][0] > 0


def test_absent_contestants_and_unknown_rows_are_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--rows", "no-such-row"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no row or group starts with 'no-such-row'" in done.stderr
    if importlib.util.find_spec("zuvloop") is None:
        result = tmp_path / "result"
        run("sleep0", "asyncio,zuvloop", result)
        assert "zuvloop" in json.loads(result.read_text())["absent"]
