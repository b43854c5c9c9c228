"""
Optional values: ``optional.of``, ``a.?b``, ``[?a]``, ``orValue``, ``first`` and the like.

``or`` and ``orValue`` do not evaluate their argument when it is not needed, and selections and indexes know what they
select from: the compiler has code for those. The macros ``optMap`` and ``optFlatMap`` are the parser's.

Source: cel-go's cel/library.go (optionalLib, version 2).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_schema.cel import types as t
from fairlead_schema.cel.conversions import text_of
from fairlead_schema.cel.declarations import Function, Library, Overload
from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.values import NONE, Duration, EvaluationError, Optional, Timestamp, Value

_OPTIONAL = t.optional_of(t.V)
_LIST, _MAP = t.list_of(t.V), t.map_of(t.K, t.V)
_YEAR_ONE = Timestamp(-62135596800)


def _of(value: Value) -> Optional:
    return Optional(value, True)


def is_zero(value: Value) -> bool:
    """Tell whether a value is its type's empty one; what libraries add never is."""
    if value is None:
        return True
    if isinstance(value, bool | int | float | str | bytes | list | dict):
        return not value
    return value in (Duration(0), _YEAR_ONE) if isinstance(value, Duration | Timestamp) else False


def _of_non_zero(value: Value) -> Optional:
    return NONE if is_zero(value) else _of(value)


def _value(optional: Optional) -> Value:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _at(values: Sequence[Value], index: int) -> Optional:
    return _of(values[index]) if values else NONE


def _first(values: Sequence[Value]) -> Optional:
    return _at(values, 0)


def _last(values: Sequence[Value]) -> Optional:
    return _at(values, -1)


def _unwrap(values: Sequence[Value]) -> list[Value]:
    for value in values:
        if not isinstance(value, Optional):
            raise EvaluationError(f"value {text_of(value)} is not optional")
    return [value.value for value in values if value.present]


def _indexing(name: str, *forms: tuple[str, AnyType, AnyType]) -> Function:
    return Function(name, tuple(Overload(key, (of, by), _OPTIONAL, None) for key, of, by in forms))


OPTIONAL = Library(
    "cel.lib.optional",
    (
        Function("optional.of", (Overload("optional_of", (t.V,), _OPTIONAL, _of),)),
        Function("optional.ofNonZeroValue", (Overload("optional_ofNonZeroValue", (t.V,), _OPTIONAL, _of_non_zero),)),
        Function("optional.none", (Overload("optional_none", (), _OPTIONAL, lambda: NONE),)),
        Function("value", (Overload("optional_value", (_OPTIONAL,), t.V, _value, member=True),)),
        Function(
            "hasValue",
            (Overload("optional_hasValue", (_OPTIONAL,), t.BOOL, lambda optional: optional.present, member=True),),
        ),
        Function("or", (Overload("optional_or_optional", (_OPTIONAL, _OPTIONAL), _OPTIONAL, None, member=True),)),
        Function("orValue", (Overload("optional_orValue_value", (_OPTIONAL, t.V), t.V, None, member=True),)),
        _indexing("_?._", ("select_optional_field", t.DYN, t.STRING)),
        _indexing(
            "_[?_]",
            ("list_optindex_optional_int", _LIST, t.INT),
            ("optional_list_optindex_optional_int", t.optional_of(_LIST), t.INT),
            ("map_optindex_optional_value", _MAP, t.K),
            ("optional_map_optindex_optional_value", t.optional_of(_MAP), t.K),
        ),
        _indexing(
            "_[_]",
            ("optional_list_index_int", t.optional_of(_LIST), t.INT),
            ("optional_map_index_value", t.optional_of(_MAP), t.K),
        ),
        Function("last", (Overload("list_last", (_LIST,), _OPTIONAL, _last, member=True),)),
        Function("first", (Overload("list_first", (_LIST,), _OPTIONAL, _first, member=True),)),
        Function("optional.unwrap", (Overload("optional_unwrap", (t.list_of(_OPTIONAL),), _LIST, _unwrap),)),
        Function("unwrapOpt", (Overload("optional_unwrapOpt", (t.list_of(_OPTIONAL),), _LIST, _unwrap, member=True),)),
    ),
    macros=frozenset({"optMap", "optFlatMap"}),
    types={"optional_type": t.Type("optional_type")},
)
