"""
VolumeAttachments: made once, and then only their status changes.

Source: k8s.io/kubernetes pkg/registry/storage/volumeattachment/strategy.go, pkg/apis/storage/validation.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Subresource
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE, validate_again
from fairlead_control_plane.kinds.strategies.status_writes import BUT_STATUS, keep_metadata
from fairlead_control_plane.kinds.strategies.volume_specs import validate_volume_spec
from fairlead_control_plane.kinds.strategies.volumes import driver_name

_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_MOST_BYTES, _LONGEST_MESSAGE = 256 << 10, 1024
_LARGEST = (1 << 31) - 1


def _validate(obj: JsonObject) -> list[Cause]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    causes = driver_name(spec.get("attacher") or "", "spec.attacher")
    causes += _source(spec.get("source") or {}, "spec.source")
    node, volume = spec.get("nodeName") or "", (spec.get("source") or {}).get("persistentVolumeName")
    causes += [wrong.invalid("spec.nodeName", node, text) for text in validation.dns1123_subdomain(node)]
    attached = status.get("attachmentMetadata") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in attached.items()) > _MOST_BYTES:
        causes.append(wrong.too_long("status.attachmentMetadata", _MOST_BYTES))
    for field in ("attachError", "detachError"):
        causes += _error(status.get(field) or {}, f"status.{field}")
    if volume is not None:
        at = "spec.source.persistentVolumeName"
        causes += [wrong.invalid(at, volume, text) for text in validation.dns1123_subdomain(volume)]
    return causes


def _source(source: JsonObject, path: str) -> list[Cause]:
    inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and name is None:
        return [wrong.required(path, _ONE)]
    if inline is not None and name is not None:
        return [wrong.forbidden(path, _ONE)]
    if inline is not None:
        return validate_volume_spec(inline, f"{path}.inlineVolumeSpec", is_inline=True)
    text = "must specify non empty persistentVolumeName"
    return [] if name else [wrong.required(f"{path}.persistentVolumeName", text)]


def _error(error: JsonObject, path: str) -> list[Cause]:
    code = error.get("errorCode") or 0
    is_long = len((error.get("message") or "").encode()) > _LONGEST_MESSAGE
    causes = [wrong.too_long(f"{path}.message", _MOST_BYTES)] if is_long else []
    text = f"must be between 0 and {_LARGEST}, inclusive"
    return causes if code >= 0 else [*causes, wrong.invalid(f"{path}.errorCode", code, text)]


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = [*validate_again(new), *_validate(new)]
    spec = new.get("spec") or {}
    if spec != (old.get("spec") or {}):
        shown = shown_as("storage.VolumeAttachmentSpec", spec)
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {IMMUTABLE}", "spec"))
    return causes


VOLUME_ATTACHMENT = replace(
    generic_strategy("storage.k8s.io", "volumeattachments", has_status=True),
    validate=_validate,
    validate_change=_validate_change,
    subresources={"status": Subresource(keep_metadata, _validate_change, BUT_STATUS)},
)
