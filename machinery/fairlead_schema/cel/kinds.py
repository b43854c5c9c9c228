"""
What a value is: its type's name and its size.

Classes of libraries say theirs by a class attribute ``cel_type`` (a :class:`Type`), and by ``cel_size`` when they have
a size.
"""

from __future__ import annotations

from fairlead_schema.cel import types as t
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import Duration, EvaluationError, Optional, Timestamp, UInt, Value


class GrowingList(list[Value]):
    """The list that a comprehension builds: adding to it changes it, so that n elements take n steps."""

    __slots__ = ()


class GrowingMap(dict[Value, Value]):
    """The map that a comprehension builds, changed in place."""

    __slots__ = ()


LIST = Type("list", (t.DYN,))
MAP = Type("map", (t.DYN, t.DYN))
OPTIONAL = Type("optional_type", (t.DYN,))
TYPE = Type("type")

_TYPES: dict[type, Type] = {
    type(None): t.NULL,
    bool: t.BOOL,
    int: t.INT,
    UInt: t.UINT,
    float: t.DOUBLE,
    str: t.STRING,
    bytes: t.BYTES,
    list: LIST,
    GrowingList: LIST,
    dict: MAP,
    GrowingMap: MAP,
    Duration: t.DURATION,
    Timestamp: t.TIMESTAMP,
    Optional: OPTIONAL,
}
_NAMES = {"null": "null_type"}
_SIZED = frozenset((str, bytes, list, dict, GrowingList, GrowingMap))
Sized = str | bytes | list[Value] | dict[Value, Value]


def kind_of(value: Value) -> Type:
    """Return the type of a value as ``type(value)`` gives it; of containers without what they hold."""
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Type):
        return TYPE
    declared = getattr(value, "cel_type", None)
    if isinstance(declared, Type):
        return declared
    for base in type(value).__mro__[1:]:
        if base in _TYPES:
            return _TYPES[base]
    raise TypeError(f"{type(value).__name__} is no value of the language")


def name_of(value: Value) -> str:
    """Return the name of a value's type at run time, as messages about overloads show it."""
    return runtime_name(kind_of(value))


def runtime_name(kind: t.AnyType) -> str:
    """Return the name by which types are equal at run time: ``list(int)`` and ``list(string)`` are both ``list``."""
    return _NAMES.get(kind.name, kind.name)


def has_size(value: Value) -> bool:
    """Tell whether ``size(value)`` is defined."""
    return type(value) in _SIZED


def size_of(value: Value) -> int:
    """
    Return the size by which run-time costs are counted; 1 of what has none.

    Source: cel-go interpreter/runtimecost.go, actualSize.
    """
    if type(value) in _SIZED:
        return len(value)
    if isinstance(value, Optional):
        return size_of(value.value) if value.present else 1
    size = getattr(value, "cel_size", 1)
    return size if isinstance(size, int) else 1


def no_overload(function: str, *arguments: Value) -> EvaluationError:
    """Return the error of a function that has no form for these arguments."""
    return EvaluationError(f"no such overload: {function}({', '.join(map(name_of, arguments))})")
