"""Tables, ages and progress."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fairlead_cli import output


def test_tables_are_aligned() -> None:
    """Columns are three blanks apart and nothing trails."""
    assert output.table(("NAME", "AGE"), [("a", "1s"), ("longer", "2m")]) == ("NAME     AGE\na        1s\nlonger   2m")


@pytest.mark.parametrize(
    ("begun", "text"),
    [
        ("2030-01-10T00:00:00Z", "0s"),
        ("2030-01-09T23:58:30Z", "90s"),
        ("2030-01-09T23:55:00Z", "5m"),
        ("2030-01-09T00:00:00Z", "1d"),
        ("2030-01-08T01:00:00Z", "1d"),
        ("", "<unknown>"),
    ],
)
def test_ages(begun: str, text: str) -> None:
    """Ages are whole numbers of one unit, the coarsest that still says something."""
    assert output.age(begun, datetime(2030, 1, 10, tzinfo=UTC)) == text


def test_progress_is_plain_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there are no marks, and a live line is printed only when it changes."""
    steps = output.Steps()
    steps.live("moving 2")
    steps.live("moving 2")
    steps.live("moving 1")
    steps.done("done")
    steps.failed("not this")
    assert capsys.readouterr().err == "moving 2\nmoving 1\ndone\n! not this\n"
