"""
Values of a schema as they are in JSON, made values of the language by their types.

Strings of format ``date-time`` are timestamps, whole numbers of type ``number`` are doubles; lists that are sets or
maps are equal whatever their order, and ``+`` joins them as such.

Source: k8s.io/apiserver/pkg/cel/common/valuesunstructured.go.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ordering import equal
from fairlead_schema.cel.times import schema_duration, schema_timestamp
from fairlead_schema.cel.types import AnyType, Field, ListType, ObjectType, Type
from fairlead_schema.cel.values import EvaluationError, Value

Convert = Callable[[Value], Value]
Equal = Callable[[Value, Value], bool]


@dataclass(frozen=True, slots=True)
class EachOf:
    """Makes all that a list or a map holds values of their type, for functions that take it whole."""

    convert: Convert

    def __call__(self, value: Value) -> Value:
        """Return a list or map of the made values."""
        if type(value) is list:
            return list(map(self.convert, value))
        if type(value) is dict:
            return {key: self.convert(held) for key, held in value.items()}
        return value


def _double(value: Value) -> Value:
    return float(value) if type(value) is int else value


def _int(value: Value) -> Value:
    if type(value) is float:
        raise EvaluationError("invalid data, expected int, got float64")
    return value


def _bytes(value: Value) -> Value:
    if type(value) is not str:
        return value
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationError(f"Invalid byte formatted string {value}: {error}") from error


def _timestamp(shape: str) -> Convert:
    def convert(value: Value) -> Value:
        return schema_timestamp(value, shape) if type(value) is str else value

    return convert


def _duration(value: Value) -> Value:
    return schema_duration(value) if type(value) is str else value


_CONVERTERS: dict[str, Convert] = {
    t.DOUBLE.name: _double,
    t.BYTES.name: _bytes,
    t.TIMESTAMP.name: _timestamp(""),
    t.DURATION.name: _duration,
}
_SHAPES = {"date-time": _timestamp("date-time"), "date": _timestamp("date")}


def converter(kind: AnyType | None, conversion: str = "") -> Convert | None:
    """
    Return what makes a JSON value one of this type; None when it is one already. The answer raises EvaluationError.

    Args:
        conversion: Of the field it is from; tells dates and times apart.
    """
    if kind is None or isinstance(kind, t.Parameter):
        return None
    if kind.name in ("list", "map") and kind.parameters:
        inner = converter(kind.parameters[-1])
        if inner is not None:
            return EachOf(inner)
    return _SHAPES.get(conversion) or _CONVERTERS.get(kind.name)


def field_converter(declared: Field) -> Convert | None:
    """Return what makes the JSON value of a declared field one of its type; a whole number must not look like 1.0."""
    return _int if declared.type == t.INT else converter(declared.type, declared.conversion)


def equality(kind: AnyType | None) -> Equal:
    """Return how values of a type are compared."""
    if isinstance(kind, ListType):
        return _both(list, _list_equality(kind))
    if isinstance(kind, ObjectType):
        return _both(dict, _object_equality(kind))
    if isinstance(kind, Type) and kind.name in ("list", "map") and kind.parameters:
        inner = equality(kind.parameters[-1])
        if inner is not equal:
            return _both(list, _list_of(inner)) if kind.name == "list" else _both(dict, _map_of(inner))
    convert = _CONVERTERS.get(kind.name) if kind is not None else None
    if convert is None or convert is _double:
        return equal
    same: Convert = convert
    return lambda left, right: equal(same(left), same(right))


def _both(of: type, same: Equal) -> Equal:
    """Compare in a special way what is of the type; null, and what ``dyn`` stood for, may be anything."""

    def compare(left: Value, right: Value) -> bool:
        return same(left, right) if isinstance(left, of) and isinstance(right, of) else equal(left, right)

    return compare


def _list_of(inner: Equal) -> Equal:
    return lambda left, right: len(left) == len(right) and all(map(inner, left, right))


def _map_of(inner: Equal) -> Equal:
    return lambda left, right: (
        len(left) == len(right) and all(key in right and inner(value, right[key]) for key, value in left.items())
    )


def _list_equality(kind: ListType) -> Equal:
    inner = equality(kind.parameters[0])
    if kind.kind == "set":
        return lambda left, right: len(left) == len(right) and _keyed(left, ()).keys() >= _keyed(right, ()).keys()
    if kind.kind == "map":

        def same(left: Value, right: Value) -> bool:
            if len(left) != len(right):
                return False
            held = _keyed(left, kind.keys)
            return all(key in held and inner(held[key], value) for key, value in _pairs(right, kind.keys))

        return same
    return equal if inner is equal else _list_of(inner)


def _object_equality(kind: ObjectType) -> Equal:
    inner = {declared.name: equality(declared.type) for declared in kind.fields.values()}

    def same(left: Value, right: Value) -> bool:
        if len(left) != len(right):
            return False
        for name, value in left.items():
            other = right.get(name)
            if name not in inner:
                if name in right and not equal(value, other):
                    return False
            elif value is None or other is None:
                if value is not other:
                    return False
            elif not inner[name](value, other):
                return False
        return True

    return same


def _freeze(value: Value) -> Value:
    """Return a key that tells values apart as Go does: by type, too."""
    return (type(value), repr(value)) if isinstance(value, dict | list | float) else (type(value), value)


def _pairs(values: list[Value], keys: tuple[str, ...]) -> list[tuple[Value, Value]]:
    if not keys:
        return [(_freeze(value), value) for value in values]
    return [(tuple(_freeze(value.get(key)) for key in keys), value) for value in values]


def _keyed(values: list[Value], keys: tuple[str, ...]) -> dict[Value, Value]:
    return dict(_pairs(values, keys))


def join(kind: AnyType | None) -> Callable[[Value, Value], Value] | None:
    """Return ``+`` of lists that are sets or maps: union, or merge by keys; None when ``+`` is plain."""
    if not isinstance(kind, ListType) or kind.kind not in ("set", "map"):
        return None
    keys = kind.keys if kind.kind == "map" else ()
    replaces = kind.kind == "map"

    def joined(left: list[Value], right: list[Value]) -> list[Value]:
        places = {key: place for place, (key, _) in enumerate(_pairs(left, keys))}
        result = list(left)
        for key, value in _pairs(right, keys):
            if key not in places:
                if not replaces:
                    places[key] = -1
                result.append(value)
            elif replaces:
                result[places[key]] = value
        return result

    return joined
