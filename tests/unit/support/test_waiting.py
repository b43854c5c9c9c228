"""Waiting says what it saw last."""

from __future__ import annotations

import pytest

from tests.support.waiting import WaitedTooLong, wait_until


def test_returns_what_came_true() -> None:
    """The first true value is returned."""
    values = iter([0, "", "there"])
    assert wait_until(lambda: next(values), 5, every_s=0) == "there"


def test_failure_names_the_last_state() -> None:
    """The message holds the last state, or the last assertion."""
    with pytest.raises(WaitedTooLong, match=r"within 0 s; last state: \[\]"):
        wait_until(list, 0)

    def unmet() -> bool:
        raise AssertionError("three replicas, not four")

    with pytest.raises(WaitedTooLong, match="three replicas, not four"):
        wait_until(unmet, 0)
