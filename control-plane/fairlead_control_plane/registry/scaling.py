"""
The ``/scale`` subresource: an ``autoscaling/v1 Scale`` made from an object, and written back into it.

Source: k8s.io/kubernetes pkg/registry/apps/deployment/storage (ScaleREST), apiextensions-apiserver
pkg/registry/customresource/etcd.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_api.field_errors import invalid, invalid_object
from fairlead_api.selectors import SelectorError, from_map, from_object
from fairlead_control_plane.kinds.record import ScalePaths
from fairlead_control_plane.registry import body, messages
from fairlead_control_plane.registry.call import Target

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def paths_of(target: Target) -> ScalePaths:
    """Return where the resource keeps its scale; raises ``NotFound`` when it has none."""
    if target.version.scale is None:
        raise messages.no_such_resource()
    return target.version.scale


def scale_of(target: Target, obj: JsonObject) -> JsonObject:
    """Return the Scale of an object."""
    paths = paths_of(target)
    metadata = {key: obj["metadata"][key] for key in _SHOWN if obj["metadata"].get(key)}
    scale: JsonObject = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": _at(obj, paths.status_replicas) or 0},
    }
    replicas = _at(obj, paths.spec_replicas)
    if replicas:
        scale["spec"]["replicas"] = replicas
    selector = _selector(obj, paths)
    if selector:
        scale["status"]["selector"] = selector
    return scale


def _selector(obj: JsonObject, paths: ScalePaths) -> str:
    if not paths.label_selector:
        return ""
    found = _at(obj, paths.label_selector)
    if isinstance(found, str):
        return found
    if not isinstance(found, dict):
        return ""
    is_plain = not ({"matchLabels", "matchExpressions"} & found.keys())
    try:
        return str(from_map(found) if is_plain else from_object(found))
    except SelectorError:
        return ""


def checked(target: Target, scale: Any) -> JsonObject:
    """
    Check a Scale from a client.

    Raises:
        BadRequest: It is no Scale of this object.
        Invalid: The number of replicas is wrong.
    """
    if not isinstance(scale, dict):
        raise BadRequest("the body must be a Scale")
    kind, api_version = scale.get("kind") or "Scale", scale.get("apiVersion") or "autoscaling/v1"
    if (kind, api_version) != ("Scale", "autoscaling/v1"):
        raise BadRequest(f"{kind} in version {api_version!r} cannot be handled as a Scale")
    name = (scale.get("metadata") or {}).get("name") or target.name
    if name != target.name:
        raise BadRequest(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise BadRequest("Scale.spec.replicas must be an integer")
    if replicas < 0:
        text = "must be greater than or equal to 0"
        raise invalid_object("autoscaling", "Scale", name, [invalid("spec.replicas", replicas, text)])
    return scale


def patched(
    target: Target, change: Callable[[JsonObject], Any], *, is_typed: bool
) -> Callable[[JsonObject], JsonObject]:
    """
    Return what patches a Scale and checks the result.

    Args:
        change: The patch.
        is_typed: The result is a Scale, whatever kind it names (strategic merge patch).
    """

    def apply(scale: JsonObject) -> JsonObject:
        found = change(scale)
        if isinstance(found, dict):
            if is_typed:
                found = {**found, "kind": scale["kind"], "apiVersion": scale["apiVersion"]}
            elif (found.get("kind"), found.get("apiVersion")) != (scale["kind"], scale["apiVersion"]):
                why = body.no_conversion(str(found.get("kind")), str(found.get("apiVersion")), "autoscaling.Scale")
                raise invalid_object("", "", "", [invalid("patch", orjson.dumps(found).decode(), why)])
        return checked(target, found)

    return apply


def scaled(target: Target, obj: JsonObject, scale: JsonObject) -> JsonObject:
    """Return a copy of an object with a Scale's replicas, and its resourceVersion and uid where it names them."""
    new: JsonObject = orjson.loads(orjson.dumps(obj))
    steps = paths_of(target).spec_replicas.strip(".").split(".")
    holder = new
    for step in steps[:-1]:
        holder = holder.setdefault(step, {})
    holder[steps[-1]] = (scale.get("spec") or {}).get("replicas", 0)
    given = scale.get("metadata") or {}
    for key in ("resourceVersion", "uid"):
        if given.get(key):
            new["metadata"][key] = given[key]
    return new


def _at(obj: JsonObject, path: str) -> Any:
    value: Any = obj
    for step in path.strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
