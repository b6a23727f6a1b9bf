"""Start workers, outlive their crashes and hangs, and judge what they tell.

A worker that dies while a test runs has told which one: that test has failed, and another worker
goes on with the tests that are left. So one hang costs one time limit, not the module.
"""

import enum
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from conformance.exclusions import exclusion
from conformance.pythons import Python

# Modules of test_asyncio that are about Windows alone are left out: proactor_events,
# windows_events, windows_utils. CPython skips them here anyway.
MODULES = (
    *("test_base_events", "test_buffered_proto", "test_context", "test_eager_task_factory"),
    *("test_events", "test_futures", "test_futures2", "test_locks", "test_pep492"),
    *("test_protocols", "test_queues", "test_runners", "test_selector_events", "test_sendfile"),
    *("test_server", "test_sock_lowlevel", "test_ssl", "test_sslproto", "test_staggered"),
    *("test_streams", "test_subprocess", "test_taskgroups", "test_tasks", "test_threads"),
    *("test_timeouts", "test_transports", "test_unix_events", "test_waitfor"),
)


class Outcome(enum.Enum):
    """What became of a test."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped by CPython"
    EXCLUDED = "excluded"
    STALE = "excluded, yet passes"


@dataclass
class Result:
    """One test on one Python in one mode."""

    test: str
    outcome: Outcome
    ours: bool = False
    text: str = ""


@dataclass
class Row:
    """All tests on one Python in one mode; a line of the table."""

    python: Python
    mode: str
    results: list[Result] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """Return how many tests came to outcome."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def ours(self) -> int:
        """How many tests passed on a loop of ours."""
        return sum(result.ours for result in self.results if result.outcome is Outcome.PASSED)

    @property
    def good(self) -> bool:
        """Whether nothing is to be mended."""
        bad = self.count(Outcome.FAILED) + self.count(Outcome.STALE) + len(self.troubles)
        return bad == 0 and bool(self.results)


@dataclass(frozen=True)
class Plan:
    """What to run, and how long a test may take."""

    factory: str
    modules: tuple[str, ...]
    patterns: tuple[str, ...]
    jobs: int
    time_limit: float
    exclude: bool = True


class Runner:
    """Runs the modules of one row."""

    def __init__(self, plan: Plan, row: Row, pool: ThreadPoolExecutor) -> None:
        """Fill row, with workers in pool."""
        self._plan = plan
        self._row = row
        self._pool = pool

    def run(self) -> None:
        """Run everything; the results are in the row."""
        modules, compiled = self._list()
        self._check_mode(compiled)
        work = []
        for module, names in modules.items():
            apply = []
            for name in names:
                if self._plan.exclude and exclusion(name, self._row.python.version):
                    work.append(self._pool.submit(self._run_excluded, module, name))
                else:
                    apply.append(name)
            if apply:
                work.append(self._pool.submit(self._run_module, module, apply))
        for done in work:
            self._row.results += done.result()
        self._row.results.sort(key=lambda result: result.test)

    def _list(self) -> tuple[dict[str, list[str]], list[str]]:
        modules: dict[str, list[str]] = {}
        compiled: list[str] = []
        events, errors = self._worker("list", self._plan.factory, *self._plan.modules)
        for event in events:
            if event["event"] == "end":
                compiled = event["compiled"]
                return modules, compiled
            modules[event["module"]] = [n for n in event["tests"] if self._wanted(n)]
        raise SystemExit(f"{self._row.python.executable} cannot list the tests:\n{errors}")

    def _wanted(self, name: str) -> bool:
        return not self._plan.patterns or any(part in name for part in self._plan.patterns)

    def _check_mode(self, compiled: list[str]) -> None:
        if not self._plan.factory.startswith("ninth"):
            return
        if self._row.mode == "compiled" and not compiled:
            self._row.troubles.append("no compiled module was imported: is there a C compiler?")
        if self._row.mode == "pure" and compiled:
            self._row.troubles.append(f"not pure, imported compiled: {', '.join(compiled)}")

    def _run_excluded(self, module: str, name: str) -> list[Result]:
        # Alone: it may break what other tests need. Shortly: some of them hang.
        events, _ = self._worker("run", self._plan.factory, module, "10", name)
        outcomes = {event["event"] for event in events}
        if "skip" in outcomes:
            return [Result(name, Outcome.SKIPPED)]
        stale = "pass" in outcomes and "fail" not in outcomes
        return [Result(name, Outcome.STALE if stale else Outcome.EXCLUDED)]

    def _run_module(self, module: str, names: list[str]) -> list[Result]:
        results: dict[str, Result] = {}
        left = names
        while left:
            events, errors = self._worker(
                "run", self._plan.factory, module, str(self._plan.time_limit), *left
            )
            died = self._judge(module, events, results)
            if died is None:
                break
            if died not in left:
                self._row.troubles.append(f"{module}: the worker ended early ({died})\n{errors}")
                break
            results[died] = Result(died, Outcome.FAILED, text=f"hung or crashed\n{errors}")
            left = [name for name in left if name not in results]
        missing = sorted(set(names) - set(results))
        if missing:
            self._row.troubles.append(f"{module}: these never ran: {', '.join(missing)}")
        return list(results.values())

    def _judge(
        self, module: str, events: Iterable[dict[str, Any]], results: dict[str, Result]
    ) -> str | None:
        """Put what a worker told into results; return what it was at when it died, if it did."""
        at = "start"
        for event in events:
            test = event.get("test", "")
            match event["event"]:
                case "start":
                    at = test
                case "pass":
                    results.setdefault(test, Result(test, Outcome.PASSED))
                case "skip":
                    results[test] = Result(test, Outcome.SKIPPED, text=event["reason"])
                case "fail":
                    old = results.get(test)
                    text = event["text"] + (old.text if old else "")
                    results[test] = Result(test, Outcome.FAILED, text=text)
                case "stop":
                    at = "between tests"
                    # A test all of whose parts failed is told as parts only, one that failed in
                    # a fixture of its class not at all.
                    if test in results:
                        results[test].ours = event["ours"]
                case "end":
                    if event["descriptors"]:
                        kinds = Counter(re.sub(r"\d+", "N", d) for d in event["descriptors"])
                        left = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
                        self._row.troubles.append(f"{module}: descriptors left open: {left}")
                    return None
        return at

    def _worker(self, *arguments: str) -> tuple[Iterator[dict[str, Any]], str]:
        """Run a worker to its end; return what it told, and the end of what it wrote to stderr."""
        python = self._row.python
        with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
            try:
                done = subprocess.run(
                    [python.executable, "-m", "conformance.worker", *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    cwd=directory,
                    env=python.environment(pure=self._row.mode == "pure"),
                    timeout=20 * self._plan.time_limit,
                    check=False,
                )
                out, errors = done.stdout, f"exit status {done.returncode}\n{done.stderr[-6000:]}"
            except subprocess.TimeoutExpired as expired:
                # As bytes, in spite of text=True (CPython issue 87597).
                out = (expired.stdout or b"").decode(errors="replace")
                errors = "the worker never ended"
        return (json.loads(line) for line in out.splitlines() if line.endswith("}")), errors


def run(plan: Plan, pythons: Iterable[Python], modes: Iterable[str]) -> Iterator[Row]:
    """Run the plan on every Python in every mode; yield each row when it is complete."""
    modes = tuple(modes)
    with ThreadPoolExecutor(plan.jobs) as pool:
        for python in pythons:
            for mode in modes:
                row = Row(python, mode)
                Runner(plan, row, pool).run()
                yield row
