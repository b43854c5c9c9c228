from __future__ import annotations

import pytest

from fairlead_control_plane.kinds.builtin import (
    as_api_resource_schema,
    builtin_resource,
    builtin_resources,
    compute_resources,
)
from fairlead_control_plane.kinds.custom import resource_from_schema
from fairlead_control_plane.kinds.keys import range_prefix
from fairlead_control_plane.kinds.record import Resource
from fairlead_schema.structural import check_structural

_IN_EVERY_WORKSPACE = {
    "namespaces", "configmaps", "secrets", "serviceaccounts", "events", "resourcequotas", "limitranges",
    "events.events.k8s.io", "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
    "leases.coordination.k8s.io", "customresourcedefinitions.apiextensions.k8s.io",
    "tokenreviews.authentication.k8s.io", "selfsubjectreviews.authentication.k8s.io",
    "subjectaccessreviews.authorization.k8s.io", "localsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io", "selfsubjectrulesreviews.authorization.k8s.io",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
}  # fmt: skip


def test_a_workspace_has_configuration_access_and_extension_only() -> None:
    """Nodes, pods and workloads are not in a workspace by themselves."""
    assert {one.name for one in builtin_resources("workspaces")} == _IN_EVERY_WORKSPACE


def test_the_cluster_profile_has_all_of_kubernetes() -> None:
    """Every generally available kind is served, each with one storage version."""
    found = builtin_resources("cluster")
    names = {one.name for one in found}
    assert names >= _IN_EVERY_WORKSPACE | {
        "pods",
        "nodes",
        "deployments.apps",
        "jobs.batch",
        "ingresses.networking.k8s.io",
    }
    assert all(one.storage_version.served for one in found)


def test_reviews_are_virtual() -> None:
    """Access reviews can only be created, and are never stored."""
    virtual = {one.plural for one in builtin_resources("workspaces") if one.strategy.virtual}
    assert virtual == {name.split(".")[0] for name in _IN_EVERY_WORKSPACE if "review" in name}


def test_events_have_two_names_and_one_store() -> None:
    """Both names of Events share a store range, and the converted form comes back unchanged."""
    core, other = builtin_resource("", "events"), builtin_resource("events.k8s.io", "events")
    assert core is not None
    assert other is not None
    assert range_prefix(core, "c", "n") == range_prefix(other, "c", "n")
    conversion = other.versions[0].conversion
    assert conversion is not None
    shown = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {}, "note": "x", "regarding": {"name": "p"}}
    stored = conversion.to_storage(shown)
    assert stored["message"] == "x"
    assert stored["involvedObject"] == {"name": "p"}
    assert stored["apiVersion"] == "v1"
    assert conversion.from_storage(stored) == shown


@pytest.mark.parametrize("resource", compute_resources(), ids=lambda one: one.plural)
def test_exported_kinds_are_structural_and_come_back_as_built_in(resource: Resource) -> None:
    """An exported schema is valid, small enough, and bound again keeps Kubernetes' rules under its identity."""
    schema = as_api_resource_schema(resource, "rev-1")
    assert schema["metadata"]["name"] == f"rev-1.{resource.plural}.{resource.group or 'core'}"
    assert check_structural(schema["spec"]["versions"][0]["schema"]) == []
    bound = resource_from_schema(schema, "abc", "root/kubernetes")
    assert (bound.identity, bound.origin, bound.owner) == ("abc", "bound", "root/kubernetes")
    assert bound.strategy is resource.strategy
    assert bound.versions[0].columns == resource.versions[0].columns
    assert bound.short_names == resource.short_names
    assert bound.versions[0].schema() is resource.versions[0].schema()


def test_a_foreign_kind_of_the_same_name_is_not_taken_for_a_built_in_one() -> None:
    """Another kind or another schema under a built-in kind's names has none of its rules."""
    pods = builtin_resource("", "pods")
    assert pods is not None
    named = as_api_resource_schema(pods, "rev-1")
    named["spec"]["names"]["kind"] = "Whale"
    assert resource_from_schema(named, "abc", "x").strategy is not pods.strategy
    shaped = as_api_resource_schema(pods, "rev-1")
    shaped["spec"]["versions"][0]["schema"] = {"type": "object", "properties": {"fins": {"type": "integer"}}}
    assert resource_from_schema(shaped, "abc", "x").strategy is not pods.strategy
