"""
Parts of pods that are written alone: ephemeral containers, and the resources of running containers.

Source: k8s.io/kubernetes pkg/registry/core/pod strategy, ValidatePodEphemeralContainersUpdate, ValidatePodResize.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Subresource, Writer
from fairlead_control_plane.kinds.strategies import pods
from fairlead_control_plane.kinds.strategies.pod_annotations import MIRROR
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod
from fairlead_schema.fieldset import EMPTY

_KEPT = ("deletionTimestamp", "generation", "labels", "annotations", "finalizers", "ownerReferences")
_LISTS = ("containers", "initContainers")
_RESIZED = ("resources", "resizePolicy")
_MUTABLE = frozenset({"cpu", "memory"})
_OF_CONTAINERS: JsonObject = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
"""Defaults of containers, which these are without being of that type."""


def _put_back(new: JsonObject, old: JsonObject) -> None:
    """Put back all but the spec; of metadata, what belongs to the whole object."""
    if "status" in old:
        new["status"] = old["status"]
    for key in _KEPT:
        new["metadata"].pop(key, None)
        if key in old["metadata"]:
            new["metadata"][key] = old["metadata"][key]


def _prepare_ephemeral(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    del writer
    spec: JsonObject = copy.deepcopy(old.get("spec") or {})
    asked = (new.get("spec") or {}).get("ephemeralContainers") or []
    spec["ephemeralContainers"] = [{**copy.deepcopy(_OF_CONTAINERS), **one} for one in asked]
    default_pod(spec)
    new["spec"] = spec
    _put_back(new, old)


def _check(new: JsonObject) -> list[Cause]:
    return list(pods.POD.validate(new)) if pods.POD.validate is not None else []


def _is_mirror(pod: JsonObject) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def _validate_ephemeral(new: JsonObject, old: JsonObject) -> Sequence[Cause]:
    """Let nothing but more ephemeral containers in."""
    if _is_mirror(old):
        return [wrong.forbidden("", "static pods do not support ephemeral containers")]
    causes, path = _check(new), "spec.ephemeralContainers"
    found = {one.get("name"): one for one in new["spec"].get("ephemeralContainers") or ()}
    for one in old["spec"].get("ephemeralContainers") or ():
        name = one.get("name", "")
        quoted = f"existing ephemeral containers {wrong.quoted(name)} may not be"
        if name not in found:
            causes.append(wrong.forbidden(path, f"{quoted} removed\n"))
        elif found[name] != one:
            causes.append(wrong.forbidden(path, f"{quoted} changed\n{json.dumps(one)}\n{json.dumps(found[name])}"))
    return causes


def _prepare_resize(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    del writer
    spec, before = new.setdefault("spec", {}), old.get("spec") or {}
    default_pod(spec)
    if any(len(spec.get(field) or ()) != len(before.get(field) or ()) for field in _LISTS):
        return  # validation says so
    kept: JsonObject = copy.deepcopy(before)
    for field in _LISTS:
        if spec.get(field):
            kept[field] = _with_resources(spec[field], kept[field])
    kept.pop("resources", None)
    if "resources" in spec:
        kept["resources"] = spec["resources"]
    new["spec"] = kept
    _put_back(new, old)


def _with_resources(new: list[JsonObject], old: list[JsonObject]) -> list[JsonObject]:
    """Return the old containers with the new ones' resources; the new ones where they are not the same."""
    if any(one.get("name") != other.get("name") for one, other in zip(new, old, strict=True)):
        return new
    found = []
    for one, other in zip(new, old, strict=True):
        rest = {key: value for key, value in other.items() if key not in _RESIZED}
        found.append({**rest, **{key: one[key] for key in _RESIZED if key in one}})
    return found


def _validate_resize(new: JsonObject, old: JsonObject) -> Sequence[Cause]:
    """Let containers have more or less cpu and memory, and nothing else."""
    before, spec = old["spec"], new["spec"]
    if _is_mirror(old):
        return [wrong.forbidden("", "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [wrong.forbidden("", "windows pods cannot be resized")]
    causes = _check(new)
    quality = (old.get("status") or {}).get("qosClass") or pods.quality_of_service(before)
    if quality != pods.quality_of_service(spec):
        shown = (new.get("status") or {}).get("qosClass", "")
        causes.append(wrong.invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _is_supported(old):
        causes.append(wrong.forbidden("spec", "Pod running on node without support for resize"))
    causes += _whole(spec.get("resources"), before.get("resources"))
    moved = [cause for field in _LISTS for cause in _moved(spec, before, field)]
    if moved:
        return causes + moved
    for field in reversed(_LISTS):
        for index, (one, other) in enumerate(zip(spec.get(field) or (), before.get(field) or (), strict=True)):
            causes += _removed(one, other, f"spec.{field}[{index}].resources")
    return causes + _others(spec, before)


def _is_supported(pod: JsonObject) -> bool:
    """Tell whether the node resizes, going by the first container that runs there."""
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        if (one.get("state") or {}).get("running") is not None:
            return one.get("resources") is not None
    return True


def _moved(spec: JsonObject, before: JsonObject, field: str) -> list[Cause]:
    new, old = spec.get(field) or (), before.get(field) or ()
    if len(new) != len(old):
        return [wrong.forbidden(f"spec.{field}", f"{field} may not be added or removed on resize")]
    return [
        wrong.forbidden(f"spec.{field}[{index}].name", f"{field} may not be renamed or reordered on resize")
        for index, (one, other) in enumerate(zip(new, old, strict=True))
        if one.get("name") != other.get("name")
    ]


def _has_lost(new: JsonObject | None, old: JsonObject | None, part: str) -> bool:
    return not ((old or {}).get(part) or {}).keys() <= ((new or {}).get(part) or {}).keys()


def _removed(new: JsonObject, old: JsonObject, path: str) -> list[Cause]:
    return [
        wrong.forbidden(f"{path}.{part}", f"resource {part} cannot be removed")
        for part in ("requests", "limits")
        if _has_lost(new.get("resources"), old.get("resources"), part)
    ]


def _whole(new: JsonObject | None, old: JsonObject | None) -> list[Cause]:
    """Check the resources of the pod as a whole."""
    if old is not None and new is None:
        return [wrong.forbidden("spec.resources", "pod-level resources cannot be removed")]
    causes = [
        wrong.forbidden(f"spec.resources.{part}", f"pod-level resource {part} cannot be removed")
        for part in ("requests", "limits")
        if _has_lost(new, old, part)
    ]
    if _fixed(new) != _fixed(old):
        causes.append(wrong.forbidden("spec", "only cpu and memory resources are mutable at pod-level"))
    return causes


def _fixed(resources: JsonObject | None) -> JsonObject:
    """Return what of resources may not change: amounts of other things, and claims."""
    found: JsonObject = {}
    for part, value in (resources or {}).items():
        kept = {name: amount for name, amount in value.items() if name not in _MUTABLE} if part != "claims" else value
        if kept:
            found[part] = kept
    return found


def _others(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Find what else than cpu and memory changed."""
    causes: list[Cause] = []
    for one, other in zip(spec.get("containers") or (), before.get("containers") or (), strict=True):
        if _is_other(one, other):
            causes.append(wrong.forbidden("spec", "only cpu and memory resources are mutable"))
    pairs = zip(spec.get("initContainers") or (), before.get("initContainers") or (), strict=True)
    for index, (one, other) in enumerate(pairs):
        path = f"spec.initContainers[{index}]"
        if _is_other(one, other):
            text = "only cpu and memory resources for init or sidecar containers are mutable"
            causes.append(wrong.forbidden(path, text))
        if one != other and one.get("restartPolicy") != "Always":
            text = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            policies = [policy.get("restartPolicy") for policy in one.get("resizePolicy") or ()]
            causes += [wrong.forbidden(path, text)] * policies.count("RestartContainer")
    return causes


def _is_other(new: JsonObject, old: JsonObject) -> bool:
    """Tell whether a container with the cpu and memory of before is not what it was; claims are dropped on the way."""
    had_claims = bool((old.get("resources") or {}).get("claims"))
    one, other = ({**each, "resources": {**_fixed(each.get("resources")), "claims": None}} for each in (new, old))
    return had_claims or one != other


POD = replace(
    pods.POD,
    subresources={
        **pods.POD.subresources,
        "ephemeralcontainers": Subresource(_prepare_ephemeral, _validate_ephemeral, EMPTY),
        "resize": Subresource(_prepare_resize, _validate_resize, EMPTY),
    },
)
