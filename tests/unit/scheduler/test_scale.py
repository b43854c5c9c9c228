"""Deciding for 10,000 namespaces of 1,000 workspaces over 1,000 SyncTargets; ``bench.scheduling`` takes the time."""

from __future__ import annotations

import pytest

from bench.scheduling import NAMESPACES, TARGETS, WORKSPACES, crowd, place
from fairlead_scheduler import engine, policy
from fairlead_scheduler.snapshot import Placement, Snapshot


@pytest.mark.slow
def test_ten_thousand_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are placed evenly: each workspace goes to the emptiest target; equal questions are decided once."""
    asked = 0

    def counted(placement: Placement, request: policy.Request, snapshot: Snapshot) -> policy.Choice:
        nonlocal asked
        asked += 1
        return policy.choose(placement, request, snapshot)

    monkeypatch.setattr(engine, "choose", counted)
    world = crowd()
    place(world)
    assert set(world.load().values()) == {WORKSPACES * NAMESPACES // TARGETS}
    assert asked == WORKSPACES
