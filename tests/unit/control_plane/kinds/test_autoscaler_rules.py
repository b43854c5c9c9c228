"""What HorizontalPodAutoscalers may say, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.shape import normalise
from tests.unit.control_plane.kinds.making import changed, new, wrong_change, wrong_with

_TARGET: JsonObject = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def _made(**spec: Any) -> JsonObject:
    return new("autoscaling", "horizontalpodautoscalers", {"maxReplicas": 3, "scaleTargetRef": _TARGET, **spec})


def _wrong(obj: JsonObject) -> list[tuple[str, str]]:
    return [(field, message) for field, _, message in wrong_with("autoscaling", "horizontalpodautoscalers", obj)]


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({}, []),
        ({"scaleTargetRef": {"kind": "ReplicationController", "name": "web", "apiVersion": "v1"}}, []),
        (
            {"scaleTargetRef": {**_TARGET, "apiVersion": "v1"}},
            [("spec.scaleTargetRef.apiVersion", 'Invalid value: "v1": apiVersion must specify API group')],
        ),
        (
            {"minReplicas": 0, "maxReplicas": -1},
            [
                ("spec.minReplicas", "Invalid value: 0: must be greater than or equal to 1"),
                ("spec.maxReplicas", "Invalid value: -1: must be greater than or equal to 1"),
                ("spec.maxReplicas", "Invalid value: -1: must be greater than or equal to `minReplicas`"),
                (
                    "spec.metrics",
                    "Forbidden: must specify at least one Object or External metric to support scaling "
                    "to zero replicas",
                ),
            ],
        ),
        (
            {"metrics": [{"type": "Pods", "resource": {"name": "", "target": {"type": "Some"}}}]},
            [
                ("spec.metrics[0].resource.name", "Required value: must specify a resource name"),
                (
                    "spec.metrics[0].resource.target.type",
                    'Invalid value: "Some": must be either Utilization, Value, or AverageValue',
                ),
                (
                    "spec.metrics[0].resource.target.averageUtilization",
                    "Required value: must set either a target raw value or a target utilization",
                ),
                ("spec.metrics[0].pods", "Required value: must populate information for the given metric source"),
            ],
        ),
        (
            {"behavior": {"scaleDown": {"policies": [{"type": "Other", "value": 0, "periodSeconds": 9999}]}}},
            [
                (
                    "spec.behavior.scaleDown.policies[0].type",
                    'Unsupported value: "Other": supported values: "Percent", "Pods"',
                ),
                ("spec.behavior.scaleDown.policies[0].value", "Invalid value: 0: must be greater than zero"),
                (
                    "spec.behavior.scaleDown.policies[0].periodSeconds",
                    "Invalid value: 9999: must be less than or equal to 1800",
                ),
            ],
        ),
        (
            {"behavior": {"scaleUp": {"policies": [], "tolerance": "-1"}}},
            [
                ("spec.behavior.scaleUp.policies", "Required value: must specify at least one Policy"),
                ("spec.behavior.scaleUp.tolerance", 'Invalid value: "-1": must be greater than or equal to 0'),
            ],
        ),
    ],
)
def test_specs_are_refused(spec: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Field and message of each cause."""
    assert _wrong(_made(**spec)) == causes


def test_what_was_there_before_the_rule_may_stay() -> None:
    """A target without a group, as long as it is the same."""
    old = _made(scaleTargetRef={**_TARGET, "apiVersion": "v1"})
    obj = changed("autoscaling", "horizontalpodautoscalers", old, {"maxReplicas": 4})
    assert wrong_change("autoscaling", "horizontalpodautoscalers", obj, old) == []


def test_no_policies_are_not_the_default_ones() -> None:
    """An empty list stays one as a body is read, so that no default replaces it."""
    obj = _made(behavior={"scaleDown": {"policies": []}})
    normalise(obj)
    assert obj["spec"]["behavior"]["scaleDown"]["policies"] == []
    assert _wrong(obj) == [
        ("spec.behavior.scaleDown.policies", "Required value: must specify at least one Policy"),
    ]
