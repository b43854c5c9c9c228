"""
The tree of an expression, after macros are expanded.

Every node has a number unique in its tree, by which the checker says its type, and ``at``: the offset of the
character in the source at which messages point (cel-go's: the operator of a call, the dot of a selection).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead_schema.cel.values import UInt

Constant = None | bool | int | UInt | float | str | bytes


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; the Python type tells which."""

    number: int
    at: int
    value: Constant


@dataclass(frozen=True, slots=True)
class Ident:
    """A name; a leading dot is part of it."""

    number: int
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``operand.field``; ``test`` for ``has(operand.field)``."""

    number: int
    at: int
    operand: Expr
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call of a function, by cel-go's operator names (``_&&_``, ``_[_]``, ``_?_:_``, ``!_``, ``@in``, ``_?._``).

    ``target`` is None for operators and functions that belong to nothing.
    """

    number: int
    at: int
    function: str
    target: Expr | None
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """``[a, ?b]``; ``optional`` has the indices of elements that are left out when they have no value."""

    number: int
    at: int
    elements: tuple[Expr, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """``key: value`` or ``?key: value``; of a struct the key is a :class:`Const` with the field's name."""

    number: int
    at: int
    key: Expr
    value: Expr
    optional: bool = False


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """``{key: value}``."""

    number: int
    at: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class StructLiteral:
    """``type_name{field: value}``."""

    number: int
    at: int
    type_name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """
    What macros become: a fold over ``iterated``.

    ``variable`` is each element of a list or key of a map; with ``second`` given (two-variable comprehensions)
    they are index and element, or key and value. ``accumulator`` is ``@result`` in cel-go.
    """

    number: int
    at: int
    variable: str
    second: str
    iterated: Expr
    accumulator: str
    initial: Expr
    condition: Expr
    step: Expr
    result: Expr


Expr = Const | Ident | Select | Call | ListLiteral | MapLiteral | StructLiteral | Comprehension


def children(node: Expr) -> tuple[Expr, ...]:
    """Return the nodes right below a node, in the order in which they are written; of a struct its values only."""
    below: tuple[Expr, ...] = ()
    match node:
        case Select():
            below = (node.operand,)
        case Call():
            below = node.arguments if node.target is None else (node.target, *node.arguments)
        case ListLiteral():
            below = node.elements
        case MapLiteral():
            below = tuple(part for entry in node.entries for part in (entry.key, entry.value))
        case StructLiteral():
            below = tuple(entry.value for entry in node.entries)
        case Comprehension():
            below = (node.iterated, node.initial, node.condition, node.step, node.result)
    return below


def walk(root: Expr) -> Iterator[Expr]:
    """Yield all nodes of a tree, each before those below it."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


@dataclass(frozen=True, slots=True)
class Source:
    """
    A parsed expression.

    Attributes:
        text: As written; offsets count its characters.
        macros: For a comprehension's or a ``has``'s number the call as written, for messages and estimates.
    """

    text: str
    root: Expr
    macros: dict[int, Call]


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong with an expression, at a character of its source."""

    at: int
    message: str


class CompileError(ValueError):
    """An expression that does not parse or check; ``issues`` in the order cel-go prints them."""

    def __init__(self, text: str, issues: tuple[Issue, ...]) -> None:
        super().__init__(render(text, issues))
        self.issues = issues


MOST_ISSUES = 100
LONGEST_LINE = 16384


def render(text: str, issues: tuple[Issue, ...]) -> str:
    """
    Return issues as cel-go prints them: ``ERROR: <input>:1:5: message``, the line, and a mark below the column.

    The first hundred are printed, by where they are; an issue at -1 concerns the whole.
    """
    shown = [_render(text, issue) for issue in sorted(issues[:MOST_ISSUES], key=lambda issue: issue.at)]
    if len(issues) > MOST_ISSUES:
        shown.append(f"{len(issues) - MOST_ISSUES} more errors were truncated")
    return "\n".join(shown)


def _render(text: str, issue: Issue) -> str:
    if issue.at < 0:
        return f"ERROR: <input>:-1:0: {issue.message}"
    if not text:
        return f"ERROR: <input>:1:0: {issue.message}"
    line_number = text.count("\n", 0, issue.at) + 1
    begins = text.rfind("\n", 0, issue.at) + 1
    line = text[begins:].split("\n", 1)[0].replace("\t", " ")
    column = issue.at - begins
    shown = f"ERROR: <input>:{line_number}:{column + 1}: {issue.message}"
    if len(line.encode()) > LONGEST_LINE:
        return shown
    dots = "".join("." if character.isascii() else "\uff0e" for character in line[:column])
    mark = "^" if line[column : column + 1].isascii() else "\uff3e"
    return f"{shown}\n | {line}\n | {dots}{mark}"
