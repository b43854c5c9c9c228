"""
HorizontalPodAutoscalers, in the shape of ``autoscaling/v2``, in which they are stored.

Source: k8s.io/kubernetes/pkg/apis/autoscaling/{v2/defaults.go,validation/validation.go},
pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.counts import counted, status_of
from fairlead_control_plane.kinds.strategies.generic import zero_status
from fairlead_control_plane.kinds.strategies.metadata import NEGATIVE
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of, container_resource_name

_DEFAULT_UTILIZATION = 80
_MAX_PERIOD_S, _MAX_WINDOW_S = 1800, 3600
_SELECT_POLICIES = ("Disabled", "Max", "Min")
_POLICY_TYPES = ("Percent", "Pods")
# By type, the field that tells of it, in the order in which Kubernetes looks at them.
_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_SOURCE_TYPES = sorted(_SOURCES)
_TARGET_TYPES = ("Utilization", "Value", "AverageValue")
_OF_RESOURCES = ("resource", "containerResource")


def _default(spec: JsonObject) -> None:
    if not spec.get("metrics"):
        target: dict[str, Any] = {"type": "Utilization", "averageUtilization": _DEFAULT_UTILIZATION}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    up = behavior.get("scaleUp") or {}
    up.setdefault("stabilizationWindowSeconds", 0)
    up.setdefault("selectPolicy", "Max")
    up.setdefault("policies", [{"type": "Pods", "value": 4, "periodSeconds": 15}, dict(percent)])
    down = behavior.get("scaleDown") or {}
    down.setdefault("selectPolicy", "Max")
    down.setdefault("policies", [percent])
    behavior["scaleUp"], behavior["scaleDown"] = up, down


def _prepare(obj: JsonObject) -> None:
    _default(obj.setdefault("spec", {}))
    normalise(obj)


def _create(obj: JsonObject) -> None:
    _prepare(obj)
    obj["status"] = zero_status(obj)
    obj["status"].setdefault("currentMetrics", None)


def _prepare_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Let a status always name what is measured, be it nothing."""
    del old, writer
    new.setdefault("status", {}).setdefault("currentMetrics", None)


def _validate(obj: JsonObject) -> list[Cause]:
    return _spec(obj.get("spec") or {}, None)


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    return _spec(new.get("spec") or {}, old.get("spec") or {})


def _spec(spec: JsonObject, before: JsonObject | None) -> list[Cause]:
    least, most, at = spec.get("minReplicas"), spec.get("maxReplicas") or 0, "spec.maxReplicas"
    # Scaling to nothing is a feature that is off, but for those that have it.
    lowest = 0 if (before or {}).get("minReplicas") == 0 else 1
    causes: list[Cause] = []
    if least is not None and least < lowest:
        causes.append(wrong.invalid("spec.minReplicas", least, f"must be greater than or equal to {lowest}"))
    if most == 0:
        causes.append(wrong.required(at, "must be set and greater than 0"))
    elif most < 0:
        causes.append(wrong.invalid(at, most, "must be greater than or equal to 1"))
    if least is not None and most < least:
        causes.append(wrong.invalid(at, most, "must be greater than or equal to `minReplicas`"))
    target, was = spec.get("scaleTargetRef") or {}, (before or {}).get("scaleTargetRef")
    is_known = was is not None and all(was.get(key) == target.get(key) for key in ("apiVersion", "kind"))
    needs_group = target.get("kind") != "ReplicationController"
    causes += _reference(target, "spec.scaleTargetRef", needs_group=needs_group, is_known=is_known)
    causes += _metrics(spec.get("metrics") or (), (before or {}).get("metrics") or (), least)
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules is not None:
            causes += _rules(rules, f"spec.behavior.{direction}")
    return causes


def _reference(reference: JsonObject, path: str, *, needs_group: bool, is_known: bool) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if value:
            causes += [wrong.invalid(f"{path}.{field}", value, text) for text in validation.path_segment_name(value)]
        else:
            causes.append(wrong.required(f"{path}.{field}"))
    version = reference.get("apiVersion") or ""
    problem = "" if is_known else _version_problem(version, needs_group=needs_group)
    return [*causes, wrong.invalid(f"{path}.apiVersion", version, problem)] if problem else causes


def _version_problem(version: str, *, needs_group: bool) -> str:
    if version.count("/") > 1:
        return f"unexpected GroupVersion string: {version}"
    has_group = version not in {"", "/"} and bool(version.rpartition("/")[0])
    return "apiVersion must specify API group" if needs_group and not has_group else ""


def _metrics(metrics: Sequence[JsonObject], before: Sequence[JsonObject], least: int | None) -> list[Cause]:
    objects = [metric["object"] for metric in before if metric.get("type") == "Object" and metric.get("object")]
    versions = [(one.get("describedObject") or {}).get("apiVersion") or "" for one in objects]
    is_known = any(_version_problem(version, needs_group=False) for version in versions)
    causes: list[Cause] = []
    for index, metric in enumerate(metrics):
        causes += _metric(metric, f"spec.metrics[{index}]", is_known=is_known)
    if least == 0 and not any(metric.get("type") in {"Object", "External"} for metric in metrics):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(wrong.forbidden("spec.metrics", text))
    return causes


def _metric(metric: JsonObject, path: str, *, is_known: bool) -> list[Cause]:
    kind = metric.get("type") or ""
    causes: list[Cause] = []
    if not kind:
        causes.append(wrong.required(f"{path}.type", "must specify a metric source type"))
    present = [field for field in _SOURCES.values() if metric.get(field) is not None]
    if present:
        first = present[0]
        causes += _source(first, metric[first], f"{path}.{first}", is_known=is_known)
    expected = _SOURCES.get(kind, "")
    if not expected:
        causes.append(wrong.not_supported(f"{path}.type", kind, _SOURCE_TYPES))
    elif expected not in present:
        text = "must populate information for the given metric source"
        causes.append(wrong.required(f"{path}.{expected}", text))
    if len(present) != 1:
        text = "must populate the given metric source only"
        causes += [wrong.forbidden(f"{path}.{field}", text) for field in present if field != expected]
    return causes


def _source(kind: str, source: JsonObject, path: str, *, is_known: bool) -> list[Cause]:
    causes: list[Cause] = []
    if kind == "object":
        at = f"{path}.describedObject"
        causes += _reference(source.get("describedObject") or {}, at, needs_group=False, is_known=is_known)
    if kind in _OF_RESOURCES:
        causes += _resource(kind, source, path)
    else:
        name, at = (source.get("metric") or {}).get("name") or "", f"{path}.metric.name"
        texts = validation.path_segment_name(name)
        causes += [wrong.invalid(at, name, text) for text in texts]
        causes += [] if name else [wrong.required(at, "must specify a metric name")]
    target, at = source.get("target") or {}, f"{path}.target"
    return causes + _target(target, at) + _amounts(kind, target, at)


def _resource(kind: str, source: JsonObject, path: str) -> list[Cause]:
    name, container = source.get("name") or "", source.get("container") or ""
    causes = [] if name else [wrong.required(f"{path}.name", "must specify a resource name")]
    if kind == "resource":
        return causes
    causes += container_resource_name(name, f"{path}.name") if name else []
    if not container:
        return [*causes, wrong.required(f"{path}.container", "must specify a container")]
    return causes + [
        wrong.invalid(f"{path}.container", container, text) for text in validation.dns1123_label(container)
    ]


def _target(target: JsonObject, path: str) -> list[Cause]:
    kind = target.get("type") or ""
    causes = [] if kind else [wrong.required(f"{path}.type", "must specify a metric target type")]
    if kind not in _TARGET_TYPES:
        causes.append(wrong.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        amount = amount_of(target[field]) if target.get(field) is not None else None
        if amount is not None and amount <= ZERO:
            causes.append(wrong.invalid(f"{path}.{field}", str(amount), "must be positive"))
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        causes.append(wrong.invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))
    return causes


_MISSING: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "object": (("value", "averageValue"), "averageValue", "must set either a target value or averageValue"),
    "external": (
        ("value", "averageValue"),
        "averageValue",
        "must set either a target value for metric or a per-pod target",
    ),
    "pods": (("averageValue",), "averageValue", "must specify a positive target averageValue"),
    "resource": (
        ("averageUtilization", "averageValue"),
        "averageUtilization",
        "must set either a target raw value or a target utilization",
    ),
}
"""By source: fields of which one must be there, which of them is told of, and how."""
_DOUBLE: Mapping[str, tuple[tuple[str, str], str, str]] = {
    "external": (
        ("value", "averageValue"),
        "value",
        "may not set both a target value for metric and a per-pod target",
    ),
    "resource": (
        ("averageUtilization", "averageValue"),
        "averageValue",
        "may not set both a target raw value and a target utilization",
    ),
}
"""By source: fields that may not be there both, which of them is told of, and how."""


def _amounts(kind: str, target: JsonObject, path: str) -> list[Cause]:
    kind = "resource" if kind == "containerResource" else kind
    causes: list[Cause] = []
    fields, told, text = _MISSING[kind]
    if all(target.get(field) is None for field in fields):
        causes.append(wrong.required(f"{path}.{told}", text))
    if kind in _DOUBLE:
        both, told, text = _DOUBLE[kind]
        if all(target.get(field) is not None for field in both):
            causes.append(wrong.forbidden(f"{path}.{told}", text))
    return causes


def _rules(rules: JsonObject, path: str) -> list[Cause]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    causes: list[Cause] = []
    at = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        causes.append(wrong.invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW_S:
        causes.append(wrong.invalid(at, window, f"must be less than or equal to {_MAX_WINDOW_S}"))
    if select is not None and select not in _SELECT_POLICIES:
        causes.append(wrong.not_supported(f"{path}.selectPolicy", select, _SELECT_POLICIES))
    policies = rules.get("policies") or ()
    if not policies:
        causes.append(wrong.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        causes += _policy(policy, f"{path}.policies[{index}]")
    tolerance = amount_of(rules["tolerance"]) if rules.get("tolerance") is not None else None
    if tolerance is not None and tolerance < ZERO:
        causes.append(wrong.invalid(f"{path}.tolerance", str(tolerance), NEGATIVE))
    return causes


def _policy(policy: JsonObject, path: str) -> list[Cause]:
    kind, period = policy.get("type") or "", policy.get("periodSeconds") or 0
    causes = [] if kind in _POLICY_TYPES else [wrong.not_supported(f"{path}.type", kind, _POLICY_TYPES)]
    causes += [
        wrong.invalid(f"{path}.{field}", number, "must be greater than zero")
        for field in ("value", "periodSeconds")
        if (number := policy.get(field) or 0) <= 0
    ]
    if period > _MAX_PERIOD_S:
        causes.append(wrong.invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD_S}"))
    return causes


AUTOSCALER = Strategy(
    prepare_create=_create,
    prepare_update=lambda new, old: _prepare(new),
    validate=_validate,
    validate_change=_change,
    subresources=status_of(counted(("currentReplicas", "desiredReplicas")), _prepare_status),
)
