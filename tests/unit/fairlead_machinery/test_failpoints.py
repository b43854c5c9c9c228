"""Failpoints: off unless armed, at the hit that was named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairlead_machinery import failpoints


@pytest.fixture(autouse=True)
def _disarm() -> Iterator[None]:
    yield
    failpoints.arm("")


def test_unarmed_point_does_nothing() -> None:
    """Also when another is armed."""
    failpoints.hit("before-commit")
    failpoints.arm("after-commit=error")
    failpoints.hit("before-commit")


def test_point_fires_at_its_hit_and_once() -> None:
    """The third time here, and not again."""
    failpoints.arm("before-commit=error@3")
    for _ in range(2):
        failpoints.hit("before-commit")
    with pytest.raises(OSError, match="failpoint before-commit"):
        failpoints.hit("before-commit")
    failpoints.hit("before-commit")


@pytest.mark.parametrize("text", ["commit=kill", "before-commit=explode", "before-commit"])
def test_nonsense_is_refused(text: str) -> None:
    """A test that arms nothing would prove nothing."""
    with pytest.raises(ValueError, match="no failpoint or no action"):
        failpoints.arm(text)
