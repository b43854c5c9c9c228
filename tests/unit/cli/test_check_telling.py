"""What people and programs read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fairlead_cli.checking import catalogue, telling
from fairlead_cli.checking.model import Level, Report, Result, Section, Spec

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "checks.md"
WELL = Result(Spec("one", "c", "one is well"), Level.SUCCESS)
WARNS = Result(Spec("two", "c", "two is well"), Level.WARNING, "hm")
FAILS = Result(Spec("three", "c", "three is well"), Level.ERROR, "no", "do this")
SKIPPED = Result(Spec("four", "c", "four is well"), Level.SKIPPED, "not tried: three failed")


def report(*results: Result) -> Report:
    return Report([Section("c", "east", list(results))])


def told(results: list[Result], *, short: bool = False) -> None:
    """Print a report as the command does."""
    table, made = telling.Table(short=short), report(*results)
    table.begun(made.sections[0])
    for result in results:
        table.ended(result)
    table.verdict(made)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Headings with underline, marks, what was seen, the fix, the anchor, and the verdict as the last line."""
    told([WELL, WARNS, FAILS, SKIPPED])
    assert capsys.readouterr().out == (
        "c east\n------\n"
        "√ one is well\n"
        "‼ two is well\n    hm\n    see docs/reference/checks.md#two for hints\n"
        "× three is well\n    no\n    to mend it: do this\n    see docs/reference/checks.md#three for hints\n"  # noqa: RUF001
        "\nStatus check results are ×\n"  # noqa: RUF001
    )


def test_short(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what is wrong; a warning is no failure."""
    told([WELL, WARNS], short=True)
    out = capsys.readouterr().out
    assert "one is well" not in out
    assert out.endswith("Status check results are √\n")
    told([WELL], short=True)
    assert capsys.readouterr().out == "Status check results are √\n"


def test_marks() -> None:
    """ASCII where a terminal knows no more, colours where it does."""
    assert [telling.mark(one, plain=True) for one in (Level.SUCCESS, Level.WARNING, Level.ERROR)] == ["+", "!", "x"]
    assert telling.mark(Level.SUCCESS, coloured=True) == "\x1b[32m√\x1b[0m"


def test_json() -> None:
    """The documented shape."""
    assert json.loads(telling.as_json(report(WELL, FAILS, SKIPPED))) == {
        "success": False,
        "categories": [
            {
                "categoryName": "c",
                "subject": "east",
                "checks": [
                    {"id": "one", "description": "one is well", "result": "success"},
                    {
                        "id": "three",
                        "description": "three is well",
                        "result": "error",
                        "error": "no",
                        "fix": "do this",
                        "hint": "docs/reference/checks.md#three",
                    },
                    {
                        "id": "four",
                        "description": "four is well",
                        "result": "skipped",
                        "error": "not tried: three failed",
                        "hint": "docs/reference/checks.md#four",
                    },
                ],
            }
        ],
    }


def test_every_check_has_its_anchor() -> None:
    """One heading for each check, in their order, and no other of that level."""
    headings = re.findall(r"^### (.+)$", DOCUMENT.read_text(), re.MULTILINE)
    assert headings == [one.id for one in catalogue.CATALOGUE]


def test_ids_are_anchors() -> None:
    """GitHub makes an anchor of a heading by itself where it is lower case and has no blanks."""
    ids = [one.id for one in catalogue.CATALOGUE]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) for one in ids)
