"""The table of faults names tests that exist, and every fault that it does not say it leaves out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/faults.md"


def test_every_test_named_exists() -> None:
    """By file and function."""
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) >= 20
    for file, function in named:
        assert re.search(rf"^(async )?def {function}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{function}"


def test_every_fault_is_there() -> None:
    """F20 to F39, in order."""
    assert [int(number) for number in re.findall(r"^\| F(\d+) \|", PAGE.read_text(), re.MULTILINE)] == [*range(20, 40)]


def test_every_fault_case_is_named() -> None:
    """What is tested under a number stands in the table."""
    text = PAGE.read_text()
    for file in (ROOT / "tests/integration/syncer/faults").glob("test_*.py"):
        for function in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE):
            assert function in text, f"{file.name}::{function}"
