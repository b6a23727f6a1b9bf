"""Pictures of `ninth watch` at work, made by running it: `python -m docsite.screens`.

Each is a program in a pseudo-terminal. When its screen shows what is waited for, that is drawn as
an SVG in docs/assets. One of the pictures is of tmux with `ninth watch` in its status line.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import pexpect
import pyte

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "docs/assets"
CELL, LINE = 8.4, 18  # pixels of a character of 14 pixels, and from one row to the next
INK, PAPER, MARGIN = "#d8dee9", "#1f2430", 12
COLORS = {
    "cyan": "#6fd0d6",
    "green": "#95d07c",
    "magenta": "#d7a1e0",
    "blue": "#82aaff",
    "brown": "#e6c07b",
    "black": "#1f2430",
    "brightblack": "#7c8696",
}


class Picture(NamedTuple):
    """A picture: its size in rows and columns, what it waits for, and what runs in it.

    typed: what a person typed to get there, shown in the first row; "" if that is on the screen.
    start: takes a directory; returns the arguments to run, and what ends it.
    """

    rows: int
    columns: int
    shown: tuple[str, ...]
    typed: str
    start: Callable[[Path], tuple[list[str], list[str]]]


DASHBOARD = [
    'while :; do echo "GET /orders/$((n += 1)) 200"; sleep 0.1; done',
    'echo "warning: the queue is slow" >&2; echo "42 jobs done"; sleep 1000',
    'echo "41 passed, 1 failed"; exit 1',
    'echo "cannot reach the database"; exit 75',
    "kill -SEGV $$",
]
NINTH = [sys.executable, "-m", "ninth"]


def dashboard(directory: Path) -> tuple[list[str], list[str]]:
    """Return what runs a Procfile on a terminal."""
    names = ("web", "worker", "tests", "mail", "cache")
    procfile = directory / "Procfile"
    procfile.write_text("".join(f"{n}: {line}\n" for n, line in zip(names, DASHBOARD, strict=True)))
    options = ["--restart", "on-failure", "--restart-after", "60"]
    return [*NINTH, "watch", "-f", str(procfile), *options], []


def status_bar(directory: Path) -> tuple[list[str], list[str]]:
    """Return what starts tmux with a status line."""
    tmux = shutil.which("tmux")
    if tmux is None:
        message = "tmux is not installed: it is needed for the picture of a status line"
        raise RuntimeError(message)
    watch = [*NINTH, "watch", "-o", "tmux", "--no-time", "--separator", " | "]
    commands = ["echo 'load 0.42'; sleep 1000", "echo '3 new mails'; sleep 1000"]
    script = directory / "status"
    script.write_text(f"#!/bin/sh\nexec {shlex.join([*watch, *commands])}\n")
    script.chmod(0o755)
    config = directory / "tmux.conf"
    config.write_text(
        f"set -g status-right '#({script}) | %H:%M '\n"
        "set -g status-right-length 60\nset -g status-interval 1\nset -g status-left ' work '\n"
        "set -g window-status-current-format ' #I:#W '\nset -g automatic-rename off\n"
    )
    said = (
        "grep status-right ~/.tmux.conf\nset -g status-right '#(ninth watch -o tmux ...) | %H:%M '"
    )
    shell = f"printf '$ %s\\n%s\\n$ ' {shlex.join(said.splitlines())}; exec sleep 1000"
    arguments = [tmux, "-S", str(directory / "socket"), "-f", str(config)]
    return [*arguments, "new", "-n", "sh", shell], [*arguments, "kill-server"]


PICTURES = {
    "watch-dashboard": Picture(
        8,
        70,
        ("the queue is slow", "[exit 1", "[exit 75", "[SIGSEGV", "42 jobs", "GET"),
        "ninth watch -f Procfile --restart on-failure --restart-after 60",
        dashboard,
    ),
    "watch-status": Picture(5, 72, ("load 0.42 | 3 new mails",), "", status_bar),
}


class Screen(pyte.Screen):
    """A screen that knows dimmed text, as grey, and spaces of no width, as nothing."""

    def select_graphic_rendition(self, *attributes: int, **options: Any) -> None:
        """Take a change of style."""
        grey = [90 if attribute == 2 else attribute for attribute in attributes]
        super().select_graphic_rendition(*grey, **options)

    def draw(self, data: str) -> None:
        """Take text."""
        super().draw(data.replace("\N{ZERO WIDTH SPACE}", ""))


def record(picture: Picture) -> Screen:
    """Run what is in a picture, and return the screen. Raises TimeoutError if it never comes."""
    screen = Screen(picture.columns, picture.rows)
    stream = pyte.ByteStream(screen)
    with running(picture) as child:
        deadline = time.monotonic() + 30
        while not all(any(text in row for row in screen.display) for text in picture.shown):
            if time.monotonic() > deadline:
                message = f"the screen never showed all of {picture.shown}: {screen.display}"
                raise TimeoutError(message)
            with contextlib.suppress(pexpect.TIMEOUT):
                stream.feed(child.read_nonblocking(65536, timeout=0.1))
    return screen


@contextlib.contextmanager
def running(picture: Picture) -> Iterator[Any]:
    """Run it, and end it."""
    environ = {
        name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TMUX"}
    }
    environ |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT / "src")}
    with tempfile.TemporaryDirectory() as name:
        arguments, ending = picture.start(Path(name))
        size = (picture.rows, picture.columns)
        child = pexpect.spawn(arguments[0], arguments[1:], dimensions=size, env=environ, timeout=30)
        try:
            yield child
        finally:
            if ending:
                subprocess.run(ending, check=True)
            else:
                child.sendintr()
            with contextlib.suppress(pexpect.EOF):
                child.expect(pexpect.EOF)
            child.close()


def svg(screen: Screen, typed: str) -> str:
    """Return a screen as SVG, below what was typed to get it."""
    rows = [tuple(screen.buffer[y][x] for x in range(screen.columns)) for y in range(screen.lines)]
    while rows and not any(cell.data.strip() for cell in rows[-1]):
        rows.pop()
    shift = 1 if typed else 0
    width = screen.columns * CELL + 2 * MARGIN
    height = (len(rows) + shift) * LINE + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" font-family="ui-monospace, monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
    ]
    if typed:
        lines.append(text(0, 0, f"$ {typed}", INK))
    for y, row in enumerate(rows, shift):
        lines += styled(y, row)
    return "\n".join([*lines, "</svg>"]) + "\n"


def styled(y: int, row: tuple[Any, ...]) -> Iterator[str]:
    """Return a row: each run of one style is a text, and a box where it has a background."""
    x = 0
    while x < len(row):
        end = x + 1
        style = (row[x].fg, row[x].bg, row[x].reverse)
        while end < len(row) and (row[end].fg, row[end].bg, row[end].reverse) == style:
            end += 1
        run = "".join(cell.data for cell in row[x:end])
        front, back = COLORS.get(style[0], INK), COLORS.get(style[1], PAPER)
        if style[2]:
            front, back = back, front
        if back != PAPER:
            left, top = MARGIN + x * CELL, MARGIN + y * LINE
            yield (
                f'<rect x="{left:.1f}" y="{top}" width="{(end - x) * CELL:.1f}"'
                f' height="{LINE}" fill="{back}"/>'
            )
        if run.strip():
            yield text(x + len(run) - len(run.lstrip()), y, run.strip(), front)
        x = end


def text(x: int, y: int, content: str, color: str) -> str:
    """Return a text that begins in a cell, and is as wide as its cells whatever the font is."""
    left, bottom = MARGIN + x * CELL, MARGIN + y * LINE + 13
    return (
        f'<text x="{left:.1f}" y="{bottom}" fill="{color}" xml:space="preserve"'
        f' textLength="{len(content) * CELL:.1f}">{escape(content)}</text>'
    )


def main() -> None:
    """Make all pictures anew."""
    for name, picture in PICTURES.items():
        (ASSETS / f"{name}.svg").write_text(svg(record(picture), picture.typed))
        sys.stdout.write(f"docs/assets/{name}.svg\n")


if __name__ == "__main__":
    main()
