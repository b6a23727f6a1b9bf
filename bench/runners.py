"""`ninth watch` beside other programs that run commands side by side.

    python -m bench.runners [--install] [--quick] [--runners NAMES] [--write bench/runners.md]

Four questions, each about what such a program costs whom it serves:

- How old is a line when it is shown, while another command floods? The quiet command writes the
  time into its lines, 20 a second for ten seconds, and we read everything at once, as a fast
  terminal does. The first line, which may come while the runner is still starting, is told apart.
- How often does it wake up while nothing happens? Voluntary context switches of its processes and
  threads, the commands left out, for half a minute.
- What survives Ctrl-C? SIGINT goes to the whole foreground group, as from a terminal; a second one
  follows after ten seconds. One command ignores it, one has started something in a session of its
  own, which also ignores hang-ups, as a daemon does.
- How long does it take to the first command? From exec to a byte from it; the median of 20.

A runner that is not there is left out, and the table says so. --install puts concurrently and
honcho into a directory that is thrown away afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TAG = "NINTH_BENCH_TAG"
LINES = 20  # of the quiet command in a second
SECOND_INTERRUPT = 10.0  # seconds after the first one
GIVE_UP = 10.0  # seconds after the second one

QUIET = f"""
import sys, time
for _ in range(int(sys.argv[1])):
    print("quiet:%d" % time.monotonic_ns(), flush=True)
    time.sleep(1 / {LINES})
"""
# Bursts, the next of which comes when its time has come and not sooner; 0: without pause.
FLOOD = """
import os, sys, time
rate = int(sys.argv[1])
line = b"one of very many lines, as a build or a server in trouble writes them\\n"
due = time.monotonic()
while True:
    os.write(1, line * 100)
    if rate:
        due += 100 / rate
        time.sleep(max(0, due - time.monotonic()))
"""
SCRIPTS = tempfile.TemporaryDirectory()
STUBBORN = "trap '' INT; while :; do sleep 1; done"
DAEMON = "setsid nohup sleep 1000 >/dev/null 2>&1 & wait"


class Runner(NamedTuple):
    """A program that runs commands: its version, and the arguments that make it run some."""

    name: str
    version: str
    arguments: Callable[[Sequence[str], Path], list[str]]


# Who takes part


def find(install: Path | None) -> tuple[list[Runner], list[str]]:
    """Return the runners that are there, and a line for each that is not."""
    runners, missing = [], []
    for look in (ninth, concurrently, honcho, parallel):
        found = look(install)
        if isinstance(found, str):
            missing.append(found)
        else:
            runners.append(found)
    return runners, missing


def ninth(_install: Path | None) -> Runner:
    command = [sys.executable, "-m", "ninth"]
    version = output_of([*command, "--version"])
    return Runner("ninth", version, lambda lines, _: [*command, "watch", "-o", "log", *lines])


def concurrently(install: Path | None) -> Runner | str:
    program = shutil.which("concurrently")
    npm = ["npm", "install", "--prefix", str(install), "concurrently"]
    if program is None and install is not None and run_quietly(npm):
        program = str(install / "node_modules/.bin/concurrently")
    if program is None:
        return "concurrently is not installed (npm install concurrently)"
    version = f"concurrently {output_of([program, '--version'])}, node {output_of(['node', '-v'])}"
    return Runner("concurrently", version, lambda lines, _: [program, *lines])


def honcho(install: Path | None) -> Runner | str:
    program = shutil.which("honcho")
    if program is None and install is not None:
        python = str(install / "venv/bin/python")
        if run_quietly([sys.executable, "-m", "venv", str(install / "venv")]) and run_quietly(
            [python, "-m", "pip", "install", "honcho"]
        ):
            program = str(install / "venv/bin/honcho")
    if program is None:
        return "honcho is not installed (pip install honcho)"

    def arguments(lines: Sequence[str], directory: Path) -> list[str]:
        procfile = directory / "Procfile"
        procfile.write_text("".join(f"c{n}: {line}\n" for n, line in enumerate(lines)))
        return [program, "-f", str(procfile), "start"]

    return Runner("honcho", output_of([program, "version"]), arguments)


def parallel(_install: Path | None) -> Runner | str:
    program = shutil.which("parallel")
    version = output_of([program, "--version"]).splitlines()[0] if program else ""
    if program is None or not version.startswith("GNU"):
        return "GNU parallel is not installed"
    options = ["--will-cite", "--line-buffer", "--tag", "--jobs", "0", ":::"]
    return Runner("GNU parallel", version, lambda lines, _: [program, *options, *lines])


def output_of(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run_quietly(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# A runner at work


@contextlib.contextmanager
def started(runner: Runner, lines: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start it in a session of its own; kill what is left at the end. Yields it, and a tag."""
    tag = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            runner.arguments(lines, Path(name)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # As installed programs, with compiled modules that Python finds.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", TAG: tag},
        )
        try:
            yield process, tag
        finally:
            while left := tagged(tag):
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.poll()
                time.sleep(0.02)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def tagged(tag: str) -> list[int]:
    """Return the living processes that inherited the tag."""
    wanted = f"{TAG}={tag}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def throw_away(process: subprocess.Popen[bytes]) -> None:
    """Read all that it writes, in a thread."""
    assert process.stdout is not None
    threading.Thread(target=drain, args=(process.stdout.fileno(),), daemon=True).start()


def drain(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1 << 20):
            pass


# The four questions


def delays(runner: Runner, rate: int, seconds: float) -> list[float]:
    """Return how old each line of the quiet command was when it was read, in milliseconds."""
    count = int(seconds * LINES)
    quiet = f"{script('quiet', QUIET)} {count}"
    flood = f"{script('flood', FLOOD)} {rate}"
    found: list[float] = []
    with started(runner, [flood, quiet]) as (process, _):
        assert process.stdout is not None
        rest = b""
        # What is older than that is not waited for: it counts as missing.
        end = time.monotonic() + seconds * 3 + 5
        while len(found) < count and time.monotonic() < end:
            data = os.read(process.stdout.fileno(), 1 << 20)
            now = time.monotonic_ns()
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _, mark, text = line.partition(b"quiet:")
                if mark and text.strip().isdigit():
                    found.append((now - int(text)) / 1e6)
    missing = count - len(found)
    return found + [float("inf")] * missing


def wake_ups(runner: Runner, seconds: float) -> float:
    """Return how often its processes and threads wake up in a minute in which nothing happens."""
    with started(runner, ["exec sleep 1000", "exec sleep 1000"]) as (process, tag):
        throw_away(process)
        while [command_line(pid) for pid in tagged(tag)].count("sleep 1000") < 2:
            time.sleep(0.05)
        time.sleep(3)
        ours = [pid for pid in tagged(tag) if not command_line(pid).endswith("sleep 1000")]
        before, began = switches(ours), time.monotonic()
        time.sleep(seconds)
        return (switches(ours) - before) * 60 / (time.monotonic() - began)


def switches(pids: Sequence[int]) -> int:
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
    return total


def after_interrupt(runner: Runner) -> str:
    """Return in words what Ctrl-C did."""
    with started(runner, [STUBBORN, DAEMON]) as (process, tag):
        throw_away(process)
        while not {"sleep 1000", "sleep 1"} <= {command_line(pid) for pid in tagged(tag)}:
            time.sleep(0.05)
        time.sleep(0.5)  # some are not ready for signals at once
        began = time.monotonic()
        second = ""
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(SECOND_INTERRUPT)
        except subprocess.TimeoutExpired:
            second = ", and only by a second Ctrl-C"
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(GIVE_UP)
            except subprocess.TimeoutExpired:
                return "does not end, also not by a second Ctrl-C"
        took = time.monotonic() - began
        time.sleep(1.2)  # what is about to end has ended then
        left = [command_line(pid) for pid in tagged(tag)]
        who = []
        if any("trap" in one for one in left):
            who.append("the command")
        if "sleep 1000" in left:
            who.append("the daemon")
        code = process.returncode
        status = code if code >= 0 else f"{128 - code} (by the signal)"
        survivors = " and ".join(who) or "none"
        return f"{survivors}; ends after {took:.1f} s{second}, status {status}"


def bare_start(times: int) -> float:
    """Return the median of the milliseconds that Python takes to start and end, for comparison."""
    found = []
    for _ in range(times):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        found.append((time.monotonic() - began) * 1000)
    return statistics.median(found)


def start_up(runner: Runner, times: int) -> float:
    """Return the median of the milliseconds to the first byte from a command."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as name:
            fifo = Path(name) / "fifo"
            os.mkfifo(fifo)
            descriptor = os.open(fifo, os.O_RDWR)
            began = time.monotonic()
            with started(runner, [f"echo x >{fifo}; exec sleep 1000"]) as (process, _):
                throw_away(process)
                os.read(descriptor, 1)
                found.append((time.monotonic() - began) * 1000)
            os.close(descriptor)
    return statistics.median(found)


@functools.cache
def script(name: str, text: str) -> str:
    """Return what runs a script of ours: no quotes, which not all of them take alike."""
    path = Path(SCRIPTS.name) / f"{name}.py"
    path.write_text(text)
    return f"exec {sys.executable} {path}"


# The table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.runners", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--install", action="store_true", help="install what is missing, for now")
    parser.add_argument("--quick", action="store_true", help="a moment for each figure")
    parser.add_argument("--runners", metavar="NAMES", help="some of them, separated by commas")
    parser.add_argument("--write", metavar="FILE", help="write the table there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runners, missing = find(Path(name) if options.install else None)
        if options.runners is not None:
            runners = [one for one in runners if one.name in options.runners.split(",")]
        text = report(runners, missing, quick=options.quick)
    print(text, end="")
    if options.write:
        Path(options.write).write_text(text)


def report(runners: Sequence[Runner], missing: Sequence[str], *, quick: bool) -> str:
    seconds, idle, times = (1.0, 1.0, 2) if quick else (10.0, 30.0, 20)
    rows = [
        ("a line under 100,000 lines/s, ms", lambda one: spread(delays(one, 100_000, seconds))),
        ("a line under a flood without pause, ms", lambda one: spread(delays(one, 0, seconds))),
        ("wake-ups in a minute of nothing", lambda one: f"{wake_ups(one, idle):,.0f}"),
        ("survivors of Ctrl-C", after_interrupt),
        ("first command after, ms", lambda one: f"{start_up(one, times):,.0f}"),
    ]
    lines = [
        "# Runners of commands",
        "",
        "Made by `python -m bench.runners --install --write bench/runners.md`; the docstring of",
        "`bench/runners.py` says how each figure is measured. Delays: median / 99 % / longest.",
        f"{platform.system()} {platform.release()}, {os.cpu_count()} processors, shared.",
        "",
        f"| | {' | '.join(one.name for one in runners)} |",
        f"|---|{'---|' * len(runners)}",
    ]
    for title, measure in rows:
        figures = []
        for one in runners:
            print(f"{one.name}: {title}", file=sys.stderr)
            figures.append(measure(one))
        lines.append(f"| {title} | {' | '.join(figures)} |")
    lines += ["", *(f"- {one.name}: {one.version}" for one in runners)]
    lines.append(f"- Python alone, `python -c pass`, takes {bare_start(times):,.0f} ms")
    lines += [f"- Left out: {reason}" for reason in missing]
    return "\n".join(lines) + "\n"


def spread(figures: Sequence[float]) -> str:
    """Return median, 99 % and longest of all delays but the first, and that."""
    ordered = sorted(figures[1:])
    picked = (
        statistics.median(ordered),
        ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        ordered[-1],
        figures[0],
    )
    told = ["never" if one == float("inf") else f"{one:,.1f}" for one in picked]
    return f"{' / '.join(told[:3])}; first {told[3]}"


if __name__ == "__main__":
    main()
