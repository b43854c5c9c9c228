"""Rules in definitions: where they are spoken of, and what stays allowed."""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.definition_rules import problems

_PLACE = "properties[spec].x-kubernetes-validations[0].rule"


def _definition(*rules: str) -> JsonObject:
    """Return a definition with one version for each rule."""
    versions = []
    for number, rule in enumerate(rules):
        text = {"type": "string", "maxLength": 9_000}
        spec = {"type": "object", "properties": {"a": text}, "x-kubernetes-validations": [{"rule": rule}]}
        schema = {"type": "object", "properties": {"spec": spec}}
        versions.append({"name": f"v{number}", "schema": {"openAPIV3Schema": schema}})
    return {"spec": {"versions": versions}}


def _fields(new: JsonObject, old: JsonObject | None = None) -> list[str]:
    return [cause.field for cause in problems(new, old)]


def test_versions_that_differ_are_spoken_of_one_by_one() -> None:
    assert _fields(_definition("self.x", "self.y")) == [
        f"spec.versions[{number}].schema.openAPIV3Schema.{_PLACE}" for number in (0, 1)
    ]


def test_versions_that_are_the_same_are_spoken_of_once() -> None:
    assert _fields(_definition("self.x", "self.x")) == [f"spec.validation.openAPIV3Schema.{_PLACE}"]


def test_only_a_changed_schema_is_held_to_the_limit_of_a_rule() -> None:
    dear = "self.a.contains(self.a)"
    old = _definition(dear, "true")
    assert _fields(old) == [f"spec.versions[0].schema.openAPIV3Schema.{_PLACE}"]
    assert _fields(_definition(dear, "self.a != ''"), old) == []
    assert _fields(_definition(f"{dear} && true", "true"), old) == [f"spec.versions[0].schema.openAPIV3Schema.{_PLACE}"]


def test_no_schema_no_rules() -> None:
    assert _fields({"spec": {"versions": [{"name": "v1"}]}}) == []
    assert _fields({"spec": {}}) == []
