"""The page about conformance tests that are not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.left_out import HERE, Group, read_groups, table
from tests.conformance.suite import read_list

PAGE = Path(__file__).parents[3] / "docs/reference/conformance.md"
GROUPS = [
    Group("no network", "DNS", re.compile("DNS")),
    Group("no network", "pods", re.compile("pods?$")),
    Group("no nodes", "taints", re.compile("taint")),
]


def test_reasons_are_told_with_counts() -> None:
    """A row for each reason; a test counts for the first group that has it."""
    assert table(["DNS of a pod", "reach a pod", "reach pods", "taint a pod", "taint it"], GROUPS) == (
        "| why | tests | which |\n|---|---|---|\n"
        "| no network | 4 | DNS (1), pods (3) |\n"
        "| no nodes | 1 | taints (1) |\n"
    )


@pytest.mark.parametrize(
    ("names", "problem"), [(["DNS", "a pod", "taint", "other"], "no reason .* other"), (["DNS", "taint"], "for: pods")]
)
def test_each_test_has_a_reason_and_each_reason_a_test(names: list[str], problem: str) -> None:
    """So that the page cannot fall behind the lists."""
    with pytest.raises(ValueError, match=problem):
        table(names, GROUPS)


def test_what_no_workspace_is_asked_has_a_reason() -> None:
    """The lists are here; for the whole suite, ``e2e.test`` has to be asked."""
    listed, extra, workspace = (read_list(HERE / f"{name}.txt") for name in ("listed", "extra", "workspace"))
    made = table([name for name in listed + extra if name not in set(workspace)], read_groups("workspace"))
    assert made in PAGE.read_text()
    assert f"{len(listed)} of them are run, and {len(extra)} others." in PAGE.read_text()
