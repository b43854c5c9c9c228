"""What a plain cluster serves beside Kubernetes' own kinds."""

from __future__ import annotations

import pytest

from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import builtin_resource, builtin_resources
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.main.cluster_catalog import ClusterCatalog
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore

facts.types()
BUILTIN = builtin_resources("cluster")


@pytest.mark.parametrize(
    ("group", "plural", "version", "served"),
    [
        ("example.com", "foos", "v1", True),
        ("networking.k8s.io", "foos", "v1", False),
        ("networking.k8s.io", "foos", "v9", True),
        ("gateway.networking.k8s.io", "foos", "v1", True),
    ],
)
async def test_no_definition_adds_to_a_group_version_of_the_server(
    group: str, plural: str, version: str, *, served: bool
) -> None:
    """Compared with kube-apiserver v1.36.3, whose aggregator asks itself for such a group version."""
    definitions = builtin_resource("apiextensions.k8s.io", "customresourcedefinitions")
    assert definitions is not None
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "uid": "u"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": "Foo", "singular": "foo", "listKind": "FooList"},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    catalog = ClusterCatalog(store, BUILTIN, definitions)
    await store.commit([put(definitions, "root", crd)])
    assert (await catalog.lookup("root", group, plural) is not None) is served
    catalog.close()
    await store.close()
