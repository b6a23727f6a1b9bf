"""How the process ends."""

import subprocess
import sys

import pytest

SCRIPT = """
import signal
from ninth.cli.ending import keep_quiet_about_interrupts

class Deaf:
    def __init__(self, error): self.error = error
    def __del__(self): raise self.error

keep_quiet_about_interrupts()
deaf = Deaf({error})
del deaf
print("goes on")
"""


@pytest.mark.parametrize(("error", "told"), [("KeyboardInterrupt()", False), ("OSError()", True)])
def test_only_dropped_interrupts_are_kept_quiet(error: str, told: bool) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(error=error)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "goes on\n"
    assert ("Traceback" in result.stderr) == told
