"""
What calls cost, as Kubernetes counts it: at run time from values, beforehand from estimated sizes.

Source: k8s.io/apiserver/pkg/cel/library/cost.go and cel-go's common/cost.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fairlead_schema.cel.declarations import MOST, CallEstimate, Coster, Estimator, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.types import BYTES, STRING
from fairlead_schema.cel.values import CostExceeded, Value

STRING_FACTOR = 0.1
"""Of a string's length: reading it once."""
REGEX_FACTOR = 0.25
"""Of a pattern's length: each expression of it is taken to be four characters."""
LIST_COST = 10
"""Making a list."""
STRUCT_COST = 40
"""Making a struct."""
CALL_LIMIT = 1_000_000
"""No evaluation anywhere in Kubernetes may cost more (celconfig.PerCallLimit)."""

ONE = Span(1, 1)
UNKNOWN = Span(0, MOST)


def refuse(cost: int) -> None:
    """
    Stop before work whose cost, counted only after it, is over any limit.

    Raises:
        CostExceeded: It is.
    """
    if cost > CALL_LIMIT:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")


def traversal(value: Value) -> int:
    """Return the cost of visiting all of a value: a tenth of its strings' bytes, and 1 for each other scalar."""
    if isinstance(value, str):
        return int((len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))) * STRING_FACTOR)
    if isinstance(value, bytes):
        return int(len(value) * STRING_FACTOR)
    if isinstance(value, list):
        return sum(map(traversal, value))
    if isinstance(value, dict):
        return sum(traversal(key) + traversal(held) for key, held in value.items())
    return 1


def read(times: int = 1) -> Coster:
    """Cost of reading the first argument's text."""
    return lambda arguments, _result: math.ceil(size_of(arguments[0]) * times * STRING_FACTOR)


def visit(arguments: Sequence[Value], _result: Value) -> int:
    """Cost of visiting all of the first argument."""
    return traversal(arguments[0])


def matching(text: int, pattern: int) -> int:
    """Return the cost of matching a text of so many characters with a pattern of so many."""
    return math.ceil((1.0 + text) * STRING_FACTOR) * math.ceil(pattern * REGEX_FACTOR)


def estimate_read(times: int = 1, *, keeps_size: bool = False) -> Estimator:
    """Estimate of reading the first argument's text; the result is as long when ``keeps_size``."""

    def estimate(arguments: Sequence[Sized]) -> CallEstimate:
        text = arguments[0].size
        return CallEstimate(text.by(times * STRING_FACTOR), text if keeps_size else None)

    return estimate


def estimate_visit(arguments: Sequence[Sized]) -> CallEstimate:
    """Estimate of comparing each element of a list, or of reading a string."""
    target = arguments[0]
    parameters = getattr(target.type, "parameters", ())
    if not parameters:
        return CallEstimate(target.size.by(STRING_FACTOR))
    each = ONE
    if parameters[0] in (STRING, BYTES):
        each += element(target).by(STRING_FACTOR)
    return CallEstimate(target.size * each)


def estimate_matching(text: Span, pattern: Span) -> Span:
    """Estimate of matching a text with a pattern, from their sizes."""
    return (text + ONE).by(STRING_FACTOR) * pattern.by(REGEX_FACTOR)


def element(target: Sized) -> Span:
    """Return the size of a list's elements: what the schema says of them, never what an expression shows."""
    return target.element if target.path and target.element is not None else UNKNOWN
