"""
Validation of the numbers in the statuses of workloads.

Source: k8s.io/kubernetes/pkg/apis/apps/validation/validation.go and its like for core (Validate...Status).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Subresource, Writer
from fairlead_control_plane.kinds.strategies.metadata import non_negative

_TOO_MANY = "cannot be greater than status.replicas"
Change = Callable[[JsonObject, JsonObject], Sequence[Cause]]
Prepare = Callable[[JsonObject, JsonObject, Writer], None]


def status_of(
    validate: Change, prepare: Prepare | None = None, settle: Prepare | None = None
) -> dict[str, Subresource]:
    """Return the subresource ``status`` of a kind whose statuses are checked by ``validate(new, old)``."""
    return {"status": Subresource(prepare=prepare, settle=settle, validate=validate)}


def counted(counts: Sequence[str], parts: Sequence[str] = (), ready: str = "") -> Change:
    """
    Return the check of a status.

    Args:
        counts: Fields that are not negative.
        parts: Those of them that are no more than ``replicas``.
        ready: How the message calls the field that ``availableReplicas`` may not exceed; empty where that is not so.
    """

    def validate(new: JsonObject, old: JsonObject) -> list[Cause]:
        status = new.get("status") or {}
        causes = [cause for name in counts for cause in non_negative(status.get(name), f"status.{name}")]
        whole = status.get("replicas") or 0
        causes += [
            wrong.invalid(f"status.{name}", number, _TOO_MANY)
            for name in parts
            if (number := status.get(name) or 0) > whole
        ]
        available = status.get("availableReplicas") or 0
        if ready and available > (status.get("readyReplicas") or 0):
            causes.append(wrong.invalid("status.availableReplicas", available, f"cannot be greater than {ready}"))
        if "collisionCount" in counts:
            causes += _collisions(status, old.get("status") or {})
        return causes

    return validate


def _collisions(status: JsonObject, before: JsonObject) -> list[Cause]:
    new, old = status.get("collisionCount"), before.get("collisionCount")
    if old is None or (new is not None and new >= old):
        return []
    return [wrong.invalid("status.collisionCount", new or 0, "cannot be decremented")]
