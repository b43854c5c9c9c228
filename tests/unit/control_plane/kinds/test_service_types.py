"""What a change of a Service's type keeps, gives and takes, as kube-apiserver does it."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.strategies.service_types import settle

PORT = {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 80}
GIVEN: JsonObject = {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"]}
BASE: JsonObject = {"ports": [PORT], "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
FAMILY: JsonObject = {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
TYPES: dict[str, JsonObject] = {
    "ClusterIP": {**BASE, **GIVEN, **FAMILY, "type": "ClusterIP"},
    "NodePort": {**BASE, **GIVEN, **FAMILY, "type": "NodePort", "externalTrafficPolicy": "Cluster"},
    "LoadBalancer": {
        **BASE, **GIVEN, **FAMILY, "type": "LoadBalancer", "externalTrafficPolicy": "Cluster",
        "allocateLoadBalancerNodePorts": True,
    },
    "ExternalName": {"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None", "ports": [PORT]},
}  # fmt: skip


def _changed(old: str, new: str) -> JsonObject:
    """Return the object after its type alone was changed, through the whole strategy."""
    resource = builtin_resource("", "services")
    assert resource is not None
    strategy = resource.strategy
    head: JsonObject = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    before: JsonObject = {**head, "spec": {**TYPES[old], "ports": [dict(PORT)]}, "status": {"loadBalancer": {}}}
    after: JsonObject = {**before, "spec": {**before["spec"], "type": new, "ports": [dict(PORT)]}}
    if new == "ExternalName":
        after["spec"]["externalName"] = "a.b"
    assert strategy.prepare_update is not None
    assert strategy.settle is not None
    assert strategy.validate_change is not None
    strategy.prepare_update(after, before)
    strategy.settle(after, before)
    assert strategy.validate_change(after, before) == []
    return after


@pytest.mark.parametrize("old", TYPES)
@pytest.mark.parametrize("new", TYPES)
def test_a_change_of_type_leaves_what_a_new_service_of_it_has(old: str, new: str) -> None:
    """Nothing of the old type is left that the new one refuses, and what both have stays."""
    spec = _changed(old, new)["spec"]
    expected = {**TYPES[new]}
    if old == "ExternalName" != new:
        # Only a cluster gives out an address; the name stays and does nothing.
        expected = {key: value for key, value in expected.items() if key not in GIVEN} | {"externalName": "a.b"}
    assert spec == expected


@pytest.mark.parametrize(("field", "value"), [("externalTrafficPolicy", "Local"), ("loadBalancerClass", "a.b/c")])
def test_what_a_client_just_set_is_not_dropped(field: str, value: str) -> None:
    """So that it is refused where it does not belong, rather than ignored."""
    before = {**TYPES["LoadBalancer"]}
    spec = {**TYPES["LoadBalancer"], "type": "ClusterIP", field: value}
    settle(spec, before)
    assert spec[field] == value


def test_node_ports_stay_with_the_ports_name() -> None:
    """Also when its number changes; a port that another one has taken meanwhile is not given twice."""
    before: JsonObject = {
        "type": "NodePort",
        "ports": [{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2, "nodePort": 30002}],
    }  # fmt: skip
    spec: JsonObject = {
        "type": "NodePort",
        "ports": [{"name": "a", "port": 9}, {"name": "c", "port": 3, "nodePort": 30002}, {"name": "b", "port": 2}],
    }
    settle(spec, before)
    assert [port.get("nodePort") for port in spec["ports"]] == [30001, 30002, None]


def test_an_address_changed_alone_takes_the_list_along() -> None:
    """Old clients know one address only; clearing it clears the list."""
    before: JsonObject = {"type": "ClusterIP", **GIVEN}
    spec: JsonObject = {"type": "ExternalName", "clusterIPs": ["10.0.0.7"]}
    settle(spec, before)
    assert "clusterIPs" not in spec


def test_a_service_without_address_does_not_become_headless() -> None:
    """It has been given addresses in the clusters it runs in, where this could not be done."""
    resource = builtin_resource("", "services")
    assert resource is not None
    assert resource.strategy.validate_change is not None
    spec = {**BASE, "type": "ClusterIP"}
    before: JsonObject = {"metadata": {}, "spec": spec}
    after: JsonObject = {"metadata": {}, "spec": {**spec, "clusterIP": "None", "clusterIPs": ["None"]}}
    (cause,) = resource.strategy.validate_change(after, before)
    assert cause.message == 'Invalid value: ["None"]: may not change once set'
