from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.openapi import OpenApi
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.kinds.record import Resource

_SIZE = {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}
_CRD: dict[str, Any] = {
    "metadata": {},
    "spec": {
        "group": "e.com",
        "scope": "Namespaced",
        "names": {"plural": "foos", "kind": "Foo"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SIZE}}},
            }
        ],
    },
}
_ALL = (*builtin_resources("cluster"), *own_resources(), resource_from_crd(_CRD))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[-1]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_every_v3_document_is_complete() -> None:
    """The index lists each group version with its hash, and no document refers outside itself."""
    documents = OpenApi(_ALL)
    paths = orjson.loads(documents.index())["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/e.com/v1", "apis/tenancy.kcp.io/v1alpha1"} <= set(paths)
    for path, entry in paths.items():
        found = documents.v3(path)
        assert found is not None
        body, tag = found
        assert entry["serverRelativeURL"] == f"/openapi/v3/{path}?hash={tag.strip(chr(34))}"
        document = orjson.loads(body)
        assert set(_references(document)) <= set(document["components"]["schemas"]), path


def test_the_v2_document_is_complete() -> None:
    """No definition is missing, and none speaks v3."""
    body, _ = OpenApi(_ALL).v2()
    document = orjson.loads(body)
    assert set(_references(document)) <= set(document["definitions"])
    assert b"components/schemas" not in body


def test_patches_name_the_parameters_kubectl_looks_for() -> None:
    """Clients ask for fieldValidation by the PATCH of a kind, and for merge keys by its schema."""
    found = OpenApi(_ALL).v3("apis/apps/v1")
    assert found is not None
    document = orjson.loads(found[0])
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} == {one["name"] for one in patch["parameters"]}
    containers = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"


def test_equal_sets_of_kinds_share_their_documents() -> None:
    """Two workspaces with the same kinds hold one copy of the bytes."""
    one, two = OpenApi(_ALL).v3("apis/apps/v1"), OpenApi(tuple(_ALL)).v3("apis/apps/v1")
    assert one is not None
    assert two is not None
    assert one[0] is two[0]


def test_a_changed_schema_changes_the_hash() -> None:
    """Clients that cache by hash read the document again when a CRD changes."""
    changed = {**_CRD, "spec": {**_CRD["spec"], "names": {"plural": "foos", "kind": "Fool"}}}
    before = OpenApi([resource_from_crd(_CRD)]).v3("apis/e.com/v1")
    after = OpenApi([resource_from_crd(changed)]).v3("apis/e.com/v1")
    assert before is not None
    assert after is not None
    assert before[1] != after[1]


def test_what_is_not_served_has_no_document() -> None:
    """An unknown path is None."""
    assert OpenApi(_ALL).v3("apis/none/v1") is None


def _custom(schema: JsonObject) -> Resource:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", **schema}},
        "selectableFields": [{"jsonPath": ".spec.color"}],
    }
    return resource_from_crd({**_CRD, "spec": {**_CRD["spec"], "versions": [version]}})


def _v2_definition(schema: JsonObject) -> JsonObject:
    definitions: JsonObject = orjson.loads(OpenApi([_custom(schema)]).v2()[0])["definitions"]
    return next(value for name, value in definitions.items() if name.startswith("com.e.v1.F") and "List" not in name)


def test_v2_says_nothing_of_the_fields_of_what_keeps_unknown_ones() -> None:
    """With properties at its root kubectl would refuse every other field."""
    found = _v2_definition({"x-kubernetes-preserve-unknown-fields": True, "properties": {"spec": {"type": "object"}}})
    assert set(found) == {"type", "x-kubernetes-group-version-kind"}


def test_v2_leaves_out_what_kubectl_would_misread() -> None:
    """A nullable field has no type and is not required; an object that keeps unknown fields has no type either."""
    spec = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {
            "a": {"type": "string", "nullable": True},
            "b": {"type": "array", "x-kubernetes-preserve-unknown-fields": True, "items": {"type": "string"}},
            "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"d": {}}},
            "e": {"type": "integer", "oneOf": [{"minimum": 1}]},
        },
    }
    found = _v2_definition({"properties": {"spec": spec}})["properties"]["spec"]
    assert found == {
        "type": "object",
        "required": ["b"],
        "properties": {
            "a": {},
            "b": {"x-kubernetes-preserve-unknown-fields": True},
            "c": {"x-kubernetes-preserve-unknown-fields": True},
            "e": {"type": "integer"},
        },
    }


def test_v3_names_selectable_fields_and_completes_embedded_objects() -> None:
    """As apiextensions-apiserver publishes them."""
    template = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    found = OpenApi([_custom({"properties": {"template": template}})]).v3("apis/e.com/v1")
    assert found is not None
    schemas = orjson.loads(found[0])["components"]["schemas"]
    own = next(value for name, value in schemas.items() if name.startswith("com.e.v1.F") and "List" not in name)
    assert own["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.color"}]
    embedded = own["properties"]["template"]
    assert embedded["required"] == ["kind", "apiVersion"]
    assert set(embedded["properties"]) == {"apiVersion", "kind", "metadata", "spec"}


def test_fields_that_every_object_has_are_described() -> None:
    """`kubectl explain` says what they are, of custom kinds too."""
    found = OpenApi([_custom({"properties": {}})]).v3("apis/e.com/v1")
    assert found is not None
    schemas = orjson.loads(found[0])["components"]["schemas"]
    own = next(value for name, value in schemas.items() if name.startswith("com.e.v1.F") and "List" not in name)
    assert all(own["properties"][field]["description"] for field in ("apiVersion", "kind", "metadata"))
    meta = next(value for name, value in schemas.items() if name.endswith(".ObjectMeta"))["properties"]
    assert all(field["description"] for field in meta.values())


def test_versions_that_differ_by_their_name_alone_have_documents_of_their_own() -> None:
    """What is kept by content is told apart by group and version, too."""
    documents = OpenApi(_ALL)
    for path in ("apis/autoscaling/v2", "apis/autoscaling/v1"):
        found = documents.v3(path)
        assert found is not None
        assert all(named.startswith(f"/{path}/") for named in orjson.loads(found[0])["paths"])
