"""`ninth compare`: measure all loops on the same work, and say what the figures show.

child.py      a scripted child, which writes lines at given times
workload.py   when which child writes: drawn from a seed
recorder.py   one loop in a process of its own, and what is recorded of it
measuring.py  starts that process for one loop after another
results.py    delays, shares and costs out of a recording
report.py     the tables, and the sentences that they bear out
progress.py   how far the measurement is
plot.py       the figure
"""

import argparse
import importlib.util
import json
import math
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

from ninth import __version__
from ninth.cli.all_loops import LOOPS
from ninth.cli.ending import fail

from .measuring import Job, MeasuringError, measure
from .progress import Progress
from .report import report
from .results import Measurement
from .workload import DENSE

DESCRIPTION = """\
Run all loops on the same work, one after the other: scripted children that write lines at times
drawn from a seed. Print how long a line takes from being written to being rendered, what the
loop costs, and how that grows with the number of children. Each loop has a process for itself.
"""
EPILOG = """\
figures:
  delay       from a line being written until it, or a later line of the same child, is rendered
  CPU         of one CPU, without the children and without drawing
  wake-ups    how often the kernel woke the loop (voluntary context switches)
  renders     how often the loop rendered
  superseded  lines that were never shown, because a later one of their child was there first

exit status:
  0    all was measured
  1    something could not be measured or written
  2    the options were wrong; nothing was measured
"""
LONGEST = 3600.0
OPEN_FILES = 30  # descriptors of a loop besides two for each child


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.usage = "ninth compare [OPTIONS]"
    parser.add_argument(
        "--loops",
        metavar="LOOPS",
        type=_loops,
        default=LOOPS,
        help=f"some of {', '.join(LOOPS)}, separated by commas (default: all)",
    )
    parser.add_argument(
        "--children",
        metavar="N",
        type=_children,
        default=2,
        help="how many; one half is quick, the other slow (default: %(default)s)",
    )
    parser.add_argument(
        "--sizes",
        metavar="N,N...",
        type=_sizes,
        default=(2, 20, 200),
        help="numbers of children for the growth of cost; '' for none (default: 2,20,200)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=_seconds,
        default=5.0,
        help="how long to measure each loop; half as long for --sizes (default: %(default)g)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=1,
        help="the same seed, the same lines (default: %(default)s)",
    )
    parser.add_argument(
        "--plot", metavar="FILE", type=_plot, help="draw the figures, as .svg or .png"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write the figures; - for standard output, without tables"
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Measure and print. Returns: the exit status."""
    _check(arguments, parser)
    jobs = [
        Job(loop, arguments.children, arguments.seconds, arguments.seed) for loop in arguments.loops
    ]
    jobs += [
        Job(loop, size, arguments.seconds / 2, arguments.seed, DENSE)
        for size in arguments.sizes
        for loop in arguments.loops
    ]
    try:
        with Progress(jobs) as progress:
            measurements = measure(jobs, progress)
        main = measurements[: len(arguments.loops)]
        growth = measurements[len(main) :]
        if arguments.json != "-":
            sys.stdout.write(report(main, growth))
        if arguments.json is not None:
            _write_json(arguments, main, growth)
        if arguments.plot is not None:
            from .plot import plot  # noqa: PLC0415 - takes a second to import

            plot(arguments.plot, main, growth)
    except MeasuringError as error:
        return fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return fail(f"cannot go on: {name}{error.strerror or error}")
    return 0


def _write_json(
    arguments: argparse.Namespace, main: list[Measurement], growth: list[Measurement]
) -> None:
    content: dict[str, Any] = {
        "ninth": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "children": arguments.children,
        "sizes": list(arguments.sizes),
        "seconds": arguments.seconds,
        "seed": arguments.seed,
        "loops": [{**one.as_json(), "delays_ms": one.delays_ms()} for one in main],
        "growth": [one.as_json() for one in growth],
    }
    text = json.dumps(content) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
    else:
        Path(arguments.json).write_text(text, encoding="utf-8")


def _check(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what would fail only after minutes of measuring."""
    most = max([arguments.children, *arguments.sizes])
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and 2 * most + OPEN_FILES > limit:
        parser.error(
            f"{most} children need {2 * most + OPEN_FILES} open files and this process may have"
            f" {limit}: raise the limit (ulimit -n) or take fewer"
        )
    if arguments.plot is not None:
        _check_writable("--plot", arguments.plot, parser)
        if importlib.util.find_spec("matplotlib") is None:
            parser.error("--plot needs matplotlib, which is missing: pip install 'ninth[plot]'")
    if arguments.json not in {None, "-"}:
        _check_writable("--json", arguments.json, parser)


def _check_writable(option: str, path: str, parser: argparse.ArgumentParser) -> None:
    new = not os.path.lexists(path)
    try:
        with open(path, "ab"):
            pass
        if new:
            os.unlink(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        parser.error(f"cannot write what {option} asks for to {path!r}: {reason}")


def _loops(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in LOOPS:
            raise argparse.ArgumentTypeError(
                f"there is no loop {name!r}: choose from {', '.join(LOOPS)}"
            )
    return tuple(sorted(set(names), key=LOOPS.index))


def _children(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of children, 1 or more, not {text!r}")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_children(part) for part in text.split(",")})) if text.strip() else ()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.5 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds from 0.5 to {LONGEST:g}, not {text!r}"
        )
    return seconds


def _plot(text: str) -> str:
    if Path(text).suffix.lower() not in {".svg", ".png"}:
        raise argparse.ArgumentTypeError(f"must end in .svg or .png, not {text!r}")
    return text
