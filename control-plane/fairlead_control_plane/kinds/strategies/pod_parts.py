"""
The parts of a pod that are written by themselves: ephemeral containers, and resources of running containers.

Source: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go (podEphemeralContainersStrategy, podResizeStrategy),
pkg/apis/core/validation/validation.go (ValidatePodEphemeralContainersUpdate, ValidatePodResize).
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import difference
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.strategies.pod_annotations import MIRROR
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod
from fairlead_control_plane.kinds.strategies.resources import quality_of_service
from fairlead_control_plane.kinds.strategies.status_writes import keep_metadata

_GRACE = "deletionGracePeriodSeconds"
_CONTAINER_LISTS = ("containers", "initContainers")
_RESIZED = ("resources", "resizePolicy")
_COMPUTE = ("cpu", "memory")
_ONLY_COMPUTE = "only cpu and memory resources are mutable"


def _keep_rest(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Put back what is no part of the spec."""
    keep_metadata(new, old, writer)
    new["metadata"].pop(_GRACE, None)
    if _GRACE in old["metadata"]:
        new["metadata"][_GRACE] = old["metadata"][_GRACE]
    new["status"] = old.get("status") or {}


def prepare_ephemeral_containers(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Take nothing over but the ephemeral containers."""
    spec = dict(old.get("spec") or {})
    spec.pop("ephemeralContainers", None)
    if containers := (new.get("spec") or {}).get("ephemeralContainers"):
        spec["ephemeralContainers"] = containers
    new["spec"] = spec
    default_pod(spec)
    _keep_rest(new, old, writer)


def validate_ephemeral_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with a change of ephemeral containers, which are only added."""
    path, text = "spec.ephemeralContainers", "existing ephemeral containers"
    listed = {one.get("name"): one for one in (new.get("spec") or {}).get("ephemeralContainers") or ()}
    causes: list[Cause] = []
    for one in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = wrong.quoted(one.get("name") or "")
        now = listed.get(one.get("name"))
        if now is None:
            causes.append(wrong.forbidden(path, f"{text} {name} may not be removed\n"))
        elif now != one:
            changed = difference("core.EphemeralContainer", one, now)
            causes.append(wrong.forbidden(path, f"{text} {name} may not be changed\n{changed}"))
    return causes


def prepare_resize(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Take nothing over but resources, where the containers are the same."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    default_pod(spec)
    if any(len(spec.get(field) or ()) != len(before.get(field) or ()) for field in _CONTAINER_LISTS):
        return
    kept = {key: value for key, value in before.items() if key != "resources"}
    if "resources" in spec:
        kept["resources"] = spec["resources"]
    for field in _CONTAINER_LISTS:
        pairs = list(zip(spec.get(field) or (), before.get(field) or (), strict=True))
        if any(one.get("name") != was.get("name") for one, was in pairs):
            kept[field] = spec[field]
        elif pairs:
            kept[field] = [_with_resources(one, was) for one, was in pairs]
    new["spec"] = kept
    _keep_rest(new, old, writer)


def _with_resources(new: JsonObject, old: JsonObject) -> JsonObject:
    kept = {key: value for key, value in old.items() if key not in _RESIZED}
    return {**kept, **{key: new[key] for key in _RESIZED if key in new}}


def validate_resize(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with other resources of a running pod."""
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [wrong.forbidden("", "static pods cannot be resized")]
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if (before.get("os") or {}).get("name") == "windows":
        return [wrong.forbidden("", "windows pods cannot be resized")]
    status = old.get("status") or {}
    quality = status.get("qosClass") or quality_of_service(before)
    causes: list[Cause] = []
    if quality != quality_of_service(spec):
        shown = (new.get("status") or {}).get("qosClass") or ""
        causes.append(wrong.invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    running = [one for one in status.get("containerStatuses") or () if (one.get("state") or {}).get("running")]
    if running and running[0].get("resources") is None:
        causes.append(wrong.forbidden("spec", "Pod running on node without support for resize"))
    causes += _whole(spec.get("resources"), before.get("resources"))
    if status.get("nodeAllocatableResourceClaimStatuses"):
        causes.append(wrong.forbidden("spec", "pods with node allocatable resource claims cannot be resized"))
    ordering = _ordering(spec, before)
    return causes + (ordering or _containers(spec, before))


def _whole(new: JsonObject | None, old: JsonObject | None) -> list[Cause]:
    """Check the resources of the pod as a whole."""
    if not any((one or {}).get(part) for one in (new, old) for part in ("requests", "limits")):
        return []
    if old is not None and new is None:
        return [wrong.forbidden("spec.resources", "pod-level resources cannot be removed")]
    causes = [
        wrong.forbidden(f"spec.resources.{part}", f"pod-level resource {part} cannot be removed")
        for part in ("requests", "limits")
        if set((old or {}).get(part) or ()) - set((new or {}).get(part) or ())
    ]
    if _without_compute(new or {}) != _without_compute(old or {}):
        causes.append(wrong.forbidden("spec", f"{_ONLY_COMPUTE} at pod-level"))
    return causes


def _ordering(spec: JsonObject, before: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    for field in _CONTAINER_LISTS:
        new, old = spec.get(field) or (), before.get(field) or ()
        if len(new) != len(old):
            causes.append(wrong.forbidden(f"spec.{field}", f"{field} may not be added or removed on resize"))
            continue
        text = f"{field} may not be renamed or reordered on resize"
        pairs = zip(new, old, strict=True)
        causes += [
            wrong.forbidden(f"spec.{field}[{i}].name", text)
            for i, (one, was) in enumerate(pairs)
            if one.get("name") != was.get("name")
        ]
    return causes


def _containers(spec: JsonObject, before: JsonObject) -> list[Cause]:
    removed: list[Cause] = []
    other: list[Cause] = []
    for field in reversed(_CONTAINER_LISTS):
        for index, (one, was) in enumerate(zip(spec.get(field) or (), before.get(field) or (), strict=True)):
            at = f"spec.{field}[{index}]"
            removed += _removed(one.get("resources") or {}, was.get("resources") or {}, f"{at}.resources")
            other += _other_changes(one, was, at if field == "initContainers" else "")
    return removed + other


def _other_changes(new: JsonObject, old: JsonObject, init: str) -> list[Cause]:
    """Return the causes of changes that are no resize; ``init`` is the path of one that runs first, else empty."""
    causes: list[Cause] = []
    # What a container claims is lost in Kubernetes' comparison, so that one with claims cannot be resized.
    if _same_but_compute(new) != _same_but_compute(old) or (old.get("resources") or {}).get("claims"):
        text = "only cpu and memory resources for init or sidecar containers are mutable"
        causes.append(wrong.forbidden(init, text) if init else wrong.forbidden("spec", _ONLY_COMPUTE))
    if init and new != old and new.get("restartPolicy") != "Always":
        policies = [one for one in new.get("resizePolicy") or () if one.get("restartPolicy") == "RestartContainer"]
        text = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
        causes += [wrong.forbidden(init, text) for _ in policies]
    return causes


def _removed(new: JsonObject, old: JsonObject, path: str) -> list[Cause]:
    return [
        wrong.forbidden(f"{path}.{part}", f"resource {part} cannot be removed")
        for part in ("requests", "limits")
        if set(old.get(part) or ()) - set(new.get(part) or ())
    ]


def _same_but_compute(container: JsonObject) -> JsonObject:
    return {**container, "resources": _without_compute(container.get("resources") or {})}


def _without_compute(resources: Mapping[str, JsonObject]) -> JsonObject:
    parts = {part: resources.get(part) or {} for part in ("requests", "limits")}
    return {part: {key: value for key, value in one.items() if key not in _COMPUTE} for part, one in parts.items()}
