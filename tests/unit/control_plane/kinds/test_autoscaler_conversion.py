"""HorizontalPodAutoscalers in v1 and v2: nothing is lost in between."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.autoscaler_conversion import AUTOSCALERS_V1
from fairlead_control_plane.kinds.builtin import builtin_resource

facts.definitions()  # read now, not within an example
_PREFIX = "autoscaling.alpha.kubernetes.io/"
_amounts = st.sampled_from(["1", "500m", "2Gi"])
_percent = st.integers(1, 500)
_names = st.sampled_from(["memory", "cpu", "x.io/gpu"])
_identity = st.fixed_dictionaries(
    {"name": st.sampled_from(["hits", "queue"])}, optional={"selector": st.just({"matchLabels": {"a": "b"}})}
)
_described = st.just({"kind": "Service", "name": "s", "apiVersion": "v1"})
_average = st.fixed_dictionaries({"type": st.just("AverageValue"), "averageValue": _amounts})
_value = st.fixed_dictionaries({"type": st.just("Value"), "value": _amounts})
_utilization = st.fixed_dictionaries({"type": st.just("Utilization"), "averageUtilization": _percent})


def _metric(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    name = kind[0].lower() + kind[1:]
    return st.fixed_dictionaries({"type": st.just(kind), name: st.fixed_dictionaries(fields)})


_metrics = st.one_of(
    _metric("Resource", name=_names, target=_average),
    _metric("Resource", name=st.just("memory"), target=_utilization),
    _metric("ContainerResource", name=_names, container=st.just("c"), target=st.one_of(_average, _utilization)),
    _metric("Pods", metric=_identity, target=_average),
    _metric("External", metric=_identity, target=st.one_of(_average, _value)),
    _metric("Object", describedObject=_described, metric=_identity, target=st.one_of(_average, _value)),
)
_rules = st.fixed_dictionaries(
    {"selectPolicy": st.sampled_from(["Max", "Min"])},
    optional={
        "stabilizationWindowSeconds": st.integers(0, 300),
        "policies": st.just([{"type": "Pods", "value": 4, "periodSeconds": 15}]),
        "tolerance": st.just("100m"),
    },
)
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def _stored(spec: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    scaled = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 3}
    return {
        **head,
        "spec": scaled | spec,
        "status": {"currentReplicas": 1, "currentMetrics": None, "desiredReplicas": 2},
    }


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_metrics, max_size=3),
    st.booleans(),
    st.none() | st.fixed_dictionaries({}, optional={"scaleUp": _rules, "scaleDown": _rules}),
)
def test_nothing_is_lost(metrics: list[Any], has_cpu: bool, behavior: dict[str, Any] | None) -> None:
    """What is shown in v1 and written back is the same v2 object; of CPU utilization v1 knows the first place only."""
    spec: dict[str, Any] = {"metrics": [*metrics, _CPU] if has_cpu or not metrics else metrics}
    if behavior:
        spec["behavior"] = behavior
    stored = _stored(spec)
    assert AUTOSCALERS_V1.to_storage(AUTOSCALERS_V1.from_storage(stored)) == stored


def test_status_is_carried_too() -> None:
    """Conditions and what was measured come back, the utilization also as v1's own field."""
    current = {"averageValue": "1", "averageUtilization": 40}
    status = {
        "currentReplicas": 1,
        "desiredReplicas": 1,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": current}}],
        "conditions": [{"type": "AbleToScale", "status": "True", "lastTransitionTime": None}],
    }
    stored = {**_stored({"metrics": [_CPU]}), "status": status}
    shown = AUTOSCALERS_V1.from_storage(stored)
    assert shown["status"]["currentCPUUtilizationPercentage"] == 40
    assert AUTOSCALERS_V1.to_storage(shown) == stored


def test_v1_as_kubernetes_writes_it() -> None:
    """The annotations hold v1's own form of metrics, and behavior as Go prints its struct."""
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1"}},
    }
    spec = {"metrics": [_CPU, memory], "behavior": {"scaleDown": {"selectPolicy": "Max"}}}
    shown = AUTOSCALERS_V1.from_storage(_stored(spec))
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 50
    assert json.loads(shown["metadata"]["annotations"][f"{_PREFIX}metrics"]) == [
        {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1"}}
    ]
    assert shown["metadata"]["annotations"][f"{_PREFIX}behavior"] == (
        '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Max","Policies":null,'
        '"Tolerance":null}}'
    )


def test_unreadable_annotations_are_dropped() -> None:
    """What cannot be read counts as not there; a v1 object that says nothing of metrics has the default."""
    for text in ("{", "[1]", '[{"type":7}]', '[{"type":"Pods","pods":5}]'):
        obj = _stored({})
        obj["metadata"]["annotations"] = {f"{_PREFIX}metrics": text, "a": "b"}
        stored = AUTOSCALERS_V1.to_storage(obj)
        target = stored["spec"]["metrics"][0]["resource"]["target"]
        assert target == {"type": "Utilization", "averageUtilization": 80}
        assert stored["metadata"]["annotations"] == {"a": "b"}


def test_both_versions_are_one_resource() -> None:
    """V2 is stored and preferred; v1 is served beside it."""
    found = builtin_resource("autoscaling", "horizontalpodautoscalers")
    assert found is not None
    assert [(one.name, one.storage, one.served) for one in found.versions] == [("v2", True, True), ("v1", False, True)]
