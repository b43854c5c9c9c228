"""Which CRD schemas are structural, and what is said of the others."""

import pytest

from fairlead_api import JsonObject
from fairlead_schema.structural import check_structural

ROOT = "spec.validation.openAPIV3Schema"
NESTED = "must be empty to be structural"


def _object(**properties: object) -> JsonObject:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (_object(spec={"type": "object"}, metadata={"type": "object"}), []),
        (
            _object(x={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            [],
        ),
        (
            _object(spec={}),
            [("properties[spec].type", "Required value: must not be empty for specified object fields")],
        ),
        (
            {"properties": {"a": {"type": "array"}}},
            [
                ("properties[a].items", "Required value: must be specified"),
                ("type", "Required value: must not be empty at the root"),
            ],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            [("additionalProperties", "Forbidden: must not be used at the root")],
        ),
        (
            {**_object(s={"type": "object"}), "anyOf": [{"properties": {"x": {"type": "string"}}}]},
            [
                ("anyOf[0].properties[x].type", f"Forbidden: {NESTED}"),
                ("properties[x]", f"Required value: because it is defined in {ROOT}.anyOf[0].properties[x]"),
            ],
        ),
        (
            _object(metadata=_object(labels={"type": "object"})),
            [
                (
                    "properties[metadata]",
                    "Forbidden: must not specify anything other than name and generateName, "
                    "but metadata is implicitly specified",
                )
            ],
        ),
        (
            _object(x={"type": "string", "pattern": "(("}),
            [
                (
                    "properties[x].pattern",
                    'Invalid value: "((": must be a valid regular expression, but isn\'t: '
                    "error parsing regexp: missing closing ): `((`",
                )
            ],
        ),
        ({"type": "string"}, [("type", 'Invalid value: "string": must be object at the root')]),
    ],
)
def test_what_is_not_structural_is_named(schema: JsonObject, found: list[tuple[str, str]]) -> None:
    """Fields, texts and order were taken from kube-apiserver 1.36."""
    causes = check_structural(schema, ROOT)
    assert [(cause.field, cause.message) for cause in causes] == [(f"{ROOT}.{field}", text) for field, text in found]
