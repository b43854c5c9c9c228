"""
Equality and order of values.

Values of different types are unequal; numbers are equal and ordered by what they count, whatever their types; ``true``
is not ``1``, and NaN equals nothing. Source: cel-go common/types (Equal, Compare), the CEL specification, "Equality".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from fairlead_schema.cel.kinds import GrowingList, GrowingMap, runtime_name
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import Duration, EvaluationError, LibraryValue, Optional, Timestamp, UInt, Value

_NUMBERS = frozenset((int, UInt, float))
_LISTS = frozenset((list, GrowingList))
_MAPS = frozenset((dict, GrowingMap))
_PLAIN: frozenset[type] = frozenset((str, bool, bytes, type(None), Duration, Timestamp))
_ORDERED = _NUMBERS | {str, bool, bytes, Duration, Timestamp}
_TWO_63, _TWO_64 = float(2**63), float(2**64)


class Absent:
    """What :func:`find` gives when there is nothing."""

    __slots__ = ()


ABSENT: Final = Absent()


def equal(left: Value, right: Value) -> bool:
    """Tell whether two values are equal."""
    same = _SAME.get(type(left))
    if same is not None:
        return same(left, right)
    if isinstance(left, Type):
        return isinstance(right, Type) and runtime_name(left) == runtime_name(right)
    if isinstance(left, LibraryValue):
        return right is not None and left.equals(right)
    return bool(type(left) is type(right) and left == right)


def same(left: Value, right: Value) -> bool:
    """Tell whether two values are equal; what cannot be compared is not."""
    try:
        return equal(left, right)
    except EvaluationError:
        return False


def unequal(equality: Callable[[Value, Value], bool]) -> Callable[[Value, Value], bool]:
    """Return the ``!=`` of an ``==``: what cannot be compared is not the same."""

    def differ(left: Value, right: Value) -> bool:
        try:
            return not equality(left, right)
        except EvaluationError:
            return True

    return differ


def _alike(left: Value, right: Value) -> bool:
    """Compare what lists and maps hold: cel-go takes there for equal what cannot be compared."""
    try:
        return equal(left, right)
    except EvaluationError:
        return True


def _same_plain(left: Value, right: Value) -> bool:
    return type(left) is type(right) and bool(left == right)


def _same_number(left: Value, right: Value) -> bool:
    if type(right) not in _NUMBERS:
        return False
    if type(left) is float or type(right) is float:
        return not (math.isnan(left) or math.isnan(right)) and _float_order(left, right) == 0
    return bool(left == right)


def _same_list(left: list[Value], right: Value) -> bool:
    return type(right) in _LISTS and len(left) == len(right) and all(map(_alike, left, right))


def _same_map(left: dict[Value, Value], right: Value) -> bool:
    if type(right) not in _MAPS or len(left) != len(right):
        return False
    for key, value in left.items():
        found = find(right, key)
        if found is ABSENT or not _alike(value, found):
            return False
    return True


def _same_optional(left: Optional, right: Value) -> bool:
    if type(right) is not Optional:
        return False
    if not left.present or not right.present:
        return left.present == right.present
    return equal(left.value, right.value)


_SAME: dict[type, Callable[[Value, Value], bool]] = {
    **dict.fromkeys(_PLAIN, _same_plain),
    **dict.fromkeys(_NUMBERS, _same_number),
    **dict.fromkeys(_LISTS, _same_list),
    **dict.fromkeys(_MAPS, _same_map),
    Optional: _same_optional,
}


def find(mapping: dict[Value, Value], key: Value) -> Value:
    """
    Return what a map holds by a key, or :data:`ABSENT`.

    ``1``, ``1u`` and ``1.0`` are one key; ``true`` is not ``1``, which dictionaries take for the same. The keys of a
    map are all of one type, so the first one tells whether they are booleans.
    """
    kind = type(key)
    if kind is str:
        return mapping.get(key, ABSENT)
    if kind is bool or kind in _NUMBERS:
        found = mapping.get(key, ABSENT)
        if found is ABSENT or (type(next(iter(mapping))) is bool) is not (kind is bool):
            return ABSENT
        return found
    return ABSENT


def compare(operator: str, left: Value, right: Value) -> int:
    """
    Return -1, 0 or 1 as ``left`` is less than, equal to or greater than ``right``.

    Raises:
        EvaluationError: There is no order between them, or one is NaN.
    """
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        if math.isnan(left) or math.isnan(right):
            raise EvaluationError("NaN values cannot be ordered")
        if kind is float or other is float:
            return _float_order(left, right)
    elif kind is not other:
        if kind is float and math.isnan(left):
            raise EvaluationError("NaN values cannot be ordered")
        raise EvaluationError("no such overload" if kind in _ORDERED else f"no such overload: {operator}")
    elif kind not in _ORDERED:
        raise EvaluationError(f"no such overload: {operator}")
    return int((left > right) - (left < right))


def _float_order(left: Value, right: Value) -> int:
    """Order a float and a number as cel-go does: the integer is made a float when it is in range."""
    if type(left) is not float:
        return -_float_order(right, left)
    if type(right) is float:
        return int((left > right) - (left < right))
    least, most = (0.0, _TWO_64) if type(right) is UInt else (-_TWO_63, _TWO_63)
    if left < least:
        return -1
    if left > most:
        return 1
    against = float(right)
    return int((left > against) - (left < against))
