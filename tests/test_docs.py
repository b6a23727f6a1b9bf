"""The texts keep their word: links lead somewhere, and what README says can be done works."""

import importlib.util
import inspect
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from docsite import flows, timelines
from docsite.hooks import expand

import ninth
from tests.doc_blocks import Block, blocks

ROOT = Path(__file__).parent.parent
# As git sees them, so that environments and caches do not count.
TEXTS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
] or sorted(ROOT.glob("*.md"))

LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the names that a site makes of the headings."""
    headings = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    dead = []
    for link in LINK.findall(text):
        if re.match(r"https?://|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            dead.append(link)
    assert not dead


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in text
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_readme_tells_the_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "src/ninth/cli").rglob("*.py"))
    for option in set(re.findall(r"--[a-z][a-z-]+", text)):
        assert f'"{option}"' in sources, option


def test_readme_quotes_the_run_that_is_kept() -> None:
    text = (ROOT / "README.md").read_text()
    results = json.loads((ROOT / "docs/compare.json").read_text())
    for loop in results["loops"]:
        row = re.search(
            rf"^\| {loop['loop']} \| ([\d,.]+) \| ([\d,.]+) \| ([\d.]+) \|", text, re.MULTILINE
        )
        assert row is not None, loop["loop"]
        quoted = [float(figure.replace(",", "")) for figure in row.groups()]
        measured = [loop["delay_median_ms"], loop["delay_p99_ms"], loop["cpu_percent"]]
        # Two digits are quoted, four for what is large.
        assert quoted == pytest.approx(measured, rel=0.05, abs=0.005), loop["loop"]


def test_readme_quotes_the_bench_run_that_is_kept() -> None:
    text = (ROOT / "README.md").read_text()
    samples = json.loads((ROOT / "bench/results.json").read_text())["samples"]
    quoted = {"uvicorn, one GET": "uvicorn", "TCP echo, 1 KiB, Protocol": "protocol-1k-50"}
    for name, row in quoted.items():
        found = re.search(
            rf"^\| {name} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE
        )
        assert found is not None, name
        for figure, loop in zip(
            found.groups(), ("asyncio", "uvloop", "ninth", "ninth-pure"), strict=True
        ):
            assert float(figure) == pytest.approx(
                statistics.median(samples[row][loop]) / 1000, rel=0.01
            )


def test_readme_quotes_the_run_of_servers_that_is_kept() -> None:
    text = (ROOT / "README.md").read_text()
    samples = json.loads((ROOT / "bench/network.json").read_text())
    rows = {"echo, 1 KiB": "raw", "echo, lines of 100 bytes": "line", "echo over TLS, 1 KiB": "tls"}
    for name, row in rows.items():
        found = re.search(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE)
        assert found is not None, name
        libraries = ("asyncio", "uvloop", "trio", "gevent", "ninth")
        for figure, library in zip(found[1].split(" | "), libraries, strict=True):
            measured = statistics.median(samples[row][library])
            assert float(figure) == pytest.approx(measured, rel=0.01), (name, library)


# Code blocks

PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{block.path.relative_to(ROOT)}:{block.line}")
    for path in [ROOT / "README.md", *PAGES]
    for block in blocks(path)
]
# Languages of blocks that are shown, not run: output, data, drawings of the terminal.
SHOWN = {"text", "diff"}
# What pages compare with, and what need not be everywhere.
LIBRARIES = {"gevent", "trio"}
INCLUSION = re.compile(r'^--8<-- "([^":]+)(?::([\w-]+))?"$')
# Fragments may leave out what only the type checker needs.
FOR_TYPES = re.compile(r"^ *assert \w+(\.\w+)* is not None\n", re.MULTILINE)
TIME = re.compile(r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", re.MULTILINE)


def included(text: str) -> Path | None:
    """Return the file that a block includes, whole or in part."""
    found = INCLUSION.match(text.strip())
    if found is None:
        return None
    path = ROOT / found[1]
    assert found[2] is None or f"--8<-- [start:{found[2]}]" in path.read_text(), found[2]
    return path


def is_fragment_of_an_example(text: str) -> bool:
    """Return whether a block stands in one of the examples, which are run by their own tests."""
    for path in (ROOT / "examples").rglob("*.py"):
        lines = FOR_TYPES.sub("", path.read_text()).splitlines()
        # Compared without the indentation that the block has in the example.
        wanted = text.splitlines()
        for start in range(len(lines) - len(wanted) + 1):
            part = "\n".join(lines[start : start + len(wanted)])
            if textwrap.dedent(part).splitlines() == wanted:
                return True
    return False


def run_shell(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line with our own `ninth` and `python` first on the path."""
    bin_directory = directory / "bin"
    bin_directory.mkdir(exist_ok=True)
    for name, arguments in {"ninth": '-m ninth "$@"', "python": '"$@"'}.items():
        script = bin_directory / name
        script.write_text(f"#!/bin/sh\nexec {sys.executable} {arguments}\n")
        script.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=directory,
        env=os.environ | {"PATH": f"{bin_directory}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def without_times(output: str) -> list[str]:
    """Return lines without the time; what differs in nothing else from its predecessor is left out.

    A second may begin between two lines, and is then shown in a line of its own.
    """
    lines: list[str] = []
    for line in TIME.sub("<time>", output).splitlines():
        if not (lines and line == lines[-1] and line.startswith("<time>")):
            lines.append(line)
    return lines


def run_console(text: str, directory: Path) -> None:
    """Run the lines of a session that begin with `$ `, and compare what follows them."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = run_shell(command, directory)
        assert done.stderr == ""
        assert without_times(done.stdout) == without_times(expected.rstrip("\n"))


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_run(block: Block, tmp_path: Path) -> None:
    language = block.info.split()[0] if block.info else ""
    if (path := included(block.text)) is not None:
        # What is included is source or an example; tests of their own run those.
        assert path.is_file()
        assert block.output is None
    elif language == "python":
        if block.output is None and is_fragment_of_an_example(block.text):
            return
        for library in LIBRARIES & set(
            re.findall(r"^(?:import|from) (\w+)", block.text, re.MULTILINE)
        ):
            if importlib.util.find_spec(library) is None:
                pytest.skip(f"{library}, which the page compares with, is not installed")
        program = tmp_path / "program.py"
        program.write_text(block.text)
        # What is to be run by pytest is.
        is_test = block.text.startswith("def test_") or "\ndef test_" in block.text
        runner = ["-m", "pytest", "-qq", "-p", "no:cacheprovider"] if is_test else []
        done = subprocess.run(
            [sys.executable, "-W", "error", *runner, program],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stderr, done.returncode) == ("", 0)
        if block.output is not None:
            assert done.stdout == block.output
    elif language == "javascript":
        if shutil.which("node") is None:
            pytest.skip("node, which runs JavaScript, is not installed")
        program = tmp_path / "program.js"
        program.write_text(block.text)
        done = subprocess.run(
            ["node", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.stdout, done.stderr, done.returncode) == (block.output, "", 0)
    elif language == "console":
        run_console(block.text, tmp_path)
    else:
        assert language in SHOWN, f"nobody runs a block of {block.info!r}"


# The layers

LAYER_1 = sorted((ROOT / "docs/coroutines").glob("*.md"))
WORDS_BELOW = re.compile(r"\b(future|awaitable|transport)s?\b", re.IGNORECASE)
API = re.compile(r"^\{\{ api ([^}]*) \}\}$", re.MULTILINE)


def documented(pages: list[Path]) -> list[str]:
    """Return the names whose docstrings some pages show."""
    return [
        name for path in pages for line in API.findall(path.read_text()) for name in line.split()
    ]


def resolve(name: str) -> Any:
    """Return a public object by the name that the reference gives it."""
    if "." not in name:
        return getattr(ninth, name)
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def members(value: Any) -> dict[str, Any]:
    """Return the public methods and properties that a class of ours defines."""
    if not inspect.isclass(value):
        return {}
    return {
        name: member
        for kind in value.__mro__
        if kind.__module__.startswith("ninth")
        for name, member in vars(kind).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    }


@pytest.mark.parametrize("path", LAYER_1, ids=lambda path: path.stem)
def test_coroutine_pages_name_nothing_from_below(path: Path) -> None:
    assert not WORDS_BELOW.findall(path.read_text())
    for name in documented([path]):
        value = resolve(name)
        assert not WORDS_BELOW.findall(inspect.getdoc(value) or ""), name
        for member_name, member in members(value).items():
            assert not WORDS_BELOW.findall(inspect.getdoc(member) or ""), (name, member_name)


def test_every_public_name_is_documented() -> None:
    names = documented(PAGES)
    assert sorted(names) == sorted(set(names)), "a name is documented twice"
    constants = {"EventLoop", "READ", "WRITE", "STOP", "__version__"}
    text = "".join(path.read_text() for path in PAGES)
    assert set(ninth.__all__) - set(names) - constants == set()
    for constant in constants:
        assert f"`ninth.{constant}`" in text, constant


def test_what_is_documented_says_something() -> None:
    silent = []
    for name in documented(PAGES):
        value = resolve(name)
        if not inspect.getdoc(value):
            silent.append(name)
        silent += [
            f"{name}.{other}"
            for other, member in members(value).items()
            if not inspect.getdoc(member)
        ]
    assert not silent


def test_macros_and_drawings_are_there() -> None:
    for path in PAGES:
        expand(path.read_text())
    for name in ("blocking", "busy", "sleepy", "select", "callback", "generator", "coroutine"):
        assert flows.flow(name).startswith("<svg")
        assert timelines.timeline(name).startswith("<svg")
