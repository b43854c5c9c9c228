"""How simulated pods behave."""

from __future__ import annotations

import json

from fairlead_api import JsonObject
from tests.support.stages import NEVER_READY, node_and_pod_stages


def _stages(delay_s: float) -> dict[str, JsonObject]:
    parsed = [json.loads(document) for document in node_and_pod_stages(delay_s).split("\n---\n")]
    return {stage["metadata"]["name"]: stage for stage in parsed}


def test_ready_at_once() -> None:
    """Without a delay a pending pod becomes ready in one step."""
    stages = _stages(0)
    assert "pod-start" not in stages
    assert "delay" not in stages["pod-ready"]["spec"]


def test_ready_after_a_delay() -> None:
    """With a delay a pod runs first, and the wait is given in milliseconds."""
    stages = _stages(1.5)
    assert "pod-start" in stages
    assert stages["pod-ready"]["spec"]["delay"] == {"durationMilliseconds": 1500}


def test_never_ready() -> None:
    """A cluster whose pods never become ready has no stage that makes them so."""
    assert "pod-ready" not in _stages(NEVER_READY)
