"""What workloads and their statuses may say, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from tests.unit.control_plane.kinds.making import (
    WRITER,
    changed,
    new,
    strategy_of,
    wrong_change,
    wrong_status,
    wrong_with,
)

_TEMPLATE: JsonObject = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web"}]},
}
_SELECTED: JsonObject = {"selector": {"matchLabels": {"app": "web"}}, "template": _TEMPLATE}
_GENERATION = "deprecated.daemonset.template.generation"
_TOO_MANY = "cannot be greater than status.replicas"


def _made(plural: str, **spec: Any) -> JsonObject:
    return new("apps", plural, {**_SELECTED, **spec})


@pytest.mark.parametrize(
    ("plural", "spec", "causes"),
    [
        (
            "daemonsets",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": "150%"}}},
            [
                ("spec.updateStrategy.rollingUpdate.maxSurge", 'Invalid value: "150%": must not be greater than 100%'),
                (
                    "spec.updateStrategy.rollingUpdate.maxSurge",
                    'Invalid value: "150%": may not be set when maxUnavailable is non-zero',
                ),
            ],
        ),
        (
            "daemonsets",
            {"updateStrategy": {"type": "Other"}},
            [
                (
                    "spec.updateStrategy",
                    'Unsupported value: {"Type":"Other","RollingUpdate":null}: '
                    'supported values: "RollingUpdate", "OnDelete"',
                )
            ],
        ),
        (
            "statefulsets",
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            [
                (
                    "spec.updateStrategy.rollingUpdate",
                    'Invalid value: {"Partition":1,"MaxUnavailable":null}: '
                    "only allowed for updateStrategy 'RollingUpdate'",
                )
            ],
        ),
        (
            "statefulsets",
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}, "ordinals": {"start": -1}},
            [
                (
                    "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
                    'Unsupported value: "Keep": supported values: "Retain", "Delete"',
                ),
                ("spec.ordinals.start", "Invalid value: -1: must be greater than or equal to 0"),
            ],
        ),
        (
            "statefulsets",
            {"volumeClaimTemplates": [{"metadata": {"name": "disk"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]},
            [("spec.volumeClaimTemplates[0].spec.resources[storage]", "Required value")],
        ),
    ],
)
def test_specs_are_refused(plural: str, spec: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Field and message of each cause."""
    found = wrong_with("apps", plural, _made(plural, **spec))
    assert [(field, message) for field, _, message in found] == causes


def test_claims_of_a_stateful_set_may_be_mounted() -> None:
    """Each becomes a volume of the pods."""
    claim = {
        "metadata": {"name": "disk"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    pods = {"containers": [{"name": "web", "image": "web", "volumeMounts": [{"name": "disk", "mountPath": "/a"}]}]}
    template = {**_TEMPLATE, "spec": pods}
    assert (
        wrong_with("apps", "statefulsets", _made("statefulsets", template=template, volumeClaimTemplates=[claim])) == []
    )


def test_little_of_a_stateful_set_changes() -> None:
    """The message lists what may."""
    old = _made("statefulsets", serviceName="one")
    obj = changed("apps", "statefulsets", old, {"serviceName": "two", "replicas": 3})
    ((field, reason, message),) = wrong_change("apps", "statefulsets", obj, old)
    assert (field, reason) == ("spec", "Forbidden")
    assert message.startswith("Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals'")


@pytest.mark.parametrize(
    ("group", "plural", "status", "causes"),
    [
        (
            "apps",
            "deployments",
            {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3},
            [
                ("status.readyReplicas", f"Invalid value: 2: {_TOO_MANY}"),
                ("status.availableReplicas", f"Invalid value: 3: {_TOO_MANY}"),
                ("status.availableReplicas", "Invalid value: 3: cannot be greater than readyReplicas"),
                ("status.collisionCount", "Invalid value: 0: cannot be decremented"),
            ],
        ),
        (
            "apps",
            "statefulsets",
            {"replicas": 2, "availableReplicas": 1, "collisionCount": 2},
            [("status.availableReplicas", "Invalid value: 1: cannot be greater than status.readyReplicas")],
        ),
        (
            "apps",
            "replicasets",
            {"fullyLabeledReplicas": 1, "terminatingReplicas": -1},
            [
                ("status.terminatingReplicas", "Invalid value: -1: must be greater than or equal to 0"),
                ("status.fullyLabeledReplicas", f"Invalid value: 1: {_TOO_MANY}"),
            ],
        ),
        (
            "apps",
            "daemonsets",
            {"numberReady": -1, "collisionCount": 1},
            [("status.numberReady", "Invalid value: -1: must be greater than or equal to 0")],
        ),
    ],
)
def test_statuses_are_refused(group: str, plural: str, status: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Parts are no more than the whole, and collisions only grow."""
    old = _made(plural)
    old["status"]["collisionCount"] = 1
    _, found = wrong_status(group, plural, old, status)
    assert [(field, message) for field, _, message in found] == causes


def test_the_changes_of_a_daemon_sets_template_are_counted() -> None:
    """Whatever clients send; a status leaves the count alone."""
    first = _made("daemonsets")
    assert first["metadata"]["annotations"] == {_GENERATION: "1"}
    other = {**_TEMPLATE, "spec": {"containers": [{"name": "web", "image": "web:2"}]}}
    second = changed("apps", "daemonsets", first, {"template": other})
    assert second["metadata"]["annotations"] == {_GENERATION: "2"}
    second["metadata"]["annotations"][_GENERATION] = "9"
    third = changed("apps", "daemonsets", {**second, "metadata": {**second["metadata"]}}, {"minReadySeconds": 1})
    assert third["metadata"]["annotations"] == {_GENERATION: "9"}
    part = strategy_of("apps", "daemonsets").subresources["status"]
    assert part.prepare is not None
    sent = {**third, "metadata": {"name": "it"}}
    part.prepare(sent, third, WRITER)
    assert sent["metadata"]["annotations"] == {_GENERATION: "9"}


def test_a_replication_controller_needs_what_it_makes() -> None:
    """A template, and a selector that the template may give."""
    bare = new("", "replicationcontrollers", {"selector": {"a": "b"}})
    assert [(field, reason) for field, reason, _ in wrong_with("", "replicationcontrollers", bare)] == [
        ("spec.template", "Required")
    ]
    made = new("", "replicationcontrollers", {"template": _TEMPLATE})
    assert (made["spec"]["selector"], made["metadata"]["labels"]) == ({"app": "web"}, {"app": "web"})
    assert wrong_with("", "replicationcontrollers", made) == []


def test_a_revisions_data_is_an_object_that_stays() -> None:
    """Its number may change."""
    old = new("apps", "controllerrevisions", {}, data={"a": 1}, revision=1)
    assert wrong_with("apps", "controllerrevisions", {**old, "data": [1]}) == [
        ("data", "Required", "Required value: data must be a valid JSON object")
    ]
    assert wrong_change("apps", "controllerrevisions", {**old, "revision": 2}, old) == []
    assert wrong_change("apps", "controllerrevisions", {**old, "data": {"a": 2}}, old) == [
        ("data", "Invalid", 'Invalid value: {"a":2}: field is immutable')
    ]


def test_budgets_say_one_thing() -> None:
    """Both amounts are refused, shown as Go holds them."""
    spec = {"minAvailable": 1, "maxUnavailable": "101%", "selector": {"matchLabels": {"a": "b"}}}
    found = wrong_with("policy", "poddisruptionbudgets", new("policy", "poddisruptionbudgets", spec))
    parts = '"MinAvailable":1,"Selector":{"matchLabels":{"a":"b"}},"MaxUnavailable":"101%"'
    shown = f'{{{parts},"UnhealthyPodEvictionPolicy":null}}'
    assert found == [
        ("spec", "Invalid", f"Invalid value: {shown}: minAvailable and maxUnavailable cannot be both set"),
        ("spec.maxUnavailable", "Invalid", 'Invalid value: "101%": must not be greater than 100%'),
    ]


def test_conditions_of_a_budget_are_whole() -> None:
    """Each says since when and why."""
    old = new("policy", "poddisruptionbudgets", {"minAvailable": 1})
    _, found = wrong_status("policy", "poddisruptionbudgets", old, {"conditions": [{"type": "A", "status": "true"}]})
    assert [(field.rpartition(".")[2], reason) for field, reason, _ in found] == [
        ("status", "NotSupported"),
        ("lastTransitionTime", "Required"),
        ("reason", "Required"),
    ]


def test_names_are_as_free_as_kubernetes_has_them() -> None:
    """Pods of a StatefulSet are hosts of its name; a budget's name only has to fit into a path."""
    of_set = strategy_of("apps", "statefulsets").validate_name
    of_budget = strategy_of("policy", "poddisruptionbudgets").validate_name
    assert of_set is not None
    assert of_budget is not None
    assert of_set("a.b") == ["must not contain dots"]
    assert of_budget("Bad_Name") == []
    assert of_budget("a/b") == ["may not contain '/'"]
