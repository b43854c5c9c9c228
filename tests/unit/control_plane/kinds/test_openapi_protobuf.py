"""OpenAPI v2 as protobuf: read back by a reader of the wire format that knows no field names."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.openapi import OpenApi
from fairlead_control_plane.kinds.openapi_protobuf import encode


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        else:
            assert key & 7 == 2
            length, at = _varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length


def one(data: bytes, number: int) -> bytes:
    """Return the only field of a number."""
    (found,) = [value for key, value in fields(data) if key == number]
    assert isinstance(found, bytes)
    return found


def test_a_schema_is_found_where_gnostic_looks_for_it() -> None:
    """Names, references, types and extensions stand at the numbers of OpenAPIv2.proto."""
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"$ref": "#/definitions/b"}, "n": {"type": "integer", "minItems": 300}},
        "x-kind": [1],
    }
    document = encode({"swagger": "2.0", "definitions": {"c": schema}})
    assert one(document, 1) == b"2.0"
    named = one(one(document, 9), 1)
    assert one(named, 1) == b"c"
    found = one(named, 2)
    assert one(one(found, 22), 1) == b"object"
    assert one(found, 19) == b"a"
    extension = one(found, 31)
    assert (one(extension, 1), one(one(extension, 2), 2)) == (b"x-kind", b"[1]\n")
    first, second = [value for _, value in fields(one(found, 25)) if isinstance(value, bytes)]
    assert one(one(first, 2), 1) == b"#/definitions/b"
    assert dict(fields(one(second, 2)))[15] == 300


def test_all_built_in_kinds_are_there() -> None:
    """The whole document is encoded once and has a definition for each kind."""
    openapi = OpenApi(builtin_resources("cluster"))
    body, tag = openapi.v2(protobuf=True)
    assert openapi.v2(protobuf=True)[0] is body
    assert tag != openapi.v2()[1]
    names = {one(named, 1) for _, named in fields(one(body, 9)) if isinstance(named, bytes)}
    assert {b"io.k8s.api.core.v1.Pod", b"io.k8s.api.apps.v1.Deployment"} <= names
