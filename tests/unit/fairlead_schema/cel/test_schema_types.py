"""Schemas declare the types and bounds Kubernetes finds in them (recorded by scripts/record_cel.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.checker import check
from fairlead_schema.cel.declarations import Environment, Library
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.parser import parse
from fairlead_schema.cel.schema_types import NAMES, Declared, declare, escape, limits
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.unifying import shown


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(__file__).with_name(name).read_text().splitlines()[1:]]


RECORDED = recorded("schemas.jsonl")
RULES = recorded("schema_rules.jsonl")
KEY = {"cel": "string", "max": 0, "min": 2, "name": "string"}
SCHEMA = {
    "type": "object",
    "required": ["namespace"],
    "properties": {
        "namespace": {"type": "string", "maxLength": 63},
        "my-list": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "maxItems": 7,
            "items": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}},
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3},
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "data": {"type": "string", "format": "byte"},
        "ratio": {"type": "number"},
        "port": {"x-kubernetes-int-or-string": True},
    },
}


def declared(schema: Any, *, is_root: bool = False) -> Declared:
    found = declare(schema, "selfType.0", is_root=is_root)
    assert found is not None
    return found


def shape(found: Declared | None) -> dict[str, Any] | None:
    """Return what the recording has of a declaration, but for names of simple types."""
    if found is None:
        return None
    parts: dict[str, Any] = {"cel": shown(found.type), "max": found.longest, "min": found.least_bytes}
    if isinstance(found.type, t.ObjectType):
        required = {name: each.required for name, each in found.type.fields.items()}
        parts["fields"] = {
            name: {"required": required[name], "type": shape(each)} for name, each in found.fields.items()
        }
    if found.element is not None:
        parts["elem"] = shape(found.element)
    if found.has_keys:
        parts["key"] = {name: value for name, value in KEY.items() if name != "name"}
    return parts


def nameless(recorded: dict[str, Any] | None) -> dict[str, Any] | None:
    if recorded is None:
        return None
    parts = {name: value for name, value in recorded.items() if name != "name"}
    for below in ("elem", "key"):
        if below in parts:
            parts[below] = nameless(parts[below])
    if "fields" in parts:
        fields = parts["fields"].items()
        parts["fields"] = {name: {**each, "type": nameless(each["type"])} for name, each in fields}
    return parts


@pytest.mark.parametrize("first", range(4))
def test_types_and_bounds_are_kubernetes(first: int) -> None:
    for line in RECORDED[first::4]:
        found = declare(line["schema"], "selfType.0", is_root=line["root"])
        assert shape(found) == nameless(line["decl"]), line["schema"]


@pytest.mark.parametrize("first", range(4))
def test_rules_get_kubernetes_types_and_messages(first: int) -> None:
    for line in RULES[first::4]:
        variables = {"self": declared(line["schema"], is_root=line["root"]).type}
        environment = Environment(variables, (STANDARD, *KUBERNETES, NAMES))
        try:
            answer = shown(check(parse(line["text"], environment.libraries), environment).result)
        except CompileError as error:
            answer = str(error)
        assert answer == (line.get("type") or line["issues"]), line["text"]


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("in", "__in__"),
        ("my-field", "my__dash__field"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("x__y", "x__underscores__y"),
        ("___", "__underscores___"),
        ("-x", "__dash__x"),
        ("3x", None),
        ("", None),
        ("a b", None),
        ("é", None),
    ],
)
def test_names_are_escaped_as_kubernetes_escapes_them(name: str, escaped: str | None) -> None:
    assert escape(name) == escaped


def test_fields_know_their_names_in_json_and_how_they_convert() -> None:
    of = declared(SCHEMA).type
    assert isinstance(of, t.ObjectType)
    assert {name: (each.name, each.conversion) for name, each in of.fields.items() if name != each.name} == {
        "__namespace__": ("namespace", ""),
        "my__dash__list": ("my-list", ""),
    }
    converted = {name: each.conversion for name, each in of.fields.items() if each.conversion}
    assert converted == {"when": "date-time", "day": "date", "data": "byte", "ratio": "double"}


def test_lists_know_what_names_their_elements() -> None:
    found = declared(SCHEMA).fields["my__dash__list"].type
    assert isinstance(found, t.ListType)
    assert (found.kind, found.keys, found.longest) == ("map", ("name",), 7)


@pytest.mark.parametrize(
    ("path", "longest"),
    [
        (("self",), 0),
        (("self", "__namespace__"), 252),
        (("self", "my__dash__list"), 7),
        (("self", "my__dash__list", "@items"), 0),
        (("self", "my__dash__list", "@items", "name"), 20),
        (("self", "labels"), 3),
        (("self", "labels", "@keys"), 0),
        (("self", "labels", "@values"), 3145726),
        (("self", "namespace"), None),
        (("self", "labels", "@items", "x"), None),
        (("other",), None),
        ((), None),
    ],
)
def test_estimates_learn_the_longest_at_a_path(path: tuple[str, ...], longest: int | None) -> None:
    assert limits({"self": declared(SCHEMA)})(path) == longest


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("self.namespace", "string"),
        ("self.__namespace__", "string"),
        ("self.my__dash__list[0].name", "string"),
        ("self.when - self.when", "duration"),
        ("self.labels.a", "string"),
        ("self.port", "dyn"),
        ("self.metadata.generateName", "string"),
        ("type(self.when) == timestamp", "bool"),
    ],
)
def test_rules_are_checked_against_a_schema(text: str, result: str) -> None:
    variables = {"self": declared(SCHEMA, is_root=True).type}
    libraries: tuple[Library, ...] = (STANDARD, NAMES)
    assert shown(check(parse(text, libraries), Environment(variables, libraries)).result) == result


def test_the_smaller_a_value_the_more_often_it_fits_into_a_request() -> None:
    assert declared({"type": "integer"}).most_times == 3 * 1024 * 1024 // 2
    assert declared(SCHEMA).most_times == 3 * 1024 * 1024 // (2 + 9 + 2 + 4 + 1)


@pytest.mark.parametrize("schema", [{}, {"type": "array"}, {"x-kubernetes-preserve-unknown-fields": True}])
def test_what_has_no_type_is_not_seen(schema: dict[str, Any]) -> None:
    assert declare(schema, "x") is None
