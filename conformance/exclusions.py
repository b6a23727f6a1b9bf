"""The tests of `test_asyncio` that cannot apply to another loop, each with its reason.

A name is module.Class.test. An exclusion holds only while the test fails: the runner runs it, and
complains if it passes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exclusion:
    """One test that cannot apply, why, and since which Python there is such a test."""

    test: str
    reason: str
    since: tuple[int, int] = (3, 11)

    def covers(self, test: str, version: tuple[int, ...]) -> bool:
        """Tell whether test is excluded on a Python."""
        return self.test == test and self.since <= version[:2]


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
