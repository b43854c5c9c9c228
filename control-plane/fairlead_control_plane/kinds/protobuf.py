"""
Decode ``application/vnd.kubernetes.protobuf`` request bodies of built-in kinds.

kubectl's and client-go's typed clients send them; answers may be JSON. Field numbers come from the Go structs
(``data/types.json``), so there is no code per kind.

Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf; Protocol Buffers encoding.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_control_plane.kinds import facts

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAX_DEPTH = 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_META_KINDS = frozenset({"DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status", "List"})
# A field of another wire type than its number promises shows as a TypeError or AttributeError.
_MALFORMED = (ValueError, IndexError, OverflowError, TypeError, AttributeError, struct.error)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Reader = Callable[[Any, int], Any]
"""Takes a wire value (bytes or int) and the depth; returns the JSON value."""


def decode(body: bytes) -> JsonObject:
    """
    Return the object of a body as JSON, ``apiVersion`` and ``kind`` included.

    Raises:
        BadRequest: Not the envelope, an unknown kind, or malformed content.
    """
    if not body.startswith(MAGIC):
        raise BadRequest("the body does not appear to be a protobuf message of Kubernetes: the magic bytes are missing")
    try:
        return _object(body[len(MAGIC) :])
    except _MALFORMED as error:
        raise BadRequest(f"the protobuf body cannot be read: {error}") from error


def _object(envelope: bytes) -> JsonObject:
    api_version = kind = ""
    raw = b""
    for number, value in _fields(envelope):
        if number == 1:
            for inner, text in _fields(value):
                if inner == 1:
                    api_version = text.decode()
                elif inner == 2:
                    kind = text.decode()
        elif number == 2:
            raw = value
    name = _definition(api_version, kind)
    return {"kind": kind, "apiVersion": api_version, **_message(name, raw, 0)}


def _definition(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    if kind in _META_KINDS:
        return f"{facts.META}.{kind}"
    try:
        return facts.definition_name(group, version, kind)
    except KeyError:
        raise BadRequest(f'no kind "{kind}" is registered for version "{api_version}"') from None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field: bytes, or an unsigned integer for the other wire types."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            length, position = _varint(data, position)
            value: Any = data[position : position + length]
            if len(value) != length:
                raise ValueError("unexpected end of data")
            position += length
        elif wire == _VARINT:
            value, position = _varint(data, position)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
            value = data[position : position + size]
            if len(value) != size:
                raise ValueError("unexpected end of data")
            position += size
        else:
            raise ValueError(f"wire type {wire} is not used")
        yield number, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _message(name: str, data: bytes, depth: int) -> JsonObject:
    """Decode a struct; empty values that Go's ``omitempty`` would leave out are left out."""
    if depth > _MAX_DEPTH:
        raise ValueError("messages are nested too deep")
    table = _table(name)
    result: JsonObject = {}
    for number, value in _fields(data):
        field = table.get(number)
        if field is None:
            continue
        json_name, form, keeps_empty, read = field
        if form == "inline":
            result.update(read(value, depth + 1))
        elif form == "list":
            result.setdefault(json_name, []).append(read(value, depth + 1))
        elif form == "map":
            key, item = _entry(value, read, depth + 1)
            result.setdefault(json_name, {})[key] = item
        else:
            item = read(value, depth + 1)
            if item is not None and (keeps_empty or item or form == "pointer" or isinstance(item, dict)):
                result[json_name] = item
    return result


def _entry(data: bytes, read: Reader, depth: int) -> tuple[str, Any]:
    key, item = "", None
    raw: Any = b""
    for number, value in _fields(data):
        if number == 1:
            key = value.decode()
        elif number == 2:
            raw = value
    item = read(raw, depth)
    return key, item


@cache
def _table(name: str) -> dict[int, tuple[str, str, bool, Reader]]:
    """Return number to (JSON name, shape, keeps empty, reader)."""
    return {
        number: (json_name, form, keeps_empty, _reader(kind))
        for number, json_name, kind, form, keeps_empty, *_ in facts.types()[name]
    }


def _reader(kind: str) -> Reader:
    if kind in facts.types():
        return lambda data, depth: _message(kind, data, depth)
    if kind.startswith("list:"):
        inner = _reader(kind.removeprefix("list:"))
        return lambda data, depth: [inner(value, depth) for number, value in _fields(data) if number == 1]
    return _READERS[kind]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _instant(data: bytes) -> tuple[int, int] | None:
    seconds = nanos = 0
    if not data:
        return None
    for number, value in _fields(data):
        if number == 1:
            seconds = _signed(value)
        elif number == 2:
            nanos = value
    return seconds, nanos


def _time(data: bytes, _depth: int) -> str | None:
    found = _instant(data)
    return None if found is None else (_EPOCH + timedelta(seconds=found[0])).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(data: bytes, _depth: int) -> str | None:
    found = _instant(data)
    if found is None:
        return None
    moment = _EPOCH + timedelta(seconds=found[0], microseconds=found[1] // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _quantity(data: bytes, _depth: int) -> str:
    return next((text.decode() for number, text in _fields(data) if number == 1), "0")


def _int_or_string(data: bytes, _depth: int) -> int | str:
    kind, whole, text = 0, 0, ""
    for number, value in _fields(data):
        if number == 1:
            kind = value
        elif number == 2:
            whole = _signed(value)
        elif number == 3:
            text = value.decode()
    return text if kind == 1 else whole


def _raw(data: bytes, _depth: int) -> Any:
    content = next((value for number, value in _fields(data) if number == 1), b"")
    return orjson.loads(content) if content else None


def _duration(data: bytes, _depth: int) -> str:
    nanoseconds = next((_signed(value) for number, value in _fields(data) if number == 1), 0)
    return f"{nanoseconds / 1e9:g}s"


_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def _schema_or_array(data: bytes, depth: int) -> Any:
    one, many = None, []
    for number, value in _fields(data):
        if number == 1:
            one = _message(_PROPS, value, depth)
        elif number == 2:
            many.append(_message(_PROPS, value, depth))
    return many or one


def _schema_or_bool(data: bytes, depth: int) -> Any:
    allows, schema = False, None
    for number, value in _fields(data):
        if number == 1:
            allows = bool(value)
        elif number == 2:
            schema = _message(_PROPS, value, depth)
    return allows if schema is None else schema


def _schema_or_strings(data: bytes, depth: int) -> Any:
    schema, texts = None, []
    for number, value in _fields(data):
        if number == 1:
            schema = _message(_PROPS, value, depth)
        elif number == 2:
            texts.append(value.decode())
    return texts if schema is None else schema


_READERS: dict[str, Reader] = {
    "string": lambda data, _: data.decode() if data else "",
    "bool": lambda value, _: bool(value),
    "int": lambda value, _: _signed(value) if value else 0,
    "byte": lambda value, _: value,
    "double": lambda data, _: struct.unpack("<d", data)[0],
    "bytes": lambda data, _: base64.b64encode(data).decode(),
    "time": _time,
    "microtime": _micro_time,
    "duration": _duration,
    "quantity": _quantity,
    "intstr": _int_or_string,
    "raw": _raw,
    "schema-or-array": _schema_or_array,
    "schema-or-bool": _schema_or_bool,
    "schema-or-strings": _schema_or_strings,
}
