"""Rules of custom resources' schemas; tests/integration/api/test_rules.py holds them against a real kube-apiserver."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_schema.correlation import Pair
from fairlead_schema.rule_defaults import check_defaults
from fairlead_schema.rule_definitions import check_definition
from fairlead_schema.rule_validation import NOT_CHECKED, check_rules
from fairlead_schema.rules import field_path
from fairlead_schema.structural import compile_schema

RULES = "x-kubernetes-validations"


def _spec(*rules: JsonObject, **properties: JsonObject) -> JsonObject:
    spec = {"type": "object", "properties": properties, RULES: list(rules)}
    return {"type": "object", "properties": {"spec": spec}}


def _found(schema: JsonObject, new: Any, old: Any = None, budget: int = 10_000_000) -> list[tuple[str, str]]:
    outcome = check_rules(
        compile_schema(schema), {"spec": new}, None if old is None else {"spec": old}, (), budget=budget
    )
    return [(cause.field, cause.message) for cause in outcome.causes]


A: JsonObject = {"type": "integer"}
TEXTS: JsonObject = {"type": "array", "items": {"type": "string"}}


def test_a_schema_without_rules_says_nothing() -> None:
    schema = compile_schema({"type": "object", "properties": {"a": A}})
    assert schema.check_rules({"a": 1}, None, ()).causes == ()


def test_broken_objects_are_not_looked_at() -> None:
    schema = compile_schema(_spec({"rule": "self.a > 1"}, a=A))
    broken = [Cause("FieldValueRequired", "Required value", "spec.b")]
    assert list(schema.check_rules({"spec": {"a": 0}}, None, broken).causes) == [NOT_CHECKED]


@pytest.mark.parametrize(
    ("rest", "field", "message"),
    [
        ({}, "spec", "Invalid value: failed rule: self.a > 1"),
        ({"message": " much "}, "spec", "Invalid value: much"),
        ({"fieldPath": ".a", "reason": "FieldValueForbidden"}, "spec.a", "Forbidden: failed rule: self.a > 1"),
        ({"reason": "FieldValueRequired", "message": "m"}, "spec", "Required value: m"),
        ({"reason": "FieldValueDuplicate"}, "spec", "Duplicate value"),
        ({"messageExpression": "'is ' + string(self.a)"}, "spec", "Invalid value: is 1"),
        ({"messageExpression": "' '", "message": "m"}, "spec", "Invalid value: m"),
        ({"messageExpression": "'a\\nb'"}, "spec", "Invalid value: failed rule: self.a > 1"),
        ({"messageExpression": "string(1 / (self.a - 1))"}, "spec", "Invalid value: failed rule: self.a > 1"),
    ],
)
def test_what_a_failed_rule_says(rest: JsonObject, field: str, message: str) -> None:
    schema = _spec({"rule": "self.a > 1", **rest}, a=A)
    assert _found(schema, {"a": 1}) == [(field, message)]
    assert _found(schema, {"a": 2}) == []


def test_errors_of_evaluation_are_causes() -> None:
    schema = _spec({"rule": "self.a > 1"}, {"rule": "10 / self.b > 1"}, a=A, b=A)
    assert _found(schema, {"b": 0}) == [
        ("spec", 'Invalid value: "object": no such key: a evaluating rule: self.a > 1'),
        ("spec", 'Invalid value: "object": division by zero evaluating rule: 10 / self.b > 1'),
    ]


def test_the_budget_of_an_object_ends_it() -> None:
    schema = _spec({"rule": "self.l.all(x, x == 'a')"}, {"rule": "false"}, l=TEXTS)
    (cause,) = _found(schema, {"l": ["a"] * 100}, budget=50)
    assert cause[1].endswith(
        "validation failed due to running out of cost budget, no further validation rules will be run"
    )


def test_a_call_that_costs_too_much_ends_it() -> None:
    schema = _spec({"rule": "self.l.all(x, self.l.all(y, x == y))"}, {"rule": "false"}, l=TEXTS)
    (cause,) = _found(schema, {"l": ["a"] * 1000})
    assert cause[1].startswith(
        "Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further"
    )


def test_transition_rules_need_something_to_compare_with() -> None:
    schema = _spec({"rule": "self.a >= oldSelf.a"}, a=A)
    assert _found(schema, {"a": 1}) == []
    assert _found(schema, {"a": 1}, {"a": 1}) == []
    assert len(_found(schema, {"a": 1}, {"a": 2})) == 1


def test_optional_old_values_are_there_on_create() -> None:
    schema = _spec({"rule": "oldSelf.hasValue() && oldSelf.value().a == 1", "optionalOldSelf": True}, a=A)
    assert len(_found(schema, {"a": 1})) == 1
    assert _found(schema, {"a": 2}, {"a": 1}) == []


def test_items_of_map_lists_are_compared_by_their_keys() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": A}, RULES: [{"rule": "self.v >= oldSelf.v"}]}
    keyed = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    schema = _spec(l=keyed)
    old = {"l": [{"k": "a", "v": 5}, {"k": "b", "v": 1}]}
    new = {"l": [{"k": "b", "v": 2}, {"k": "a", "v": 4}, {"k": "c", "v": 0}]}
    assert [field for field, _ in _found(schema, new, old)] == ["spec.l[1]"]
    plain = {"type": "array", "items": item}
    assert _found(_spec(l=plain), new, old) == []


def test_what_did_not_change_is_forgiven_with_a_warning() -> None:
    schema = compile_schema(_spec({"rule": "has(self.b)"}, a={**A, RULES: [{"rule": "self > 1"}]}, b=A))
    old = {"spec": {"a": 1}}
    same = check_rules(schema, {"spec": {"a": 1}}, old, ())
    assert not same.causes
    assert same.warnings == [
        "spec: Invalid value: failed rule: has(self.b)",
        "spec.a: Invalid value: 1: failed rule: self > 1",
    ]
    more = check_rules(schema, {"spec": {"a": 1, "c": 1}}, old, ())
    assert [cause.field for cause in more.causes] == ["spec"]
    assert check_rules(schema, {"spec": {"a": 0}}, old, ()).warnings == []


def test_pairs_of_plain_lists_are_compared_as_a_whole() -> None:
    schema = {"type": "array", "items": A}
    assert Pair(schema, [1, 2], [1, 2]).same
    assert not Pair(schema, [1, 2], [2, 1]).same
    assert not Pair(schema, [1], [True]).same
    assert not Pair({"type": "object"}, {"a": 1}, {"a": 1}).same  # what is not declared, nobody knows


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (".a", "a"),
        (".a.b", "a.b"),
        ("['a']", "a"),
        (".m['x.y']", "m[x.y]"),
        (".m.x", "m[x]"),
        (r".m['it\'s']", "m[it's]"),
        (".x", None),
        ("a", None),
        (".a[0]", None),
        (".a.", None),
        (".m['x'", None),
        (r".m['\q']", None),
        (".l[0]", None),
    ],
)
def test_field_paths(path: str, written: str | None) -> None:
    inner = {"type": "object", "properties": {"b": A}}
    mapped = {"type": "object", "additionalProperties": A}
    schema = {"type": "object", "properties": {"a": inner, "m": mapped, "l": TEXTS}}
    assert field_path(path, schema) == written


def test_a_list_above_multiplies_the_cost() -> None:
    items = {"type": "string", "maxLength": 1000, RULES: [{"rule": "self.contains(self)"}]}
    dear = check_definition(_spec(l={"type": "array", "items": items, "maxItems": 400}), "schema")
    assert [(cause.field, "factor of" in cause.message) for cause in dear] == [
        (f"schema.properties[spec].properties[l].items.{RULES}[0].rule", True)
    ]
    assert not check_definition(_spec(l={"type": "array", "items": items, "maxItems": 40}), "schema")


def test_a_stored_schema_may_keep_its_expensive_rules() -> None:
    items = {"type": "string", "maxLength": 1000, RULES: [{"rule": "self.contains(self)"}]}
    schema = _spec(l={"type": "array", "items": items, "maxItems": 400})
    assert check_definition(schema, "schema")
    assert not check_definition(schema, "schema", limits_each=False)


def test_rules_of_schemas_that_are_not_structural_are_not_compiled() -> None:
    schema = _spec({"rule": "self.missing"}, {"rule": ""}, a=A)
    assert [cause.message for cause in check_definition(schema, "s", compiles=False)] == [
        "Required value: rule is not specified"
    ]


def test_defaults_must_keep_the_rules() -> None:
    items = {"type": "array", "items": {**A, "default": 5, RULES: [{"rule": "self > 9"}]}}
    schema = _spec(a={**A, "default": 0, RULES: [{"rule": "self > 1"}]}, l=items)
    assert [(cause.field, cause.message) for cause in check_defaults(schema, "s")] == [
        ("s.properties[spec].properties[a].default", "Invalid value: 0: failed rule: self > 1"),
        ("s.properties[spec].properties[l].items.default", "Invalid value: 5: failed rule: self > 9"),
    ]
    assert not check_defaults(_spec(a={**A, "default": 2, RULES: [{"rule": "self > 1"}]}), "s")
