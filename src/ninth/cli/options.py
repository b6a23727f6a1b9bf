"""The options of `ninth watch`: declared once, for --help, the man page and shell completion."""

import argparse
import math
import os
import sys
import time
from typing import Any, NamedTuple

SHORTEST, LONGEST = 0.001, 86400.0  # seconds; pollers count milliseconds, in 32 bits
OUTPUTS = ("auto", "tty", "line", "log", "json", "i3bar", "tmux", "polybar")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
# On a classic loop these work too; what else differs from its default is refused there.
CLASSIC = {"loop", "interval", "separator", "stop_timeout", "output", "procfile", "commands"}


class Settings(NamedTuple):
    """What was asked for, with every default filled in.

    time_format: for strftime(), "" for no time. named: whether the user gave the names.
    tries: None for any number. color: whether to use colours.
    """

    interval: float = 10.0
    output: str = "line"
    separator: str = " "
    time_format: str = TIME_FORMAT
    pty: bool = False
    max_fps: float = 30.0
    stderr: str = "show"
    kill_others: bool = False
    kill_others_on_fail: bool = False
    success: str = "all"
    restart: str = "never"
    tries: int | None = None
    restart_after: float = 0.5
    stop_timeout: float = 5.0
    timings: bool = False
    color: bool = False
    named: bool = False


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that do not depend on where the commands come from."""
    parser.add_argument(
        "-i",
        "--interval",
        metavar="SECS",
        type=positive,
        default=10.0,
        help="show the time at least this often (default: %(default)g)",
    )
    parser.add_argument(
        "--loop",
        metavar="LOOP",
        default="ninth",
        help="the loop to run on, ninth's own or a classic one; those know few of these options"
        " (default: %(default)s; see: ninth loops)",
    )
    showing = parser.add_argument_group("showing")
    showing.add_argument(
        "-o",
        "--output",
        metavar="WHAT",
        choices=OUTPUTS,
        default="auto",
        help="how to show it: tty, rows redrawn in place; line, a line for each change; log, every"
        " line of every command; json, an object for each event; i3bar, tmux, polybar, for these"
        " bars (default: auto, which is tty on a terminal and line elsewhere)",
    )
    showing.add_argument(
        "--separator",
        metavar="TEXT",
        default=" ",
        help="what stands between the parts of a line (default: a space)",
    )
    clock = showing.add_mutually_exclusive_group()
    clock.add_argument(
        "--time-format",
        metavar="FMT",
        type=time_format,
        default=TIME_FORMAT,
        help="how to write the time, as in date(1) (default: %(default)s)".replace(
            "%(default)s", TIME_FORMAT.replace("%", "%%")
        ),
    )
    clock.add_argument("--no-time", action="store_true", help="leave the time out")
    showing.add_argument(
        "--max-fps",
        metavar="N",
        type=fps,
        default=30.0,
        help="draw at most this often in a second (default: %(default)g)",
    )
    showing.add_argument(
        "--stderr",
        choices=("show", "merge", "hide"),
        default="show",
        help="what commands write to standard error: show it above the rows, or pass it on; merge"
        " it with their output; hide it (default: %(default)s)",
    )
    showing.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="use colours (default: auto, on a terminal unless NO_COLOR is set)",
    )
    showing.add_argument(
        "--timings",
        action="store_true",
        help="say at the end how long each command ran",
    )
    running = parser.add_argument_group("running and ending")
    running.add_argument(
        "--pty",
        action="store_true",
        help="give commands a terminal to write to, so that they do not hold their output back",
    )
    running.add_argument(
        "-k",
        "--kill-others",
        action="store_true",
        help="when one command has ended, stop the others",
    )
    running.add_argument(
        "--kill-others-on-fail",
        action="store_true",
        help="when one command has failed, stop the others",
    )
    running.add_argument(
        "-s",
        "--success",
        metavar="WHICH",
        choices=("all", "first", "last"),
        default="all",
        help="which commands have to end with 0 for the exit status 0: all, the first that ends or"
        " the last (default: %(default)s)",
    )
    running.add_argument(
        "--restart",
        choices=("never", "on-failure", "always"),
        default="never",
        help="start commands again that have ended (default: %(default)s)",
    )
    running.add_argument(
        "--restart-tries",
        metavar="N",
        type=count,
        help="restart at most so many times in a row (default: any number)",
    )
    running.add_argument(
        "--restart-after",
        metavar="SECS",
        type=not_negative,
        help="wait that long before the first restart; the wait doubles with each, up to 30, and"
        " begins anew after 10 seconds of running (default: 0.5)",
    )
    running.add_argument(
        "--stop-timeout",
        metavar="SECS",
        type=not_negative,
        default=5.0,
        help="how long a command may take to stop before it is killed (default: %(default)g)",
    )


def settings_of(arguments: argparse.Namespace, *, named: bool = False) -> Settings:
    """Return what was asked for. Raises: ValueError for options that contradict each other."""
    if arguments.restart == "never":
        for option in ("restart_tries", "restart_after"):
            if getattr(arguments, option) is not None:
                name = "--" + option.replace("_", "-")
                message = f"{name} needs --restart on-failure or --restart always"
                raise ValueError(message)
    after = arguments.restart_after
    return Settings(
        interval=arguments.interval,
        output=output_of(arguments.output),
        separator=arguments.separator,
        time_format="" if arguments.no_time else arguments.time_format,
        pty=arguments.pty,
        max_fps=arguments.max_fps,
        stderr=arguments.stderr,
        kill_others=arguments.kill_others,
        kill_others_on_fail=arguments.kill_others_on_fail,
        success=arguments.success,
        restart=arguments.restart,
        tries=arguments.restart_tries,
        restart_after=0.5 if after is None else after,
        stop_timeout=arguments.stop_timeout,
        timings=arguments.timings,
        color=use_color(arguments.color),
        named=named,
    )


def output_of(name: str) -> str:
    """Return the output that `auto` stands for here, and any other as it is."""
    if name != "auto":
        return name
    on_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return "tty" if on_terminal else "line"


def use_color(when: str) -> bool:
    """Return whether to use colours. Source: https://no-color.org."""
    if when != "auto":
        return when == "always"
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and not os.environ.get("NO_COLOR")
    )


def beyond_classic(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """Return the options that were given and that a classic loop cannot serve."""
    found = []
    for action in parser._actions:  # noqa: SLF001 - there is no public way to ask
        given: Any = getattr(arguments, action.dest, action.default)
        if action.option_strings and action.dest not in CLASSIC and given != action.default:
            found.append(action.option_strings[-1])
    if arguments.output not in {"auto", "tty", "line"}:
        found.append(f"--output {arguments.output}")
    return found


def positive(text: str) -> float:
    """Return a number of seconds above zero."""
    seconds = not_negative(text)
    if seconds < SHORTEST:
        raise argparse.ArgumentTypeError(f"must be at least {SHORTEST:g} seconds, not {text!r}")
    return seconds


def not_negative(text: str) -> float:
    """Return a number of seconds, zero included."""
    seconds = _number(text)
    if not 0 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds, at most {LONGEST:g} (a day), not {text!r}"
        )
    return seconds


def fps(text: str) -> float:
    """Return a number of frames per second."""
    number = _number(text)
    if not 0.01 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"must be a number from 0.01 to 1000, not {text!r}")
    return number


def count(text: str) -> int:
    """Return a whole number, zero included."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text!r}")
    return int(text)


def time_format(text: str) -> str:
    """Return a format for strftime()."""
    try:
        shown = time.strftime(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is no format for a time: {error}") from error
    if not shown.isprintable():
        raise argparse.ArgumentTypeError(f"must give one printable line, not {text!r}")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
