"""The fenced blocks of a Markdown text, for the tests that run them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
# A block that shows what the block right before it prints.
OUTPUT = 'text title="Output"'


@dataclass
class Block:
    """One block: what it is written in, its text, and what it has to print."""

    path: Path
    line: int
    info: str
    text: str
    output: str | None = None


def blocks(path: Path) -> list[Block]:
    """Return the blocks of a file, each with the output that is stated for it."""
    text = path.read_text()
    found: list[Block] = []
    end = 0
    for fence in FENCE.finditer(text):
        body = textwrap.dedent(fence["body"])
        info = fence["info"].strip()
        if info == OUTPUT:
            if not found or text[end : fence.start()].strip():
                raise ValueError(f"{path.name}: the output {body[:40]!r} follows no block")
            found[-1].output = body
        else:
            line = text.count("\n", 0, fence.start()) + 1
            found.append(Block(path, line, info, body))
        end = fence.end()
    return found
