"""The schemas in CRDs: their roots and their defaults."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.schemas import builtin_schema
from fairlead_control_plane.kinds.strategies.definition_schemas import is_sound, problems
from fairlead_control_plane.kinds.strategies.definitions import CUSTOM_RESOURCE_DEFINITION


def _schema(**field: object) -> JsonObject:
    return {"type": "object", "properties": {"a": field}}


@pytest.mark.parametrize(
    ("schema", "at", "message"),
    [
        (_schema(type="string", default=5), "x.properties[a].default", 'Invalid value: "integer":  in body must be of type string: "integer"'),  # noqa: E501
        (_schema(type="string", default="abc", maxLength=2), "x.properties[a].default", "Too long: may not be more than 2 bytes"),  # noqa: E501
        (_schema(type="object", default={"b": 1}), "x.properties[a].default", 'Invalid value: {"b":1}: must not have unknown fields'),  # noqa: E501
        ({"type": "object", "nullable": True}, "x.nullable", "Forbidden: nullable cannot be true at the root"),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(schema: JsonObject, at: str, message: str) -> None:
    """Defaults must be values of their own schema, and have no more than it declares."""
    (cause,) = problems(schema, "x", has_status=False)
    assert (cause.field, cause.message) == (at, message)


def test_root_beside_a_status_of_its_own() -> None:
    """What a schema says at its root about the whole object would be lost for the status."""
    schema = {"type": "object", "anyOf": [{"required": ["a"]}]}
    assert not problems(schema, "x", has_status=False)
    (cause,) = problems(schema, "x", has_status=True)
    assert "fields are allowed at the root of the schema if the status subresource is enabled" in cause.message


def test_rules_are_compiled_for_sound_schemas_only() -> None:
    """A wrong default makes a schema unsound as an unknown type does."""
    assert is_sound(_schema(type="string", default="a"), "x")
    assert not is_sound(_schema(type="string", default=5), "x")
    assert not is_sound(_schema(type="string", id="a"), "x")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"items": {"properties": "x"}}, "json: cannot unmarshal string into Go struct field JSONSchemaProps.properties.items.properties of type map[string]v1.JSONSchemaProps"),  # noqa: E501
        ({"additionalProperties": 5}, "boolean or JSON schema expected"),
        ({"items": {"type": "string", "no": 1}, "additionalProperties": True}, None),
    ],
)  # fmt: skip
def test_schemas_that_may_be_something_else(field: JsonObject, text: str | None) -> None:
    """They are decoded like any schema, and lose what is unknown without a word."""
    definition = builtin_schema("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")()
    schema = {"properties": {"a": field}}
    assert definition.typed_errors(schema) == text
    assert text or (definition.prune(schema), "no" in field["items"]) == ([], False)


def test_version_named_twice_is_not_stored_twice() -> None:
    """Of two storage versions of one name only the first is found among those stored, on an update too."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "a.b", "scope": "Cluster", "names": {"plural": "xs", "kind": "X"}, "versions": [version]}
    old = {"metadata": {"name": "xs.a.b"}, "spec": spec, "status": {"storedVersions": ["v1"]}}
    new = {**old, "spec": {**spec, "versions": [version, version]}}
    validate = CUSTOM_RESOURCE_DEFINITION.validate_update
    assert validate is not None
    assert [cause.field for cause in validate(old, old)] == []
    assert "status.storedVersions" in [cause.field for cause in validate(new, old)]
