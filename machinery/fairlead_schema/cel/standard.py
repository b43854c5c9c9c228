"""
CEL's standard library: its functions and operators, with types, implementations and costs.

Operators take any values: ``dyn`` may be anything. Logic, conditions and indexing are the compiler's.

Source: cel-go's ``common/stdlib``. Overload ids are cel-go's, in its order: messages and costs refer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fairlead_schema.cel import conversions as c
from fairlead_schema.cel import types as t
from fairlead_schema.cel.arithmetic import add, divide, modulo, multiply, negate, subtract, unsigned, whole
from fairlead_schema.cel.declarations import Function, Library, Overload
from fairlead_schema.cel.kinds import has_size, kind_of
from fairlead_schema.cel.ordering import ABSENT, compare, equal, find, same, unequal
from fairlead_schema.cel.standard_costs import COSTS
from fairlead_schema.cel.times import Zones, offset_of, read, read_duration
from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.values import Duration, EvaluationError, Timestamp, Value
from fairlead_schema.patterns import BadPattern, compile_pattern

_LIST = t.list_of(t.A)
_MAP = t.map_of(t.A, t.B)

_Form = tuple[str, Sequence[AnyType], AnyType]
Call = Callable[..., Value]


def _not(value: Value) -> bool:
    if type(value) is bool:
        return not value
    raise EvaluationError("no such overload")


def contains(value: Value, within: Value) -> bool:
    """``value in within``: an element of a list, or a key of a map."""
    if isinstance(within, list):
        return any(same(value, element) for element in within)
    if isinstance(within, dict):
        return find(within, value) is not ABSENT
    raise EvaluationError("no such overload")


def size(value: Value) -> int:
    """``size(value)``: characters, bytes, elements or entries."""
    if has_size(value):
        return len(value)
    raise EvaluationError("no such overload" if isinstance(value, Duration | Timestamp) else "no such overload: size")


def matches(text: Value, pattern: Value) -> bool:
    """``text.matches(pattern)``: RE2 finds the pattern anywhere in the text."""
    if type(text) is not str:
        raise EvaluationError("no such overload: matches")
    if type(pattern) is not str:
        raise EvaluationError("no such overload")
    try:
        return compile_pattern(pattern).search(text) is not None
    except BadPattern as error:
        raise EvaluationError(str(error)) from error


def _both_strings(left: Value, right: Value) -> None:
    if type(left) is not str or type(right) is not str:
        raise EvaluationError("no such overload")


def _contains(text: str, part: str) -> bool:
    _both_strings(text, part)
    return part in text


def _starts_with(text: str, part: str) -> bool:
    _both_strings(text, part)
    return text.startswith(part)


def _ends_with(text: str, part: str) -> bool:
    _both_strings(text, part)
    return text.endswith(part)


_SIGNS: dict[str, Callable[[int], bool]] = {
    "_<_": lambda order: order < 0,
    "_<=_": lambda order: order <= 0,
    "_>_": lambda order: order > 0,
    "_>=_": lambda order: order >= 0,
}


def _ordering(operator: str) -> Call:
    sign = _SIGNS[operator]
    return lambda left, right: sign(compare(operator, left, right))


def _overload(form: _Form, call: Call | None, *, member: bool = False) -> Overload:
    key, arguments, result = form
    cost, estimate = COSTS.get(key, (None, None))
    return Overload(key, tuple(arguments), result, call, member, estimate, cost)


def _global(name: str, call: Call | None, *forms: _Form) -> Function:
    return Function(name, tuple(_overload(form, call) for form in forms))


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
    return _global(
        name, _ordering(name), *((f"{prefix}_{suffix}", (left, right), t.BOOL) for suffix, left, right in pairs)
    )


def _operators() -> Iterable[Function]:
    yield _global("_?_:_", None, ("conditional", (t.BOOL, t.A, t.A), t.A))
    yield _global("_&&_", None, ("logical_and", (t.BOOL, t.BOOL), t.BOOL))
    yield _global("_||_", None, ("logical_or", (t.BOOL, t.BOOL), t.BOOL))
    yield _global("!_", _not, ("logical_not", (t.BOOL,), t.BOOL))
    yield _global("@not_strictly_false", None, ("not_strictly_false", (t.BOOL,), t.BOOL))
    yield _global("_==_", equal, ("equals", (t.A, t.A), t.BOOL))
    yield _global("_!=_", unequal(equal), ("not_equals", (t.A, t.A), t.BOOL))
    yield _global(
        "_+_",
        add,
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
        divide,
        ("divide_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("divide_int64", (t.INT, t.INT), t.INT),
        ("divide_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _global("_%_", modulo, ("modulo_int64", (t.INT, t.INT), t.INT), ("modulo_uint64", (t.UINT, t.UINT), t.UINT))
    yield _global(
        "_*_",
        multiply,
        ("multiply_double", (t.DOUBLE, t.DOUBLE), t.DOUBLE),
        ("multiply_int64", (t.INT, t.INT), t.INT),
        ("multiply_uint64", (t.UINT, t.UINT), t.UINT),
    )
    yield _global("-_", negate, ("negate_double", (t.DOUBLE,), t.DOUBLE), ("negate_int64", (t.INT,), t.INT))
    yield _global(
        "_-_",
        subtract,
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
    yield _global("_[_]", None, ("index_list", (_LIST, t.INT), t.A), ("index_map", (_MAP, t.A), t.B))
    yield _global("@in", contains, ("in_list", (t.A, _LIST), t.BOOL), ("in_map", (t.A, _MAP), t.BOOL))


def _size() -> Function:
    forms: list[Overload] = []
    for name, of in (("bytes", t.BYTES), ("list", _LIST), ("map", _MAP), ("string", t.STRING)):
        forms.append(_overload((f"size_{name}", (of,), t.INT), size))
        forms.append(_overload((f"{name}_size", (of,), t.INT), size, member=True))
    return Function("size", tuple(forms))


def _conversion(name: str, result: AnyType, *sources: tuple[str, AnyType, Call]) -> Function:
    return Function(name, tuple(_overload((key, (source,), result), call) for key, source, call in sources))


def _to_integers() -> Iterable[Function]:
    yield _conversion(
        "int",
        t.INT,
        ("int64_to_int64", t.INT, c.identity),
        ("double_to_int64", t.DOUBLE, c.double_to_int),
        ("duration_to_int64", t.DURATION, lambda value: value.nanoseconds),
        ("string_to_int64", t.STRING, c.to_int),
        ("timestamp_to_int64", t.TIMESTAMP, lambda value: value.seconds),
        ("uint64_to_int64", t.UINT, lambda value: whole(int(value))),
    )
    yield _conversion(
        "uint",
        t.UINT,
        ("uint64_to_uint64", t.UINT, c.identity),
        ("double_to_uint64", t.DOUBLE, c.double_to_uint),
        ("int64_to_uint64", t.INT, unsigned),
        ("string_to_uint64", t.STRING, c.to_uint),
    )


def _conversions() -> Iterable[Function]:
    yield _global("type", kind_of, ("type", (t.A,), t.type_of(t.A)))
    yield _conversion("bool", t.BOOL, ("bool_to_bool", t.BOOL, c.identity), ("string_to_bool", t.STRING, c.to_bool))
    yield _conversion(
        "bytes", t.BYTES, ("bytes_to_bytes", t.BYTES, c.identity), ("string_to_bytes", t.STRING, c.to_bytes)
    )
    yield _conversion(
        "double",
        t.DOUBLE,
        ("double_to_double", t.DOUBLE, c.identity),
        ("int64_to_double", t.INT, float),
        ("string_to_double", t.STRING, c.to_double),
        ("uint64_to_double", t.UINT, float),
    )
    yield _conversion(
        "duration",
        t.DURATION,
        ("duration_to_duration", t.DURATION, c.identity),
        ("int64_to_duration", t.INT, c.refuse_duration),
        ("string_to_duration", t.STRING, c.to_duration),
    )
    yield _global("dyn", c.identity, ("to_dyn", (t.A,), t.DYN))
    yield from _to_integers()
    yield _conversion(
        "string",
        t.STRING,
        *(
            (f"{name}_to_string", kind, c.to_string)
            for name, kind in (
                ("string", t.STRING),
                ("bool", t.BOOL),
                ("bytes", t.BYTES),
                ("double", t.DOUBLE),
                ("duration", t.DURATION),
                ("int64", t.INT),
                ("timestamp", t.TIMESTAMP),
                ("uint64", t.UINT),
            )
        ),
    )
    yield _conversion(
        "timestamp",
        t.TIMESTAMP,
        ("timestamp_to_timestamp", t.TIMESTAMP, c.identity),
        ("int64_to_timestamp", t.INT, c.timestamp_of),
        ("string_to_timestamp", t.STRING, c.to_timestamp),
    )


def _strings() -> Iterable[Function]:
    pair = (t.STRING, t.STRING)
    for name, key, call in (
        ("contains", "contains_string", _contains),
        ("endsWith", "ends_with_string", _ends_with),
        ("startsWith", "starts_with_string", _starts_with),
    ):
        yield Function(name, (_overload((key, pair, t.BOOL), call, member=True),))
    forms = (
        _overload(("matches", pair, t.BOOL), matches),
        _overload(("matches_string", pair, t.BOOL), matches, member=True),
    )
    yield Function("matches", forms)


_ZONED = (
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
)


def _accessor(name: str, plain: str, zoned: str, zones: Zones | None) -> Function:
    """Declare an accessor of timestamps, and of durations where they have it."""

    def there(moment: Timestamp, zone: str) -> int:
        return read(name, moment, offset_of(zone, moment.seconds, zones))

    forms = [
        _overload((f"timestamp_to_{plain}", (t.TIMESTAMP,), t.INT), lambda moment: read(name, moment, 0), member=True),
        _overload((f"timestamp_to_{zoned}", (t.TIMESTAMP, t.STRING), t.INT), there, member=True),
    ]
    if plain in ("hours", "minutes", "seconds", "milliseconds"):
        form = (f"duration_to_{plain}", (t.DURATION,), t.INT)
        forms.append(_overload(form, lambda duration: read_duration(name, duration), member=True))
    return Function(name, tuple(forms))


_NAMED = (t.BOOL, t.BYTES, t.DOUBLE, t.DURATION, t.INT, _LIST, _MAP, t.STRING, t.TIMESTAMP, t.UINT)


def standard(zones: Zones | None) -> Library:
    """
    Return what every environment has.

    Args:
        zones: Knows named time zones; without it only UTC and ``+02:00`` are known.
    """
    return Library(
        name="standard",
        functions=(
            *_operators(),
            _size(),
            *_conversions(),
            *_strings(),
            *(_accessor(name, plain, zoned, zones) for name, plain, zoned in _ZONED),
        ),
        types={**{named.name: named for named in _NAMED}, "null_type": t.NULL, "type": t.Type("type")},
    )


_zones: list[Zones] = []


def use_zones(zones: Zones) -> None:
    """Let :data:`STANDARD` know named time zones; called once, by a program that has a table of them."""
    _zones[:] = [zones]


def _named_zone(name: str, seconds: int) -> int | None:
    return _zones[0](name, seconds) if _zones else None


STANDARD = standard(_named_zone)
"""``types`` maps a name to the type it stands for: ``int`` is a value of ``type(int)``."""
