"""Strategic merge patch: directives, merge keys, order."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Unclassified
from fairlead_schema.strategic import apply_strategic_patch
from fairlead_schema.structural import compile_schema

ITEM: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "value": {"type": "integer"},
        "other": {"type": "integer"},
        "args": {"type": "array", "items": {"type": "string"}},
    },
}
SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": ITEM,
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "name",
            },
            "texts": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"},
            "plain": {"type": "array", "items": {"type": "string"}},
            "whole": {"type": "object", "x-kubernetes-patch-strategy": "replace"},
            "union": {
                "type": "object",
                "x-kubernetes-patch-strategy": "retainKeys",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            },
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    {},
)


def _items(*names: str) -> list[JsonObject]:
    return [{"name": name, "value": index} for index, name in enumerate(names)]


@pytest.mark.parametrize(
    ("doc", "patch", "expected"),
    [
        ({"map": {"a": "1", "b": "2"}}, {"map": {"a": None, "c": "3"}}, {"map": {"b": "2", "c": "3"}}),
        ({"map": {"a": "1"}}, {"map": {"$patch": "replace", "c": "3"}}, {"map": {"c": "3"}}),
        ({"map": {"a": "1"}}, {"map": {"$patch": "delete"}}, {"map": {}}),
        ({}, {"map": {"$patch": "delete"}}, {}),
        ({"whole": {"a": 1}}, {"whole": {"b": 2}}, {"whole": {"b": 2}}),
        ({"plain": ["a"]}, {"plain": ["b"]}, {"plain": ["b"]}),
        ({"texts": ["a", "b"]}, {"texts": ["b", "c"]}, {"texts": ["a", "b", "c"]}),
        ({"texts": ["a", "b"]}, {"$deleteFromPrimitiveList/texts": ["a"]}, {"texts": ["b"]}),
        (
            {"texts": ["a", "b"]},
            {"$setElementOrder/texts": ["c", "b"], "texts": ["c"]},
            {"texts": ["c", "a", "b"]},
        ),
        ({"union": {"a": 1}}, {"union": {"$retainKeys": ["b"], "b": 2}}, {"union": {"b": 2}}),
        (
            {"items": [{"name": "x", "value": 1, "other": 2}]},
            {"items": [{"name": "x", "value": 3}, {"name": "y"}]},
            {"items": [{"name": "x", "value": 3, "other": 2}, {"name": "y"}]},
        ),
        ({"items": _items("x", "y")}, {"items": [{"name": "x", "$patch": "delete"}]}, {"items": _items("x", "y")[1:]}),
        ({"items": _items("x")}, {"items": [{"name": "z"}, {"$patch": "replace"}]}, {"items": [{"name": "z"}]}),
        (
            {"items": _items("x", "y", "z")},
            {"$setElementOrder/items": [{"name": "z"}, {"name": "x"}]},
            {"items": [{"name": "y", "value": 1}, {"name": "z", "value": 2}, {"name": "x", "value": 0}]},
        ),
        (
            {"items": [{"name": "x", "args": ["a"]}]},
            {"items": [{"name": "x", "args": None}]},
            {"items": [{"name": "x"}]},
        ),
    ],
)
def test_directives_and_merge_keys(doc: JsonObject, patch: JsonObject, expected: JsonObject) -> None:
    """Neither the document nor the patch changes."""
    before = copy.deepcopy((doc, patch))
    assert apply_strategic_patch(doc, patch, SCHEMA) == expected
    assert (doc, patch) == before


@pytest.mark.parametrize(
    ("patch", "error", "text"),
    [
        ([], BadRequest, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ({"items": [{"value": 1}]}, Unclassified, "map: map[value:1] does not contain declared merge key: name"),
        (
            {"items": [{"name": "x", "$patch": "bogus"}]},
            Unclassified,
            "unknown patch type: bogus in map: map[$patch:bogus name:x]",
        ),
        ({"$setElementOrder/items": "x"}, Unclassified, "expected a []interface {}, but received a string"),
        ({"$setElementOrder/no": []}, Unclassified, 'unable to find api field in struct  for the json field "no"'),
        (
            {"map": {"$setElementOrder/no": []}},
            Unclassified,
            "merging an object in json but data type is not struct, instead is: map",
        ),
        ({"union": {"$retainKeys": ["a"], "b": 1}}, BadRequest, "invalid patch format of retainKeys"),
        ({"$deleteFromPrimitiveList": ["a"]}, BadRequest, "invalid patch format of primitive list"),
    ],
)
def test_malformed_patches_are_answered_as_kubernetes_does(patch: Any, error: type[Exception], text: str) -> None:
    """Texts and classes were taken from kube-apiserver 1.36."""
    with pytest.raises(error) as caught:
        apply_strategic_patch({"items": _items("x"), "union": {"a": 1}, "map": {"a": "b"}}, patch, SCHEMA)
    assert str(caught.value) == text


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(NAMES, NAMES)
def test_a_stated_order_holds_and_nothing_is_lost(live: list[str], wanted: list[str]) -> None:
    """The patch's items stand in its order; the server's others keep theirs; each is there once."""
    patch = {
        "$setElementOrder/items": [{"name": name} for name in wanted],
        "items": [{"name": name} for name in wanted],
    }
    found = [item["name"] for item in apply_strategic_patch({"items": _items(*live)}, patch, SCHEMA)["items"]]
    assert sorted(found) == sorted({*live, *wanted})
    assert [name for name in found if name in wanted] == wanted
    assert [name for name in found if name not in wanted] == [name for name in live if name not in wanted]


@given(NAMES, NAMES)
def test_merging_twice_changes_nothing_more(live: list[str], patched: list[str]) -> None:
    """Without directives a patch is idempotent."""
    patch = {"items": [{"name": name, "value": 9} for name in patched], "texts": patched}
    once = apply_strategic_patch({"items": _items(*live), "texts": live}, patch, SCHEMA)
    assert apply_strategic_patch(once, patch, SCHEMA) == once
