"""
The ``/scale`` subresource: an ``autoscaling/v1 Scale`` made from an object, and written back into it.

Source: k8s.io/kubernetes pkg/registry/apps/deployment/storage (ScaleREST), pkg/apis/autoscaling/validation,
apiextensions-apiserver pkg/registry/customresource/etcd.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Invalid
from fairlead_api.field_errors import invalid, invalid_object
from fairlead_api.selectors import SelectorError, from_map, from_object
from fairlead_control_plane.kinds.record import Resource, ScalePaths, Version
from fairlead_control_plane.kinds.schemas import builtin_schema
from fairlead_control_plane.registry import body, messages, metadata, patching
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.registry.managing import Manage
from fairlead_schema import managed
from fairlead_schema.fieldset import FieldSet
from fairlead_schema.managed import Managers

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
SCHEMA = builtin_schema("io.k8s.api.autoscaling.v1.Scale")
_KINDS = {
    namespaced: Resource("autoscaling", "scales", "Scale", (Version("v1", SCHEMA),), namespaced=namespaced)
    for namespaced in (True, False)
}
_UNREADABLE = 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:111"'
"""All that Kubernetes says of a body that is no Scale of a custom resource."""


def paths_of(target: Target) -> ScalePaths:
    """Return where the resource keeps its scale; raises ``NotFound`` when it has none."""
    if target.version.scale is None:
        raise messages.no_such_resource()
    return target.version.scale


def as_scale(target: Target) -> Target:
    """Return what a body of the subresource is to be: a Scale of the target's name and place."""
    kind = _KINDS[target.resource.namespaced]
    return replace(target, resource=kind, version=kind.versions[0], subresource="")


def scale_of(target: Target, obj: JsonObject) -> JsonObject:
    """Return the Scale of an object."""
    paths = paths_of(target)
    data = {key: obj["metadata"][key] for key in _SHOWN if obj["metadata"].get(key)}
    scale: JsonObject = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": data,
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


def decode(raw: bytes, content_type: str, target: Target, validation: str) -> JsonObject:
    """
    Return the Scale in the body of an update.

    Raises:
        BadRequest: It is no Scale, or one of another object.
        RequestTooLarge, UnsupportedMediaType.
    """
    wanted = as_scale(target)
    try:
        scale = body.decode(raw, content_type, wanted, validation)
    except BadRequest as error:
        raise BadRequest(_UNREADABLE) if target.version.open_api else error from error
    metadata.check_place(scale, wanted.resource, target.namespace, target.name)
    return scale


def checked(target: Target, scale: JsonObject) -> JsonObject:
    """Return a Scale if its numbers are right; raises ``Invalid``. Of custom resources their own rules tell."""
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0 and not target.version.open_api:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid_object("autoscaling", "Scale", target.name, [cause])
    return scale


def patched(
    target: Target, change: patching.Patch, scale: JsonObject, validation: str, problems: list[str]
) -> JsonObject:
    """
    Return a Scale with a patch applied.

    Raises:
        Invalid: The result is no Scale, or has a wrong number.
        BadRequest: It is one of another object.
    """
    merged = change(scale)
    wanted = as_scale(target)
    given = merged.get("kind") or "Scale", merged.get("apiVersion") or "autoscaling/v1"
    if not isinstance(change, patching.Strategic) and given != ("Scale", "autoscaling/v1"):
        raise _other_kind(merged)
    merged = {**merged, "kind": "Scale", "apiVersion": "autoscaling/v1"}
    made = patching.finished(wanted, merged, change, validation, problems)
    metadata.check_place(made, wanted.resource, target.namespace, target.name)
    return checked(target, made)


def _other_kind(found: JsonObject) -> Invalid:
    why = body.no_conversion(str(found.get("kind")), str(found.get("apiVersion")), "autoscaling.Scale")
    return invalid_object("", "", "", [invalid("patch", orjson.dumps(found).decode(), why)])


def scaled(target: Target, obj: JsonObject, scale: JsonObject) -> JsonObject:
    """Return a copy of an object with a Scale's replicas, and its resourceVersion and uid where it names them."""
    new: JsonObject = orjson.loads(orjson.dumps(obj))
    steps = paths_of(target).spec_replicas.strip(".").split(".")
    holder = new
    for step in steps[:-1]:
        holder = holder.setdefault(step, {})
    holder[steps[-1]] = (scale.get("spec") or {}).get("replicas") or 0
    given = scale.get("metadata") or {}
    for key in ("resourceVersion", "uid"):
        if given.get(key):
            new["metadata"][key] = given[key]
    return new


def owned_path(target: Target) -> FieldSet:
    """Return the object's field that holds its replicas."""
    return FieldSet.of(tuple(paths_of(target).spec_replicas.strip(".").split(".")))


def managing(target: Target, manage: Manage) -> Manage:
    """Return what notes who manages the replicas; a Scale does not show none, so that nobody manages those."""

    def manage_replicas(new: JsonObject, old: JsonObject | None) -> None:
        manage(new, old)
        if _at(new, paths_of(target).spec_replicas) or old is None:
            return
        entries = new["metadata"].get("managedFields")
        if entries and _at(old, paths_of(target).spec_replicas):
            new["metadata"]["managedFields"] = managed.encode(_without(managed.decode(entries), owned_path(target)))

    return manage_replicas


def _without(owners: Managers, path: FieldSet) -> Managers:
    found: Managers = {}
    for manager, owned in owners.items():
        fields = owned.fields.difference(path)
        if fields:
            found[manager] = replace(owned, fields=fields, entry=None)
    return found


def _at(obj: JsonObject, path: str) -> Any:
    value: Any = obj
    for step in path.strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
