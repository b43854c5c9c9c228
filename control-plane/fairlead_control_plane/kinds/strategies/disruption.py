"""
PodDisruptionBudgets.

Source: k8s.io/kubernetes/pkg/apis/policy/validation/validation.go, pkg/registry/policy/poddisruptionbudget/strategy.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.conditions import validate_conditions
from fairlead_control_plane.kinds.strategies.counts import counted, status_of
from fairlead_control_plane.kinds.strategies.generic import zero_status
from fairlead_control_plane.kinds.strategies.selectors import validate_selector
from fairlead_control_plane.kinds.strategies.workloads import at_most_all, int_or_percent

_EVICTIONS = ("AlwaysAllow", "IfHealthyBudget")
_AMOUNTS = ("minAvailable", "maxUnavailable")
_count = counted(("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))


def _create(obj: JsonObject) -> None:
    normalise(obj)
    obj["status"] = zero_status(obj)


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    if all(spec.get(field) is not None for field in _AMOUNTS):
        shown = shown_as("policy.PodDisruptionBudgetSpec", spec)
        text = f"Invalid value: {shown}: minAvailable and maxUnavailable cannot be both set"
        causes.append(Cause("FieldValueInvalid", text, "spec"))
    for field in _AMOUNTS:
        if (value := spec.get(field)) is not None:
            causes += int_or_percent(value, f"spec.{field}") + at_most_all(value, f"spec.{field}")
    causes += validate_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTIONS:
        causes.append(wrong.not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTIONS))
    return causes


def _status(new: JsonObject, old: JsonObject) -> list[Cause]:
    conditions = (new.get("status") or {}).get("conditions") or ()
    return [*validate_conditions(conditions, "status.conditions"), *_count(new, old)]


DISRUPTION_BUDGET = Strategy(
    prepare_create=_create,
    prepare_update=lambda new, old: normalise(new),
    validate=_validate,
    validate_name=validation.path_segment_name,
    subresources=status_of(_status),
    generation_of=lambda obj: obj.get("spec"),
)
