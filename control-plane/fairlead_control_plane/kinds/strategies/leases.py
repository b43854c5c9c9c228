"""
Leases.

Source: k8s.io/kubernetes/pkg/apis/coordination/validation.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import NEGATIVE

_GATED = ("strategy", "preferredHolder")


def _prepare(obj: JsonObject) -> None:
    normalise(obj)
    obj.setdefault("spec", {})


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Drop the fields of coordinated leader election, which is off by default in Kubernetes."""
    del old
    for field in _GATED:
        new["spec"].pop(field, None)


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        causes.append(wrong.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        causes.append(wrong.invalid("spec.leaseTransitions", transitions, NEGATIVE))
    return causes


LEASE = Strategy(
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    settle=_settle,
    validate=_validate,
    create_on_update=True,
)
