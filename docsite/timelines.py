"""Records a run of each loop, and draws it: when lines were written, and when they were shown.

`python -m docsite.timelines` runs all nine loops for a few seconds on the same two commands and
writes timelines.json; the drawings are made from that file whenever the site is built.
"""

import json
import shlex
import sys
import threading
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("timelines.json")
SECONDS = 5.0
SAMPLE = 0.1  # seconds between two looks at the CPU clock
# When each child writes a line, in seconds from its first: one is quick, the other slow.
SCHEDULES = (
    (0.2, 0.5, 0.8, 1.1, 1.4, 1.5, 1.6, 2.0, 2.3, 2.6, 2.9, 3.2, 3.5, 3.8, 4.1, 4.4),
    (0.9, 2.4, 3.9, 4.5),
)
CHILD = """\
import sys, time
start = float(sys.argv[1])
for number, due in enumerate(sys.argv[2:]):
    time.sleep(max(0.0, start + float(due) - time.monotonic()))
    print(number, time.monotonic() - start, flush=True)
"""


def record(loop: str) -> dict[str, Any]:
    """Run a loop to its end; return what was written, shown, and used of the CPU."""
    from ninth.cli.all_loops import watch  # noqa: PLC0415 - drawing needs no ninth
    from ninth.ladder.program import Program  # noqa: PLC0415

    start = time.monotonic() + 0.3  # the children need a moment to begin
    shown: list[list[list[float]]] = [[] for _ in SCHEDULES]
    seen = [""] * len(SCHEDULES)

    def show(_clock: str, lines: Sequence[str]) -> None:
        now = time.monotonic() - start
        for child, line in enumerate(lines):
            if line and line != seen[child]:
                seen[child] = line
                shown[child].append([round(float(line.split()[1]), 4), round(now, 4)])

    cpu: list[float] = []
    ended = threading.Event()

    def sample() -> None:
        before = time.process_time()
        while not ended.wait(SAMPLE):
            now = time.process_time()
            cpu.append(round((now - before) / SAMPLE, 3))
            before = now

    commands = [
        shlex.join([sys.executable, "-c", CHILD, repr(start), *map(str, schedule)])
        for schedule in SCHEDULES
    ]
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        watch(loop, Program(commands, show))
    finally:
        ended.set()
        sampler.join()
    return {"shown": shown, "cpu": cpu, "began": -0.3}


def timeline(name: str) -> str:
    """Return the drawing of the recorded run of a loop, as SVG."""
    run = json.loads(DATA.read_text())["runs"][name]
    width, left, lane = 760.0, 96.0, 54.0
    last = max([SECONDS, *(shown for child in run["shown"] for _, shown in child)])
    scale = (width - left - 14) / (last + 0.3)

    def x(seconds: float) -> float:
        return float(round(left + (seconds + 0.3) * scale, 1))

    bottom = lane * len(SCHEDULES) + 62
    parts = [
        f'<svg class="timeline" viewBox="0 0 {width:.0f} {bottom + 24:.0f}" role="img" '
        f'aria-label="One run of the {escape(name)} loop: lines written, and when they were shown">'
    ]
    for child, shown in enumerate(run["shown"]):
        top = child * lane + 14
        parts.append(
            f'<text x="0" y="{top + 4}">child {child + 1} wrote</text>'
            f'<text x="0" y="{top + 30}">was shown</text>'
            f'<path class="lane" d="M{left} {top}H{width}M{left} {top + 26}H{width}"/>'
        )
        arrived = [written for written, _ in shown]
        for due in SCHEDULES[child]:
            written = min(arrived, key=lambda moment: abs(moment - due), default=None)
            if written is None or abs(written - due) > 0.08:
                # Never shown: a later line came first. It was written when it was due.
                parts.append(f'<circle class="lost" cx="{x(due)}" cy="{top}" r="3.5"/>')
        for written, when in shown:
            late = " late" if when - written > 0.1 else ""
            parts.append(
                f'<path class="delay{late}" d="M{x(written)} {top}L{x(when)} {top + 26}"/>'
                f'<circle class="written" cx="{x(written)}" cy="{top}" r="3.5"/>'
                f'<circle class="shown" cx="{x(when)}" cy="{top + 26}" r="3.5"/>'
            )
    base = lane * len(SCHEDULES) + 38
    parts.append(f'<text x="0" y="{base}">CPU</text>')
    for index, share in enumerate(run["cpu"]):
        height = round(min(1.0, share) * 28, 1)
        if height >= 0.3:
            start = x(run["began"] + index * SAMPLE)
            parts.append(
                f'<rect class="cpu" x="{start}" y="{round(base - height, 1)}" '
                f'width="{SAMPLE * scale:.1f}" height="{height}"/>'
            )
    parts.append(f'<path class="lane" d="M{left} {base}H{width}"/>')
    parts += [
        f'<text class="tick" x="{x(second)}" y="{bottom}">{second} s</text>'
        for second in range(int(last) + 1)
    ]
    parts.append("</svg>")
    return "".join(parts)


def main() -> None:
    """Record all loops."""
    from ninth.cli.all_loops import LOOPS  # noqa: PLC0415

    runs = {loop: record(loop) for loop in LOOPS}
    text = json.dumps({"python": sys.version.split()[0], "runs": runs})
    DATA.write_text(text.replace('"shown"', '\n  "shown"').replace('"cpu"', '\n  "cpu"') + "\n")


if __name__ == "__main__":
    main()
