"""
Events, by either of their names; validated in the stored form, that of core.

Source: k8s.io/kubernetes/pkg/apis/core/validation/events.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise

_MISMATCH = "does not match event.namespace"
_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_TIMES = {
    "v1": ("eventTime", "firstTimestamp", "lastTimestamp"),
    "events.k8s.io/v1": ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
}


def _prepare(obj: JsonObject) -> None:
    """Bring an Event into shape; nobody manages a time that was never set."""
    normalise(obj)
    for field in _TIMES.get(obj["apiVersion"], ()):
        if obj.get(field) is None:
            obj.pop(field, None)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Show times that were never set as null: clients of Events look for the fields."""
    del old
    for field in _TIMES.get(new["apiVersion"], ()):
        new.setdefault(field, None)


def _validate(obj: JsonObject) -> list[Cause]:
    namespace = obj["metadata"].get("namespace") or ""
    involved = (obj.get("involvedObject") or obj.get("regarding") or {}).get("namespace") or ""
    causes = _new_style(obj, namespace, involved) if obj.get("eventTime") else _old_style(namespace, involved)
    return causes + [wrong.invalid("namespace", namespace, text) for text in validation.dns1123_subdomain(namespace)]


def _old_style(namespace: str, involved: str) -> list[Cause]:
    allowed = {"", "default"} if not involved else {involved}
    return [] if namespace in allowed else [wrong.invalid("involvedObject.namespace", involved, _MISMATCH)]


def _new_style(obj: JsonObject, namespace: str, involved: str) -> list[Cause]:
    causes: list[Cause] = []
    if not involved and namespace not in {"default", "kube-system"}:
        causes.append(wrong.invalid("involvedObject.namespace", involved, _MISMATCH))
    is_core = obj["apiVersion"] == "v1"
    controller_field = "reportingComponent" if is_core else "reportingController"
    controller = obj.get(controller_field) or ""
    if not controller:
        causes.append(wrong.required(controller_field))
    causes += [wrong.invalid(controller_field, controller, text) for text in validation.qualified_name(controller)]
    for field, limit in _LIMITS.items():
        value = obj.get("note" if field == "message" and not is_core else field) or ""
        if not value and field != "message":
            causes.append(wrong.required(field))
        if len(value.encode()) > limit:
            causes.append(wrong.invalid(field, "", f"can have at most {limit} characters"))
    return causes


EVENT = Strategy(
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    settle=_settle,
    validate=_validate,
    create_on_update=True,
)
