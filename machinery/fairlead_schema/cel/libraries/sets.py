"""
Lists taken as sets: ``sets.contains``, ``sets.equivalent``, ``sets.intersects``.

Source: cel-go's ext/sets.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Coster, Estimator, Function, Library, Overload, Sized
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.ordering import same
from fairlead_schema.cel.types import Parameter
from fairlead_schema.cel.values import Value

_LIST = t.list_of(Parameter("T"))


def _holds(values: Sequence[Value], wanted: Value) -> bool:
    return any(same(value, wanted) for value in values)


def _contains(values: Sequence[Value], wanted: Sequence[Value]) -> bool:
    costs.refuse(len(values) * len(wanted))
    return all(_holds(values, each) for each in wanted)


def _equivalent(left: Sequence[Value], right: Sequence[Value]) -> bool:
    return _contains(left, right) and _contains(right, left)


def _intersects(left: Sequence[Value], right: Sequence[Value]) -> bool:
    costs.refuse(len(left) * len(right))
    return any(_holds(right, each) for each in left)


def _cost(times: int) -> Coster:
    """Cost of comparing each of one list with each of the other so many times."""
    return lambda arguments, _result: 1 + size_of(arguments[0]) * size_of(arguments[1]) * times


def _estimate(times: int) -> Estimator:
    def estimate(arguments: Sequence[Sized]) -> CallEstimate:
        return CallEstimate((arguments[0].size * arguments[1].size).by(times) + costs.ONE)

    return estimate


def _function(name: str, call: Callable[..., Value], times: int = 1) -> Function:
    overload = Overload(f"list_sets_{name}_list", (_LIST, _LIST), t.BOOL, call, False, _estimate(times), _cost(times))
    return Function(f"sets.{name}", (overload,))


SETS = Library(
    "cel.lib.ext.sets",
    (_function("contains", _contains), _function("equivalent", _equivalent, 2), _function("intersects", _intersects)),
)
