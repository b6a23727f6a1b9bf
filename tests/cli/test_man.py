"""The manual page: that it tells everything, and that what reads manual pages takes it."""

import re
import shutil
import subprocess

import pytest

from ninth.cli.grammar import subcommands
from ninth.cli.man import page
from tests.conftest import Runner


def test_it_tells_every_option() -> None:
    text = page(subcommands()).replace("\\-", "-")
    for command in subcommands():
        assert f".SH NINTH {command.name.upper()}\n" in text
        for option in command.options:
            for flag in option.flags:
                assert f"\\fB{flag}\\fR" in text
            assert option.help in text.replace("\n", " ").replace("\\&", "")
    for word in ("Exit status", "NO_COLOR", "128+n"):
        assert word in text


def test_groff_takes_it(ninth: Runner) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    roff = ninth.run("man").stdout
    done = subprocess.run(
        [groff, "-man", "-ww", "-T", "ascii", "-P", "-cbou"],
        input=roff,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert re.search(
        r"^ +-k, --kill-others\n +when one command has ended", done.stdout, re.MULTILINE
    )


def test_mandoc_finds_no_fault(ninth: Runner) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        [mandoc, "-T", "lint"],
        input=ninth.run("man").stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    # The page has no date, so that the same source makes the same page.
    faults = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert faults == []
