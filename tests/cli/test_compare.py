"""`ninth compare`: the workload, the figures worked out of it, and the command as it is used."""

import dataclasses
import itertools
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ninth.cli import main as ninth_main
from ninth.cli.compare import child, workload
from ninth.cli.compare.plot import plot, spread
from ninth.cli.compare.recorder import Recording
from ninth.cli.compare.report import report
from ninth.cli.compare.results import Measurement, evaluate, percentile
from ninth.ladder import RUNGS
from tests.conftest import TAG, Runner

SECOND = 10**9


class TestWorkload:
    def test_the_same_seed_gives_the_same_lines(self) -> None:
        assert workload.schedules(20, 5.0, 7) == workload.schedules(20, 5.0, 7)
        assert workload.schedules(20, 5.0, 7) != workload.schedules(20, 5.0, 8)

    @pytest.mark.parametrize("children", [1, 2, 3, 20, 200])
    def test_there_is_as_much_to_do_for_any_number_of_children(self, children: int) -> None:
        plan = workload.schedules(children, 100.0, 1)
        assert len(plan) == children
        quick = sum(len(times) for times in plan[::2])
        slow = sum(len(times) for times in plan[1::2])
        assert quick == pytest.approx(100 / workload.QUICK, rel=0.1)
        assert slow == pytest.approx(100 / workload.SLOW if children > 1 else 0, rel=0.35)

    def test_times_ascend_and_end_in_time(self) -> None:
        for times in workload.schedules(6, 3.0, 2):
            assert times == sorted(times)
            assert all(0 <= moment < 3 * SECOND for moment in times)

    def test_a_child_writes_what_is_due_when_it_is_due(self, tmp_path: Path) -> None:
        workload.prepare(tmp_path, [[0, SECOND // 20]], seconds=0.1 - workload.LINGER)
        go = os.open(tmp_path / "go", os.O_RDWR)
        ready = os.open(tmp_path / "ready", os.O_RDWR)
        zero = time.monotonic_ns()
        os.write(go, str(zero).zfill(workload.GO_SIZE).encode())
        (command,) = workload.commands(tmp_path, 1)
        output = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        ended = time.monotonic_ns()
        assert os.read(ready, 10) == b"."
        os.close(go)
        os.close(ready)
        first, second = (line.split() for line in output.stdout.splitlines())
        assert (first[:2], second[:2]) == (["0", "0"], ["0", "1"])
        assert zero <= int(first[2]) <= int(second[2]) <= ended
        assert int(second[2]) >= zero + SECOND // 20
        assert ended >= zero + SECOND // 10

    def test_a_child_ends_when_nobody_gives_the_start(self, tmp_path: Path) -> None:
        workload.prepare(tmp_path, [[0]], seconds=60)
        (tmp_path / "go").unlink()
        (tmp_path / "go").touch()
        (tmp_path / "ready").unlink()
        child.main(str(tmp_path), "0")
        assert (tmp_path / "ready").read_bytes() == b"."


def recording(outputs: list[str], shown: list[tuple[int, int, int]]) -> Recording:
    return Recording(cpu=SECOND // 2, wakeups=4, renders=5, outputs=outputs, shown=shown)


def output(index: int, times: Sequence[int]) -> str:
    return "".join(f"{index} {number} {moment}\n" for number, moment in enumerate(times))


class TestFigures:
    @pytest.mark.parametrize(
        ("values", "share", "expected"),
        [
            ([], 0.5, None),
            ([7.0], 0.5, 7.0),
            ([7.0], 0.99, 7.0),
            ([1.0, 2.0], 0.5, 1.0),
            ([1.0, 2.0, 3.0], 0.5, 2.0),
            ([float(number) for number in range(1, 101)], 0.99, 99.0),
            ([float(number) for number in range(1, 101)], 0.07, 7.0),
            ([float(number) for number in range(1, 101)], 1, 100.0),
        ],
    )
    def test_percentile(self, values: list[float], share: float, expected: float | None) -> None:
        assert percentile(values, share) == expected

    def test_each_line_waits_for_the_render_that_shows_it_or_a_later_one(self) -> None:
        times = [1 * SECOND, 2 * SECOND, 3 * SECOND]
        shown = [(4 * SECOND, 0, 2), (5 * SECOND, 0, 2), (7 * SECOND, 0, 3)]
        one = evaluate("x", [times], 10, recording([output(0, times)], shown))
        assert one.delays == (2.0, 3.0, 4.0)
        assert (one.lines, one.shown, one.superseded, one.unshown) == (3, 2, 1, 0)

    def test_lines_after_the_last_render_are_counted(self) -> None:
        outputs = [output(0, [1, 2, 3]), output(1, [5])]
        one = evaluate("x", [[1, 2, 3], [5]], 10, recording(outputs, [(4, 0, 1)]))
        assert (one.lines, one.shown, one.superseded, one.unshown) == (4, 1, 0, 3)
        assert len(one.delays) == 1

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("0 0 1\n", "1 lines were read but 2 written"),
            ("0 0 1\n0 2 3\n", "line 1 of child 0 reads '0 2 3'"),
            ("1 0 1\n0 1 3\n", "line 0 of child 0 reads '1 0 1'"),
            ("0 0 1\n0 1 3\n0 2 4\n", "3 lines were read but 2 written"),
        ],
    )
    def test_a_loop_that_loses_lines_is_found_out(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            evaluate("x", [[1, 3]], 10, recording([text], []))

    def test_cost_is_per_wakeup_or_per_round(self) -> None:
        one = measurement("x", cpu=0.5, wakeups=100, renders=400)
        assert one.cost == pytest.approx(0.005)
        assert measurement("x", wakeups=0, renders=3).cost is None
        busy = measurement("x", cpu=0.5, wakeups=3, renders=1_000_000)
        assert busy.never_sleeps
        assert busy.cost == pytest.approx(5e-7)


def measurement(loop: str, delays: Sequence[float] = (0.0001,) * 9, **figures: Any) -> Measurement:
    one = Measurement(
        loop=loop, children=2, seconds=5.0, lines=9, shown=9, superseded=0, unshown=0,
        renders=9, wakeups=9, cpu=0.001, delays=tuple(delays),
    )  # fmt: skip
    return dataclasses.replace(one, **figures)


TEXTBOOK = [
    measurement("blocking", [2.0] * 9),
    measurement("busy", cpu=4.9, wakeups=0, renders=900_000),
    measurement("sleepy", [0.1, 0.5, 0.99], superseded=8, shown=1),
    *(measurement(loop) for loop in RUNGS[3:]),
]


def costs(loop: str, few: float, many: float) -> list[Measurement]:
    return [measurement(loop, cpu=9 * few), measurement(loop, cpu=9 * many, children=200)]


class TestReport:
    def test_the_claims_that_hold_are_told(self) -> None:
        text = " ".join(report(TEXTBOOK, []).split())
        assert "blocking is held up by the slow child: half of the lines waited 2.0 s" in text
        assert "busy takes a CPU: 98 % of one, for 100,000 rounds per line" in text
        assert "sleepy is late by up to a second: 1.0 s at most, 500 ms in the median" in text
        assert "select, callback, generator, coroutine and asyncio are neither late nor" in text

    def test_the_claims_that_do_not_hold_are_not_told(self) -> None:
        prompt = [measurement(loop) for loop in RUNGS[:3]]
        late = [measurement("select", [3.0] * 9), measurement("asyncio", cpu=4.0)]
        text = report([*prompt, *late], [])
        assert "- " not in text.replace(" - ", "")
        assert "neither" not in text

    def test_loops_without_lines_make_no_claim(self) -> None:
        text = report([measurement(loop, []) for loop in RUNGS], [])
        assert "\n- " not in text

    def test_growth(self) -> None:
        growth = costs("busy", 1e-6, 1e-4) + costs("select", 5e-5, 6e-5)
        text = " ".join(report(TEXTBOOK, growth).split())
        assert "the cost of a wake-up grew to 100 times in busy: it looks at every child" in text
        assert "it stayed within 1.2 times in select: it looks only at what is ready" in text

    def test_of_a_growth_that_may_be_noise_nothing_is_said(self) -> None:
        assert "From" not in report(TEXTBOOK, costs("generator", 1e-4, 1.8e-4))

    def test_one_size_does_not_grow(self) -> None:
        assert "From" not in report(TEXTBOOK, costs("busy", 1e-6, 1e-4)[:1])

    def test_columns_are_aligned(self) -> None:
        table = report(TEXTBOOK, []).split("\n\n")[1].splitlines()
        assert len(table) == 2 + len(RUNGS)
        assert len({len(line) for line in table}) == 1
        assert max(map(len, table)) <= 80

    def test_what_was_not_shown_has_a_column(self) -> None:
        assert "unshown" not in report(TEXTBOOK, [])
        assert "unshown" in report([measurement("blocking", unshown=2, shown=7)], [])


class TestPlot:
    def test_names_keep_their_distance_and_order(self) -> None:
        places = [0.5, 0.1, 0.52, 0.51, 0.9, 0.45]
        result = spread(places, 0.07)
        order = sorted(range(6), key=lambda index: places[index])
        gaps = [result[b] - result[a] for a, b in itertools.pairwise(order)]
        assert min(gaps) >= 0.07 - 1e-9
        assert result[1] == 0.1
        assert spread([], 0.1) == []

    def test_the_same_figures_give_the_same_drawing(self, tmp_path: Path) -> None:
        growth = costs("busy", 1e-6, 1e-4) + costs("select", 5e-5, 6e-5)
        for name in ("a.svg", "b.svg"):
            plot(str(tmp_path / name), TEXTBOOK, growth)
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()

    @pytest.mark.parametrize("case", ["no growth", "no lines", "one size", "no cost"])
    def test_little_to_draw(self, tmp_path: Path, case: str) -> None:
        growth = costs("busy", 1e-6, 1e-4)
        main = TEXTBOOK
        if case == "no growth":
            growth = []
        elif case == "no lines":
            main = [measurement("select", [], cpu=0.0, wakeups=0)]
        elif case == "one size":
            growth = growth[:1]
        else:
            growth = [measurement("blocking", wakeups=0)]
        plot(str(tmp_path / "x.png"), main, growth)
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class TestCommand:
    def test_every_line_is_accounted_for(self, ninth: Runner, tmp_path: Path) -> None:
        paths = {kind: str(tmp_path / f"figures.{kind}") for kind in ("json", "svg")}
        result = ninth.run(
            *("compare", "--loops", ",".join(RUNGS), "--sizes", "", "--seconds", "0.5"),
            *("--children", "3", "--seed", "5", "--json", paths["json"], "--plot", paths["svg"]),
        )
        assert result.returncode == 0, result.stderr
        plan = workload.schedules(3, 0.5, 5)
        content = json.loads(Path(paths["json"]).read_text())
        assert [one["loop"] for one in content["loops"]] == list(RUNGS)
        for one in content["loops"]:
            assert one["lines"] == sum(len(times) for times in plan)
            assert one["shown"] + one["superseded"] + one["unshown"] == one["lines"]
            assert one["unshown"] == 0
            delays = one["delays_ms"]
            assert len(delays) == one["lines"]
            assert delays == sorted(delays)
            assert delays[0] > 0
            assert one["delay_median_ms"] <= one["delay_p99_ms"] <= one["delay_largest_ms"]
            assert one["delay_largest_ms"] == pytest.approx(delays[-1], abs=0.001)
            assert one["cpu_percent"] > 0
            assert all(math.isfinite(value) for value in one.values() if isinstance(value, float))
            assert one["loop"] in result.stdout
        never = [one["loop"] for one in content["loops"] if one["never_sleeps"]]
        assert never == ["busy"]
        assert content["growth"] == []
        assert result.stderr.count("\n") == len(RUNGS)  # the progress, where it is not redrawn
        svg = ET.parse(paths["svg"]).getroot()
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"

    def test_growth_and_json_on_standard_output(self, ninth: Runner) -> None:
        result = ninth.run(
            *("compare", "--loops", "coroutine", "--sizes", "30,1,30", "--seconds", "0.5"),
            *("--json", "-"),
        )
        assert result.returncode == 0, result.stderr
        content = json.loads(result.stdout)
        assert content["sizes"] == [1, 30]
        assert [one["children"] for one in content["growth"]] == [1, 30]
        for one in content["growth"]:
            plan = workload.schedules(one["children"], 0.25, 1, workload.DENSE)
            assert one["lines"] == sum(len(times) for times in plan)
            assert one["cpu_us_per_wakeup"] > 0

    @pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_leaves_nothing(
        self, ninth: Runner, tmp_path: Path, signum: signal.Signals
    ) -> None:
        environment = os.environ | {TAG: ninth.tag, "TMPDIR": str(tmp_path)}
        process = ninth.start(
            *("compare", "--loops", "coroutine", "--children", "6", "--seconds", "60"),
            env=environment,
        )
        ninth.wait_for(2 + 6)  # we, the loop, its children
        errors = ninth.stop(process, signum)
        assert process.returncode == -signum
        assert errors == ""
        assert ninth.survivors() == []
        assert list(tmp_path.iterdir()) == []

    def test_a_child_that_cannot_start_is_told(self, ninth: Runner, tmp_path: Path) -> None:
        package = Path(sys.modules["ninth"].__file__ or "").parent
        shutil.copytree(package, tmp_path / "ninth")
        (tmp_path / "ninth/cli/compare/child.py").write_text("raise SystemExit(3)\n")
        result = ninth.run(
            *("compare", "--loops", "select,asyncio", "--sizes", "", "--seconds", "60"),
            env=os.environ | {TAG: ninth.tag, "PYTHONPATH": str(tmp_path)},
        )
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith("ninth: cannot measure select with 2 children: child ")
        assert result.stderr.endswith(" of the workload ended at once with 3\n")
        assert ninth.survivors() == []

    def test_progress_on_a_terminal(self) -> None:
        environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
        terminal = pexpect.spawn(
            sys.executable,
            ["-m", "ninth", "compare", "--loops", "select", "--sizes", "", "--seconds", "0.5"],
            env=environment,
            encoding="utf-8",
            dimensions=(24, 100),
        )
        terminal.expect(pexpect.EOF, timeout=60)
        terminal.close()
        written = terminal.before or ""
        assert terminal.exitstatus == 0
        assert "1/1  select, 2 children" in written
        assert "\x1b[3" not in written
        # The last thing before the report is that the progress is erased.
        progress, _, rest = written.rpartition("\r\x1b[K")
        assert "1/1" in progress
        assert "lines of 2 children in 0.5 s" in rest
        assert "\x1b" not in rest


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["--children", "0"], "must be a number of children, 1 or more, not '0'"),
            (["--children", "two"], "must be a number of children"),
            (["--seconds", "0"], "must be a number of seconds from 0.5"),
            (["--seconds", "nan"], "must be a number of seconds"),
            (["--seed", "x"], "invalid int value: 'x'"),
            (["--loops", "select,nope"], "there is no loop 'nope': choose from blocking, busy"),
            (["--loops", ""], "there is no loop ''"),
            (["--sizes", "2,,20"], "must be a number of children"),
            (["--plot", "figure.gif"], "must end in .svg or .png, not 'figure.gif'"),
            (["--plot", "/nowhere/figure.svg"], "'/nowhere/figure.svg': No such file or directory"),
            (["--json", "/"], "cannot write what --json asks for to '/': Is a directory"),
            (["surplus"], "unrecognized arguments: surplus"),
        ],
    )
    def test_is_refused_before_anything_is_measured(
        self, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            ninth_main(["compare", *arguments])
        assert caught.value.code == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert errors.startswith("usage: ninth compare [OPTIONS]\n")
        assert reason in errors

    def test_matplotlib_is_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(SystemExit) as caught:
            ninth_main(["compare", "--plot", str(tmp_path / "x.svg")])
        assert caught.value.code == 2
        assert "pip install 'ninth[plot]'" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_more_children_than_descriptors(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
        with pytest.raises(SystemExit) as caught:
            ninth_main(["compare"])  # 200 of them, by default
        assert caught.value.code == 2
        assert "200 children need 430 open files and this process may have 256" in (
            capsys.readouterr().err
        )
