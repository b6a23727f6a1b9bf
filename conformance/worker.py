"""List tests of `test_asyncio`, or run some of one module, in this process.

    python -m conformance.worker list FACTORY MODULE ...
    python -m conformance.worker run FACTORY MODULE TIME_LIMIT TEST ...

Speaks JSON, one event per line, on the descriptor that it was started with as stdout; the tests'
own output goes to stderr. A test that takes longer than TIME_LIMIT seconds ends the process, with
the stacks of all threads on stderr: so the last test that started is the one that hung.
"""

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import signal
import sys
import threading
import traceback
import unittest
from collections.abc import Iterator
from typing import IO, Any

from conformance.install import Installation

PACKAGE = "test.test_asyncio."

# Modules whose tests write asyncio.BaseEventLoop() and mean any loop.
BASE_MODULES = {"test_pep492", "test_runners", "test_base_events"}


class Reporter(unittest.TestResult):
    """Tell each event as soon as it happens: the process may not live to tell it later."""

    def __init__(self, out: IO[str], installation: Installation, time_limit: float) -> None:
        """Write to out."""
        super().__init__()
        self._out = out
        self._installation = installation
        self._time_limit = time_limit
        self._made = 0
        self._current = ""
        self._unseen: list[str] = []
        self._failed = False

    def tell(self, event: str, **details: Any) -> None:
        """Write one line."""
        self._out.write(json.dumps({"event": event, **details}) + "\n")
        self._out.flush()

    def unseen(self, text: str) -> None:
        """Note an exception that reached no caller; it fails the test that runs now."""
        self._unseen.append(text)

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Note which test runs, and start its clock."""
        super().startTest(test)
        self._current = short(test)
        self._made = self._installation.made
        self._failed = False
        self.tell("start", test=self._current)
        faulthandler.dump_traceback_later(self._time_limit, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Say whether the test used our loop."""
        faulthandler.cancel_dump_traceback_later()
        if self._unseen and not self._failed:
            self._tell_failure("an exception that no caller saw:\n" + "\n".join(self._unseen))
        self._unseen.clear()
        self.tell("stop", test=self._current, ours=self._installation.made > self._made)
        super().stopTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Pass."""
        super().addSuccess(test)
        self.tell("pass", test=short(test))

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Pass: CPython expects it."""
        super().addExpectedFailure(test, err)
        self.tell("pass", test=short(test))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Fail: CPython does not expect it."""
        super().addUnexpectedSuccess(test)
        self._tell_failure("unexpected success")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        """Skip: CPython's own doing."""
        super().addSkip(test, reason)
        self.tell("skip", test=short(test), reason=reason)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Fail."""
        super().addFailure(test, err)
        self._tell_failure(formatted(err), short(test))

    addError = addFailure  # noqa: N815

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Fail the whole test if one of its parts fails."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._tell_failure(f"{subtest}\n{formatted(err)}", short(test))

    def _tell_failure(self, text: str, test: str | None = None) -> None:
        self._failed = True
        self.tell("fail", test=test or self._current, text=text)


def short(test: unittest.TestCase) -> str:
    """Return module.Class.test."""
    return test.id().removeprefix(PACKAGE)


def formatted(err: Any) -> str:
    """Return the traceback as text."""
    return "".join(traceback.format_exception(*err))


def each(suite: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    """Yield the tests of a suite in its order."""
    if isinstance(suite, unittest.TestCase):
        yield suite
    else:
        for part in suite:
            yield from each(part)


def descriptors() -> dict[int, str]:
    """Return what each open descriptor of this process is."""
    found = {}
    with contextlib.suppress(FileNotFoundError):  # no /proc: nothing to compare
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # the directory's own descriptor, closed by now
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def load(module: str) -> list[unittest.TestCase]:
    """Return the tests of a module; none where CPython skips the whole module."""
    try:
        return list(each(unittest.TestLoader().loadTestsFromName(PACKAGE + module)))
    except unittest.SkipTest:
        return []


def compiled_modules() -> list[str]:
    """Return the names of the imported modules of the project that are compiled."""
    return sorted(
        name
        for name, module in sys.modules.items()
        if name.startswith("ninth.") and (getattr(module, "__file__", None) or "").endswith(".so")
    )


def list_tests(out: IO[str], factory: str, modules: list[str]) -> None:
    """Tell the names of the tests of modules, and how the project was imported."""
    Installation(factory)
    for module in modules:
        if importlib.util.find_spec(PACKAGE + module) is not None:
            names = [short(test) for test in load(module)]
            out.write(json.dumps({"event": "module", "module": module, "tests": names}) + "\n")
    out.write(json.dumps({"event": "end", "compiled": compiled_modules()}) + "\n")


def run_tests(out: IO[str], factory: str, module: str, time_limit: float, names: set[str]) -> None:
    """Run tests of one module and tell what became of them, and what they left behind."""
    faulthandler.enable()
    installation = Installation(factory)
    tests = unittest.TestSuite(test for test in load(module) if short(test) in names)
    if module in BASE_MODULES:
        installation.install_base()
    reporter = Reporter(out, installation, time_limit)
    sys.unraisablehook = lambda args: reporter.unseen(
        f"{args.err_msg or 'Exception ignored in'}: {args.object!r}\n"
        + formatted((args.exc_type, args.exc_value, args.exc_traceback))
    )
    threading.excepthook = lambda args: reporter.unseen(
        formatted((args.exc_type, args.exc_value, args.exc_traceback))
    )
    # What every test does when it ends: some need that one came before, here it may be excluded.
    asyncio.set_event_loop(None)
    before = descriptors()
    tests.run(reporter)
    gc.collect()
    left = [what for fd, what in descriptors().items() if before.get(fd) != what]
    reporter.tell("end", descriptors=left)


def main() -> None:
    """Do what the command line says."""
    # What a shell without job control starts in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    support: Any = importlib.import_module("test.support")
    # All that `python -m test -u all` allows, but the network outside.
    support.use_resources = ["cpu", "subprocess", "walltime"]
    support.verbose = False
    task, factory, *arguments = sys.argv[1:]
    if task == "list":
        list_tests(out, factory, arguments)
    else:
        module, time_limit, *names = arguments
        run_tests(out, factory, module, float(time_limit), set(names))
    out.flush()


if __name__ == "__main__":
    main()
