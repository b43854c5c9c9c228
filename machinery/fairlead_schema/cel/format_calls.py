"""
Whether literal formats fit their arguments: ``'%d'.format(['a'])`` is refused before it is ever run.

Source: stringFormatValidator of cel-go's ext/formatting.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_schema.cel.ast import Call, Const, Expr, Issue, ListLiteral, MapLiteral
from fairlead_schema.cel.kinds import runtime_name
from fairlead_schema.cel.libraries.formatting import WRONG_KIND, BadClause, clauses
from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.unifying import kind_of

FUNCTION, OVERLOAD = "format", "string_format"

_INTEGERS = frozenset(("int", "uint"))
_DOUBLES = frozenset(("double", "string"))
_HEX = _INTEGERS | {"string", "bytes"}
_TAKES: Mapping[str, frozenset[str]] = {
    "s": _HEX
    | {"double", "bool", "list", "map", "type", "null", "google.protobuf.Duration", "google.protobuf.Timestamp"},
    "d": _INTEGERS,
    "f": _DOUBLES,
    "e": _DOUBLES,
    "b": _INTEGERS | {"bool"},
    "x": _HEX,
    "X": _HEX,
    "o": _INTEGERS,
}
_END = "unexpected end of string"
_MANY = 2**63


def check_format(call: Call, types: Mapping[int, AnyType]) -> list[Issue]:
    """Return what is wrong with a call of ``format``, if its format and its list are literals."""
    text, given = call.target, call.arguments[0]
    if not isinstance(text, Const) or not isinstance(text.value, str) or not isinstance(given, ListLiteral):
        return []
    used, count = 0, len(given.elements)
    try:
        for part in clauses(text.value, _MANY):
            if isinstance(part, str):
                continue
            if used >= count:
                break
            wrong = _unfit(given.elements[used], part.letter, types)
            used += 1
            if wrong is not None:
                shown = WRONG_KIND[part.letter] + runtime_name(types[wrong.number])
                return [Issue(wrong.at, f"error during formatting: {shown}")]
        else:
            return _surplus(call, used, count)
    except BadClause as error:
        # A percent sign at the end is met before the argument that it lacks.
        if used < count or str(error) == _END:
            return [Issue(call.at, str(error))]
    return [Issue(call.at, f"index {used} out of range")]


def _surplus(call: Call, used: int, count: int) -> list[Issue]:
    if count <= used:
        return []
    message = f"too many arguments supplied to string.format (expected {used}, got {count})"
    return [Issue(call.at, message)]


def _unfit(node: Expr, letter: str, types: Mapping[int, AnyType]) -> Expr | None:
    """Return the argument, or the part of it, that a clause cannot show."""
    kind = kind_of(types[node.number])
    if kind != "dyn" and kind not in _TAKES[letter]:
        return node
    parts: tuple[Expr, ...] = ()
    if letter == "s" and isinstance(node, ListLiteral):
        parts = node.elements
    elif letter == "s" and isinstance(node, MapLiteral):
        parts = tuple(part for entry in node.entries for part in (entry.key, entry.value))
    return next((found for part in parts if (found := _unfit(part, letter, types)) is not None), None)
