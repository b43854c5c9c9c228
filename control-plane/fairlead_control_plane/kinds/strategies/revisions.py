"""
ControllerRevisions: what a DaemonSet or StatefulSet was, once written down never changed.

Source: k8s.io/kubernetes/pkg/apis/apps/validation (ValidateControllerRevision).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import immutable, non_negative


def _validate(obj: JsonObject) -> list[Cause]:
    missing = [] if obj.get("data") is not None else [wrong.required("data", "data is mandatory")]
    return missing + non_negative(obj.get("revision"), "revision")


CONTROLLER_REVISION = Strategy(
    prepare_create=normalise,
    prepare_update=lambda new, old: normalise(new),
    validate=_validate,
    validate_update=lambda new, old: immutable(new.get("data"), old.get("data"), "data"),
)
