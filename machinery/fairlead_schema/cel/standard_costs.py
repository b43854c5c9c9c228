"""
What the standard library's functions cost, run and estimated.

Source: cel-go checker/cost.go (functionCost) and interpreter/runtimecost.go (costCall). What is not listed costs 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fairlead_schema.cel.declarations import MOST, CallEstimate, Coster, Estimator, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.values import Value

STRING_FACTOR = 0.1
"""Of a string's length: reading it once."""
REGEX_FACTOR = 0.25
"""Of a pattern's length."""
ONE = Span(1, 1)

_ORDER = ("less", "less_equals", "greater", "greater_equals")


def read_cost(size: int) -> int:
    """Return the cost of reading so many characters."""
    return math.ceil(size * STRING_FACTOR)


def equality_cost(left: Value, right: Value) -> int:
    """Return the cost of comparing two values: reading the shorter."""
    return math.ceil(min(size_of(left), size_of(right)) * STRING_FACTOR)


def estimate_equality(left: Span, right: Span) -> Span:
    """Estimate the cost of comparing values of these sizes."""
    most = min(left.most, right.most)
    return Span(1 if most > 0 else 0, most).by(STRING_FACTOR)


def _compared(arguments: Sequence[Value], _result: Value) -> int:
    return equality_cost(*arguments)


def _estimate_compared(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(estimate_equality(arguments[0].size, arguments[1].size))


def _read_first(arguments: Sequence[Value], _result: Value) -> int:
    return read_cost(size_of(arguments[0]))


def _estimate_affix(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(arguments[1].size.by(STRING_FACTOR))


def _joined(arguments: Sequence[Value], _result: Value) -> int:
    return read_cost(size_of(arguments[0]) + size_of(arguments[1]))


def _estimate_joined(arguments: Sequence[Sized]) -> CallEstimate:
    size = arguments[0].size + arguments[1].size
    return CallEstimate(size.by(STRING_FACTOR), size)


def _estimate_listed(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(ONE, arguments[0].size + arguments[1].size)


def _searched(arguments: Sequence[Value], _result: Value) -> int:
    return size_of(arguments[1])


def _estimate_searched(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(arguments[1].size.by(1))


def _matched(arguments: Sequence[Value], _result: Value) -> int:
    text, pattern = map(size_of, arguments)
    return math.ceil((1.0 + text) * STRING_FACTOR) * math.ceil(pattern * REGEX_FACTOR)


def _estimate_matched(arguments: Sequence[Sized]) -> CallEstimate:
    text, pattern = arguments[0].size + ONE, arguments[1].size
    return CallEstimate(text.by(STRING_FACTOR) * pattern.by(REGEX_FACTOR))


def _contained(arguments: Sequence[Value], _result: Value) -> int:
    return read_cost(size_of(arguments[0])) * read_cost(size_of(arguments[1]))


def _estimate_contained(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(arguments[0].size.by(STRING_FACTOR) * arguments[1].size.by(STRING_FACTOR))


def _estimate_encoded(arguments: Sequence[Sized]) -> CallEstimate:
    size = arguments[0].size
    return CallEstimate(size.by(STRING_FACTOR), Span(size.least, size.most * 4 & MOST))


def _estimate_decoded(arguments: Sequence[Sized]) -> CallEstimate:
    size = arguments[0].size
    return CallEstimate(size.by(STRING_FACTOR), Span(size.least // 4, size.most))


COSTS: dict[str, tuple[Coster | None, Estimator | None]] = {
    "starts_with_string": (_read_first, _estimate_affix),
    "ends_with_string": (_read_first, _estimate_affix),
    "string_to_bytes": (_read_first, _estimate_encoded),
    "bytes_to_string": (_read_first, _estimate_decoded),
    "in_list": (_searched, _estimate_searched),
    "add_string": (_joined, _estimate_joined),
    "add_bytes": (_joined, _estimate_joined),
    "add_list": (None, _estimate_listed),
    "matches_string": (_matched, _estimate_matched),
    "contains_string": (_contained, _estimate_contained),
    **{f"{order}_{kind}": (_compared, _estimate_compared) for order in _ORDER for kind in ("string", "bytes")},
}
"""By overload: run-time cost and estimate; None means 1."""
