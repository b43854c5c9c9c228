"""Makes nodes of a tree, each with its own number."""

from __future__ import annotations

from dataclasses import replace

from fairlead_schema.cel.ast import (
    Call,
    Comprehension,
    Const,
    Constant,
    Entry,
    Expr,
    Ident,
    ListLiteral,
    MapLiteral,
    Select,
    StructLiteral,
)

ACCUMULATOR = "@result"
MOST_COPIES = 10_000
"""
Nodes that macros may copy. Each ``optMap`` copies its target, so that a chain of n of them has 2**n nodes; cel-go has
no bound.
"""


class TooLarge(ValueError):
    """The tree is deeper or larger than it may be; the text is what cel-go reports, at no place."""


class Numbers:
    """Numbers of the nodes of one tree."""

    __slots__ = ("_copies", "_last")

    def __init__(self) -> None:
        self._last = 0
        self._copies = 0

    def next(self) -> int:
        """Return a number no node of the tree has."""
        self._last += 1
        return self._last

    def copy(self, node: Expr) -> Expr:
        """Return an equal tree with numbers of its own, at the same places."""
        self._copies += 1
        if self._copies > MOST_COPIES:
            raise TooLarge("expression size exceeds limit once its macros are expanded")
        number = self.next()
        match node:
            case Const() | Ident():
                return replace(node, number=number)
            case Select():
                return replace(node, number=number, operand=self.copy(node.operand))
            case Call():
                target = None if node.target is None else self.copy(node.target)
                return replace(node, number=number, target=target, arguments=self._all(node.arguments))
            case ListLiteral():
                return replace(node, number=number, elements=self._all(node.elements))
            case MapLiteral() | StructLiteral():
                return replace(node, number=number, entries=tuple(self._entry(entry) for entry in node.entries))
            case Comprehension():
                return self._fold(node, number)

    def _all(self, nodes: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(self.copy(node) for node in nodes)

    def _entry(self, entry: Entry) -> Entry:
        return replace(entry, number=self.next(), key=self.copy(entry.key), value=self.copy(entry.value))

    def _fold(self, node: Comprehension, number: int) -> Comprehension:
        return replace(
            node,
            number=number,
            iterated=self.copy(node.iterated),
            initial=self.copy(node.initial),
            condition=self.copy(node.condition),
            step=self.copy(node.step),
            result=self.copy(node.result),
        )


class Builder:
    """Makes the nodes a macro becomes, all at the place of its call."""

    __slots__ = ("_at", "_numbers")

    def __init__(self, numbers: Numbers, at: int) -> None:
        self._numbers = numbers
        self._at = at

    def const(self, value: Constant) -> Const:
        """Return a literal."""
        return Const(self._numbers.next(), self._at, value)

    def ident(self, name: str = ACCUMULATOR) -> Ident:
        """Return a name; without one the accumulator's."""
        return Ident(self._numbers.next(), self._at, name)

    def present(self, operand: Expr, field: str) -> Select:
        """Return the test whether a field is there."""
        return Select(self._numbers.next(), self._at, operand, field, test=True)

    def call(self, function: str, *arguments: Expr, target: Expr | None = None) -> Call:
        """Return a call."""
        return Call(self._numbers.next(), self._at, function, target, arguments)

    def list(self, *elements: Expr) -> ListLiteral:
        """Return a list."""
        return ListLiteral(self._numbers.next(), self._at, elements)

    def map(self) -> MapLiteral:
        """Return an empty map."""
        return MapLiteral(self._numbers.next(), self._at, ())

    def fold(  # noqa: PLR0913 - a comprehension has this many parts
        self,
        iterated: Expr,
        variables: tuple[str, str],
        initial: Expr,
        condition: Expr,
        step: Expr,
        result: Expr,
        *,
        accumulator: str = ACCUMULATOR,
    ) -> Comprehension:
        """Return a comprehension over one variable, or over two when the second has a name."""
        first, second = variables
        return Comprehension(
            self._numbers.next(),
            self._at,
            first,
            second,
            iterated,
            accumulator,
            initial,
            condition,
            step,
            result,
        )

    def copy(self, node: Expr) -> Expr:
        """Return an equal tree with numbers of its own."""
        return self._numbers.copy(node)
