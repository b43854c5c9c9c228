"""Bodies of too many members are refused before anything is made of them."""

from __future__ import annotations

import orjson
import pytest

from fairlead_api.errors import RequestTooLarge
from fairlead_control_plane.registry import body
from fairlead_control_plane.registry.bounds import BODY_MEMBERS, check_json, is_long


@pytest.mark.parametrize("member", [b"1", b"[]", b"{}", b'{"a":1}', b"[[[]]]"])
def test_members_are_counted(member: bytes) -> None:
    """However they are written."""
    each = orjson.loads(member)
    size = 1 + (len(each) if isinstance(each, dict) else 0)
    fits, over = BODY_MEMBERS // 4 // size, BODY_MEMBERS // size + 2
    check_json(b"[" + b",".join([member] * fits) + b"]")
    with pytest.raises(RequestTooLarge, match=f"limit is {BODY_MEMBERS} keys and items"):
        check_json(b"[" + b",".join([member] * over) + b"]")


@pytest.mark.parametrize("text", ["a,b" * 100_000, "[{" * 150_000, '",' * 100_000, "\\," * 150_000])
def test_signs_within_texts_are_no_members(text: str) -> None:
    """Whoever keeps a table in a ConfigMap has one key."""
    check_json(orjson.dumps({"data": {"table": text}}))


def test_an_open_text_ends_with_the_body() -> None:
    """What is no JSON is for the parser to refuse."""
    check_json(b'{"a":"' + b"," * (BODY_MEMBERS + 1))


def test_yaml_is_bounded_too() -> None:
    """Before it is composed."""
    with pytest.raises(RequestTooLarge):
        body.parse_yaml(b"- a\n" * (2 * BODY_MEMBERS + 1))


def test_yaml_is_long_sooner() -> None:
    """It is read slowly."""
    text = b"a: 1\n" * 2_000
    assert is_long(text)
    assert not is_long(b"{" + text)
    assert is_long(b"{" + text * 4)
