"""What an environment declares: variables, functions with overloads, and what each costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.values import Value

MOST = 2**64 - 1
"""Costs and sizes stop here, as in Go's saturating arithmetic of uint64."""


@dataclass(frozen=True, slots=True)
class Span:
    """A size or a cost that is between two bounds."""

    least: int
    most: int

    def __add__(self, other: Span) -> Span:
        """Return the sum, at most :data:`MOST`."""
        return Span(min(self.least + other.least, MOST), min(self.most + other.most, MOST))

    def __mul__(self, other: Span) -> Span:
        """Return the product, at most :data:`MOST`."""
        return Span(min(self.least * other.least, MOST), min(self.most * other.most, MOST))

    def by(self, factor: float) -> Span:
        """Return the span times a factor, rounded up as cel-go does."""
        return Span(_times(self.least, factor), _times(self.most, factor))

    def union(self, other: Span) -> Span:
        """Return the span that covers both."""
        return Span(min(self.least, other.least), max(self.most, other.most))


def _times(count: int, factor: float) -> int:
    product = count * factor
    return MOST if product >= MOST else -int(-product // 1)


@dataclass(frozen=True, slots=True)
class Sized:
    """
    An argument as an estimate sees it.

    Attributes:
        type: What the checker found.
        size: Characters, bytes, elements or entries; 0 to :data:`MOST` when nothing is known.
        path: Where it comes from: ``("self", "spec", "@items")``; empty when it is computed.
        element: Size of what a list or map holds, when known.
        constant: The literal's value, when it is one.
    """

    type: AnyType
    size: Span
    path: tuple[str, ...] = ()
    element: Span | None = None
    constant: Value = None


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What a call costs besides its arguments, and the size of its result where known."""

    cost: Span
    size: Span | None = None


Estimator = Callable[[Sequence[Sized]], CallEstimate | None]
Coster = Callable[[Sequence[Value], Value], int | None]


@dataclass(frozen=True, slots=True)
class Overload:
    """
    One form of a function.

    Attributes:
        id: cel-go's or Kubernetes' overload id (``string_size``).
        arguments: Types; of a member function its target comes first.
        result: May name type parameters of the arguments.
        call: Gets values; raises :class:`EvaluationError`. None where the compiler has code of its own
            (logic, conditions, equality, indexing).
        member: Whether it is called as ``target.function(...)``.
        estimate: Static cost; None, or an answer of None: 1 and an unknown size.
        cost: Run-time cost of a call, given arguments and result; None, or an answer of None: 1.
        pure: Whether equal arguments give equal results, so that constants can be folded.
    """

    id: str
    arguments: tuple[AnyType, ...]
    result: AnyType
    call: Callable[..., Value] | None
    member: bool = False
    estimate: Estimator | None = None
    cost: Coster | None = None
    pure: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """
    A function by name with its overloads, in the order in which they are tried.

    Attributes:
        cost: Run-time cost of a call for which the checker left several overloads (an argument is ``dyn``): cel-go
            then looks at the function's name alone. None, or an answer of None: 1.
    """

    name: str
    overloads: tuple[Overload, ...]
    cost: Coster | None = None


@dataclass(frozen=True, slots=True)
class Library:
    """
    What one library adds to an environment.

    Attributes:
        macros: Names of macros the parser expands only with this library (``cel.bind``, ``optMap``, ``sortBy``).
        types: Type names that are values of the language (``kubernetes.Quantity``).
        check: By function: says of a call with constant arguments what is wrong with them at compile time, "" for
            nothing.
    """

    name: str
    functions: tuple[Function, ...] = ()
    macros: frozenset[str] = frozenset()
    types: Mapping[str, AnyType] = field(default_factory=dict)
    check: Mapping[str, Callable[[Sequence[Value]], str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables and libraries with which an expression is compiled; the same one gives the same program."""

    variables: Mapping[str, AnyType]
    libraries: tuple[Library, ...]
