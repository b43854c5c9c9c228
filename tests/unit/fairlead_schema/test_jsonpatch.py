"""JSON Patch, with what Kubernetes allows beyond the RFC."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import BadRequest, Invalid, RequestTooLarge
from fairlead_schema.jsonpatch import apply_json_patch

DOC = {"a": {"b": [1, {"c": 2}], "d/e": 3, "f~g": 4}, "n": None}


@pytest.mark.parametrize(
    ("ops", "path", "expected"),
    [
        ([{"op": "add", "path": "/a/b/-", "value": 5}], ("a", "b"), [1, {"c": 2}, 5]),
        ([{"op": "add", "path": "/a/b/0", "value": 5}], ("a", "b"), [5, 1, {"c": 2}]),
        ([{"op": "add", "path": "/a/b/-1", "value": 5}], ("a", "b"), [1, {"c": 2}, 5]),
        ([{"op": "remove", "path": "/a/b/-1"}], ("a", "b"), [1]),
        ([{"op": "replace", "path": "/a/new", "value": 1}], ("a", "new"), 1),
        ([{"op": "replace", "path": "/a/d~1e", "value": 9}], ("a", "d/e"), 9),
        ([{"op": "replace", "path": "/a/f~0g", "value": 9}], ("a", "f~g"), 9),
        ([{"op": "copy", "from": "/a/b/1", "path": "/z"}, {"op": "add", "path": "/z/c", "value": 7}], ("z", "c"), 7),
        ([{"op": "move", "from": "/a/b/0", "path": "/a/b/-"}], ("a", "b"), [{"c": 2}, 1]),
        ([{"op": "test", "path": "/missing"}, {"op": "test", "path": "/n", "value": None}], ("n",), None),
    ],
)  # fmt: skip
def test_operations(ops: Any, path: tuple[str | int, ...], expected: object) -> None:
    """Each does what it says and leaves the document alone."""
    before = copy.deepcopy(DOC)
    found: Any = apply_json_patch(DOC, ops)
    for key in path:
        found = found[key]
    assert found == expected
    assert before == DOC


@pytest.mark.parametrize(
    "op",
    [
        {"op": "remove", "path": "/nope"},
        {"op": "remove", "path": "/a/b/2"},
        {"op": "replace", "path": "/a/b/2", "value": 1},
        {"op": "add", "path": "/nope/x", "value": 1},
        {"op": "add", "path": "/a/b/7", "value": 1},
        {"op": "add", "path": "/a/b/ 1", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "test", "path": "/a/b/0", "value": True},
        {"op": "move", "from": "/nope", "path": "/x"},
        {"op": "copy", "from": "/nope/x", "path": "/x"},
        {"op": "bogus", "path": "/a"},
        {"op": "add", "value": 1},
    ],
)
def test_what_does_not_apply_is_invalid(op: dict[str, object]) -> None:
    """With the one text Kubernetes gives."""
    with pytest.raises(Invalid, match="the server rejected our request due to an error in our request"):
        apply_json_patch(DOC, [{"op": "add", "path": "/q", "value": 1}, op])


def test_malformed_and_oversized_patches() -> None:
    """Not a list, not objects, more than 10,000 operations."""
    with pytest.raises(BadRequest, match="cannot unmarshal object into Go value"):
        apply_json_patch({}, {"op": "add"})
    with pytest.raises(BadRequest, match="cannot unmarshal string into Go value"):
        apply_json_patch({}, ["x"])
    add = {"op": "add", "path": "/x", "value": 1}
    assert apply_json_patch({}, [add] * 10_000) == {"x": 1}
    with pytest.raises(RequestTooLarge, match="allowed maximum operations in a JSON patch is 10000, got 10001"):
        apply_json_patch({}, [add] * 10_001)


KEYS = st.sampled_from(["a", "b", "c", "0", "1", "-"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OPS = st.builds(
    lambda op, keys, value: {"op": op, "path": "".join(f"/{key}" for key in keys), "value": value},
    st.sampled_from(["add", "remove", "replace"]),
    st.lists(KEYS, min_size=1, max_size=3),
    VALUES,
)


def _oracle(doc: Any, op: dict[str, Any]) -> None:
    """Carry out one operation the plain way, on a copy of everything; raise LookupError when it does not apply."""
    *lead, key = op["path"].split("/")[1:]
    for step in lead:
        if isinstance(doc, list) and not step.isdigit():
            raise KeyError(step)
        doc = doc[int(step)] if isinstance(doc, list) else doc[step]
    if isinstance(doc, dict):
        if op["op"] == "remove":
            del doc[key]
        else:
            doc[key] = op["value"]
    elif isinstance(doc, list):
        index = len(doc) if key == "-" and op["op"] == "add" else int(key) if key.isdigit() else 10**6
        if index > len(doc) or (op["op"] != "add" and index >= len(doc)):
            raise IndexError(key)
        if op["op"] == "add":
            doc.insert(index, op["value"])
        elif op["op"] == "remove":
            del doc[index]
        else:
            doc[index] = op["value"]
    else:
        raise KeyError(key)


@given(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), st.lists(OPS, max_size=4))
def test_agrees_with_a_plain_implementation(doc: dict[str, Any], ops: list[dict[str, Any]]) -> None:
    """Same result or both refuse; the document never changes."""
    before = json.dumps(doc)
    expected: Any = copy.deepcopy(doc)
    try:
        for op in copy.deepcopy(ops):
            _oracle(expected, op)
    except (LookupError, TypeError):
        with pytest.raises(Invalid):
            apply_json_patch(doc, ops)
    else:
        assert json.dumps(apply_json_patch(doc, ops), sort_keys=True) == json.dumps(expected, sort_keys=True)
    assert json.dumps(doc) == before


def test_copies_cannot_multiply() -> None:
    """Sixty copies of an object into itself would double it sixty times."""
    ops = [{"op": "copy", "from": "/data", "path": f"/data/k{i}"} for i in range(60)]
    with pytest.raises(Invalid) as raised:
        apply_json_patch({"data": {"x": "a" * 100}}, ops)
    assert "accumulated size" in str(raised.value.__cause__)


def test_a_copy_is_independent_of_what_it_was_made_of() -> None:
    """A change of one is not seen in the other, nor in the patch, which may be applied again."""
    ops = [
        {"op": "add", "path": "/a", "value": {"n": [1]}},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/n/-", "value": 2},
    ]
    for _ in range(2):
        assert apply_json_patch({}, ops) == {"a": {"n": [1, 2]}, "b": {"n": [1]}}
