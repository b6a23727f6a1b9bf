"""Draws the flow of each loop from the data in flows.json.

A flow is a column of steps. `waits` marks the one in which the process sleeps; `back` is an arrow
from one step up to another, with a word on when it is taken. The colours are those of the page, so
that the drawing follows its light and its dark scheme.
"""

import json
from html import escape
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("flows.json")
WIDTH, LEFT, BOX, HEIGHT, GAP = 520, 20, 330, 34, 18


def flows() -> dict[str, Any]:
    """Return the data of all drawings."""
    found: dict[str, Any] = json.loads(DATA.read_text())
    return found


def flow(name: str) -> str:
    """Return the drawing of one loop, as SVG."""
    data = flows()[name]
    steps, back = data["steps"], data["back"]
    total = len(steps) * (HEIGHT + GAP) + 4
    described = "; ".join(step["text"] for step in steps)
    parts = [
        f'<svg class="flow" viewBox="0 0 {WIDTH} {total}" role="img" '
        f'aria-label="The flow of the {escape(name)} loop: {escape(described)}">'
    ]
    for index, step in enumerate(steps):
        top = 2 + index * (HEIGHT + GAP)
        kind = step.get("kind", "step")
        parts.append(
            f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
            f'<text x="{LEFT + 12}" y="{top + 22}">{escape(step["text"])}</text>'
        )
        if index + 1 < len(steps):
            middle, bottom = LEFT + BOX / 2, top + HEIGHT
            parts.append(
                f'<path d="M{middle} {bottom}v{GAP - 2}"/>'
                f'<path class="tip" d="M{middle - 4} {bottom + GAP - 7}l4 6l4 -6z"/>'
            )
    for number, arrow in enumerate(back):
        start = 2 + arrow["from"] * (HEIGHT + GAP) + HEIGHT / 2
        end = 2 + arrow["to"] * (HEIGHT + GAP) + HEIGHT / 2
        if arrow["from"] == arrow["to"]:
            start, end = start + 9, end - 9
        right, out = LEFT + BOX, LEFT + BOX + 26 + 24 * number
        parts.append(
            f'<path d="M{right} {start}H{out}V{end}H{right + 3}"/>'
            f'<path class="tip" d="M{right + 7} {end - 4}l-6 4l6 4z"/>'
            f'<text class="when" x="{out + 6}" y="{(start + end) / 2 + 4}">'
            f"{escape(arrow['when'])}</text>"
        )
    return "".join([*parts, "</svg>"])
