"""The command: choose rows and loops, take turns, print the tables."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator

from bench import report
from bench.contestants import CONTESTANTS, Contestant, probe
from bench.rows import ROWS, Row, select
from bench.sample import sample
from bench.tools import Tools, UnavailableError

# Peers may lack what a row needs; these may not.
OURS = {"ninth", "ninth-pure", "asyncio", "c"}


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure ninth's event loop beside its peers: CPU time per operation.",
    )
    parser.add_argument("--rows", default="", help="rows or groups by their beginning, with commas")
    parser.add_argument("--loops", default=",".join(CONTESTANTS), help="contestants, with commas")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each figure (7)")
    parser.add_argument("--scale", type=float, default=1.0, help="length of a sample (1)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, a quarter of the length")
    parser.add_argument("--json", metavar="FILE", help="write all samples there")
    parser.add_argument("--list", action="store_true", help="list rows and contestants, and end")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.scale = min(options.rounds, 3), min(options.scale, 0.25)
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds and --scale are positive")
    options.loops = options.loops.split(",")
    for name in options.loops:
        if name not in CONTESTANTS:
            parser.error(f"no contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    try:
        options.rows = select(options.rows.split(","))
    except ValueError as error:
        parser.error(str(error))
    return options


def present(names: list[str]) -> tuple[list[Contestant], dict[str, str], dict[str, str]]:
    """Return who can take part, their versions, and why the others cannot."""
    here, versions, absent = [], {}, {}
    for name in names:
        if name == "c":
            here.append(CONTESTANTS[name])
            continue
        able, text = probe(CONTESTANTS[name])
        if able:
            here.append(CONTESTANTS[name])
            versions[name] = text
        else:
            absent[name] = text
    return here, versions, absent


def measure(
    rows: list[Row],
    contestants: list[Contestant],
    rounds: int,
    scale: float,
    tools: Tools,
    samples: report.Samples,
    failures: dict[str, str],
) -> Iterator[str]:
    """Take turns: in every round of a row, each contestant once.

    Fills samples and failures, and yields the name of each row that is done.
    """
    for row in rows:
        samples[row.name] = {}
        for turn in range(rounds):
            progress(f"{row.name} {turn + 1}/{rounds}")
            for contestant in contestants:
                key = f"{row.name} on {contestant.name}"
                if key in failures:
                    continue
                try:
                    value = sample(row, contestant, scale, tools)
                except (UnavailableError, RuntimeError) as error:
                    # The last line says what it was; those before it name this machine's paths.
                    failures[key] = str(error).strip().splitlines()[-1]
                    samples[row.name].pop(contestant.name, None)
                    continue
                if value is not None:
                    samples[row.name].setdefault(contestant.name, []).append(value)
        yield row.name
    progress("")


def save(file: str, result: dict[str, object]) -> None:
    """Write everything that is known by now."""
    with open(file, "w", encoding="utf-8") as stream:
        json.dump(result, stream, indent=1)
        stream.write("\n")


def progress(text: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 1 when a row failed on ninth, asyncio or the C server."""
    options = arguments(argv)
    if options.list:
        print("rows:", *(f"  {row.name:20} {row.group}" for row in ROWS.values()), sep="\n")
        print("contestants:", ", ".join(CONTESTANTS))
        return 0
    contestants, versions, absent = present(options.loops)
    names = [contestant.name for contestant in contestants]
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} processors"
    samples: report.Samples = {}
    failures: dict[str, str] = {}
    result: dict[str, object] = {
        "machine": machine,
        "python": platform.python_version(),
        "versions": versions,
        "absent": absent,
        "rounds": options.rounds,
        "scale": options.scale,
        "unit": "nanoseconds of CPU per operation",
        "samples": samples,
        "failures": failures,
    }
    tools = Tools()
    try:
        for _ in measure(
            options.rows, contestants, options.rounds, options.scale, tools, samples, failures
        ):
            # A long run that is broken off keeps what it has measured.
            if options.json:
                save(options.json, result)
    finally:
        tools.close()
    print(f"Python {platform.python_version()}, {machine}, {options.rounds} rounds")
    for name, text in versions.items():
        print(f"{name}: {text}")
    for name, text in absent.items():
        print(f"{name}: not here: {text}")
    print("", report.figures(samples, names), "", report.ratios(samples, names), sep="\n")
    print("", *report.aims(samples), sep="\n")
    for key, text in failures.items():
        print(f"failed: {key}: {text}")
    ours = [key for key in failures if key.rsplit(" on ")[-1] in OURS]
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
