"""
HorizontalPodAutoscalers in ``autoscaling/v1``: stored as v2, whose other metrics v1 carries in annotations.

Source: k8s.io/kubernetes/pkg/apis/autoscaling/v1/conversion.go, pkg/apis/autoscaling/helpers.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Conversion
from fairlead_control_plane.kinds.schemas import builtin_schema

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
_CONDITIONS, _BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
_CARRIERS = frozenset(
    {_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR, f"{_PREFIX}scale-down-tolerance", f"{_PREFIX}scale-up-tolerance"}
)
_SOURCES = ("object", "pods", "resource", "containerResource", "external")
_DEFAULT_UTILIZATION = 80
_GO_RULES = {name.lower(): name for name in ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")}
_GO_POLICY = {name.lower(): name for name in ("type", "value", "periodSeconds")}
_CONDITION_FIELDS = ("type", "status", "lastTransitionTime", "reason", "message")
_ESCAPED = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})
_V2 = "io.k8s.api.autoscaling.v2."


def _to_storage(obj: JsonObject) -> JsonObject:
    metadata = dict(obj.get("metadata") or {})
    notes = metadata.get("annotations") or {}
    kept = {key: value for key, value in notes.items() if key not in _CARRIERS}
    if kept != notes:
        metadata["annotations"] = kept
        if not kept:
            del metadata["annotations"]
    new = {**obj, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": _spec_to_storage(obj, notes)}
    if "status" in obj:
        new["status"] = _status_to_storage(obj["status"] or {}, notes)
    return new


def _spec_to_storage(obj: JsonObject, notes: Mapping[str, str]) -> JsonObject:
    spec = dict(obj.get("spec") or {})
    percentage = spec.pop("targetCPUUtilizationPercentage", None)
    metrics = _read(notes, _METRICS, lambda one: _metric(one, _spec_source, "target"), "MetricSpec") or []
    if percentage is not None or not metrics:
        wanted = _DEFAULT_UTILIZATION if percentage is None else percentage
        target = {"type": "Utilization", "averageUtilization": wanted}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    spec["metrics"] = metrics
    behavior = _behavior(notes.get(_BEHAVIOR, ""))
    if behavior:
        spec["behavior"] = behavior
    return spec


def _status_to_storage(status: JsonObject, notes: Mapping[str, str]) -> JsonObject:
    new = dict(status)
    percentage = new.pop("currentCPUUtilizationPercentage", None)
    if percentage is not None:
        current = {"averageUtilization": percentage}
        new["currentMetrics"] = [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    noted = _read(notes, _CURRENT, lambda one: _metric(one, _status_source, "current"), "MetricStatus")
    if noted is not None:
        new["currentMetrics"] = noted
    conditions = _read(notes, _CONDITIONS, dict, "HorizontalPodAutoscalerCondition")
    if conditions is not None:
        new["conditions"] = conditions
    new.setdefault("currentMetrics", None)  # as Go writes it, who never leaves it out
    return new


def _read(
    notes: Mapping[str, str], key: str, convert: Callable[[JsonObject], JsonObject], kind: str
) -> list[JsonObject] | None:
    """Return what an annotation carries, converted; None when it is missing or cannot be read, as in Kubernetes."""
    try:
        carried = orjson.loads(notes.get(key, ""))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(carried, list) or not all(isinstance(one, dict) for one in carried):
        return None
    if any(not isinstance(one.get(name, {}), dict) for one in carried for name in _SOURCES):
        return None
    found = [convert(one) for one in carried]
    schema = builtin_schema(_V2 + kind)()
    return None if any(schema.typed_errors(one) for one in found) else found


def _metric(one: JsonObject, source: Callable[[str, JsonObject], JsonObject], amount: str) -> JsonObject:
    found: JsonObject = {"type": one.get("type", "")}
    for name in _SOURCES:
        if one.get(name) is not None:
            found[name] = _whole(source(name, one[name]), amount)
    return found


def _whole(source: JsonObject, amount: str) -> JsonObject:
    """Leave out what is not set."""
    source[amount] = {key: value for key, value in source[amount].items() if value is not None}
    return source


def _spec_source(name: str, one: JsonObject) -> JsonObject:
    if name in {"resource", "containerResource"}:
        utilization, average = one.get("targetAverageUtilization"), one.get("targetAverageValue")
        kind = "AverageValue" if utilization is None else "Utilization"
        target = {"type": kind, "averageValue": average, "averageUtilization": utilization}
        return {**_named(name, one), "target": target}
    if name == "pods":
        target = {"type": "AverageValue", "averageValue": one.get("targetAverageValue", "0")}
    elif name == "external":
        value, average = one.get("targetValue"), one.get("targetAverageValue")
        target = {"type": "AverageValue" if value is None else "Value", "value": value, "averageValue": average}
    else:
        value, average = one.get("targetValue", "0"), one.get("averageValue")
        if average is not None and str(value) == "0":
            value = None
        target = {"type": "Value" if average is None else "AverageValue", "value": value, "averageValue": average}
    return {**_named(name, one), "target": target}


def _status_source(name: str, one: JsonObject) -> JsonObject:
    if name in {"resource", "containerResource"}:
        average = one.get("currentAverageValue", "0")
        current = {"averageValue": average, "averageUtilization": one.get("currentAverageUtilization")}
    elif name == "pods":
        current = {"averageValue": one.get("currentAverageValue", "0")}
    else:
        average = one.get("currentAverageValue" if name == "external" else "averageValue")
        current = {"value": one.get("currentValue", "0"), "averageValue": average}
    return {**_named(name, one), "current": current}


def _named(name: str, one: JsonObject) -> JsonObject:
    """Return what a v2 source is about, made of a v1 source."""
    if name == "resource":
        return {"name": one.get("name", "")}
    if name == "containerResource":
        return {"name": one.get("name", ""), "container": one.get("container", "")}
    metric: JsonObject = {"name": one.get("metricName", "")}
    selector = one.get("metricSelector" if name == "external" else "selector")
    if selector is not None:
        metric["selector"] = selector
    if name == "object":
        return {"describedObject": one.get("target") or {}, "metric": metric}
    return {"metric": metric}


def _behavior(text: str) -> JsonObject | None:
    """Read a behavior, which is carried with the names its Go fields have."""
    try:
        carried = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(carried, dict):
        return None
    found: JsonObject = {}
    for key, rules in carried.items():
        direction = {"scaleup": "scaleUp", "scaledown": "scaleDown"}.get(key.lower())
        if direction is None or rules is None:
            continue
        if not isinstance(rules, dict):
            return None
        found[direction] = _renamed(rules, _GO_RULES)
        policies = found[direction].get("policies")
        if isinstance(policies, list):
            named = [_renamed(one, _GO_POLICY) if isinstance(one, dict) else one for one in policies]
            found[direction]["policies"] = named
    problem = builtin_schema(f"{_V2}HorizontalPodAutoscalerBehavior")().typed_errors(found)
    return None if problem else found


def _renamed(value: JsonObject, names: Mapping[str, str]) -> JsonObject:
    return {names[key.lower()]: item for key, item in value.items() if item is not None and key.lower() in names}


def _from_storage(obj: JsonObject) -> JsonObject:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metrics, behavior = spec.pop("metrics", None) or [], spec.pop("behavior", None)
    current, conditions = status.pop("currentMetrics", None) or [], status.pop("conditions", None)
    cpu = [one["resource"]["target"] for one in metrics if _is_cpu_utilization(one)]
    if cpu:
        spec["targetCPUUtilizationPercentage"] = cpu[0]["averageUtilization"]
    for one in current:
        resource = one.get("resource") or {}
        utilization = (resource.get("current") or {}).get("averageUtilization")
        if one.get("type") == "Resource" and resource.get("name") == "cpu" and utilization is not None:
            status["currentCPUUtilizationPercentage"] = utilization
    carried = {
        _METRICS: [_as_v1(one, "target") for one in metrics if not _is_cpu_utilization(one)],
        _CURRENT: [_as_v1(one, "current") for one in current],
        _BEHAVIOR: _as_go(behavior) if behavior is not None else None,
        _CONDITIONS: [_in_order(one) for one in conditions or ()],
    }
    metadata = dict(obj["metadata"])
    notes = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in _CARRIERS}
    notes |= {key: _go_json(value) for key, value in carried.items() if value}
    metadata.pop("annotations", None)
    if notes:
        metadata["annotations"] = notes
    counted = {"currentReplicas": 0, "desiredReplicas": 0}
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": {**counted, **status}}


def _is_cpu_utilization(metric: JsonObject) -> bool:
    resource = metric.get("resource") or {}
    utilization = (resource.get("target") or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and utilization is not None


def _as_v1(metric: JsonObject, amount: str) -> JsonObject:
    """Return a v1 metric with its fields in the order Go writes them."""
    found: JsonObject = {"type": metric.get("type", "")}
    for name in _SOURCES:
        source = metric.get(name)
        if source is not None:
            fields = _v1_fields(name, source, source.get(amount) or {}, amount)
            found[name] = {key: value for key, value in fields.items() if value is not None}
    return found


def _v1_fields(name: str, source: JsonObject, given: JsonObject, amount: str) -> JsonObject:
    is_target = amount == "target"
    average, value = given.get("averageValue"), given.get("value")
    if name in {"resource", "containerResource"}:
        found: JsonObject = {
            "name": source.get("name", ""),
            f"{amount}AverageUtilization": given.get("averageUtilization"),
            f"{amount}AverageValue": average if is_target else average or "0",
        }
        return {**found, "container": source.get("container", "")} if name == "containerResource" else found
    metric = source.get("metric") or {}
    named, selector = metric.get("name", ""), metric.get("selector")
    if name == "pods":
        return {"metricName": named, f"{amount}AverageValue": average or "0", "selector": selector}
    if name == "external":
        value = value if is_target else value or "0"
        found = {"metricName": named, "metricSelector": selector, f"{amount}Value": value}
        return {**found, f"{amount}AverageValue": average}
    return {
        "target": source.get("describedObject") or {},
        "metricName": named,
        f"{amount}Value": value or "0",
        "selector": selector,
        "averageValue": average,
    }


def _as_go(behavior: JsonObject) -> JsonObject:
    """Return a behavior as Go writes a struct without JSON names: every field, capitalised."""
    found: JsonObject = {}
    for direction in ("scaleUp", "scaleDown"):
        rules: Any = behavior.get(direction)
        if rules is not None:
            policies = rules.get("policies")
            if policies is not None:
                policies = [{_capital(name): one.get(name) for name in _GO_POLICY.values()} for one in policies]
            rules = {_capital(name): rules.get(name) for name in _GO_RULES.values()} | {"Policies": policies}
        found[_capital(direction)] = rules
    return found


def _in_order(condition: JsonObject) -> JsonObject:
    shown = {key: condition.get(key) for key in _CONDITION_FIELDS}
    return {key: value for key, value in shown.items() if value is not None or key == "lastTransitionTime"}


def _go_json(value: object) -> str:
    """Return JSON as Go writes it, who escapes what HTML might mistake."""
    return orjson.dumps(value).decode().translate(_ESCAPED)


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


AUTOSCALERS_V1 = Conversion(to_storage=_to_storage, from_storage=_from_storage, is_whole=True)
