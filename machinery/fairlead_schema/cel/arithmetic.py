"""
Arithmetic: 64 bits, and an error instead of an overflow.

Each function takes any values, as ``dyn`` may be anything. Source: cel-go common/types (Add, Divide, ...) and
overflow.go, whose messages these are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fairlead_schema.cel.kinds import GrowingList
from fairlead_schema.cel.values import CostExceeded, Duration, EvaluationError, Timestamp, UInt, Value

INT_LEAST, INT_MOST, UINT_MOST = -(2**63), 2**63 - 1, 2**64 - 1
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799
"""Of years 1 to 9999, which timestamps span."""
SECOND = 1_000_000_000
LONGEST_LIST = 2**21
"""No request has as many elements."""

_RECEIVERS = frozenset((str, Duration, Timestamp))
Binary = Callable[[Value, Value], Value]


def whole(value: int) -> int:
    """Return a signed integer that fits 64 bits."""
    if INT_LEAST <= value <= INT_MOST:
        return value
    raise EvaluationError("integer overflow")


def unsigned(value: int) -> UInt:
    """Return an unsigned integer that fits 64 bits."""
    if 0 <= value <= UINT_MOST:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


def moment(nanoseconds: int) -> Timestamp:
    """Return the timestamp so many nanoseconds after 1970."""
    seconds, rest = divmod(nanoseconds, SECOND)
    if FIRST_SECOND <= seconds <= LAST_SECOND:
        return Timestamp(seconds, rest)
    raise EvaluationError("timestamp overflow")


def instant(timestamp: Timestamp) -> int:
    """Return a timestamp in nanoseconds since 1970."""
    return timestamp.seconds * SECOND + timestamp.nanoseconds


def _wrong(operator: str, left: Value, forms: dict[type, Binary]) -> EvaluationError:
    """Return the error for operands that do not go together; cel-go names the operator only when none would do."""
    plain = type(left) in forms or type(left) in _RECEIVERS
    return EvaluationError("no such overload" if plain else f"no such overload: {operator}")


def add(left: Value, right: Value) -> Value:
    """``left + right``; lists are joined."""
    form = _ADD.get(type(left))
    if form is None or (type(right) not in _ADD_WITH.get(type(left), (type(left),))):
        raise _wrong("_+_", left, _ADD)
    return form(left, right)


def subtract(left: Value, right: Value) -> Value:
    """``left - right``."""
    form = _SUBTRACT.get(type(left))
    if form is None or (type(right) is not type(left) and (type(left), type(right)) != (Timestamp, Duration)):
        raise _wrong("_-_", left, _SUBTRACT)
    return form(left, right)


def multiply(left: Value, right: Value) -> Value:
    """``left * right``."""
    return _same(_MULTIPLY, "_*_", left, right)


def divide(left: Value, right: Value) -> Value:
    """``left / right``; of integers towards zero."""
    return _same(_DIVIDE, "_/_", left, right)


def modulo(left: Value, right: Value) -> Value:
    """``left % right``, with the sign of ``left``."""
    return _same(_MODULO, "_%_", left, right)


def negate(value: Value) -> Value:
    """``-value``."""
    if type(value) is int:
        return whole(-value)
    if type(value) is float:
        return -value
    if type(value) is Duration:
        return Duration(whole(-value.nanoseconds))
    raise EvaluationError("no such overload" if type(value) in (bool, str, Timestamp) else "no such overload: -_")


def _same(forms: dict[type, Binary], operator: str, left: Value, right: Value) -> Value:
    form = forms.get(type(left))
    if form is None or type(right) is not type(left):
        raise _wrong(operator, left, forms)
    return form(left, right)


def _join(left: list[Value], right: list[Value]) -> list[Value]:
    """Join lists; cel-go does not copy them, so it charges nothing for what can double with every ``+``."""
    if len(left) + len(right) > LONGEST_LIST:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
    return [*left, *right]


def _grow(left: GrowingList, right: list[Value]) -> GrowingList:
    left.extend(right)
    return left


def _subtract_time(left: Timestamp, right: Timestamp | Duration) -> Timestamp | Duration:
    if isinstance(right, Duration):
        whole(-right.nanoseconds)
        return moment(instant(left) - right.nanoseconds)
    whole((left.seconds - right.seconds) * SECOND)
    return Duration(whole(instant(left) - instant(right)))


def _add_duration(left: Duration, right: Timestamp | Duration) -> Timestamp | Duration:
    if isinstance(right, Duration):
        return Duration(whole(left.nanoseconds + right.nanoseconds))
    return moment(instant(right) + left.nanoseconds)


def quotient(left: int, right: int) -> int:
    """Divide towards zero."""
    if right == 0:
        raise EvaluationError("division by zero")
    return whole(-(-left // right) if (left < 0) is not (right < 0) else left // right)


def _divide_float(left: float, right: float) -> float:
    if right:
        return left / right
    if math.isnan(left) or not left:
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: int, right: int) -> int:
    """Return what :func:`quotient` leaves."""
    if right == 0:
        raise EvaluationError("modulus by zero")
    if left == INT_LEAST and right == -1:
        raise EvaluationError("integer overflow")
    return int(left - right * quotient(left, right))


_ADD: dict[type, Binary] = {
    int: lambda left, right: whole(left + right),
    UInt: lambda left, right: unsigned(int(left) + right),
    float: lambda left, right: left + right,
    str: lambda left, right: left + right,
    bytes: lambda left, right: left + right,
    list: _join,
    GrowingList: _grow,
    Duration: _add_duration,
    Timestamp: lambda left, right: moment(instant(left) + right.nanoseconds),
}
_LISTS = (list, GrowingList)
_ADD_WITH: dict[type, tuple[type, ...]] = {
    list: _LISTS,
    GrowingList: _LISTS,
    Duration: (Duration, Timestamp),
    Timestamp: (Duration,),
}
_SUBTRACT: dict[type, Binary] = {
    int: lambda left, right: whole(left - right),
    UInt: lambda left, right: unsigned(int(left) - right),
    float: lambda left, right: left - right,
    Duration: lambda left, right: Duration(whole(left.nanoseconds - right.nanoseconds)),
    Timestamp: _subtract_time,
}
_MULTIPLY: dict[type, Binary] = {
    int: lambda left, right: whole(left * right),
    UInt: lambda left, right: unsigned(int(left) * right),
    float: lambda left, right: left * right,
}
_DIVIDE: dict[type, Binary] = {
    int: quotient,
    UInt: lambda left, right: UInt(quotient(left, right)),
    float: _divide_float,
}
_MODULO: dict[type, Binary] = {int: remainder, UInt: lambda left, right: UInt(remainder(left, right))}
