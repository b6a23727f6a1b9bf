"""The bench of runners still runs, and has a figure for each question; how good, is not tested."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_quick_run(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    command = [sys.executable, "-m", "bench.runners", "--quick", "--runners", "ninth"]
    done = subprocess.run(
        [*command, "--write", str(table)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in table.read_text().splitlines() if line.startswith("| ")]
    assert len(rows) == 6
    assert all(line.split("|")[2].strip() for line in rows)
    assert "| survivors of Ctrl-C | none; " in table.read_text()
    # The table that is kept has the same questions.
    kept = (ROOT / "bench/runners.md").read_text()
    assert all(line.split("|")[1] in kept for line in rows)
