"""
Types that a schema declares, and how large what has them can get.

Every node of a schema that expressions can see becomes a :class:`Declared`: its type, and bounds from which costs are
estimated before any value is there. Lengths are in bytes, as a request has them.

Source: k8s.io/apiserver's pkg/cel/common/schemas.go, pkg/cel/types.go (names) and pkg/cel/escaping.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import Library
from fairlead_schema.cel.lexer import RESERVED
from fairlead_schema.cel.types import AnyType, Field, ListType, ObjectType, Type

MOST_BYTES = 3 * 1024 * 1024
"""Of a request; nothing in it can be larger."""

NAMES = Library("schema", types={"duration": t.DURATION, "timestamp": t.TIMESTAMP})
"""Names that types have as well wherever a variable is declared by a schema."""

_LEAST_TEXT, _LEAST_BOOL, _LEAST_NUMBER = 2, 4, 1
_MOST_TEXT = MOST_BYTES - 2
_FORMATS: Mapping[str, tuple[Type, int, int]] = {
    "duration": (t.DURATION, 3, 32),
    "date": (t.TIMESTAMP, 12, 12),
    "date-time": (t.TIMESTAMP, 21, 32),
}
"""By format: the type, and how many bytes the value has in JSON, at least and at most."""
_CONVERSIONS = frozenset(("duration", "date", "date-time", "byte"))
_TEXT: JsonObject = {"type": "string"}
_METADATA: JsonObject = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}


@dataclass(frozen=True, slots=True)
class Declared:
    """
    What a node of a schema declares.

    Attributes:
        longest: Most characters, elements or entries; 0 where there are none.
        least_bytes: Of a value in JSON.
        fields: Of an object, by their CEL names.
        element: Of a list or a map.
        has_keys: Whether it is a map.
    """

    type: AnyType
    longest: int = 0
    least_bytes: int = 1
    fields: Mapping[str, Declared] = field(default_factory=dict)
    element: Declared | None = None
    has_keys: bool = False

    @property
    def most_times(self) -> int:
        """Return how often such a value can be in one request, with nothing but commas between."""
        return MOST_BYTES // (self.least_bytes + 1)

    def below(self, step: str) -> Declared | None:
        """Return what is at a field, or at ``@items``, ``@keys`` or ``@values``; None when nothing is known of it."""
        if step in ("@items", "@values"):
            return self.element
        if step == "@keys":
            return _KEY if self.has_keys else None
        return self.fields.get(step)


_KEY = Declared(t.STRING, least_bytes=_LEAST_TEXT)


def limits(variables: Mapping[str, Declared]) -> Callable[[tuple[str, ...]], int | None]:
    """Return what says the longest at a path that begins with a variable, for estimates."""

    def longest(path: tuple[str, ...]) -> int | None:
        at = variables.get(path[0]) if path else None
        for step in path[1:]:
            at = at.below(step) if at is not None else None
        return None if at is None else at.longest

    return longest


def declare(schema: JsonObject, name: str, *, is_root: bool = False) -> Declared | None:
    """
    Return what a structural schema declares; None when expressions cannot see such values.

    Args:
        schema: An OpenAPI v3 schema as a CRD has it; not changed.
        name: Of the type, if it is an object; those below it are ``name.field``, ``name.field.@idx`` of lists and
            ``name.field.@elem`` of maps.
        is_root: Whether it is the root of a resource, which always has ``apiVersion``, ``kind`` and the names in
            ``metadata``; of embedded resources below it the schema tells.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return Declared(t.DYN, _most_text(schema))
    if is_root:
        schema = _with_meta(schema)
    make = _KINDS.get(schema.get("type") or "")
    return None if make is None else make(schema, name)


def _below(schema: JsonObject, name: str) -> Declared | None:
    return declare(schema, name, is_root=bool(schema.get("x-kubernetes-embedded-resource")))


def _with_meta(schema: JsonObject) -> JsonObject:
    properties = schema.get("properties") or {}
    metadata = properties.get("metadata") or {}
    named = metadata.get("properties") or {}
    kinds = (
        *((properties.get(each) or {}).get("type") for each in ("kind", "apiVersion")),
        *((named.get(each) or {}).get("type") for each in ("name", "generateName")),
    )
    if metadata.get("type") == "object" and set(kinds) == {"string"}:
        return schema
    return {**schema, "properties": {**properties, "kind": _TEXT, "apiVersion": _TEXT, "metadata": _METADATA}}


def _most_text(schema: JsonObject) -> int:
    longest = schema.get("maxLength")
    return _MOST_TEXT if longest is None else 4 * max(0, longest)


def _string(schema: JsonObject, _: str) -> Declared:
    kind = schema.get("format") or ""
    longest = schema.get("maxLength")
    if kind == "byte":
        return Declared(t.BYTES, _MOST_TEXT if longest is None else max(0, longest), _LEAST_TEXT)
    if kind in _FORMATS:
        of, least, most = _FORMATS[kind]
        return Declared(of, most, least)
    allowed = schema.get("enum")
    if longest is None and allowed:
        most = max((len(each.encode()) for each in allowed if isinstance(each, str)), default=0)
        return Declared(t.STRING, most, _LEAST_TEXT)
    return Declared(t.STRING, _most_text(schema), _LEAST_TEXT)


def _array(schema: JsonObject, name: str) -> Declared | None:
    element = _below(schema["items"], f"{name}.@idx") if schema.get("items") is not None else None
    if element is None:
        return None
    most = schema.get("maxItems")
    longest = (MOST_BYTES - 2) // (element.least_bytes + 1) if most is None else max(0, most)
    of = ListType(
        "list",
        (element.type,),
        kind=schema.get("x-kubernetes-list-type") or "atomic",
        keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        longest=longest,
    )
    return Declared(of, longest, 2, element=element)


def _object(schema: JsonObject, name: str) -> Declared | None:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return _map(schema, values, name)
    required = frozenset(schema.get("required") or ())
    declared: dict[str, Declared] = {}
    fields: dict[str, Field] = {}
    least = 2
    for key, property_schema in (schema.get("properties") or {}).items():
        escaped = escape(key)
        below = _below(property_schema, f"{name}.{escaped}")
        if below is None:
            continue
        if key in required and property_schema.get("default") is None:
            least += len(key.encode()) + below.least_bytes + 4
        if escaped is not None:
            declared[escaped] = below
            fields[escaped] = _field(key, property_schema, below, required=key in required)
    # A reserved word names a field, too, but estimates do not know it by that name.
    fields |= {made.name: made for made in fields.values() if made.name in RESERVED and made.name not in fields}
    return Declared(ObjectType(name, fields=fields), 0, least, fields=declared)


def _field(name: str, schema: JsonObject, below: Declared, *, required: bool) -> Field:
    conversion = ""
    if below.type is t.DOUBLE:
        conversion = "double"
    elif schema.get("type") == "string" and schema.get("format") in _CONVERSIONS and below.type is not t.DYN:
        conversion = schema["format"]
    return Field(name, below.type, conversion, below.longest, required)


def _map(schema: JsonObject, values: JsonObject, name: str) -> Declared | None:
    element = _below(values, f"{name}.@elem")
    if element is None:
        return None
    most = schema.get("maxProperties")
    longest = (MOST_BYTES - 2) // (element.least_bytes + 6) if most is None else max(0, most)
    return Declared(t.map_of(t.STRING, element.type), longest, 2, element=element, has_keys=True)


_KINDS: Mapping[str, Callable[[JsonObject, str], Declared | None]] = {
    "array": _array,
    "object": _object,
    "string": _string,
    "boolean": lambda _schema, _name: Declared(t.BOOL, least_bytes=_LEAST_BOOL),
    "number": lambda _schema, _name: Declared(t.DOUBLE, least_bytes=_LEAST_NUMBER),
    "integer": lambda _schema, _name: Declared(t.INT, least_bytes=_LEAST_NUMBER),
}

_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPED = re.compile(r"__|[-./]")
_NAME = re.compile(r"[a-zA-Z_./-][a-zA-Z0-9_./-]*")


def escape(name: str) -> str | None:
    """Return the name by which expressions select a field; None when they cannot."""
    if name in RESERVED:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    return _ESCAPED.sub(lambda match: _ESCAPES[match.group()], name)
