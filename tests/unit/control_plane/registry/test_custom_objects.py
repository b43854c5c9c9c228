"""Custom resources whose metadata, kind or lists are wrong, in kube-apiserver's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.catalog import StaticCatalog
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.registry.registry import Registry
from tests.unit.control_plane.in_process import APPLY, MERGE, NAMESPACES, Api, in_process

_WIDGETS = "/apis/x.io/v1/namespaces/default/widgets"
_HEAD: JsonObject = {"apiVersion": "x.io/v1", "kind": "Widget"}
_KEYED = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": {"type": "string"}}},
}  # fmt: skip
_SET = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
_SPEC = {"type": "object", "properties": {"keyed": _KEYED, "set": _SET, "count": {"type": "integer"}}}


def _definition() -> JsonObject:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec = {"group": "x.io", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": "widgets.x.io", "uid": "u", "resourceVersion": "1"}, "spec": spec}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with in_process() as running:
        parts = replace(running.registry.parts, catalog=StaticCatalog([NAMESPACES, resource_from_crd(_definition())]))
        running.registry = Registry(parts.store, parts.catalog, parts.hub, admission=parts.admission)
        await running.ask("POST", _WIDGETS, {**_HEAD, "metadata": {"name": "old"}, "spec": {"count": 1}})
        yield running


_NO_UID = {"apiVersion": "v1", "kind": "Pod", "name": "x"}
_HANDLED = 'Widget in version "v1" cannot be handled as a Widget: '


@pytest.mark.parametrize(
    ("metadata", "code", "message"),
    [
        ({"labels": {"a": 1}}, 400, "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"),  # noqa: E501
        ({"annotations": []}, 400, "json: cannot unmarshal array into Go struct field ObjectMeta.annotations of type map[string]string"),  # noqa: E501
        ({"name": 5}, 400, "json: cannot unmarshal number into Go struct field ObjectMeta.name of type string"),
        ({"finalizers": "x"}, 400, "json: cannot unmarshal string into Go struct field ObjectMeta.finalizers of type []string"),  # noqa: E501
        ({"creationTimestamp": "x"}, 400, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),  # noqa: E501
        ({"ownerReferences": [{"uid": 5}]}, 400, "json: cannot unmarshal number into Go struct field OwnerReference.ownerReferences.uid of type types.UID"),  # noqa: E501
        ("x", 400, "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
        ({"name": "new", "ownerReferences": [_NO_UID]}, 422, 'Widget.x.io "new" is invalid: metadata.ownerReferences.uid: Invalid value: "": must not be empty'),  # noqa: E501
    ],
)  # fmt: skip
async def test_metadata_is_decoded_as_that_of_built_in_kinds(
    api: Api, metadata: object, code: int, message: str
) -> None:
    """What ObjectMeta cannot hold is a bad request, not an internal error."""
    answer = await api.ask("POST", _WIDGETS, {**_HEAD, "metadata": metadata})
    assert (answer["code"], answer["message"]) == (code, (_HANDLED if code == 400 else "") + message)


async def test_null_label_is_empty(api: Api) -> None:
    """Metadata has the shape that a round trip through ObjectMeta gives it."""
    made = await api.ask(
        "POST", _WIDGETS, {**_HEAD, "metadata": {"name": "b", "labels": {"a": None}, "finalizers": []}}
    )
    assert made["metadata"]["labels"] == {"a": ""}
    assert "finalizers" not in made["metadata"]


async def test_unreadable_metadata_is_the_patchs_fault(api: Api) -> None:
    """A patch whose result cannot be decoded is refused with 422 ``patch``."""
    answer = await api.ask("PATCH", f"{_WIDGETS}/old", {"metadata": {"labels": {"a": 1}}}, kind=MERGE)
    assert (answer["code"], answer["details"]["causes"][0]["field"]) == (422, "patch")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"kind": "Other"}, 422, 'Other.x.io "old" is invalid: kind: Invalid value: "Other": must be Widget'),
        ({"apiVersion": "apps/v1"}, 422, 'Widget.apps "old" is invalid: apiVersion: Invalid value: "apps/v1": must be x.io/v1'),  # noqa: E501
        ({"apiVersion": None}, 500, "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'"),  # noqa: E501
    ],
)  # fmt: skip
async def test_patch_cannot_make_another_kind(api: Api, change: JsonObject, code: int, message: str) -> None:
    """Kind and version are validated, and name the object in the message."""
    answer = await api.ask("PATCH", f"{_WIDGETS}/old", change, kind=MERGE)
    assert (answer["code"], answer["message"]) == (code, message)


@pytest.mark.parametrize(
    ("named", "code", "message"),
    [
        ({"kind": "Other"}, 422, 'Other.x.io "b" is invalid: kind: Invalid value: "Other": must be Widget'),
        ({"apiVersion": ""}, 400, "the API version in the data () does not match the expected API version (x.io/v1)"),
        ({"kind": "Deployment", "apiVersion": "apps/v1"}, 400, "the API version in the data (apps/v1) does not match the expected API version (x.io/v1)"),  # noqa: E501
    ],
)  # fmt: skip
async def test_bodies_name_their_kind(api: Api, named: JsonObject, code: int, message: str) -> None:
    """Of custom resources the version must be said; another kind is invalid."""
    answer = await api.ask("POST", _WIDGETS, {**_HEAD, "metadata": {"name": "b"}, **named})
    assert (answer["code"], answer["message"]) == (code, message)


async def test_kind_that_is_no_text(api: Api) -> None:
    """A number for the kind is a mistake of the JSON."""
    answer = await api.ask("POST", _WIDGETS, {**_HEAD, "kind": 5})
    assert answer["code"] == 400
    assert "json: cannot unmarshal number into Go struct field .kind of type string" in answer["message"]


async def test_key_of_a_wrong_type(api: Api) -> None:
    """A list item whose key is a list is invalid, and no typed patch can be made of it."""
    spec: JsonObject = {"keyed": [{"name": []}]}
    made = await api.ask("POST", _WIDGETS, {**_HEAD, "metadata": {"name": "b"}, "spec": spec})
    assert [cause["field"] for cause in made["details"]["causes"]] == ["spec.keyed[0].name"]
    applied = await api.ask("PATCH", f"{_WIDGETS}/b", {**_HEAD, "spec": spec}, kind=APPLY, fieldManager="x")
    assert applied["code"] == 500
    assert applied["message"].startswith("failed to create typed patch object (/; x.io/v1, Kind=Widget): .spec.keyed")


async def test_apply_of_another_kind(api: Api) -> None:
    """An apply says which type it met."""
    answer = await api.ask("PATCH", f"{_WIDGETS}/b", {**_HEAD, "kind": "Other"}, kind=APPLY, fieldManager="x")
    assert (answer["code"], answer["message"]) == (400, "invalid object type: x.io/v1, Kind=Other")


async def test_fields_below_a_scalar_are_unknown(api: Api) -> None:
    """What an object has where the schema declares text is told as unknown, beside the wrong type."""
    answer = await api.send("POST", _WIDGETS, {**_HEAD, "metadata": {"name": "b"}, "spec": {"set": [{"a": 1}]}})
    assert answer.code == 422
    assert answer.warnings == ['unknown field "spec.set[0].a"']


async def test_doubled_keys_of_an_apply(api: Api) -> None:
    """An apply is YAML to Kubernetes, JSON or not; who is refused is not warned."""
    raw = b'{"apiVersion":"x.io/v1","kind":"Widget","metadata":{"name":"b"},\n"spec":{"count":1,"count":%b}}'
    more: dict[str, Any] = {"kind": APPLY, "fieldManager": "x"}
    good = await api.send("PATCH", f"{_WIDGETS}/b", raw % b"2", **more)
    assert (good.code, good.warnings) == (201, ['line 2: key "count" already set in map'])
    wrong = await api.send("PATCH", f"{_WIDGETS}/b", raw % b'"x"', **more)
    assert (wrong.code, wrong.warnings) == (500, [])
    strict = await api.ask("PATCH", f"{_WIDGETS}/b", raw % b"3", fieldValidation="Strict", **more)
    assert strict["message"].endswith('yaml: unmarshal errors:\n  line 2: key "count" already set in map')
