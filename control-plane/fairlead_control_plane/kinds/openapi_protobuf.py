"""
OpenAPI v2 in protobuf, the only form in which kubectl reads v2 (for kinds that v3 does not know, and ``explain``).

Source: github.com/google/gnostic-models openapiv2/OpenAPIv2.proto (field numbers); only what our documents hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_FOR_AS = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Clients write an ``@``, with which no media type can be parsed; so the answer has a dot, as Kubernetes' has."""

_VARINT, _FIXED64, _BYTES = 0, 1, 2
Encode = Callable[[int, Any], bytes]
"""Takes a field's number and its JSON value; returns the field with its tag."""
Table = dict[str, tuple[int, Encode]]


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a v2 document as ``openapi.v2.Document``."""
    return _message(_DOCUMENT, document)


def _message(table: Table, value: Mapping[str, Any]) -> bytes:
    """Encode an object; keys that start with ``x-`` are extensions, others that the table lacks are left out."""
    parts: list[bytes] = []
    extensions = table.get("x-")
    for key, item in value.items():
        field = table.get(key)
        if field is not None:
            parts.append(field[1](field[0], item))
        elif extensions is not None and key.startswith("x-"):
            parts.append(extensions[1](extensions[0], (key, item)))
    return b"".join(parts)


def _varint(value: int) -> bytes:
    parts = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _texts(number: int, values: list[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _number(number: int, value: int) -> bytes:
    """Encode an integer or a boolean."""
    return _varint(number << 3 | _VARINT) + _varint(int(value))


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def _any(number: int, value: object) -> bytes:
    """Encode any value as YAML text, of which JSON is a part."""
    return _bytes(number, _text(2, orjson.dumps(value).decode() + "\n"))


def _anys(number: int, values: list[object]) -> bytes:
    return b"".join(_any(number, value) for value in values)


def _extension(number: int, pair: tuple[str, object]) -> bytes:
    return _bytes(number, _text(1, pair[0]) + _any(2, pair[1]))


def _schema(number: int, value: Mapping[str, Any]) -> bytes:
    return _bytes(number, _message(_SCHEMA, value))


def _schemas(number: int, values: list[Mapping[str, Any]]) -> bytes:
    return b"".join(_schema(number, value) for value in values)


def _named_schemas(number: int, values: Mapping[str, Mapping[str, Any]]) -> bytes:
    return _bytes(number, b"".join(_bytes(1, _text(1, key) + _schema(2, value)) for key, value in values.items()))


def _additional(number: int, value: Mapping[str, Any] | bool) -> bytes:
    return _bytes(number, _number(2, value) if isinstance(value, bool) else _schema(1, value))


def _type(number: int, value: str | list[str]) -> bytes:
    return _bytes(number, _texts(1, [value] if isinstance(value, str) else value))


def _items(number: int, value: Mapping[str, Any]) -> bytes:
    return _bytes(number, _schema(1, value))


def _parameters(number: int, values: list[Mapping[str, Any]]) -> bytes:
    return b"".join(_bytes(number, _bytes(1, _parameter(value))) for value in values)


def _parameter(value: Mapping[str, Any]) -> bytes:
    if value["in"] == "body":
        return _bytes(1, _message(_BODY_PARAMETER, value))
    is_path = value["in"] == "path"
    table = _PATH_PARAMETER if is_path else _QUERY_PARAMETER
    return _bytes(2, _bytes(4 if is_path else 3, _message(table, value)))


def _responses(number: int, values: Mapping[str, Mapping[str, Any]]) -> bytes:
    named = (_text(1, code) + _bytes(2, _bytes(1, _message(_RESPONSE, value))) for code, value in values.items())
    return _bytes(number, b"".join(_bytes(1, one) for one in named))


def _operation(number: int, value: Mapping[str, Any]) -> bytes:
    return _bytes(number, _message(_OPERATION, value))


def _paths(number: int, values: Mapping[str, Mapping[str, Any]]) -> bytes:
    named = (_text(1, path) + _bytes(2, _message(_PATH_ITEM, value)) for path, value in values.items())
    return _bytes(number, b"".join(_bytes(2, one) for one in named))


_SCHEMA: Table = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _any),
    "multipleOf": (6, _double),
    "maximum": (7, _double),
    "exclusiveMaximum": (8, _number),
    "minimum": (9, _double),
    "exclusiveMinimum": (10, _number),
    "maxLength": (11, _number),
    "minLength": (12, _number),
    "pattern": (13, _text),
    "maxItems": (14, _number),
    "minItems": (15, _number),
    "uniqueItems": (16, _number),
    "maxProperties": (17, _number),
    "minProperties": (18, _number),
    "required": (19, _texts),
    "enum": (20, _anys),
    "additionalProperties": (21, _additional),
    "type": (22, _type),
    "items": (23, _items),
    "allOf": (24, _schemas),
    "properties": (25, _named_schemas),
    "x-": (31, _extension),
}
_QUERY_PARAMETER: Table = {
    "required": (1, _number),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _number),
}
_PATH_PARAMETER: Table = {
    "required": (1, _number),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _number),
}
_BODY_PARAMETER: Table = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _number),
    "schema": (5, _schema),
}
_RESPONSE: Table = {"description": (1, _text), "schema": (2, _items)}
_OPERATION: Table = {
    "tags": (1, _texts),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _texts),
    "consumes": (7, _texts),
    "parameters": (8, _parameters),
    "responses": (9, _responses),
    "x-": (13, _extension),
}
_PATH_ITEM: Table = {
    "get": (2, _operation),
    "put": (3, _operation),
    "post": (4, _operation),
    "delete": (5, _operation),
    "options": (6, _operation),
    "head": (7, _operation),
    "patch": (8, _operation),
    "parameters": (9, _parameters),
}
_INFO: Table = {"title": (1, _text), "version": (2, _text), "description": (3, _text)}
_DOCUMENT: Table = {
    "swagger": (1, _text),
    "info": (2, lambda number, value: _bytes(number, _message(_INFO, value))),
    "paths": (8, _paths),
    "definitions": (9, _named_schemas),
}
