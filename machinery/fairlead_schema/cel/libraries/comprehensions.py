"""
What the macros with two variables call: ``transformMap`` and ``transformMapEntry`` insert into a map.

Source: cel-go's ext/comprehensions.go.
"""

from __future__ import annotations

from fairlead_schema.cel import types as t
from fairlead_schema.cel.conversions import text_of
from fairlead_schema.cel.declarations import Function, Library, Overload
from fairlead_schema.cel.kinds import GrowingMap
from fairlead_schema.cel.ordering import ABSENT, find
from fairlead_schema.cel.values import EvaluationError, Value

_MAP = t.map_of(t.K, t.V)


def _grown(mapping: dict[Value, Value]) -> dict[Value, Value]:
    """Return a map that may be changed: the one a comprehension builds, or a copy."""
    return mapping if isinstance(mapping, GrowingMap) else dict(mapping)


def _put(mapping: dict[Value, Value], key: Value, value: Value) -> None:
    if find(mapping, key) is not ABSENT:
        raise EvaluationError(f"insert failed: key {text_of(key)} already exists")
    mapping[key] = value


def _insert(mapping: dict[Value, Value], key: Value, value: Value) -> dict[Value, Value]:
    grown = _grown(mapping)
    _put(grown, key, value)
    return grown


def _insert_all(mapping: dict[Value, Value], entries: dict[Value, Value]) -> dict[Value, Value]:
    grown = _grown(mapping)
    for key, value in entries.items():
        _put(grown, key, value)
    return grown


TWO_VARIABLES = Library(
    "cel.lib.ext.comprev2",
    (
        Function(
            "cel.@mapInsert",
            (
                Overload("@mapInsert_map_key_value", (_MAP, t.K, t.V), _MAP, _insert, pure=False),
                Overload("@mapInsert_map_map", (_MAP, _MAP), _MAP, _insert_all, pure=False),
            ),
        ),
    ),
    macros=frozenset(
        ("all", "exists", "existsOne", "exists_one", "transformList", "transformMap", "transformMapEntry"),
    ),
)
