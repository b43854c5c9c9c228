"""
Text to tree.

A recursive descent over cel-go's grammar (parser/gen/CEL.g4) that stops at the first word that does not fit; what
is wrong then is found by ``syntax``, which recovers and words it as cel-go's parser does. Positions, the balancing
of ``&&`` and ``||``, and bounds of depth and size are those of cel-go's parser/parser.go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from fairlead_schema.cel import literals, syntax
from fairlead_schema.cel.ast import (
    MOST_ISSUES,
    Call,
    CompileError,
    Const,
    Constant,
    Entry,
    Expr,
    Ident,
    Issue,
    ListLiteral,
    MapLiteral,
    Select,
    Source,
    StructLiteral,
)
from fairlead_schema.cel.building import Builder, Numbers, TooLarge
from fairlead_schema.cel.declarations import Library
from fairlead_schema.cel.lexer import END, RESERVED, Token, Words, words
from fairlead_schema.cel.macros import Expander, Key, MacroError, macros_for

MOST_CODE_POINTS = 100_000
DEEPEST = 250
NOWHERE = -1
"""Offset of what is wrong with an expression as a whole; it prints as line -1, as in cel-go."""

_FRAMES = 12_000
"""
Frames of Python that trees of the greatest depth take: 250 nested macros are some 1,500 nodes deep, each of which a
walk enters by a few calls. Python calling Python takes none of the C stack.
"""
# Once for the process, on import: checking, compiling and evaluating walk such trees as well.
sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES))

_RELATIONS = frozenset(("<", "<=", ">=", ">", "==", "!=", "in"))
_CALCULATIONS = {"*": 2, "/": 2, "%": 2, "+": 1, "-": 1}
_NUMBERS = frozenset(("NUM_INT", "NUM_FLOAT"))
_LITERALS: Mapping[str, Callable[[str], Constant]] = {
    "NUM_INT": literals.integer,
    "NUM_UINT": literals.unsigned,
    "NUM_FLOAT": literals.double,
    "STRING": literals.string,
    "BYTES": literals.octets,
    "true": lambda _: True,
    "false": lambda _: False,
    "null": lambda _: None,
}


def parse(text: str, libraries: Iterable[Library]) -> Source:
    """
    Return the tree of an expression, macros expanded.

    Optional syntax (``a.?b``, ``a[?b]``, ``[?a]``) is there with the library that has the macro ``optMap``.

    Raises:
        CompileError: The text is not an expression; the message is what cel-go prints.
    """
    if len(text) > MOST_CODE_POINTS:
        message = f"expression code point size exceeds limit: size: {len(text)}, limit {MOST_CODE_POINTS}"
        raise CompileError(text, (Issue(NOWHERE, message),))
    found = words(text)
    if len(found.issues) > MOST_ISSUES:
        excess = Issue(found.issues[MOST_ISSUES].at, f"Syntax error: More than {MOST_ISSUES} syntax errors")
        raise CompileError(text, (*found.issues[:MOST_ISSUES], excess))
    names = {name for library in libraries for name in library.macros}
    parser = _Parser(found, macros_for(names), optional="optMap" in names)
    try:
        root = parser.whole()
    except _Misfit:
        raise CompileError(text, syntax.diagnose(text, found)) from None
    except TooLarge as error:
        raise CompileError(text, (*found.issues, *parser.issues, Issue(NOWHERE, str(error)))) from None
    if found.issues or parser.issues:
        raise CompileError(text, (*found.issues, *parser.issues))
    return Source(text, root, parser.expanded)


class _Misfit(Exception):
    """A word that the grammar does not allow where it is."""


class _Parser:
    """Reads words; each method returns a node and leaves in ``_height`` how many nested operations it has."""

    def __init__(self, found: Words, macros: Mapping[Key, Expander], *, optional: bool) -> None:
        self._tokens = found.tokens
        self._index = 0
        self._token = found.tokens[0]
        self._numbers = Numbers()
        self._macros = macros
        self._optional = optional
        self._height = 0
        self._depths = {"expression": 0, "relation": 0, "calculation": 0}
        self.issues: list[Issue] = []
        self.expanded: dict[int, Call] = {}

    def whole(self) -> Expr:
        """Return the tree of all words."""
        root = self._expression()
        self._take(END)
        if self._height > DEEPEST:
            raise TooLarge("max recursion depth exceeded")
        return root

    # Words

    def _advance(self) -> Token:
        token = self._token
        self._index += 1
        self._token = self._tokens[min(self._index, len(self._tokens) - 1)]
        return token

    def _take(self, kind: str) -> Token:
        if self._token.kind != kind:
            raise _Misfit
        return self._advance()

    def _skip(self, kind: str) -> bool:
        if self._token.kind != kind:
            return False
        self._advance()
        return True

    def _ahead(self, count: int) -> str:
        return self._tokens[min(self._index + count, len(self._tokens) - 1)].kind

    def _enter(self, rule: str) -> None:
        self._depths[rule] += 1
        if self._depths[rule] > DEEPEST:
            raise TooLarge(f"expression recursion limit exceeded: {DEEPEST}")

    def _leave(self, rule: str) -> None:
        self._depths[rule] -= 1

    # Nodes

    def _wrong(self, at: int, message: str) -> Expr:
        self.issues.append(Issue(at, message))
        return ListLiteral(self._numbers.next(), at, ())

    def _call(self, at: int, function: str, arguments: tuple[Expr, ...], target: Expr | None = None) -> Expr:
        call = Call(self._numbers.next(), at, function, target, arguments)
        expand = self._macros.get((function, len(arguments), target is not None))
        if expand is None:
            return call
        try:
            made = expand(Builder(self._numbers, at), call if target is None else target, arguments)
        except MacroError as error:
            return self._wrong(error.at, str(error))
        if made is None:
            return call
        self.expanded[made.number] = call
        return made

    # Rules, from the loosest to the tightest

    def _expression(self) -> Expr:
        self._enter("expression")
        node = self._logic("||", "_||_", self._conjunction)
        if self._token.kind == "?":
            height = self._height
            at = self._advance().at
            chosen = self._logic("||", "_||_", self._conjunction)
            height = max(height, self._height)
            self._take(":")
            otherwise = self._expression()
            self._height = max(height, self._height) + 1
            node = self._call(at, "_?_:_", (node, chosen, otherwise))
        self._leave("expression")
        return node

    def _conjunction(self) -> Expr:
        return self._logic("&&", "_&&_", self._relation)

    def _logic(self, operator: str, function: str, operand: Callable[[], Expr]) -> Expr:
        node = operand()
        if self._token.kind != operator:
            return node
        terms = [node]
        places: list[int] = []
        height = self._height
        while self._token.kind == operator:
            places.append(self._advance().at)
            terms.append(operand())
            height = max(height, self._height)
        self._height = height
        return self._balanced(function, terms, places)

    def _balanced(self, function: str, terms: list[Expr], places: list[int]) -> Expr:
        if not places:
            return terms[0]
        middle = len(places) // 2
        left = self._balanced(function, terms[: middle + 1], places[:middle])
        right = self._balanced(function, terms[middle + 1 :], places[middle + 1 :])
        return Call(self._numbers.next(), places[middle], function, None, (left, right))

    def _relation(self, *, nested: bool = False) -> Expr:
        self._enter("relation")
        node = self._calculation(0)
        while self._token.kind in _RELATIONS and not nested:
            height = self._height
            operator = self._advance()
            right = self._relation(nested=True)
            self._height = max(height, self._height) + 1
            function = "@in" if operator.kind == "in" else f"_{operator.kind}_"
            node = self._call(operator.at, function, (node, right))
        self._leave("relation")
        return node

    def _calculation(self, loosest: int) -> Expr:
        self._enter("calculation")
        node = self._unary()
        while (strength := _CALCULATIONS.get(self._token.kind, -1)) >= loosest:
            height = self._height
            operator = self._advance()
            right = self._calculation(strength + 1)
            self._height = max(height, self._height) + 1
            node = self._call(operator.at, f"_{operator.kind}_", (node, right))
        self._leave("calculation")
        return node

    def _unary(self) -> Expr:
        operator = self._token.kind
        if operator not in ("!", "-") or (operator == "-" and self._ahead(1) in _NUMBERS):
            return self._member()
        at = self._token.at
        odd = False
        while self._skip(operator):
            odd = not odd
        node = self._member()
        return self._call(at, f"{operator}_", (node,)) if odd else node

    def _member(self) -> Expr:
        node = self._primary()
        while self._token.kind in (".", "["):
            height = self._height
            operator = self._advance()
            node = self._index_of(node, operator) if operator.kind == "[" else self._field_of(node, operator)
            self._height = max(height, self._height) + 1
        return node

    def _index_of(self, node: Expr, operator: Token) -> Expr:
        optional = self._skip("?")
        index = self._expression()
        self._take("]")
        if optional and not self._optional:
            return self._wrong(operator.at, "unsupported syntax '[?'")
        return self._call(operator.at, "_[?_]" if optional else "_[_]", (node, index))

    def _field_of(self, node: Expr, operator: Token) -> Expr:
        self._height = 0
        optional = self._skip("?")
        at = self._token.at
        if not optional and self._token.kind == "IDENTIFIER" and self._ahead(1) == "(":
            name = self._advance().text
            opening = self._advance()
            return self._call(opening.at, name, self._arguments(), node)
        name = self._field_name()
        if not optional:
            return Select(self._numbers.next(), operator.at, node, name)
        if not self._optional:
            return self._wrong(operator.at, "unsupported syntax '.?'")
        field = Const(self._numbers.next(), at, name)
        return Call(self._numbers.next(), operator.at, "_?._", None, (node, field))

    def _field_name(self) -> str:
        if self._token.kind == "ESC_IDENTIFIER":
            self.issues.append(Issue(self._token.at, "unsupported syntax: '`'"))
            return self._advance().text[1:-1]
        return self._take("IDENTIFIER").text

    def _arguments(self) -> tuple[Expr, ...]:
        self._height = 0
        if self._skip(")"):
            return ()
        arguments, height = [self._expression()], self._height
        while self._skip(","):
            arguments.append(self._expression())
            height = max(height, self._height)
        self._take(")")
        self._height = height
        return tuple(arguments)

    def _primary(self) -> Expr:
        self._height = 0
        token = self._token
        read = _PRIMARIES.get(token.kind)
        if read is not None:
            return read(self)
        negative = token.kind == "-" and self._ahead(1) in _NUMBERS
        if negative:
            self._advance()
        value = _LITERALS.get(self._token.kind)
        if value is None:
            raise _Misfit
        text = self._advance().text
        try:
            return Const(self._numbers.next(), token.at, value(f"-{text}" if negative else text))
        except literals.BadLiteral as error:
            return self._wrong(token.at, str(error))

    def _nested(self) -> Expr:
        self._advance()
        node = self._expression()
        self._take(")")
        return node

    def _name(self) -> Expr:
        at = self._token.at
        dot = "." if self._skip(".") else ""
        if self._begins_struct():
            return self._struct(dot)
        token = self._take("IDENTIFIER")
        name = f"{dot}{token.text}"
        opening = self._token
        called = self._skip("(")
        arguments = self._arguments() if called else ()
        if token.text in RESERVED:
            return self._wrong(at, f"reserved identifier: {token.text}")
        if called:
            return self._call(opening.at, name, arguments)
        return Ident(self._numbers.next(), token.at, name)

    def _begins_struct(self) -> bool:
        ahead = 0
        while self._ahead(ahead) == "IDENTIFIER":
            if self._ahead(ahead + 1) == "{":
                return True
            if self._ahead(ahead + 1) != ".":
                return False
            ahead += 2
        return False

    def _struct(self, dot: str) -> Expr:
        names = [self._take("IDENTIFIER").text]
        while self._skip("."):
            names.append(self._take("IDENTIFIER").text)
        at = self._take("{").at
        entries: list[Entry] = []
        height = 0
        for optional in self._items("}"):
            if optional and not self._optional:
                self.issues.append(Issue(self._tokens[self._index - 1].at, "unsupported syntax '?'"))
            field = self._token
            key = Const(self._numbers.next(), field.at, self._field_name())
            colon = self._take(":").at
            value = self._expression()
            height = max(height, self._height)
            entries.append(Entry(self._numbers.next(), colon, key, value, optional))
        self._height = height
        return StructLiteral(self._numbers.next(), at, f"{dot}{'.'.join(names)}", tuple(entries))

    def _list(self) -> Expr:
        at = self._advance().at
        elements: list[Expr] = []
        optionals: list[int] = []
        height = 0
        for optional in self._items("]"):
            mark = self._tokens[self._index - 1].at
            if optional:
                optionals.append(len(elements))
            elements.append(self._expression())
            height = max(height, self._height)
            if optional and not self._optional:
                self.issues.append(Issue(mark, "unsupported syntax '?'"))
        self._height = height
        return ListLiteral(self._numbers.next(), at, tuple(elements), frozenset(optionals))

    def _map(self) -> Expr:
        at = self._advance().at
        entries: list[Entry] = []
        height = 0
        for optional in self._items("}"):
            if optional and not self._optional:
                self.issues.append(Issue(self._tokens[self._index - 1].at, "unsupported syntax '?'"))
            key = self._expression()
            height = max(height, self._height)
            colon = self._take(":").at
            value = self._expression()
            height = max(height, self._height)
            entries.append(Entry(self._numbers.next(), colon, key, value, optional))
        self._height = height
        return MapLiteral(self._numbers.next(), at, tuple(entries))

    def _items(self, closing: str) -> Iterable[bool]:
        """Yield at each item, whether a question mark is before it; a comma may end the items, or be all there is."""
        if self._token.kind == "," and self._ahead(1) == closing:
            self._advance()
        while not self._skip(closing):
            yield self._skip("?")
            if not self._skip(",") and self._token.kind != closing:
                raise _Misfit


_PRIMARIES: Mapping[str, Callable[[_Parser], Expr]] = {
    "(": _Parser._nested,  # noqa: SLF001 - the parser's own table
    "[": _Parser._list,  # noqa: SLF001
    "{": _Parser._map,  # noqa: SLF001
    ".": _Parser._name,  # noqa: SLF001
    "IDENTIFIER": _Parser._name,  # noqa: SLF001
}
