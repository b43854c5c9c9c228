"""
ControllerRevisions: what a DaemonSet or StatefulSet was, once written down never changed.

Source: k8s.io/kubernetes/pkg/apis/apps/validation (ValidateControllerRevisionCreate, ...Update).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import immutable, non_negative


def _validate(obj: JsonObject) -> list[Cause]:
    data = obj.get("data")
    causes = non_negative(obj.get("revision"), "revision")
    if data is None:
        causes.append(wrong.required("data", "data is mandatory"))
    elif not isinstance(data, dict):
        causes.append(wrong.required("data", "data must be a valid JSON object"))
    return causes


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = non_negative(new.get("revision"), "revision")
    causes += immutable(new.get("data"), old.get("data"), "data")
    return causes


CONTROLLER_REVISION = Strategy(
    prepare_create=normalise,
    prepare_update=lambda new, old: normalise(new),
    validate=_validate,
    validate_change=_change,
)
