"""The tests of `test_asyncio` that cannot apply to another loop, each with its reason.

A name is module.Class.test; a `*` stands for the variants of one test (over epoll, poll, select).
An exclusion holds only while the test fails: the runner runs it, and complains if it passes.
`since` and `until` (inclusive) bound the Pythons where it fails.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Exclusion:
    """One test, or one test in its variants, that cannot apply, and why."""

    test: str
    reason: str
    since: tuple[int, int] = (3, 11)
    until: tuple[int, int] = (3, 99)

    def covers(self, test: str, version: tuple[int, ...]) -> bool:
        """Tell whether test is excluded on a Python."""
        return self.since <= version[:2] <= self.until and fnmatchcase(test, self.test)


BASE = "test_base_events.BaseEventLoopTests."
SIGNALS = "test_unix_events.SelectorEventLoopSignalTests."
MOCKED_SIGNALS = "replaces the module signal within asyncio.unix_events, where our handlers are not"

EXCLUSIONS: tuple[Exclusion, ...] = (
    # Private parts of the stock loop's turn: its selector, its heap, its queue.
    Exclusion(
        BASE + "test__run_once", "puts a timer into the private heap, and a mock as selector"
    ),
    Exclusion(BASE + "test__run_once_schedule_handle", "puts a handle into the private heap"),
    Exclusion(BASE + "test__run_once_cancelled_event_cleanup", "counts in the private heap"),
    Exclusion(BASE + "test_not_implemented", "asks an abstract class what it has not implemented"),
    Exclusion(
        BASE + "test_run_forever_pre_stopped", "counts the calls of a selector that is a mock"
    ),
    Exclusion(
        BASE + "test_single_selecter_event_callback_after_stopping",
        "takes events from a selector that is a mock",
    ),
    Exclusion(
        BASE + "test_custom_run_forever_integration",
        "counts the calls of the private _process_events()",
        since=(3, 13),
    ),
    Exclusion(
        BASE + "test_call_soon",
        "wants asyncio's own class of handle, from which a compiled one cannot derive",
    ),
    Exclusion(
        BASE + "test_call_later",
        "wants asyncio's own class of timer, from which a compiled one cannot derive",
    ),
    # Mocks of the module signal.
    Exclusion(SIGNALS + "test_add_signal_handler", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_add_signal_handler_install_error", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_add_signal_handler_install_error2", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_add_signal_handler_install_error3", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_add_signal_handler_setup_error", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_remove_signal_handler", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_remove_signal_handler_2", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_remove_signal_handler_error", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_remove_signal_handler_error2", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_close", MOCKED_SIGNALS),
    Exclusion(SIGNALS + "test_close_on_finalizing", MOCKED_SIGNALS),
)


def exclusion(test: str, version: tuple[int, ...]) -> Exclusion | None:
    """Return what excludes test on a Python, if anything."""
    return next((entry for entry in EXCLUSIONS if entry.covers(test, version)), None)
