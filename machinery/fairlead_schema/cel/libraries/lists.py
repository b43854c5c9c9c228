"""
Functions on lists: Kubernetes' own (``isSorted``, ``sum``, ``min``, ``max``, ``indexOf``) and cel-go's.

The macro ``sortBy`` becomes a call of ``@sortByAssociatedKeys``.

Source: k8s.io/apiserver/pkg/cel/library/lists.go and cel-go's ext/lists.go, version 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from fairlead_schema.cel import types as t
from fairlead_schema.cel.arithmetic import add
from fairlead_schema.cel.declarations import (
    MOST,
    CallEstimate,
    Coster,
    Estimator,
    Function,
    Library,
    Overload,
    Sized,
    Span,
)
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.ordering import compare, same
from fairlead_schema.cel.types import Parameter, Type
from fairlead_schema.cel.values import Duration, EvaluationError, Timestamp, UInt, Value

_NAMED = {
    "int": t.INT,
    "uint": t.UINT,
    "double": t.DOUBLE,
    "bool": t.BOOL,
    "duration": t.DURATION,
    "timestamp": t.TIMESTAMP,
    "string": t.STRING,
    "bytes": t.BYTES,
}
_COMPARABLE = (bool, int, float, str, bytes, Duration, Timestamp)
_T = Parameter("T")


# --- Kubernetes' ------------------------------------------------------------------------------------------------------


def _order(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1; None where there is no order, which these functions pass over."""
    try:
        return compare("", left, right)
    except EvaluationError:
        return None


def _is_sorted(values: Sequence[Value]) -> bool:
    _must_compare(values)
    return all(_order(left, right) != 1 for left, right in pairwise(values))


def _best(name: str, worse: int) -> Callable[[Sequence[Value]], Value]:
    """Return a function that keeps the first element than which no later one is better."""

    def best(values: Sequence[Value]) -> Value:
        if not values:
            raise EvaluationError(f"{name} called on empty list")
        _must_compare(values)
        kept = values[0]
        for value in values:
            if _order(kept, value) == worse:
                kept = value
        return kept

    return best


def _must_compare(values: Sequence[Value]) -> None:
    if not all(isinstance(value, _COMPARABLE) for value in values):
        raise EvaluationError("no such overload")


def _sum_of(zero: Value) -> Callable[[Sequence[Value]], Value]:
    """Return a function that adds elements up, beginning with a zero."""

    def add_up(values: Sequence[Value]) -> Value:
        total = zero
        for value in values:
            total = add(total, value)
        return total

    return add_up


def _index_of(values: Sequence[Value], wanted: Value) -> int:
    return next((index for index, value in enumerate(values) if same(value, wanted)), -1)


def _last_index_of(values: Sequence[Value], wanted: Value) -> int:
    return next((index for index in reversed(range(len(values))) if same(values[index], wanted)), -1)


def _each(name: str, key: str, call: Callable[..., Value], result: Type | None, *kinds: str) -> Function:
    """Declare a function of lists of each of some types; its result is of that type when none is given."""
    return Function(
        name,
        tuple(
            Overload(
                key.format(each), (t.list_of(_NAMED[each]),), result or _NAMED[each], call, True,
                costs.estimate_visit, costs.visit,
            )
            for each in kinds or _NAMED
        ),
        costs.visit,
    )  # fmt: skip


_ZEROS: dict[str, Value] = {"int": 0, "uint": UInt(0), "double": 0.0, "duration": Duration(0)}
_SUMS = tuple(
    Overload(
        f"list_{name}_sum_{name}", (t.list_of(_NAMED[name]),), _NAMED[name], _sum_of(zero), True,
        costs.estimate_visit, costs.visit,
    )
    for name, zero in _ZEROS.items()
)  # fmt: skip
_LOOKUP = (t.list_of(t.A), t.A)

LISTS = Library(
    "kubernetes.lists",
    (
        _each("isSorted", "list_{0}_is_sorted_bool", _is_sorted, t.BOOL),
        Function("sum", _SUMS, costs.visit),
        _each("max", "list_{0}_max_{0}", _best("max", -1), None),
        _each("min", "list_{0}_min_{0}", _best("min", 1), None),
        Function(
            "indexOf",
            (Overload("list_a_index_of_int", _LOOKUP, t.INT, _index_of, True, costs.estimate_visit, costs.visit),),
            costs.visit,
        ),
        Function(
            "lastIndexOf",
            (
                Overload(
                    "list_a_last_index_of_int", _LOOKUP, t.INT, _last_index_of, True, costs.estimate_visit, costs.visit
                ),
            ),
            costs.visit,
        ),
    ),
)


# --- cel-go's ---------------------------------------------------------------------------------------------------------


def _slice(values: list[Value], start: int, end: int) -> list[Value]:
    asked = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise EvaluationError(f"{asked}, negative indexes not supported")
    if start > end:
        raise EvaluationError(f"{asked}, start index must be less than or equal to end index")
    if len(values) < end:
        raise EvaluationError(f"{asked}, list is length {len(values)}")
    return values[start:end]


def _flatten(values: list[Value], depth: int = 1) -> list[Value]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat: list[Value] = []
    waiting = [(iter(values), depth)]
    while waiting:
        elements, level = waiting[-1]
        for value in elements:
            if level and isinstance(value, list):
                waiting.append((iter(value), level - 1))
                break
            flat.append(value)
        else:
            waiting.pop()
    return flat


def _sort(values: list[Value]) -> list[Value]:
    return _sort_by(values, values)


def _sort_by(values: list[Value], keys: list[Value]) -> list[Value]:
    """Sort values by the keys beside them; values with equal keys stay as they were."""
    if len(values) != len(keys):
        raise EvaluationError(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
            f"but got {len(values)} and {len(keys)} elements respectively"
        )
    if not values:
        return values
    if not isinstance(keys[0], _COMPARABLE):
        raise EvaluationError("list elements must be comparable")
    if any(type(key) is not type(keys[0]) for key in keys):
        raise EvaluationError("list elements must have the same type")
    return [values[index] for index in sorted(range(len(values)), key=keys.__getitem__)]


def _range(count: int) -> list[int]:
    costs.refuse(count)
    return list(range(count))


def _reverse(values: list[Value]) -> list[Value]:
    return values[::-1]


def _distinct(values: list[Value]) -> list[Value]:
    costs.refuse(2 * len(values) ** 2)
    kept: list[Value] = []
    for value in values:
        if not any(same(value, other) for other in kept):
            kept.append(value)
    return kept


def _made(factor: float, count: int) -> int:
    """Return the cost of a call that makes a list."""
    return int(count * factor) + 1 + costs.LIST_COST


def _result_cost(_arguments: Sequence[Value], result: Value) -> int:
    return _made(1, size_of(result))


def _flatten_cost(arguments: Sequence[Value], _result: Value) -> int:
    depth = arguments[1] if len(arguments) > 1 else 1
    return _made(float(depth) if isinstance(depth, int) else 1.0, size_of(arguments[0]))


def _comparing_cost(position: int) -> Coster:
    """Cost of comparing all elements of an argument with each other; where that is an error, cel-go breaks down."""

    def cost(arguments: Sequence[Value], _result: Value) -> int | None:
        values = arguments[position]
        if not isinstance(values, list):
            return None
        factor = 2.0
        if values and isinstance(values[0], str | bytes):
            factor += costs.STRING_FACTOR
        return _made(factor, len(values) ** 2)

    return cost


def _estimate_made(factor: float, size: Span) -> CallEstimate:
    return CallEstimate(size.by(factor) + Span(1 + costs.LIST_COST, 1 + costs.LIST_COST), size)


def _literal(argument: Sized, otherwise: int) -> int:
    """Return an integer literal, not below zero."""
    value = argument.constant
    return max(value, 0) if type(value) is int else otherwise


def _estimate_slice(arguments: Sequence[Sized]) -> CallEstimate:
    count = (_literal(arguments[2], arguments[0].size.most) - _literal(arguments[1], 0)) % 2**64
    return _estimate_made(1, Span(count, count))


def _estimate_flatten(arguments: Sequence[Sized]) -> CallEstimate:
    depth = _literal(arguments[1], MOST) if len(arguments) > 1 else 1
    return _estimate_made(float(depth), arguments[0].size)


def _estimate_range(arguments: Sequence[Sized]) -> CallEstimate:
    count = _literal(arguments[0], MOST)
    return _estimate_made(1, Span(count, count))


def _estimate_reverse(arguments: Sequence[Sized]) -> CallEstimate:
    return _estimate_made(1, arguments[0].size)


def _estimate_comparing(position: int, of: Type = t.DYN) -> Estimator:
    factor = 2.0 + (costs.STRING_FACTOR if of in (t.STRING, t.BYTES) else 0)
    return lambda arguments: _estimate_made(factor, arguments[position].size * arguments[position].size)


_LIST = t.list_of(_T)
_SORTS = tuple(
    Overload(
        f"list_{of.name}_sort", (t.list_of(of),), t.list_of(of), _sort, True,
        _estimate_comparing(0, of), _comparing_cost(0),
    )
    for of in _NAMED.values()
)  # fmt: skip
_SORTS_BY = tuple(
    Overload(
        f"list_{of.name}_sortByAssociatedKeys", (_LIST, t.list_of(of)), _LIST, _sort_by, True,
        _estimate_comparing(1, of), _comparing_cost(1),
    )
    for of in _NAMED.values()
)  # fmt: skip
_FLATTEN = (
    Overload("list_flatten", (t.list_of(_LIST),), _LIST, _flatten, True, _estimate_flatten, _flatten_cost),
    Overload(
        "list_flatten_int",
        (t.list_of(t.DYN), t.INT),
        t.list_of(t.DYN),
        _flatten,
        True,
        _estimate_flatten,
        _flatten_cost,
    ),
)

EXTENDED_LISTS = Library(
    "cel.lib.ext.lists",
    (
        Function(
            "slice",
            (Overload("list_slice", (_LIST, t.INT, t.INT), _LIST, _slice, True, _estimate_slice, _result_cost),),
        ),
        Function("flatten", _FLATTEN),
        Function("sort", _SORTS),
        Function("@sortByAssociatedKeys", _SORTS_BY),
        Function(
            "lists.range",
            (Overload("lists_range", (t.INT,), t.list_of(t.INT), _range, False, _estimate_range, _result_cost),),
        ),
        Function(
            "reverse", (Overload("list_reverse", (_LIST,), _LIST, _reverse, True, _estimate_reverse, _result_cost),)
        ),
        Function(
            "distinct",
            (Overload("list_distinct", (_LIST,), _LIST, _distinct, True, _estimate_comparing(0), _comparing_cost(0)),),
        ),
    ),
    macros=frozenset({"sortBy"}),
)
