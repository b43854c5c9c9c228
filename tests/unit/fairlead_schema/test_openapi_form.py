"""What a CRD's schema may not say at all, in kube-apiserver's words."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_schema.openapi_form import check_form, unsupported

_ITEM: JsonObject = {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}
_MAP: JsonObject = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": _ITEM,
}  # fmt: skip
_SET: JsonObject = {"type": "array", "x-kubernetes-list-type": "set"}


def _found(field: JsonObject) -> list[tuple[str, str]]:
    schema = {"type": "object", "properties": {"a": field}}
    return [(cause.field.removeprefix("x.properties[a]."), cause.message) for cause in check_form(schema, "x")]


@pytest.mark.parametrize(
    ("field", "at", "message"),
    [
        ({"type": "text"}, "type", 'Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"'),  # noqa: E501
        ({"type": "string", "uniqueItems": True}, "uniqueItems", "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),  # noqa: E501
        ({"type": "string", "id": "a"}, "id", "Forbidden: id is not supported"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": False}, "x-kubernetes-preserve-unknown-fields", "Invalid value: false: must be true or undefined"),  # noqa: E501
        ({"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False}, "additionalProperties", "Forbidden: additionalProperties and properties are mutual exclusive"),  # noqa: E501
        ({"type": "string", "x-kubernetes-map-type": "atomic"}, "type", 'Invalid value: "string": must be object if x-kubernetes-map-type is specified'),  # noqa: E501
        ({"type": "object", "x-kubernetes-list-type": "set"}, "type", 'Invalid value: "object": must be array if x-kubernetes-list-type is specified'),  # noqa: E501
        ({**_SET, "items": {"type": "object"}}, "items.x-kubernetes-map-type", 'Invalid value: "null": must be atomic as item of a list with x-kubernetes-list-type=set'),  # noqa: E501
        ({**_SET, "items": {"type": "string", "nullable": True}}, "items.nullable", "Forbidden: cannot be nullable when x-kubernetes-list-type is set"),  # noqa: E501
        ({"type": "array", "items": _ITEM, "x-kubernetes-list-map-keys": ["k"]}, "x-kubernetes-list-type", "Required value: must be map if x-kubernetes-list-map-keys is non-empty"),  # noqa: E501
        ({**_MAP, "x-kubernetes-list-map-keys": ["k", "k"]}, "x-kubernetes-list-map-keys", 'Invalid value: ["k","k"]: must not contain duplicate entries'),  # noqa: E501
        ({**_MAP, "x-kubernetes-list-map-keys": ["z"]}, "x-kubernetes-list-map-keys", 'Invalid value: ["z"]: entries must all be names of item properties'),  # noqa: E501
        ({**_MAP, "items": {**_ITEM, "required": []}}, "items.properties[k].default", "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),  # noqa: E501
    ],
)  # fmt: skip
def test_form_of_a_field(field: JsonObject, at: str, message: str) -> None:
    """Each mistake is told where it stands."""
    assert _found(field) == [(at, message)]


def test_no_defaults_for_metadata() -> None:
    """What the server fills in at the top is not the schema's to default."""
    schema = {"type": "object", "properties": {"kind": {"type": "string", "default": "X"}}}
    (cause,) = check_form(schema, "x")
    assert (cause.field, cause.message) == (
        "x.properties[kind].default",
        "Forbidden: must not be set in top-level kind",
    )


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"properties": {"a": {"$ref": "#/a"}}}, "OpenAPIV3Schema '$ref' is not supported"),
        ({"$schema": "x"}, "OpenAPIV3Schema 'schema' is not supported"),
        ({"items": [{}]}, "OpenAPIV3Schema 'items' must be a schema, but is an array"),
        ({"type": "object"}, ""),
    ],
)
def test_what_no_structural_schema_can_say(schema: JsonObject, why: str) -> None:
    """Such schemas are not looked at further."""
    assert unsupported(schema) == why
