from __future__ import annotations

from fairlead_control_plane.kinds import discovery
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.custom import resource_from_crd

_CLUSTER = builtin_resources("cluster")


def test_versions_are_ordered_by_stability_then_number() -> None:
    """The preferred version is the most stable and newest one."""
    names = ["v1alpha1", "foo1", "v1", "v2beta2", "v10", "v2beta10", "v2"]
    assert sorted(names, key=discovery.version_priority) == [
        "v10", "v2", "v1", "v2beta10", "v2beta2", "v1alpha1", "foo1",
    ]  # fmt: skip


def test_resource_lists_name_subresources_with_their_own_kinds() -> None:
    """A token is a TokenRequest of another group, and lists are in order of names."""
    found = discovery.api_resource_list(_CLUSTER, "", "v1")
    assert found is not None
    by_name = {entry["name"]: entry for entry in found["resources"]}
    assert list(by_name) == sorted(by_name)
    token = by_name["serviceaccounts/token"]
    assert (token["group"], token["version"], token["kind"]) == ("authentication.k8s.io", "v1", "TokenRequest")
    assert by_name["pods"]["shortNames"] == ["po"]
    assert by_name["pods"]["storageVersionHash"] == "xPOwRZ+Yhw8="


def test_absent_groups_are_absent() -> None:
    """What is not served has no document."""
    workspace = builtin_resources("workspaces")
    assert discovery.api_group(workspace, "apps") is None
    assert discovery.api_resource_list(workspace, "apps", "v1") is None
    assert "apps" not in {group["name"] for group in discovery.api_group_list(workspace)["groups"]}


def test_aggregated_discovery_says_the_same_as_plain() -> None:
    """Both forms list the same resources with the same verbs."""
    plain = {
        (group["name"], version["version"], entry["name"]): entry["verbs"]
        for group in discovery.api_group_list(_CLUSTER)["groups"]
        for version in group["versions"]
        for entry in (discovery.api_resource_list(_CLUSTER, group["name"], version["version"]) or {})["resources"]
    }
    aggregated = {}
    for group in discovery.aggregated(_CLUSTER, core=False)["items"]:
        for version in group["versions"]:
            for entry in version["resources"]:
                key = (group["metadata"]["name"], version["version"])
                aggregated[*key, entry["resource"]] = entry["verbs"]
                for sub in entry.get("subresources", ()):
                    aggregated[*key, f"{entry['resource']}/{sub['subresource']}"] = sub["verbs"]
    assert aggregated == plain


def test_a_crd_names_its_group_and_lists_verbs_as_the_extension_server_does() -> None:
    """Custom kinds carry their group in aggregated discovery."""
    versions = [{"name": "v1", "served": True, "storage": True}]
    names = {"plural": "foos", "kind": "Foo"}
    crd = {"metadata": {}, "spec": {"group": "e.com", "scope": "Cluster", "names": names, "versions": versions}}
    entry = discovery.aggregated([resource_from_crd(crd)], core=False)["items"][0]["versions"][0]["resources"][0]
    assert entry["responseKind"] == {"group": "e.com", "version": "v1", "kind": "Foo"}
    assert entry["verbs"] == list(discovery.CRD_VERBS)


def test_etags_are_quoted_hashes() -> None:
    """An ETag is upper-case SHA-512 in quotes."""
    tag = discovery.etag(b"{}")
    assert len(tag) == 130
    assert tag == tag.upper()
