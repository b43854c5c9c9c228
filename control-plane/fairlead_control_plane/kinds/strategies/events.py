"""
Events, by either of their names, each with its own fields and rules; what is told of them are core's fields.

Source: k8s.io/kubernetes/pkg/apis/core/validation/events.go.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.kinds.event_conversion import EVENTS_CONVERSION
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import immutable

_MISMATCH = "does not match event.namespace"
_UNSET = "needs to be unset"
_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_TYPES = ("Normal", "Warning")
_REFERENCE = (
    ("Kind", "kind"), ("Namespace", "namespace"), ("Name", "name"), ("UID", "uid"), ("APIVersion", "apiVersion"),
    ("ResourceVersion", "resourceVersion"), ("FieldPath", "fieldPath"),
)  # fmt: skip
_SOURCE = (("Component", "component"), ("Host", "host"))


def _prepare(obj: JsonObject) -> None:
    normalise(obj)


def _is_core(obj: JsonObject) -> bool:
    return bool(obj["apiVersion"] == "v1")


def _as_core(obj: JsonObject) -> JsonObject:
    """Return an Event with the names that fields have in core."""
    return obj if _is_core(obj) else EVENTS_CONVERSION.to_storage(obj)


def _validate(obj: JsonObject) -> list[Cause]:
    causes = _check(obj)
    if not _is_core(obj):
        return causes + _series(obj) + _strict(_as_core(obj))
    if causes:
        # Only what passes has its metadata looked at.
        raise invalid_object("", "Event", obj["metadata"].get("name") or "", causes)
    return []


def _check(obj: JsonObject) -> list[Cause]:
    """Check what holds of Events by either name."""
    event = _as_core(obj)
    namespace = event["metadata"].get("namespace") or ""
    involved = (event.get("involvedObject") or {}).get("namespace") or ""
    if event.get("eventTime"):
        controller_field = "reportingComponent" if _is_core(obj) else "reportingController"
        causes = _new_style(event, namespace, involved, controller_field)
    else:
        causes = _old_style(namespace, involved)
    return causes + [wrong.invalid("namespace", namespace, text) for text in validation.dns1123_subdomain(namespace)]


def _old_style(namespace: str, involved: str) -> list[Cause]:
    allowed = {"", "default"} if not involved else {involved}
    return [] if namespace in allowed else [wrong.invalid("involvedObject.namespace", involved, _MISMATCH)]


def _new_style(event: JsonObject, namespace: str, involved: str, controller_field: str) -> list[Cause]:
    causes: list[Cause] = []
    if not involved and namespace not in {"default", "kube-system"}:
        causes.append(wrong.invalid("involvedObject.namespace", involved, _MISMATCH))
    controller = event.get("reportingComponent") or ""
    if not controller:
        causes.append(wrong.required(controller_field))
    causes += [wrong.invalid(controller_field, controller, text) for text in validation.qualified_name(controller)]
    for field, limit in _LIMITS.items():
        value = event.get(field) or ""
        if not value and field != "message":
            causes.append(wrong.required(field))
        if len(value.encode()) > limit:
            causes.append(wrong.invalid(field, "", f"can have at most {limit} characters"))
    return causes


def _series(event: JsonObject) -> list[Cause]:
    series = event.get("series")
    if series is None:
        return []
    causes = [wrong.invalid("series.count", "", "should be at least 2")] if (series.get("count") or 0) < 2 else []
    return causes if series.get("lastObservedTime") else [*causes, wrong.required("series.lastObservedTime")]


def _strict(event: JsonObject) -> list[Cause]:
    """Check what the newer name asks of new Events."""
    kind, source = event.get("type") or "", event.get("source") or {}
    causes = [] if event.get("eventTime") else [wrong.required("eventTime")]
    if kind not in _TYPES:
        causes.append(wrong.invalid("type", "", f"has invalid value: {kind}"))
    given = [field for field in ("firstTimestamp", "lastTimestamp", "count") if event.get(field)]
    given += ["source"] if source.get("component") or source.get("host") else []
    return causes + [wrong.invalid(field, "", _UNSET) for field in given]


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = _check(new)
    if _is_core(new):
        return causes
    event, before = _as_core(new), _as_core(old)
    if event.get("series") != before.get("series"):
        causes += _series(event)
    return causes + _fixed(event, before)


def _fixed(event: JsonObject, before: JsonObject) -> list[Cause]:
    """Check that nothing but the series has changed.  Kubernetes shows its internal structs, not the user's."""
    causes: list[Cause] = []
    for field in ("reason", "message", "firstTimestamp", "lastTimestamp", "type", "eventTime", "action"):
        is_time = field.endswith(("Time", "stamp"))
        new, old = (one.get(field) or (None if is_time else "") for one in (event, before))
        causes += immutable(new, old, field)
    causes += immutable(event.get("count") or 0, before.get("count") or 0, "count")
    for field, parts in (("involvedObject", _REFERENCE), ("source", _SOURCE), ("related", _REFERENCE)):
        if (event.get(field) or {}) != (before.get(field) or {}):
            causes.append(_struct(event.get(field), parts, field))
    for field, stored in (("reportingController", "reportingComponent"), ("reportingInstance", "reportingInstance")):
        causes += immutable(event.get(stored) or "", before.get(stored) or "", field)
    return causes


def _struct(value: JsonObject | None, parts: tuple[tuple[str, str], ...], path: str) -> Cause:
    if value is None and path == "related":
        return wrong.invalid(path, None, "field is immutable")
    fields = ",".join(f'"{title}":{wrong.shown((value or {}).get(name) or "")}' for title, name in parts)
    return Cause("FieldValueInvalid", f"Invalid value: {{{fields}}}: field is immutable", path)


EVENT = Strategy(
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    validate=_validate,
    validate_change=_validate_change,
    create_on_update=True,
)
CORE_EVENT = replace(EVENT, validate_name=validation.path_segment_name)
"""By the older name any will do that fits into a URL."""
