"""
PriorityClasses: users' stay below the system's, and what pods were scheduled by does not change.

Source: k8s.io/kubernetes pkg/apis/scheduling/validation/validation.go.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.generic import generic_strategy, validate_by_schema
from fairlead_control_plane.kinds.strategies.metadata import immutable

_HIGHEST_OF_USERS = 1_000_000_000
_SYSTEM = "system-"


def _validate(obj: JsonObject) -> list[Cause]:
    causes = list(validate_by_schema(obj))
    value = obj.get("value")
    is_users = not str(obj["metadata"].get("name", "")).startswith(_SYSTEM)
    if is_users and isinstance(value, int) and value > _HIGHEST_OF_USERS:
        causes.append(
            wrong.forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST_OF_USERS}")
        )
    return causes


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = []
    if new.get("value", 0) != old.get("value", 0):
        causes.append(wrong.forbidden("value", "may not be changed in an update."))
    return [*causes, *immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")]


PRIORITY_CLASS = replace(
    generic_strategy("scheduling.k8s.io", "priorityclasses", has_status=False),
    validate=_validate,
    validate_update=_validate_update,
)
