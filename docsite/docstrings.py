"""Shows the docstrings of this house: a line that begins with `file:` or `Raises:` is an item.

An extension of griffe, which reads the source for mkdocstrings. The docstrings are plain text
that reads well in an editor; here its items become a list, and its example is coloured.
"""

import re
from typing import Any

import griffe

ITEM = re.compile(
    r"^(?P<name>[a-z_][\w]*(?:, [a-z_]\w*)*|Returns|Raises|Thread-safe|Source|Cancelling"
    r"|Cancelling, LineTooLong|Other options): (?P<text>.*)$"
)


def as_markdown(text: str) -> str:
    """Return a docstring as Markdown."""
    lines: list[str] = []
    in_item = in_code = False
    for line in text.splitlines():
        indented = line.startswith("    ")
        if in_code and line and not indented:
            lines += ["```", ""]
            in_code = False
        elif line == "Example:":
            lines.append("```python")
            in_code = True
            continue
        if in_code:
            lines.append(line[4:])
            continue
        item = ITEM.match(line)
        if item is not None:
            if not in_item and lines and lines[-1]:
                lines.append("")
            label = item["name"] if item["name"][0].isupper() else f"`{item['name']}`"
            lines.append(f"- **{label}**: {item['text']}")
            in_item = True
        elif in_item and line:
            lines.append(f"  {line.lstrip()}")
        else:
            in_item = False
            lines.append(line)
    if in_code:
        while lines and not lines[-1]:
            lines.pop()
        lines.append("```")
    return "\n".join(lines)


class Docstrings(griffe.Extension):  # type: ignore[misc, unused-ignore]
    """Rewrites every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one; griffe calls it once the object is complete."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
