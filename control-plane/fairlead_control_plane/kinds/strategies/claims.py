"""
PersistentVolumeClaims: what they are made from, and the little of them that may change.

Source: k8s.io/kubernetes pkg/registry/core/persistentvolumeclaim/strategy.go, pkg/api/persistentvolumeclaim/util.go,
pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaimUpdate and below).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity
from fairlead_control_plane.kinds.go_values import difference
from fairlead_control_plane.kinds.record import Subresource
from fairlead_control_plane.kinds.strategies.claim_specs import validate_claim_spec
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import immutable, validate_again
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of, is_fractional

_CLASS = "volume.beta.kubernetes.io/storage-class"
_SHRINK = "field can not be less than status.capacity"
_ONCE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
_RESIZING = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip


def _normalise_sources(spec: JsonObject, before: JsonObject | None) -> None:
    """Keep both ways of saying what a claim is made from in step; drop what the older one never could say."""
    reference = spec.get("dataSourceRef")
    if reference is not None and reference.get("namespace") and not (before or {}).get("dataSourceRef"):
        del spec["dataSourceRef"]  # sources in other namespaces are off by default
    had_source = before is not None and (before.get("dataSource") or before.get("dataSourceRef"))
    if not had_source and spec.get("dataSourceRef") is None and not _is_known(spec.get("dataSource")):
        spec.pop("dataSource", None)
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = _shared(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = _shared(reference)


def _shared(source: JsonObject) -> JsonObject:
    return {"kind": "", "name": "", **{key: source[key] for key in ("apiGroup", "kind", "name") if key in source}}


def _is_known(source: JsonObject | None) -> bool:
    pair = ((source or {}).get("apiGroup") or "", (source or {}).get("kind"))
    return pair in {("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot")}


def _validate(obj: JsonObject) -> list[Cause]:
    return validate_claim_spec(obj.get("spec") or {}, "spec")


def _size(amounts: Mapping[str, str] | None) -> Quantity:
    return amount_of((amounts or {}).get("storage") or "0") or ZERO


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before, status = (
        dict(one) for one in (new.get("spec") or {}, old.get("spec") or {}, old.get("status") or {})
    )
    had_group = any((before.get(field) or {}).get("apiGroup") is not None for field in ("dataSource", "dataSourceRef"))
    causes = [*validate_again(new), *validate_claim_spec(spec, "spec", checks_groups=not had_group)]
    classes = [(one["metadata"].get("annotations") or {}).get(_CLASS) for one in (new, old)]
    asked, asked_before = (_size((one.get("resources") or {}).get("requests")) for one in (spec, before))
    if not before.get("volumeName"):
        before["volumeName"] = spec.get("volumeName")
    causes += _class_change(spec, before, classes)
    if status.get("phase") == "Bound":
        _forget_what_may_change(spec, before)
    if not _is_same(spec, before):
        shown = difference("core.PersistentVolumeClaimSpec", before, spec)
        causes.append(wrong.forbidden("spec", _ONCE + shown))
    if asked < asked_before and not _size(status.get("capacity")) < asked:
        causes.append(wrong.forbidden("spec.resources.requests.storage", _SHRINK))
    causes += immutable(spec.get("volumeMode"), before.get("volumeMode"), "volumeMode")
    return causes + _attributes_change((new.get("spec") or {}).get("volumeAttributesClassName"), old)


def _class_change(spec: JsonObject, before: JsonObject, classes: list[str | None]) -> list[Cause]:
    """Let the class move from the annotation into the spec, or be given once; changes copies of the specs."""
    now, then = spec.get("storageClassName"), before.get("storageClassName")
    annotated, annotated_before = classes
    if annotated_before is not None and then is None and now == annotated_before and annotated in (None, now):
        spec.pop("storageClassName", None)
        return []
    if now is not None and then is None and annotated_before in (None, now):
        spec.pop("storageClassName", None)
    return immutable(annotated or "", annotated_before or "", f"metadata.annotations.{_CLASS}")


def _forget_what_may_change(spec: JsonObject, before: JsonObject) -> None:
    """Put back the size and the attributes of a bound claim, in copies of the specs."""
    resources = spec.get("resources") or {}
    if resources.get("requests") is not None:
        size = ((before.get("resources") or {}).get("requests") or {}).get("storage", "0")
        spec["resources"] = {**resources, "requests": {**resources["requests"], "storage": size}}
    spec.pop("volumeAttributesClassName", None)
    if "volumeAttributesClassName" in before:
        spec["volumeAttributesClassName"] = before["volumeAttributesClassName"]


def _is_same(spec: JsonObject, before: JsonObject) -> bool:
    """Compare two specs; amounts by what they are worth."""
    one, other = (
        {key: _comparable(key, value) for key, value in each.items() if value not in (None, [], {})}
        for each in (spec, before)
    )
    return one == other


def _comparable(key: str, value: object) -> object:
    if key != "resources" or not isinstance(value, dict):
        return value
    return {part: {name: amount_of(text) for name, text in amounts.items()} for part, amounts in value.items()}


def _attributes_change(name: str | None, old: JsonObject) -> list[Cause]:
    if (old.get("status") or {}).get("currentVolumeAttributesClassName") is None or name:
        return []
    if name == (old.get("spec") or {}).get("volumeAttributesClassName"):
        return []
    what = "nil" if name is None else "empty string"
    text = f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
    return [wrong.forbidden("spec.volumeAttributesClassName", text)]


def _validate_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    del old
    status = new.get("status") or {}
    causes = _amounts(status.get("capacity") or {}, "status.capacity")
    path = "status.allocatedResourceStatuses"
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        causes += _resource(name, path)
        if state not in _RESIZING:
            causes.append(wrong.not_supported(path, name, sorted(_RESIZING)))
    path = "status.allocatedResources"
    for name, text in (status.get("allocatedResources") or {}).items():
        causes += _resource(name, path) or _amounts({name: text}, path)
    return causes


def _amounts(amounts: Mapping[str, str], path: str) -> list[Cause]:
    found = {name: amount_of(text) for name, text in amounts.items()}
    text = "must be a valid resource quantity"
    return [
        wrong.invalid(f"{path}[{name}]", amount.rounded_up(), text)
        for name, amount in found.items()
        if amount is not None and amount < ZERO
    ]


def _resource(name: str, path: str) -> list[Cause]:
    causes = [wrong.invalid(path, name, text) for text in validation.qualified_name(name)]
    is_native = "/" not in name or "kubernetes.io/" in name
    return [wrong.not_supported(path, name, ["storage"])] if not causes and is_native and name != "storage" else causes


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    warnings = []
    if _CLASS in (new["metadata"].get("annotations") or {}):
        text = 'deprecated since v1.8; use "storageClassName" attribute instead'
        warnings.append(f"metadata.annotations[{_CLASS}]: {text}")
    resources = (new.get("spec") or {}).get("resources") or {}
    for part in ("requests", "limits"):
        amount = (resources.get(part) or {}).get("storage")
        if amount is not None and is_fractional(amount):
            text = f"fractional byte value {wrong.quoted(str(amount_of(amount)))} is invalid, must be an integer"
            warnings.append(f"spec.resources.{part}[storage]: {text}")
    return warnings


def _shape_status(obj: JsonObject) -> None:
    obj.setdefault("status", {}).setdefault("phase", "Pending")


CLAIM = replace(
    generic_strategy("", "persistentvolumeclaims", has_status=True),
    sign=lambda obj, writer: _shape_status(obj),
    settle=lambda new, old: _normalise_sources(new["spec"], None if old is None else old["spec"]),
    validate=_validate,
    validate_change=_validate_change,
    warn=_warn,
    subresources={"status": Subresource(lambda new, old, writer: _shape_status(new), _validate_status)},
)
