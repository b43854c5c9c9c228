"""Cells of what looks after a cluster: admission, fairness, aggregation, autoscaling, devices, templates."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject
from fairlead_api.selectors import from_map
from fairlead_control_plane.kinds.printers.workloads import NONE, Cell, created, text

_UNSET = "<unset>"
_UNKNOWN = "<unknown>"
_AGE: Mapping[str, Cell] = {"Age": created}
_QUEUES = ("spec", "limited", "limitResponse", "queuing")


def _at(obj: JsonObject, *path: str) -> JsonObject:
    for step in path:
        obj = obj.get(step) or {}
    return obj


def _count(*path: str) -> Cell:
    """Return a number, ``<none>`` where there is none."""
    return lambda obj: _at(obj, *path[:-1]).get(path[-1], NONE)


def _reference(obj: JsonObject) -> str:
    target = _at(obj, "spec", "scaleTargetRef")
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _targets(obj: JsonObject) -> str:
    """Return each metric's present and wanted value; two are shown, the others counted."""
    metrics = _at(obj, "spec").get("metrics") or []
    current = _at(obj, "status").get("currentMetrics") or []
    if not metrics:
        return NONE
    shown = [_target(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(metrics)]
    more = len(shown) - 2
    return ", ".join(shown[:2]) + (f" + {more} more..." if more > 0 else "")


def _target(metric: JsonObject, current: JsonObject) -> str:
    kind = str(metric.get("type", ""))
    field = kind[:1].lower() + kind[1:]
    wanted, found = metric.get(field) or {}, _at(current, field, "current")
    target = wanted.get("target") or {}
    name = f"{wanted.get('name', '')}: " if kind in {"Resource", "ContainerResource"} else ""
    if target.get("averageUtilization") is not None:
        now = found.get("averageUtilization")
        return f"{name}{_UNKNOWN if now is None else f'{now}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        average = " (avg)" if kind not in {"Resource", "ContainerResource", "Pods"} else ""
        return f"{name}{found.get('averageValue', _UNKNOWN)}/{target['averageValue']}{average}"
    return f"{name}{found.get('value', _UNKNOWN)}/{target.get('value', _UNKNOWN)}"


def _parameters(obj: JsonObject) -> str:
    found = _at(obj, "spec").get("parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


def _parameter_kind(obj: JsonObject) -> str:
    found = _at(obj, "spec").get("paramKind")
    return _UNSET if found is None else f"{found.get('apiVersion', '')}/{found.get('kind', '')}"


def _parameter_reference(obj: JsonObject) -> str:
    found = _at(obj, "spec").get("paramRef")
    if found is None:
        return _UNSET
    if found.get("name"):
        return f"{found['namespace']}/{found['name']}" if found.get("namespace") else f"*/{found['name']}"
    return _UNSET if found.get("selector") is None else _label_selector(found["selector"])


def _label_selector(selector: JsonObject) -> str:
    """Return a label selector as Go's ``String`` of the type has it."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{rule.get('key', '')},Operator:{rule.get('operator', '')},"
        f"Values:[{' '.join(rule.get('values') or ())}],}},"
        for rule in selector.get("matchExpressions") or ()
    )
    parts = f"MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{rules}}},"
    return f"&LabelSelector{{{parts}}}"


def _parent(obj: JsonObject) -> str:
    """Return what an IPAddress belongs to, as resource, namespace and name."""
    found = _at(obj, "spec").get("parentRef")
    if found is None:
        return NONE
    group = f".{found['group']}" if found.get("group") else ""
    namespace = f"{found['namespace']}/" if found.get("namespace") else ""
    return f"{found.get('resource', '')}{group}".lower() + f"/{namespace}{found.get('name', '')}"


def _service(obj: JsonObject) -> str:
    found = _at(obj, "spec").get("service")
    return "Local" if found is None else f"{found.get('namespace', '')}/{found.get('name', '')}"


def _available(obj: JsonObject) -> str:
    for condition in _at(obj, "status").get("conditions") or ():
        if condition.get("type") == "Available":
            status = str(condition.get("status", ""))
            return status if status == "True" else f"{status} ({condition.get('reason', '')})"
    return "Unknown"


def _missing_level(obj: JsonObject) -> str:
    for condition in _at(obj, "status").get("conditions") or ():
        if condition.get("type") == "Dangling":
            return str(condition.get("status", ""))
    return "?"


def _containers(field: str) -> Cell:
    def cell(obj: JsonObject) -> object:
        return ",".join(one.get(field, "") for one in _at(obj, "template", "spec").get("containers") or ())

    return cell


def _claim_state(obj: JsonObject) -> str:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    if status.get("allocation") is None:
        return ",".join([*states, "pending"])
    return ",".join([*states, "allocated", *(["reserved"] if status.get("reservedFor") else [])])


_POLICY_BINDING: Mapping[str, Cell] = {
    **_AGE,
    "PolicyName": text("spec", "policyName", absent=""),
    "ParamRef": _parameter_reference,
}

CELLS: Mapping[tuple[str, str], Mapping[str, Cell]] = {
    ("", "podtemplates"): {
        "Containers": _containers("name"),
        "Images": _containers("image"),
        "Pod Labels": lambda obj: str(from_map(_at(obj, "template", "metadata", "labels"))) or NONE,
    },
    ("autoscaling", "horizontalpodautoscalers"): {
        **_AGE,
        "Reference": _reference,
        "Targets": _targets,
        "MinPods": lambda obj: str(_at(obj, "spec").get("minReplicas", _UNSET)),
        "MaxPods": lambda obj: _at(obj, "spec").get("maxReplicas") or 0,
        "Replicas": lambda obj: _at(obj, "status").get("currentReplicas") or 0,
    },
    ("networking.k8s.io", "ingressclasses"): {
        **_AGE,
        "Controller": text("spec", "controller", absent=""),
        "Parameters": _parameters,
    },
    ("networking.k8s.io", "ipaddresses"): {**_AGE, "ParentRef": _parent},
    ("networking.k8s.io", "servicecidrs"): {
        **_AGE,
        "CIDRs": lambda obj: ",".join(_at(obj, "spec").get("cidrs") or ()),
    },
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): {
        **_AGE,
        "Validations": lambda obj: len(_at(obj, "spec").get("validations") or ()),
        "ParamKind": _parameter_kind,
    },
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): _POLICY_BINDING,
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"): {
        **_AGE,
        "Mutations": lambda obj: len(_at(obj, "spec").get("mutations") or ()),
        "ParamKind": _parameter_kind,
    },
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"): _POLICY_BINDING,
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): {
        **_AGE,
        "PriorityLevel": text("spec", "priorityLevelConfiguration", "name", absent=""),
        "MatchingPrecedence": lambda obj: _at(obj, "spec").get("matchingPrecedence") or 0,
        "DistinguisherMethod": text("spec", "distinguisherMethod", "type", absent=NONE),
        "MissingPL": _missing_level,
    },
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): {
        **_AGE,
        "Type": text("spec", "type", absent=""),
        "NominalConcurrencyShares": _count("spec", "limited", "nominalConcurrencyShares"),
        "Queues": _count(*_QUEUES, "queues"),
        "HandSize": _count(*_QUEUES, "handSize"),
        "QueueLengthLimit": _count(*_QUEUES, "queueLengthLimit"),
    },
    ("apiregistration.k8s.io", "apiservices"): {**_AGE, "Service": _service, "Available": _available},
    ("storage.k8s.io", "volumeattributesclasses"): {**_AGE, "DriverName": text("driverName", absent="")},
    ("resource.k8s.io", "resourceclaims"): {**_AGE, "State": _claim_state},
    ("resource.k8s.io", "resourceslices"): {
        **_AGE,
        "Node": text("spec", "nodeName", absent=""),
        "Driver": text("spec", "driver", absent=""),
        "Pool": text("spec", "pool", "name", absent=""),
    },
}
"""Cells by column of each resource."""
