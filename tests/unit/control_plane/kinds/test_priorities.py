"""What may be said of a PriorityClass, and later changed."""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.priorities import PRIORITY_CLASS


def made(name: str = "high", **more: Any) -> JsonObject:
    """Return a PriorityClass."""
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    return {**head, "value": 10, "preemptionPolicy": "PreemptLowerPriority", **more}


def said(obj: JsonObject, old: JsonObject | None = None) -> list[tuple[str, str]]:
    """Return field and message of what is wrong."""
    judge, change = PRIORITY_CLASS.validate, PRIORITY_CLASS.validate_change
    assert judge is not None
    assert change is not None
    return [(one.field, one.message) for one in (judge(obj) if old is None else change(obj, old))]


def test_value_and_policy_stay() -> None:
    """All else may change."""
    assert said(made(value=11), made()) == [("value", "Forbidden: may not be changed in an update.")]
    ((field, why),) = said(made(preemptionPolicy="Never"), made())
    assert (field, "field is immutable" in why) == ("preemptionPolicy", True)
    assert said(made(description="x", globalDefault=True), made()) == []


def test_users_stay_below_the_system() -> None:
    """The highest that users may have is a billion."""
    assert said(made(value=1_000_000_000)) == []
    ((field, why),) = said(made(value=1_000_000_001))
    assert (field, "maximum allowed value of a user defined priority" in why) == ("value", True)
    assert said(made("system-node-critical", value=2_000_001_000)) == []
