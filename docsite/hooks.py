"""Puts what is made from code and data into the pages, in place of lines like `{{ flow select }}`.

A line is a macro's name and its arguments. What a macro cannot make fails the build.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # MkDocs loads this file by its path.
    sys.path.insert(0, str(ROOT))

from docsite import benchmarks, flows, reference, rungs, timelines

MACROS: dict[str, Callable[..., str]] = {
    "api": reference.api,
    "bench_losses": benchmarks.losses,
    "bench_network": benchmarks.network,
    "bench_plot": benchmarks.plot,
    "bench_table": benchmarks.table,
    "bench_versions": benchmarks.versions,
    "compare_table": rungs.table,
    "cost": rungs.cost,
    "diff": rungs.diff,
    "flow": flows.flow,
    "new": rungs.new,
    "runners": benchmarks.runners,
    "timeline": timelines.timeline,
    "wrong": rungs.wrong,
}
MACRO = re.compile(r"^\{\{ (\w+)((?: [\w.-]+)*) \}\}$", re.MULTILINE)


def expand(markdown: str) -> str:
    """Return a page with its macros replaced. Raises KeyError for one that does not exist."""
    return MACRO.sub(lambda found: MACROS[found[1]](*found[2].split()), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Expand a page; MkDocs calls it."""
    return expand(markdown)
