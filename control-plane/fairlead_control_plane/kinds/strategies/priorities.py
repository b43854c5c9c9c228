"""
PriorityClasses: users' stay below the system's, and what pods were scheduled by does not change.

Source: k8s.io/kubernetes pkg/apis/scheduling/validation/validation.go.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import immutable

_HIGHEST_OF_USERS = 1_000_000_000
_SYSTEM = "system-"
_SYSTEM_VALUES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_POLICIES = ("PreemptLowerPriority", "Never")


def _validate(obj: JsonObject) -> list[Cause]:
    name, value, policy = obj["metadata"].get("name") or "", obj.get("value") or 0, obj.get("preemptionPolicy")
    causes: list[Cause] = []
    if name.startswith(_SYSTEM):
        if why := _system_error(name, value, is_default=bool(obj.get("globalDefault"))):
            text = f"priority class names with '{_SYSTEM}' prefix are reserved for system use only. error: {why}"
            causes.append(wrong.forbidden("metadata.name", text))
    elif value > _HIGHEST_OF_USERS:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_OF_USERS}"
        causes.append(wrong.forbidden("value", text))
    if policy is not None and policy not in _POLICIES:
        at = "preemptionPolicy"
        causes.append(wrong.not_supported(at, policy, _POLICIES) if policy else wrong.required(at))
    return causes


def _system_error(name: str, value: int, *, is_default: bool) -> str:
    """Return why a PriorityClass is none of the system's own."""
    known = _SYSTEM_VALUES.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if value != known:
        return f"value of {name} PriorityClass must be {known}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = []
    if (new.get("value") or 0) != (old.get("value") or 0):
        causes.append(wrong.forbidden("value", "may not be changed in an update."))
    return [*causes, *immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")]


PRIORITY_CLASS = replace(
    generic_strategy("scheduling.k8s.io", "priorityclasses", has_status=False),
    validate=_validate,
    validate_change=_validate_change,
    # Kubernetes counts from one and never on.
    generation_of=lambda obj: 1,
)
