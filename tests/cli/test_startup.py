"""What is done before the first command is started: as little as possible."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
before = set(sys.modules)
from ninth.cli import main, watched

def started(*_, **__):
    print(*sorted(set(sys.modules) - before), flush=True)
    os._exit(0)

watched.Run.__init__ = started
main(["watch", "-o", {output!r}, "echo x"])
"""
# What takes long to import, and is not needed until commands run.
LATER = {"asyncio", "ninth.scope", "ninth.loop", "socket", "ssl", "json", "logging", "shutil"}
LATER |= {"platform", "inspect", "tempfile", "datetime", "traceback", "random", "ast", "dis"}


@pytest.mark.parametrize("output", ["log", "line", "tmux"])  # the others need json, which is short
def test_commands_are_started_before_the_loop_is_imported(output: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(output=output)],
        capture_output=True,
        text=True,
        check=True,
    )
    names = result.stdout.split("\n")[-2].split()
    assert "ninth.cli.watcher" in names
    assert not LATER & set(names)
