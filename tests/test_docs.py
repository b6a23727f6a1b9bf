"""The texts keep their word: links lead somewhere, and what README says can be done works."""

import json
import re
import statistics
import subprocess
from pathlib import Path

import pytest

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
