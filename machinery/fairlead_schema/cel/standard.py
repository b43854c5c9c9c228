"""
CEL's standard library: which functions and operators there are, and with which types.

Source: cel-go's ``common/stdlib``. Overload ids are cel-go's, in its order: messages and costs refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import Function, Library, Overload
from fairlead_schema.cel.types import AnyType

_LIST = t.list_of(t.A)
_MAP = t.map_of(t.A, t.B)

_Form = tuple[str, Sequence[AnyType], AnyType]


def _global(name: str, *forms: _Form) -> Function:
    return Function(name, tuple(Overload(key, tuple(arguments), result, None) for key, arguments, result in forms))


def _member(name: str, *forms: _Form) -> Function:
    return Function(
        name, tuple(Overload(key, tuple(arguments), result, None, member=True) for key, arguments, result in forms)
    )


def _order(name: str, prefix: str) -> Function:
    """Declare an ordering operator, with comparisons of numbers of different types."""
    pairs = [
        ("bool", t.BOOL, t.BOOL),
        ("int64", t.INT, t.INT),
        ("int64_double", t.INT, t.DOUBLE),
        ("int64_uint64", t.INT, t.UINT),
        ("uint64", t.UINT, t.UINT),
        ("uint64_double", t.UINT, t.DOUBLE),
        ("uint64_int64", t.UINT, t.INT),
        ("double", t.DOUBLE, t.DOUBLE),
        ("double_int64", t.DOUBLE, t.INT),
        ("double_uint64", t.DOUBLE, t.UINT),
        ("string", t.STRING, t.STRING),
        ("bytes", t.BYTES, t.BYTES),
        ("timestamp", t.TIMESTAMP, t.TIMESTAMP),
        ("duration", t.DURATION, t.DURATION),
    ]
    return _global(name, *((f"{prefix}_{suffix}", (left, right), t.BOOL) for suffix, left, right in pairs))


def _operators() -> Iterable[Function]:
    yield _global("_?_:_", ("conditional", (t.BOOL, t.A, t.A), t.A))
    yield _global("_&&_", ("logical_and", (t.BOOL, t.BOOL), t.BOOL))
    yield _global("_||_", ("logical_or", (t.BOOL, t.BOOL), t.BOOL))
    yield _global("!_", ("logical_not", (t.BOOL,), t.BOOL))
    yield _global("@not_strictly_false", ("not_strictly_false", (t.BOOL,), t.BOOL))
    yield _global("_==_", ("equals", (t.A, t.A), t.BOOL))
    yield _global("_!=_", ("not_equals", (t.A, t.A), t.BOOL))
    yield _global(
        "_+_",
        ("add_bytes", (t.BYTES, t.BYTES), t.BYTES),
        ("add_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("add_duration_duration", (t.DURATION, t.DURATION), t.DURATION),
        ("add_duration_timestamp", (t.DURATION, t.TIMESTAMP), t.TIMESTAMP),
        ("add_timestamp_duration", (t.TIMESTAMP, t.DURATION), t.TIMESTAMP),
        ("add_int64", (t.INT, t.INT), t.INT),
        ("add_list", (_LIST, _LIST), _LIST),
        ("add_string", (t.STRING, t.STRING), t.STRING),
        ("add_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _global(
        "_/_",
        ("divide_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("divide_int64", (t.INT, t.INT), t.INT),
        ("divide_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _global("_%_", ("modulo_int64", (t.INT, t.INT), t.INT), ("modulo_uint64", (t.UINT, t.UINT), t.UINT))
    yield _global(
        "_*_",
        ("multiply_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("multiply_int64", (t.INT, t.INT), t.INT),
        ("multiply_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _global("-_", ("negate_double", (t.DOUBLE,), t.DOUBLE), ("negate_int64", (t.INT,), t.INT))
    yield _global(
        "_-_",
        ("subtract_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("subtract_duration_duration", (t.DURATION, t.DURATION), t.DURATION),
        ("subtract_int64", (t.INT, t.INT), t.INT),
        ("subtract_timestamp_duration", (t.TIMESTAMP, t.DURATION), t.TIMESTAMP),
        ("subtract_timestamp_timestamp", (t.TIMESTAMP, t.TIMESTAMP), t.DURATION),
        ("subtract_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _order("_<_", "less")
    yield _order("_<=_", "less_equals")
    yield _order("_>_", "greater")
    yield _order("_>=_", "greater_equals")
    yield _global("_[_]", ("index_list", (_LIST, t.INT), t.A), ("index_map", (_MAP, t.A), t.B))
    yield _global("@in", ("in_list", (t.A, _LIST), t.BOOL), ("in_map", (t.A, _MAP), t.BOOL))


def _size() -> Function:
    forms: list[Overload] = []
    for name, of in (("bytes", t.BYTES), ("list", _LIST), ("map", _MAP), ("string", t.STRING)):
        forms.append(Overload(f"size_{name}", (of,), t.INT, None))
        forms.append(Overload(f"{name}_size", (of,), t.INT, None, member=True))
    return Function("size", tuple(forms))


def _conversion(name: str, result: AnyType, *sources: tuple[str, AnyType]) -> Function:
    return _global(name, *((key, (source,), result) for key, source in sources))


def _conversions() -> Iterable[Function]:
    yield _global("type", ("type", (t.A,), t.type_of(t.A)))
    yield _conversion("bool", t.BOOL, ("bool_to_bool", t.BOOL), ("string_to_bool", t.STRING))
    yield _conversion("bytes", t.BYTES, ("bytes_to_bytes", t.BYTES), ("string_to_bytes", t.STRING))
    yield _conversion(
        "double",
        t.DOUBLE,
        ("double_to_double", t.DOUBLE),
        ("int64_to_double", t.INT),
        ("string_to_double", t.STRING),
        ("uint64_to_double", t.UINT),
    )
    yield _conversion(
        "duration",
        t.DURATION,
        ("duration_to_duration", t.DURATION),
        ("int64_to_duration", t.INT),
        ("string_to_duration", t.STRING),
    )
    yield _conversion("dyn", t.DYN, ("to_dyn", t.A))
    yield _conversion(
        "int",
        t.INT,
        ("int64_to_int64", t.INT),
        ("double_to_int64", t.DOUBLE),
        ("duration_to_int64", t.DURATION),
        ("string_to_int64", t.STRING),
        ("timestamp_to_int64", t.TIMESTAMP),
        ("uint64_to_int64", t.UINT),
    )
    yield _conversion(
        "string",
        t.STRING,
        ("string_to_string", t.STRING),
        ("bool_to_string", t.BOOL),
        ("bytes_to_string", t.BYTES),
        ("double_to_string", t.DOUBLE),
        ("duration_to_string", t.DURATION),
        ("int64_to_string", t.INT),
        ("timestamp_to_string", t.TIMESTAMP),
        ("uint64_to_string", t.UINT),
    )
    yield _conversion(
        "timestamp",
        t.TIMESTAMP,
        ("timestamp_to_timestamp", t.TIMESTAMP),
        ("int64_to_timestamp", t.INT),
        ("string_to_timestamp", t.STRING),
    )
    yield _conversion(
        "uint",
        t.UINT,
        ("uint64_to_uint64", t.UINT),
        ("double_to_uint64", t.DOUBLE),
        ("int64_to_uint64", t.INT),
        ("string_to_uint64", t.STRING),
    )


def _strings() -> Iterable[Function]:
    pair = (t.STRING, t.STRING)
    yield _member("contains", ("contains_string", pair, t.BOOL))
    yield _member("endsWith", ("ends_with_string", pair, t.BOOL))
    yield _member("startsWith", ("starts_with_string", pair, t.BOOL))
    matches = Overload("matches", pair, t.BOOL, None), Overload("matches_string", pair, t.BOOL, None, member=True)
    yield Function("matches", matches)


def _times() -> Iterable[Function]:
    for name, plain, zoned in (
        ("getFullYear", "year", "year_with_tz"),
        ("getMonth", "month", "month_with_tz"),
        ("getDayOfYear", "day_of_year", "day_of_year_with_tz"),
        ("getDayOfMonth", "day_of_month", "day_of_month_with_tz"),
        ("getDate", "day_of_month_1_based", "day_of_month_1_based_with_tz"),
        ("getDayOfWeek", "day_of_week", "day_of_week_with_tz"),
        ("getHours", "hours", "hours_with_tz"),
        ("getMinutes", "minutes", "minutes_with_tz"),
        ("getSeconds", "seconds", "seconds_tz"),
        ("getMilliseconds", "milliseconds", "milliseconds_with_tz"),
    ):
        forms: list[_Form] = [
            (f"timestamp_to_{plain}", (t.TIMESTAMP,), t.INT),
            (f"timestamp_to_{zoned}", (t.TIMESTAMP, t.STRING), t.INT),
        ]
        if plain in ("hours", "minutes", "seconds", "milliseconds"):
            forms.append((f"duration_to_{plain}", (t.DURATION,), t.INT))
        yield _member(name, *forms)


_NAMED = (t.BOOL, t.BYTES, t.DOUBLE, t.DURATION, t.INT, _LIST, _MAP, t.STRING, t.TIMESTAMP, t.UINT)

STANDARD = Library(
    name="standard",
    functions=(*_operators(), _size(), *_conversions(), *_strings(), *_times()),
    types={**{named.name: named for named in _NAMED}, "null_type": t.NULL, "type": t.Type("type")},
)
"""What every environment has. ``types`` maps a name to the type it stands for: ``int`` is a value of ``type(int)``."""
