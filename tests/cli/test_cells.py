"""Cutting and fitting rows."""

import pytest

from ninth.cli.cells import cut, fit


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("", 5, ""),
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        ("漢字漢", 6, "漢字漢"),
        ("漢字漢", 5, "漢字…"),
        ("漢字漢", 4, "漢…"),
        ("e\u0301" * 5, 5, "e\u0301" * 5),
        ("e\u0301" * 6, 5, "e\u0301" * 4 + "…"),
        ("a\tb", 9, "a       b"),
        ("a\tb", 5, "a   …"),
        ("ab", 1, "…"),
        ("ab", 0, "ab"),
    ],
)
def test_cut_counts_cells(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown


def test_fit_says_what_is_missing() -> None:
    rows = ["clock", "a", "b", "c"]
    assert fit(rows, 4) == rows
    assert fit(rows, 3) == ["clock", "a", "+2 more"]
    assert fit(rows, 2) == ["clock", "+3 more"]
    assert fit(rows, 1) == ["clock"]
    assert fit(rows, 0) == ["clock"]
