"""Sets of fields and their text form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_schema.fieldset import EMPTY, FieldSet, canonical, key_element, path_text

FIELDS: dict[str, Any] = {
    "f:spec": {
        "f:ports": {
            ".": {},
            'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}},
            'k:{"port":443,"protocol":"TCP"}': {},
        },
        "f:replicas": {},
    },
    'v:"a"': {},
    "v:3": {},
    "i:2": {},
}


def test_fields_are_read_and_written_in_kubernetes_order() -> None:
    """Fields, keys, values, indices; numbers by size; members marked with a dot only when more lies below."""
    shuffled = json.loads(json.dumps(FIELDS, sort_keys=True))
    found = FieldSet.decode(shuffled).encode()
    assert found == FIELDS
    assert list(found) == ["f:spec", "v:3", 'v:"a"', "i:2"]
    assert list(found["f:spec"]["f:ports"]) == [
        ".",
        'k:{"port":80,"protocol":"TCP"}',
        'k:{"port":443,"protocol":"TCP"}',
    ]


def test_unknown_kinds_are_dropped_and_spelling_does_not_matter() -> None:
    """A later version may know more; clients may write keys in any order."""
    found = FieldSet.decode({"r:x": {}, 'k:{ "protocol":"TCP","port":80}': {}, "v: 3": {}})
    assert found.encode() == {'k:{"port":80,"protocol":"TCP"}': {}, "v:3": {}}


@pytest.mark.parametrize("text", ["", "x", "fx", "v:{", "k:1", "i:x"])
def test_malformed_elements_are_refused(text: str) -> None:
    """Neither colon nor content may be missing."""
    with pytest.raises(ValueError, match=r".*"):
        canonical(text)


def test_paths_are_printed_as_kubectl_shows_them() -> None:
    """Keys in brackets, texts quoted."""
    path = ("f:spec", key_element("port", 80, "protocol", "TCP"), "f:name")
    assert path_text(path) == '.spec[port=80,protocol="TCP"].name'
    assert path_text(("f:finalizers", 'v:"x"')) == '.finalizers[="x"]'


def test_key_values_keep_their_types() -> None:
    """Python takes 1, 1.0 and true for the same; keys must not."""
    assert key_element("k", 1) == 'k:{"k":1}'
    assert key_element("k", True) == 'k:{"k":true}'
    assert key_element("k", "1") == 'k:{"k":"1"}'


ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"n":"x"}', 'v:"a"'])
PATHS = st.lists(ELEMENTS, min_size=1, max_size=3).map(tuple)


@st.composite
def field_sets(draw: st.DrawFn) -> FieldSet:
    found = FieldSet()
    for path in draw(st.lists(PATHS, max_size=6)):
        found.insert(path)
    return found


@given(field_sets(), field_sets())
def test_operations_agree_with_plain_sets(one: FieldSet, other: FieldSet) -> None:
    """A field set is a set of paths."""
    ours, theirs = set(one.paths()), set(other.paths())
    assert set(one.union(other).paths()) == ours | theirs
    assert set(one.intersection(other).paths()) == ours & theirs
    assert set(one.difference(other).paths()) == ours - theirs
    below = {path for path in ours if any(path[: len(lead)] == lead for lead in theirs)}
    assert set(one.recursive_difference(other).paths()) == ours - below
    assert all(one.has(path) for path in ours)
    assert not any(one.has(path) for path in theirs - ours)


@given(field_sets())
def test_what_is_written_is_read_back(fields: FieldSet) -> None:
    """Through JSON text."""
    assert FieldSet.decode(json.loads(json.dumps(fields.encode()))) == fields
    assert bool(fields) == any(True for _ in fields.paths())
    assert EMPTY.union(fields) == fields
