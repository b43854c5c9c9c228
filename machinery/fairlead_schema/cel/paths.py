"""
Paths into values, interpreted: ``self.spec.items[i].?name``.

A path is a name, a computed value or a choice (``a ? b : c``) with keys after it. Every key costs 1, and the whole path
1 more, unless it is only a branch or an index of another. Source: cel-go interpreter/attributes.go, runtimecost.go.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Protocol

from fairlead_schema.cel.conversions import text_of
from fairlead_schema.cel.kinds import GrowingList, GrowingMap, name_of
from fairlead_schema.cel.ordering import ABSENT, find
from fairlead_schema.cel.schema_values import Convert, EachOf
from fairlead_schema.cel.values import NONE, CostExceeded, EvaluationError, Optional, UInt, Value

Scope = MutableMapping[str, Value]
"""Variables by name; an :class:`EvaluationError` in it is the error of what the variable should hold."""

MOST_COPIED = 10**8
"""Elements of lists in one evaluation: about a second of copying."""
_KEYS = (str, int, UInt, bool, float)


class Meter:
    """What an evaluation has cost, and may."""

    __slots__ = ("copied", "cost", "limit")

    def __init__(self, limit: int) -> None:
        self.cost = 0
        self.limit = limit
        self.copied = 0

    def copy(self, elements: int) -> None:
        """
        Count elements that were copied though it costs nothing.

        Raises:
            CostExceeded: They were more than any sensible expression copies.
        """
        self.copied += elements
        if self.copied > MOST_COPIED:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")

    def charge(self, cost: int) -> None:
        """
        Count a cost.

        Raises:
            CostExceeded: It was too much.
        """
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")


class Node(Protocol):
    """A part of an expression, ready to be evaluated."""

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return its value, or an :class:`EvaluationError` as a value; only CostExceeded is raised."""


@dataclass(slots=True)
class Lazy:
    """What a comprehension starts with, evaluated when it is first asked for."""

    node: Node
    scope: Scope
    value: Value = ABSENT

    def get(self, meter: Meter) -> Value:
        """Return the value; empty lists and maps are such as may grow."""
        if self.value is ABSENT:
            value = self.node.run(self.scope, meter)
            if value == [] and isinstance(value, list):
                value = GrowingList()
            elif value == {} and isinstance(value, dict):
                value = GrowingMap()
            self.value = value
        return self.value


@dataclass(slots=True)
class Name:
    """A variable."""

    name: str
    convert: Convert | None

    def resolve(self, scope: Scope, meter: Meter) -> Value:
        """Return what it holds."""
        try:
            value = scope[self.name]
        except KeyError:
            return EvaluationError(f"no such attribute(s): {self.name}")
        if type(value) is Lazy:
            value = value.get(meter)
        if self.convert is None or isinstance(value, EvaluationError):
            return value
        return converted(self.convert, value)


@dataclass(slots=True)
class Choice:
    """``condition ? yes : no``."""

    condition: Node
    yes: Path
    no: Path

    def resolve(self, scope: Scope, meter: Meter) -> Value:
        """Return what the chosen branch leads to."""
        chosen = self.condition.run(scope, meter)
        if chosen is True:
            return self.yes.resolve(scope, meter)
        if chosen is False:
            return self.no.resolve(scope, meter)
        return chosen if isinstance(chosen, EvaluationError) else EvaluationError("no such overload")


@dataclass(slots=True)
class Computed:
    """The value of any other expression."""

    node: Node

    def resolve(self, scope: Scope, meter: Meter) -> Value:
        """Return it."""
        return self.node.run(scope, meter)


@dataclass(slots=True)
class Key:
    """
    One step of a path.

    Attributes:
        key: A constant, or the path to what is the key.
        name: Of the field in JSON when an object's field is selected; its null counts as absent.
        convert: Makes what is found a value of its type.
        optional: Whether absence is fine: ``a.?b``.
        test: Whether presence is all that is asked: ``has(a.b)``.
    """

    key: Value
    name: str | None = None
    convert: Convert | None = None
    optional: bool = False
    test: bool = False

    def pick(self, held: Value, scope: Scope, meter: Meter, *, lenient: bool) -> Value:
        """Return what a value holds by this key: ABSENT or, unless ``lenient``, an error when there is nothing."""
        key = self.key
        if isinstance(key, Path):
            key = key.resolve(scope, meter)
            if not isinstance(key, EvaluationError) and type(key) not in _KEYS:
                key = EvaluationError(f"invalid qualifier type: {name_of(key)}")
        found = key if isinstance(key, EvaluationError) else self._find(held, key)
        failed = isinstance(found, EvaluationError)
        if not lenient or not (failed or found is ABSENT):
            meter.charge(1)
        if self.test and not failed:
            return found if lenient else found is not ABSENT
        if found is ABSENT:
            return ABSENT if lenient else missing(held, key)
        return found if failed or self.convert is None else converted(self.convert, found)

    def _find(self, held: Value, key: Value) -> Value:
        if self.name is not None and hasattr(held, "get"):
            return converted(self._field, held)
        if isinstance(held, dict):
            return find(held, key)
        if isinstance(held, list):
            place = place_of(key)
            if isinstance(place, EvaluationError):
                return place
            return held[place] if 0 <= place < len(held) else ABSENT
        return ABSENT

    def _field(self, held: Value) -> Value:
        """Return a field of an object, which may be computed only now (policies' ``variables``, which may be null)."""
        value = held.get(self.name)
        return ABSENT if value is None and not hasattr(held, "has_nulls") else value


def converted(convert: Convert, value: Value) -> Value:
    """Return a value of a schema made one of its type, or the error that it is none."""
    try:
        return convert(value)
    except EvaluationError as error:
        return error


def place_of(index: Value) -> int | EvaluationError:
    """Return an index of a list, which may be any whole number, or the error that it is none."""
    if type(index) in (int, UInt):
        return int(index)
    if type(index) is float:
        if index.is_integer() and abs(index) < 2.0**63:
            return int(index)
        return EvaluationError(f"unsupported index value {text_of(index)} in list")
    return EvaluationError(f"unsupported index type '{name_of(index)}' in list")


def missing(held: Value, key: Value) -> EvaluationError:
    """Return the error of a key that leads to nothing."""
    if isinstance(held, list):
        return EvaluationError(f"index out of bounds: {text_of(key)}")
    return EvaluationError(f"no such key: {text_of(key)}")


@dataclass(slots=True)
class Path:
    """A start with keys after it; ``test`` makes an optional answer a boolean, and costs 1 less."""

    start: Name | Choice | Computed
    keys: list[Key] = field(default_factory=list)
    test: bool = False

    def apart(self) -> None:
        """Leave what a list or a map holds as it is: elements will be asked for one by one, each made of its type."""
        if isinstance(self.start, Choice):
            self.start.yes.apart()
            self.start.no.apart()
        last = self.keys[-1] if self.keys else self.start
        if isinstance(last, Key | Name) and isinstance(last.convert, EachOf):
            last.convert = None

    def append(self, key: Key) -> None:
        """Lead one step further; a choice in both branches."""
        self.apart()
        if isinstance(self.start, Choice):
            self.start.yes.append(key)
            self.start.no.append(key)
        else:
            self.keys.append(key)

    def resolve(self, scope: Scope, meter: Meter) -> Value:
        """Return what the path leads to, with the cost of its keys."""
        value = self.start.resolve(scope, meter)
        keys = self.keys
        if not keys or isinstance(value, EvaluationError):
            return value
        lenient = isinstance(value, Optional)
        if lenient:
            if not value.present:
                return value
            value = value.value
        for key in keys:
            lenient = lenient or key.optional
            value = key.pick(value, scope, meter, lenient=lenient)
            if value is ABSENT:
                return NONE
            if isinstance(value, EvaluationError):
                return value
        return Optional(value, True) if lenient else value

    def run(self, scope: Scope, meter: Meter) -> Value:
        """Return what the path leads to, with its cost."""
        value = self.resolve(scope, meter)
        meter.charge((0 if isinstance(self.start, Choice) else 1) - self.test)
        if self.test and isinstance(value, Optional):
            return value.present
        return value
