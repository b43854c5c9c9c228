"""
Parts of objects that are written in a form of their own, as policies see them: a Scale, an Eviction.

Source: k8s.io/kubernetes pkg/registry/apps/deployment/storage (ScaleREST), pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.selectors import SelectorError, from_map, from_object
from fairlead_control_plane.kinds.record import ScalePaths

KINDS: Mapping[str, tuple[str, str, str]] = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
}
"""Group, version and kind of what is written, by subresource."""
_NAMES = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(paths: ScalePaths, obj: JsonObject) -> JsonObject:
    """Return the Scale of an object whose numbers are at these paths."""
    data = obj.get("metadata") or {}
    spec, status = _number(obj, paths.spec_replicas), _number(obj, paths.status_replicas)
    selector = _selector(_at(obj, paths.label_selector)) if paths.label_selector else ""
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: data[key] for key in _NAMES if data.get(key)},
        "spec": {"replicas": spec} if spec else {},
        "status": {"replicas": status, **({"selector": selector} if selector else {})},
    }


def _at(obj: JsonObject, path: str) -> Any:
    value: Any = obj
    for step in path.removeprefix(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _number(obj: JsonObject, path: str) -> int:
    found = _at(obj, path)
    return found if isinstance(found, int) else 0


def _selector(found: Any) -> str:
    if not isinstance(found, dict):
        return found if isinstance(found, str) else ""
    is_plain = not ({"matchLabels", "matchExpressions"} & found.keys())
    try:
        return str(from_map(found) if is_plain else from_object(found))
    except SelectorError:
        return ""
