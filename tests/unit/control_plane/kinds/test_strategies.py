from __future__ import annotations

from typing import Any

import pytest

from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.resources import quality_of_service


def _strategy(group: str, plural: str) -> Strategy:
    found = builtin_resource(group, plural)
    assert found is not None
    return found.strategy


@pytest.mark.parametrize(
    ("pod", "asked", "seconds"),
    [
        ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}}, None, 30),
        ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}}, 5, 5),
        ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}}, 0, 0),
        ({"spec": {"terminationGracePeriodSeconds": 30}}, None, 0),
        ({"spec": {"nodeName": "n"}, "status": {"phase": "Failed"}}, 9, 0),
        ({"spec": {"nodeName": "n"}}, -1, 1),
    ],
)
def test_only_scheduled_running_pods_wait_for_their_kubelet(
    pod: dict[str, Any], asked: int | None, seconds: int
) -> None:
    """A pod that no kubelet runs goes at once."""
    graceful = _strategy("", "pods").graceful_s
    assert graceful is not None
    assert graceful(pod, asked) == seconds


@pytest.mark.parametrize(
    ("resources", "class_"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1000m", "memory": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, "Burstable"),
        ({"limits": {"cpu": "0"}}, "BestEffort"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(resources: dict[str, Any], class_: str) -> None:
    """Guaranteed needs cpu and memory limits that equal the requests."""
    assert quality_of_service({"containers": [{"resources": resources}]}) == class_


def test_a_deployments_generation_counts_spec_and_annotations() -> None:
    """Labels and status leave it alone."""
    generation_of = _strategy("apps", "deployments").generation_of
    assert generation_of is not None
    base = {"metadata": {}, "spec": {"replicas": 1}}
    assert generation_of({**base, "metadata": {"labels": {"a": "b"}}, "status": {}}) == generation_of(base)
    assert generation_of({**base, "metadata": {"annotations": {"a": "b"}}}) != generation_of(base)
    assert generation_of({**base, "spec": {"replicas": 2}}) != generation_of(base)


def test_a_services_address_survives_an_update_that_leaves_it_out() -> None:
    """Replacing and applying the original manifest keeps what was given out."""
    settle = _strategy("", "services").settle
    assert settle is not None
    old: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"],
                 "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]},
    }  # fmt: skip
    new = {**old, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    settle(new, old)
    assert new["spec"]["clusterIP"] == "10.0.0.7"
    assert new["spec"]["ports"][0]["nodePort"] == 30001


def test_a_service_that_stops_needing_node_ports_gives_them_back() -> None:
    """A change to ClusterIP drops node ports and traffic policy instead of being refused for them."""
    strategy = _strategy("", "services")
    assert strategy.prepare_update is not None
    assert strategy.validate is not None
    spec: dict[str, Any] = {"type": "NodePort", "externalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]}  # fmt: skip
    old: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
    new = {**old, "spec": {**spec, "type": "ClusterIP", "ports": [dict(spec["ports"][0])]}}
    strategy.prepare_update(new, old)
    assert strategy.settle is not None
    strategy.settle(new, old)
    assert strategy.validate(new) == []
    assert "nodePort" not in new["spec"]["ports"][0]


def test_a_namespaces_label_and_finalizer_are_the_servers() -> None:
    """The name label cannot be changed away, and spec changes only through finalize."""
    strategy = _strategy("", "namespaces")
    assert strategy.prepare_create is not None
    assert strategy.prepare_update is not None
    created: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"a": "b"}}}
    assert strategy.settle is not None
    strategy.prepare_create(created)
    assert "spec" not in created, "nobody manages what the server adds"
    strategy.settle(created, None)
    assert created["spec"] == {"finalizers": ["kubernetes"]}
    assert created["status"] == {"phase": "Active"}
    changed = {**created, "metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "x"}}, "spec": {}}
    strategy.prepare_update(changed, created)
    strategy.settle(changed, created)
    assert changed["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert changed["spec"] == {"finalizers": ["kubernetes"]}


def test_a_new_storage_version_is_remembered() -> None:
    """A CRD lists every version objects may still be stored in, and keeps it until migrated."""
    strategy = _strategy("apiextensions.k8s.io", "customresourcedefinitions")
    assert strategy.prepare_update is not None
    assert strategy.validate_update is not None
    schema = {"openAPIV3Schema": {"type": "object"}}
    v1 = {"name": "v1", "served": True, "storage": True, "schema": schema}
    base: dict[str, Any] = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "as.e.com"},
        "spec": {"group": "e.com", "scope": "Cluster", "names": {"plural": "as", "kind": "A"}, "versions": [v1]},
        "status": {"storedVersions": ["v1"]},
    }  # fmt: skip
    both = [{**v1, "storage": False}, {**v1, "name": "v2"}]
    changed = {**base, "spec": {**base["spec"], "versions": both}, "status": {"storedVersions": ["v1"]}}
    strategy.prepare_update(changed, base)
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    dropped = {**base, "spec": {**base["spec"], "versions": both[1:]}, "status": {"storedVersions": ["v1"]}}
    strategy.prepare_update(dropped, base)
    causes = strategy.validate_update(dropped, base)
    assert [cause.field for cause in causes] == ["status.storedVersions[0]"]
