"""JSON merge patch."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_schema.mergepatch import apply_merge_patch


@pytest.mark.parametrize(
    ("doc", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({}, {"a": [{"b": None}, None]}, {"a": [{}, None]}),
    ],
)
def test_the_cases_of_the_rfc(doc: JsonObject, patch: Any, expected: JsonObject) -> None:
    """RFC 7396, appendix A, as far as documents are objects; nulls in new lists' objects go too."""
    assert apply_merge_patch(doc, patch) == expected


def test_a_patch_is_an_object() -> None:
    """Anything else is a bad request."""
    with pytest.raises(BadRequest, match="cannot unmarshal array into Go value"):
        apply_merge_patch({}, [1])


VALUES = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_patching_twice_changes_nothing_more(doc: JsonObject, patch: JsonObject) -> None:
    """And neither argument changes."""
    before = copy.deepcopy((doc, patch))
    once = apply_merge_patch(doc, patch)
    assert apply_merge_patch(once, patch) == once
    assert (doc, patch) == before
