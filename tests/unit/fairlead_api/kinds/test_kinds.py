"""Our API types and the schemas made of them."""

from collections.abc import Iterator

import pytest

from fairlead_api import JsonObject
from fairlead_api.kinds.registry import OWN_KINDS, OwnKind, own_kind
from fairlead_api.kinds.scheduling import Placement
from fairlead_api.kinds.schema import structural_schema
from fairlead_api.kinds.workload import SyncTarget


def nodes(schema: JsonObject) -> Iterator[JsonObject]:
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes(child)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key])


@pytest.mark.parametrize("kind", OWN_KINDS, ids=lambda kind: kind.plural)
def test_schemas_are_structural(kind: OwnKind) -> None:
    schema = structural_schema(kind.model)
    assert set(schema["properties"]) >= {"apiVersion", "kind", "metadata", "spec"}
    for node in nodes(schema):
        assert "$ref" not in node
        assert "type" in node or node.get("x-kubernetes-int-or-string"), node
        assert node.get("default", "") is not None
        if node.get("x-kubernetes-list-type") == "map":
            for key in node["x-kubernetes-list-map-keys"]:
                item = node["items"]
                assert key in item["properties"]


@pytest.mark.parametrize("kind", OWN_KINDS, ids=lambda kind: kind.plural)
def test_every_field_is_described(kind: OwnKind) -> None:
    schema = structural_schema(kind.model)
    for part in ("spec", "status"):
        for node in nodes(schema["properties"].get(part, {})):
            for name, child in node.get("properties", {}).items():
                assert child.get("description"), (kind.plural, name)


@pytest.mark.parametrize("kind", OWN_KINDS, ids=lambda kind: kind.plural)
def test_immutable_paths_exist(kind: OwnKind) -> None:
    for field in kind.immutable:
        node = structural_schema(kind.model)
        for name in field.path.split("."):
            node = node["properties"][name]


def test_names_on_the_wire_are_kcps() -> None:
    workspace = structural_schema(own_kind("tenancy.kcp.io", "workspaces").model)["properties"]
    assert set(workspace["spec"]["properties"]) == {"type", "location", "cluster", "URL"}
    assert workspace["status"]["properties"]["phase"]["default"] == "Scheduling"
    target = structural_schema(SyncTarget)["properties"]
    spec, status = target["spec"]["properties"], target["status"]["properties"]
    assert spec["supportedAPIExports"]["default"] == [{"path": "root:compute", "export": "kubernetes"}]
    assert spec["podSecurity"]["enum"] == ["privileged", "baseline", "restricted"]
    assert spec["evictAfter"]["format"] == "date-time"
    assert set(status["virtualWorkspaces"]["items"]["properties"]) == {"syncerURL", "upsyncerURL"}
    assert status["syncedResources"]["items"]["required"] == ["resource"]
    assert status["capacity"]["additionalProperties"]["x-kubernetes-int-or-string"] is True
    binding = structural_schema(own_kind("apis.kcp.io", "apibindings").model)["properties"]["status"]["properties"]
    assert set(binding["boundResources"]["items"]["properties"]["schema"]["properties"]) == {
        "name",
        "UID",
        "identityHash",
    }
    assert "apiExportClusterName" in binding


def test_an_absent_selector_stays_absent_and_an_empty_one_empty() -> None:
    spec: JsonObject = {"locationResource": {"version": "v1alpha1", "resource": "synctargets"}, "future": 1}
    assert Placement.model_validate({"spec": spec}).spec.namespace_selector is None
    empty = Placement.model_validate({"spec": {**spec, "namespaceSelector": {}}}).spec.namespace_selector
    assert empty is not None
    assert empty.as_json() == {}


def test_a_sync_target_has_kcps_defaults() -> None:
    target = SyncTarget.model_validate({"metadata": {"name": "t"}})
    assert target.spec.supported_api_exports[0].export == "kubernetes"
    assert target.spec.to_json()["podSecurity"] == "baseline"


def test_an_unknown_kind_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        own_kind("tenancy.kcp.io", "nothing")
