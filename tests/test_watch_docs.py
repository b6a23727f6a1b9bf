"""What README and pages tell and show of `ninth watch` is what it does."""

import re
import shutil
from pathlib import Path

import pytest
from docsite.options import table
from docsite.screens import PICTURES, record, svg

ROOT = Path(__file__).parent.parent
TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")


def test_the_page_has_the_options_of_help() -> None:
    assert table("watch") in (ROOT / "docs/watch.md").read_text()


def texts(drawing: str) -> list[str]:
    """Return what stands in a drawing, all numbers alike: times and counters differ."""
    return [re.sub(r"\d+", "0", text) for text in TEXT.findall(drawing)]


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_show_what_it_does(name: str) -> None:
    picture = PICTURES[name]
    if name == "watch-status" and shutil.which("tmux") is None:
        pytest.skip("tmux is not installed, and the picture is of tmux")
    kept = (ROOT / f"docs/assets/{name}.svg").read_text()
    # Again: python -m docsite.screens
    assert texts(svg(record(picture), picture.typed)) == texts(kept)


@pytest.mark.parametrize("name", PICTURES)
def test_readme_and_page_show_the_pictures(name: str) -> None:
    assert f"(docs/assets/{name}.svg)" in (ROOT / "README.md").read_text()
    assert f"(assets/{name}.svg)" in (ROOT / "docs/watch.md").read_text()
