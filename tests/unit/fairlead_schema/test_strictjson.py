"""The strict JSON parser."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_api.errors import BadRequest
from fairlead_schema.strictjson import strict_json


def test_duplicates_are_named_by_path_and_the_last_one_counts() -> None:
    """In the order they stand, each once."""
    raw = b'{"spec":{"x":1,"x":2,"l":[{"a":1,"a":2,"a":3}]},"kind":"A","kind":"B"}'
    value, found = strict_json(raw)
    assert value == {"spec": {"x": 2, "l": [{"a": 3}]}, "kind": "B"}
    assert found == ['duplicate field "kind"', 'duplicate field "spec.x"', 'duplicate field "spec.l[0].a"']


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":1}x',
        b"[1]",
        b"",
        b'{"a":"\xff"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_what_is_no_json_object_is_a_bad_request(raw: bytes) -> None:
    """Not numbers, half surrogates, trailing data, other values, depth."""
    with pytest.raises(BadRequest):
        strict_json(raw)


def test_big_numbers_and_surrogate_pairs_survive() -> None:
    """No precision is lost."""
    value, found = strict_json(b'{"n":123456789012345678901234567890,"s":"\\ud83d\\ude00"}')
    assert value == {"n": 123456789012345678901234567890, "s": "\N{GRINNING FACE}"}
    assert found == []


@given(
    st.dictionaries(
        st.text(max_size=4),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=6),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=10,
        ),
        max_size=4,
    )
)
def test_reads_what_was_written(value: dict[str, object]) -> None:
    """Valid JSON without duplicates comes back as it was."""
    assert strict_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == (value, [])
