"""
What is no path, interpreted: calls, logic, literals and comprehensions.

Errors are values here, because logic and comprehensions go on after them: ``error || true`` is true.
Source: cel-go interpreter/interpretable.go and runtimecost.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fairlead_schema.cel.conversions import text_of
from fairlead_schema.cel.kinds import GrowingList, GrowingMap, kind_of
from fairlead_schema.cel.objects import Made, MadeType
from fairlead_schema.cel.paths import Lazy, Meter, Node, Scope
from fairlead_schema.cel.values import CostExceeded, Duration, EvaluationError, Optional, Timestamp, UInt, Value

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
_NO_OVERLOAD = "no such overload"
_GO_NAMES: dict[type, str] = {
    bool: "types.Bool",
    int: "types.Int",
    UInt: "types.Uint",
    float: "types.Double",
    str: "types.String",
    bytes: "types.Bytes",
    type(None): "types.Null",
    Duration: "types.Duration",
    Timestamp: "types.Timestamp",
    Optional: "*types.Optional",
}


@dataclass(slots=True)
class Constant:
    """A literal, or what could be computed beforehand; free."""

    value: Value

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the value."""
        return self.value


@dataclass(slots=True)
class Call:
    """
    A call of a function.

    Attributes:
        invoke: Gets the values; raises EvaluationError.
        cost: Gets values (or errors) and the result.
        eager: Whether arguments after a failed one are evaluated. A call whose arguments were all evaluated costs
            what it costs, even if it is not made because one of them failed.
        lax: Whether it takes errors as values.
        copies: Whether it may copy lists for nothing.
    """

    arguments: Sequence[Node]
    invoke: Callable[..., Value]
    cost: Callable[[Sequence[Value], Value], int]
    eager: bool
    lax: bool = False
    copies: bool = False

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return what the function says of the arguments."""
        values: list[Value] = []
        failed: EvaluationError | None = None
        for argument in self.arguments:
            if failed is not None and not self.eager:
                return failed
            value = argument.run(scope, meter)
            if isinstance(value, EvaluationError) and not self.lax:
                failed = failed or value
            values.append(value)
        result: Value = failed
        if failed is None:
            try:
                result = self.invoke(*values)
            except CostExceeded:
                raise
            except EvaluationError as error:
                result = error
        if self.copies and type(result) is list:
            meter.copy(len(result))
        meter.charge(self.cost(values, result))
        return result


@dataclass(slots=True)
class Logic:
    """``left && right`` or ``left || right``: decided by one that equals ``decisive``, in spite of errors."""

    decisive: bool
    terms: tuple[Node, Node]

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the truth value, or the first error."""
        failed: EvaluationError | None = None
        for term in self.terms:
            value = term.run(scope, meter)
            if value is self.decisive:
                return value
            if failed is None and type(value) is not bool:
                failed = value if isinstance(value, EvaluationError) else EvaluationError(_NO_OVERLOAD)
        return not self.decisive if failed is None else failed


@dataclass(slots=True)
class Member:
    """``value in [constants]``, which is free."""

    value: Node
    contains: Callable[[Value], bool]

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Tell whether it is one of them."""
        value = self.value.run(scope, meter)
        return value if isinstance(value, EvaluationError) else self.contains(value)


@dataclass(slots=True)
class Otherwise:
    """``optional.or(other)``, or ``optional.orValue(other)`` with ``unwraps``."""

    first: Node
    other: Node
    unwraps: bool

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the first when it has a value."""
        value = self.first.run(scope, meter)
        if not isinstance(value, Optional):
            return value
        if not value.present:
            return self.other.run(scope, meter)
        return value.value if self.unwraps else value


@dataclass(slots=True)
class MakeList:
    """``[a, ?b]``."""

    elements: Sequence[Node]
    optional: frozenset[int]

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the list."""
        made = self._make(scope, meter)
        meter.charge(LIST_COST)
        return made

    def _make(self, scope: Scope, meter: Meter) -> Value:
        made: list[Value] = []
        for place, element in enumerate(self.elements):
            value = element.run(scope, meter)
            if isinstance(value, EvaluationError):
                return value
            if place in self.optional:
                if not isinstance(value, Optional):
                    shown = text_of(value)
                    return EvaluationError(f"cannot initialize optional list element from non-optional value {shown}")
                if not value.present:
                    continue
                value = value.value
            made.append(value)
        return made


@dataclass(slots=True)
class MakeMap:
    """``{key: value, ?key: value}``, or an object, of which the keys are constants."""

    entries: Sequence[tuple[Node, Node, bool]]
    cost: int

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the map."""
        made = self._make(scope, meter)
        meter.charge(self.cost)
        return made

    def _make(self, scope: Scope, meter: Meter) -> Value:
        made: dict[Value, Value] = {}
        for key_node, value_node, optional in self.entries:
            key = key_node.run(scope, meter)
            if isinstance(key, EvaluationError):
                return key
            value = value_node.run(scope, meter)
            if isinstance(value, EvaluationError):
                return value
            if optional:
                if not isinstance(value, Optional):
                    entry = f"'{text_of(key)}' from non-optional value {text_of(value)}"
                    return EvaluationError(f"cannot initialize optional entry {entry}")
                if not value.present:
                    made.pop(key, None)
                    continue
                value = value.value
            made[key] = value
        return made


@dataclass(slots=True)
class MakeObject:
    """``Object.spec{field: value}``: an object that keeps the name of its type."""

    fields: MakeMap
    kind: MadeType

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return the object."""
        made = self.fields.run(scope, meter)
        return made if isinstance(made, EvaluationError) else Made(self.kind, made)


@dataclass(slots=True)
class Fold:
    """A comprehension."""

    variable: str
    second: str
    iterated: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return what the result is after going through all, or as far as the condition lets it."""
        iterated = self.iterated.run(scope, meter)
        if isinstance(iterated, EvaluationError):
            return iterated
        pairs = self._pairs(iterated)
        if isinstance(pairs, EvaluationError):
            return pairs
        inner = dict(scope)
        inner[self.accumulator] = Lazy(self.initial, scope)
        for first, second in pairs:
            inner[self.variable] = first
            if self.second:
                inner[self.second] = second
            if self.condition.run(inner, meter) is False:
                break
            inner[self.accumulator] = self.step.run(inner, meter)
        after = dict(scope)
        after[self.accumulator] = inner[self.accumulator]
        return settled(self.result.run(after, meter))

    def _pairs(self, iterated: Value) -> Iterator[tuple[Value, Value]] | EvaluationError:
        if isinstance(iterated, list):
            return iter(enumerate(iterated)) if self.second else _alone(iterated)
        if isinstance(iterated, dict):
            return iter(list(iterated.items()))
        name = _GO_NAMES.get(type(iterated), kind_of(iterated).name)
        if self.second:
            return EvaluationError(f"unsupported comprehension range type: {name}")
        return EvaluationError(f"got '{name}', expected iterable type")


def _alone(values: Iterable[Value]) -> Iterator[tuple[Value, Value]]:
    return ((value, None) for value in values)


def settled(value: Value) -> Value:
    """Return a value that no longer grows."""
    if type(value) is GrowingList:
        return list(value)
    if type(value) is GrowingMap:
        return dict(value)
    return value
