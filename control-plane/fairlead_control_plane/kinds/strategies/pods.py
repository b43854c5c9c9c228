"""
Pods and PodTemplates.

Source: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go, pkg/apis/core/v1/helper/qos, ValidatePodUpdate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import QuantityError, parse
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.pod_defaults import default_pod, default_pod_spec
from fairlead_control_plane.kinds.strategies.pod_spec import validate_pod_spec, validate_template
from fairlead_control_plane.kinds.strategies.resources import ZERO

_FINISHED = {"Failed", "Succeeded"}
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONTAINER_LISTS = ("containers", "initContainers")


def quality_of_service(spec: JsonObject) -> str:
    """Return ``BestEffort``, ``Burstable`` or ``Guaranteed`` from the requests and limits of all containers."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    amounts = [container.get("resources") or {} for container in containers]
    if not any(_positive(one.get(part)) for one in amounts for part in ("requests", "limits")):
        return "BestEffort"
    for one in amounts:
        limits, requests = _positive(one.get("limits")), _positive(one.get("requests"))
        if set(limits) != {"cpu", "memory"} or any(requests.get(name) != limits[name] for name in requests):
            return "Burstable"
    return "Guaranteed"


def _positive(amounts: Mapping[str, str] | None) -> dict[str, Any]:
    found = {}
    for name, text in (amounts or {}).items():
        if name not in {"cpu", "memory"}:
            continue
        try:
            amount = parse(text)
        except QuantityError:
            continue
        if amount > ZERO:
            found[name] = amount
    return found


def _prepare_create(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    default_pod(spec)
    normalise(obj)
    status: JsonObject = {"phase": "Pending", "qosClass": quality_of_service(spec)}
    if spec.get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        status["conditions"] = [condition]
    obj["status"] = status


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    default_pod(new.setdefault("spec", {}))
    normalise(new)


def _prepare_status(obj: JsonObject) -> None:
    """Let the list of addresses follow the one that older kubelets know alone (conversion of PodStatus)."""
    status = obj.get("status") or {}
    address, listed = status.get("podIP"), status.get("podIPs")
    if address and (not listed or listed[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif listed and not address:
        status["podIP"] = listed[0].get("ip", "")


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    text = "must not have leading or trailing whitespace"
    spaced = [
        wrong.invalid(f"spec.{field}[{index}].image", container["image"], text)
        for field in _CONTAINER_LISTS
        for index, container in enumerate(spec.get(field) or ())
        if (container.get("image") or "") != (container.get("image") or "").strip()
    ]
    return validate_pod_spec(spec, metadata=obj.get("metadata") or {}) + spaced


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Allow the few changes a running pod can take."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if spec == before:
        return []
    causes: list[Cause] = []
    for field in _CONTAINER_LISTS:
        if len(spec.get(field) or ()) != len(before.get(field) or ()):
            return [*causes, wrong.forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    causes += _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    causes += _tolerations(spec, before)
    causes += _gates(spec, before)
    if _without_updatable(spec, before) != before:
        text = f"pod updates may not change fields other than {_UPDATABLE}\n{_difference(before, spec)}"
        causes.append(wrong.forbidden("spec", text))
    return causes


def _deadline(new: int | None, old: int | None) -> list[Cause]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        text = "must not update from a positive integer to nil value"
        return [] if old is None else [wrong.invalid(path, None, text)]
    if old is not None and old < new:
        return [wrong.invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations(spec: JsonObject, before: JsonObject) -> list[Cause]:
    kept = spec.get("tolerations") or []
    if all(any(_same_toleration(one, other) for other in kept) for one in before.get("tolerations") or ()):
        return []
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [wrong.forbidden("spec.tolerations", text)]


def _same_toleration(one: JsonObject, other: JsonObject) -> bool:
    return {**one, "tolerationSeconds": None} == {**other, "tolerationSeconds": None}


def _gates(spec: JsonObject, before: JsonObject) -> list[Cause]:
    old = {gate.get("name") for gate in before.get("schedulingGates") or ()}
    added = [gate.get("name") for gate in spec.get("schedulingGates") or () if gate.get("name") not in old]
    if not added:
        return []
    return [
        wrong.forbidden("spec.schedulingGates", f"only deletion is allowed, but found new scheduling gate '{added[0]}'")
    ]


def _without_updatable(spec: JsonObject, before: JsonObject) -> JsonObject:
    """Return ``spec`` with everything that may change put back to what it was."""
    munged = dict(spec)
    for field in _CONTAINER_LISTS:
        if spec.get(field):
            pairs = zip(spec[field], before[field], strict=True)
            munged[field] = [{**new, "image": old.get("image")} for new, old in pairs]
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        munged.pop(field, None)
        if field in before:
            munged[field] = before[field]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    if before.get("schedulingGates") and "nodeSelector" in spec:
        munged["nodeSelector"] = before.get("nodeSelector", spec["nodeSelector"])
    return munged


def _difference(old: JsonObject, new: JsonObject) -> str:
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    lines = [f"- {key}: {json.dumps(old.get(key))}\n+ {key}: {json.dumps(new.get(key))}" for key in keys]
    return "\n".join(lines)


def _graceful_s(obj: JsonObject, asked_s: int | None) -> int:
    spec = obj.get("spec") or {}
    period: int = asked_s if asked_s is not None else spec.get("terminationGracePeriodSeconds") or 0
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in _FINISHED:
        return 0
    # A negative period means: at once, but through the kubelet.
    return 1 if period < 0 else period


def _prepare_template(obj: JsonObject) -> None:
    default_pod_spec(obj.setdefault("template", {}).setdefault("spec", {}))
    normalise(obj)


POD = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    generation_of=lambda obj: obj.get("spec"),
    graceful_s=_graceful_s,
)
POD_TEMPLATE = Strategy(
    prepare_create=_prepare_template,
    prepare_update=lambda new, old: _prepare_template(new),
    validate=lambda obj: validate_template(obj.get("template") or {}, "template"),
    generation_of=lambda obj: obj.get("template"),
)
