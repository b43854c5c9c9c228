"""The threat model names only tests that exist, leaves no attack out, and no test of an attack is left out of it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_ROW = re.compile(r"^\| (S\d\d) \|.*\|([^|]*)\|$", re.MULTILINE)
_TEST = re.compile(r"\btest_s\d\d_\w+")
UNBUILT = {"S77": "issue 9"}
"""What there is nothing to attack of yet, and who builds it."""


def _rows() -> dict[str, str]:
    text = (ROOT / "docs/explanation/threat-model-syncer.md").read_text()
    return dict(_ROW.findall(text))


def _existing() -> set[str]:
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^(?:async )?def (test_s(?:[67]\d|80)_\w+)", path.read_text(), re.MULTILINE))
    return found


def test_every_attack_has_its_row_and_its_tests() -> None:
    """S60 to S80; a row without tests says who will write them."""
    rows = _rows()
    assert set(rows) == {f"S{number}" for number in range(60, 81)}
    for number, tests in rows.items():
        named = _TEST.findall(tests)
        assert {name[5:8] for name in named} == (set() if number in UNBUILT else {number.lower()}), number
        assert UNBUILT.get(number, "") in tests


def test_what_is_named_exists_and_what_exists_is_named() -> None:
    """In both directions, so that neither a renamed test nor a new one is forgotten."""
    named = {name for tests in _rows().values() for name in _TEST.findall(tests)}
    assert named == _existing()
