"""
Nodes.

Source: k8s.io/kubernetes/pkg/registry/core/node/strategy.go, pkg/apis/core/validation (ValidateNode).
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.pod_spec import validate_network

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_KEPT = ("podCIDR", "podCIDRs", "providerID")
NOT_READY_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def _prepare_create(obj: JsonObject) -> None:
    normalise(obj)
    spec = obj.setdefault("spec", {})
    # As the admission plugin does: nothing is scheduled onto a node before it said it is ready.
    taints = spec.setdefault("taints", [])
    if not any(taint.get("key") == NOT_READY_TAINT["key"] for taint in taints):
        taints.append(dict(NOT_READY_TAINT))


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    normalise(new)


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(spec.get("taints") or ()):
        path, key, effect = f"metadata.taints[{index}]", taint.get("key", ""), taint.get("effect", "")
        causes += [wrong.invalid(f"{path}.key", key, text) for text in validation.label_key(key)]
        value = taint.get("value", "")
        messages = validation.label_value(value)
        causes += [wrong.invalid(f"{path}.value", value, ";".join(messages))] if messages else []
        if effect not in _EFFECTS:
            at = f"{path}.effect"
            causes.append(wrong.not_supported(at, effect, _EFFECTS) if effect else wrong.required(at))
        if (key, effect) in seen:
            causes.append(wrong.duplicate(path, taint))
        seen.add((key, effect))
    for index, text in enumerate(spec.get("podCIDRs") or ()):
        causes += validate_network(text, f"spec.podCIDRs[{index}]")
    return causes


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    changed = (field for field in _KEPT if before.get(field) and spec.get(field) != before[field])
    text = 'node updates may not change {} except from "" to valid'
    return [wrong.forbidden(f"spec.{field}", text.format(field)) for field in changed]


NODE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_update=_validate_update,
)
