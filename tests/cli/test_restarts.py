"""The back-off: how long a command waits before it is started again."""

import pytest

from ninth.cli.restarts import Restarts


def delays(restarts: Restarts, *runs: float, code: int = 1) -> list[float | None]:
    return [restarts.after(code, ran) for ran in runs]


def test_the_delay_doubles_up_to_thirty_seconds() -> None:
    restarts = Restarts("always", None, 0.5)
    assert delays(restarts, *[0] * 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert restarts.count == 9
    assert delays(restarts, *[0] * 2000)[-1] == 30


def test_ten_seconds_of_running_begin_it_anew() -> None:
    restarts = Restarts("always", None, 0.5)
    assert delays(restarts, 0, 0, 9.9, 10, 0) == [0.5, 1, 2, 0.5, 1]


def test_tries_are_counted_in_a_row() -> None:
    restarts = Restarts("on-failure", 2, 1)
    assert delays(restarts, 0, 0, 0) == [1, 2, None]
    restarts = Restarts("on-failure", 2, 1)
    assert delays(restarts, 0, 0, 10, 0, 0) == [1, 2, 1, 2, None]
    assert delays(Restarts("always", 0, 1), 0) == [None]


@pytest.mark.parametrize(
    ("when", "code", "again"),
    [("never", 1, False), ("on-failure", 0, False), ("on-failure", -9, True), ("always", 0, True)],
)
def test_who_is_started_again(when: str, code: int, again: bool) -> None:
    assert (Restarts(when, None, 1).after(code, 0) is not None) == again


def test_a_first_delay_of_zero_doubles_too() -> None:
    assert delays(Restarts("always", None, 0), 0, 0, 0) == [0, 0.1, 0.2]


def test_a_first_delay_longer_than_the_longest_stays() -> None:
    assert delays(Restarts("always", None, 60), 0, 0) == [60, 60]
