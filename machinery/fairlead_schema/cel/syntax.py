"""
What is wrong with words that are not an expression, as cel-go says it.

cel-go's messages are those of a parser that ANTLR made, with ANTLR's default error strategy: which words a message
lists, whether one word is dropped or thought of, and where reading goes on after an error, all follow from the rule
that is being read and those that called it. So this module reads by the same rules in the same order, and builds
nothing; it is used only once an expression is known to be wrong. Sources: cel-go's parser/gen/CEL.g4 and the limits
of parser/parser.go; the strategy is described in "The Definitive ANTLR 4 Reference", chapter 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fairlead_schema.cel.ast import Issue
from fairlead_schema.cel.lexer import END, NAMES, RESERVED, Token, Words

MOST_RECOVERIES = 30
MOST_SKIPPED = 256
DEEPEST = 250
NOWHERE = -1

_Kinds = frozenset[str]
_ORDER = {name: place for place, name in enumerate((END, *NAMES))}
_NAMED = frozenset(name for name in NAMES if name[0].isupper())
_NONE: _Kinds = frozenset()
_LITERALS = frozenset(("true", "false", "null", "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES"))
_PRIMARY = _LITERALS | {"[", "{", "(", ".", "-", "IDENTIFIER"}
_EXPRESSION = _PRIMARY | {"!"}
_FIELD = frozenset(("IDENTIFIER", "ESC_IDENTIFIER"))
_MEMBER = frozenset((".", "["))
_CALCULATIONS = {"*": 2, "/": 2, "%": 2, "+": 1, "-": 1}
_CALCULATION = frozenset(_CALCULATIONS)
_RELATION = frozenset(("==", "!=", "in", "<", "<=", ">=", ">"))
_NUMBERS = frozenset(("NUM_INT", "NUM_FLOAT"))
_RESERVED = re.compile(r"no viable alternative at input '.(true|false|null)'")


def diagnose(text: str, found: Words) -> tuple[Issue, ...]:
    """
    Return what is wrong, words that are none included; at least one issue.

    Where reading was given up, what comes behind was not looked at.
    """
    reader = _Reader(text, found)
    seen = len(text)
    try:
        reader.run(None, reader.start, _NONE)
    except _Stop as stop:
        seen = found.tokens[reader.furthest].at
        if stop.args:
            reader.issues.append(Issue(NOWHERE, str(stop)))
            reader.later.clear()
    lexical = (issue for issue in found.issues if issue.at <= seen)
    return (*lexical, *reader.issues, *reader.later)


class _Stop(Exception):
    """Reading ends here, with a message for the whole or after one that was reported."""


class _Misfit(Exception):
    """A rule cannot go on; the text is the message."""


class _Strategy:
    """
    The words, the rules being read, and ANTLR's default error strategy.

    A rule that is being read is known by what may follow it in the rule that called it, and whether that one may end
    right there. A site is a place in a rule at which an error was met.
    """

    def __init__(self, text: str, found: Words) -> None:
        self.issues: list[Issue] = []
        self.later: list[Issue] = []
        self._text = text
        self._dropped = found.dropped
        self._tokens = found.tokens
        self._index = 0
        self.furthest = 0
        self._follows: list[tuple[_Kinds, bool]] = []
        self._depths: dict[str, int] = {}
        self._recovering = False
        self._recoveries = 0
        self._last = (-1, frozenset[str]())

    @property
    def token(self) -> Token:
        """Return the word that is read next."""
        return self._tokens[self._index]

    def ahead(self, count: int = 1) -> str:
        """Return the kind of the word ``count`` behind the next one."""
        index = min(self._index + count, len(self._tokens) - 1)
        self.furthest = max(self.furthest, index)
        return self._tokens[index].kind

    def run(self, name: str | None, rule: Callable[[], None], follow: _Kinds, *, ends: bool = False) -> None:
        """Read a rule, and recover where it fails."""
        if name is not None:
            self._depths[name] = self._depths.get(name, 0) + 1
            if self._depths[name] > DEEPEST:
                raise _Stop(f"expression recursion limit exceeded: {DEEPEST}")
        self._follows.append((follow, ends))
        try:
            rule()
        except _Misfit as misfit:
            self._report(self.token if not misfit.args[1:] else misfit.args[1], misfit.args[0])
            self._recover(rule.__name__ + misfit.args[0])
        self._follows.pop()
        if name is not None:
            self._depths[name] -= 1

    def match(self, kind: str, after: _Kinds, *, ends: bool = False) -> None:
        """Read a word of a kind; ``after`` may follow it in this rule, or the end of the rule."""
        if self.token.kind == kind:
            self._settle()
            self._consume()
            return
        self._attempt()
        if self._delete(frozenset((kind,))):
            self._consume()
        elif self.token.kind in self._expected(after, ends=ends):
            self._report(self.token, f"missing {_shown({kind})} at {_quoted(self.token.text)}")
        else:
            raise _Misfit(self._mismatch(frozenset((kind,))))

    def sync(self, expected: _Kinds) -> None:
        """Before a choice: drop one word if that helps, or fail, when the next one is not expected."""
        if self._recovering or self.token.kind in expected or self._delete(expected):
            return
        raise _Misfit(self._mismatch(expected))

    def sync_again(self, expected: _Kinds) -> None:
        """After a turn of a loop: drop words up to one at which reading can go on."""
        if self._recovering or self.token.kind in expected:
            return
        self._report(self.token, f"extraneous input {_quoted(self.token.text)} expecting {_shown(expected)}")
        self._skip_to(expected | self._resumes())

    def dead_end(self, behind: int) -> _Misfit:
        """Return the failure of all choices, at the word ``behind`` the next."""
        offending = self._tokens[min(self._index + behind, len(self._tokens) - 1)]
        begin, end = self.token.at, offending.end
        text = END if self.token.kind == END else self._between(begin, end)
        message = f"no viable alternative at input {_quoted(text)}"
        return _Misfit(_RESERVED.sub(r"mismatched input '\1' expecting IDENTIFIER", message), offending)

    def _between(self, begin: int, end: int) -> str:
        pieces = []
        for start, stop in self._dropped:
            if begin <= start < end:
                pieces.append(self._text[begin:start])
                begin = stop
        return "".join((*pieces, self._text[begin:end]))

    def _mismatch(self, expected: _Kinds) -> str:
        return f"mismatched input {_quoted(self.token.text)} expecting {_shown(expected)}"

    def _expected(self, kinds: _Kinds, *, ends: bool) -> _Kinds:
        for follow, also in reversed(self._follows):
            if not ends:
                return kinds
            kinds, ends = kinds | follow, also
        return kinds | {END} if ends else kinds

    def _consume(self) -> None:
        self._index = min(self._index + 1, len(self._tokens) - 1)
        self.furthest = max(self.furthest, self._index)

    def _settle(self) -> None:
        self._recovering = False
        self._last = (-1, frozenset())

    def _report(self, token: Token, message: str) -> None:
        if not self._recovering:
            self._recovering = True
            self.issues.append(Issue(token.at, f"Syntax error: {message}"))

    def _delete(self, expected: _Kinds) -> bool:
        if self.ahead() not in expected:
            return False
        self._report(self.token, f"extraneous input {_quoted(self.token.text)} expecting {_shown(expected)}")
        self._consume()
        self._settle()
        return True

    def _attempt(self) -> None:
        if self._recoveries == MOST_RECOVERIES:
            message = f"Syntax error: error recovery attempt limit exceeded: {MOST_RECOVERIES}"
            self.issues.append(Issue(self.token.at, message))
            raise _Stop
        self._recoveries += 1

    def _recover(self, site: str) -> None:
        self._attempt()
        index, sites = self._last
        skipped = 0
        if index == self._index and site in sites:
            self._consume()
            skipped = 1
        sites = sites | {site}
        self._last = (self._index, sites)
        self._skip_to(self._resumes(), skipped)

    def _resumes(self) -> _Kinds:
        return frozenset().union(*(follow for follow, _ in self._follows))

    def _skip_to(self, kinds: _Kinds, skipped: int | None = None) -> None:
        while self.token.kind != END and self.token.kind not in kinds:
            if skipped is not None:
                if skipped == MOST_SKIPPED:
                    raise _Stop(f"error recovery token lookahead limit exceeded: {MOST_SKIPPED}")
                skipped += 1
            self._consume()


def _quoted(text: str) -> str:
    escaped = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _shown(kinds: _Kinds | set[str]) -> str:
    names = [name if name in _NAMED or name == END else f"'{name}'" for name in sorted(kinds, key=_ORDER.__getitem__)]
    return names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"


class _Reader(_Strategy):
    """The rules of the grammar, by their names there."""

    def start(self) -> None:
        self._expr(frozenset((END,)))
        self.match(END, frozenset((END,)))

    def _expr(self, follow: _Kinds, *, ends: bool = False) -> None:
        self.run("expr", self._ternary, follow, ends=ends)

    def _ternary(self) -> None:
        self.run(None, self._disjunction, frozenset("?"), ends=True)
        if self.token.kind == "?":
            self.match("?", _EXPRESSION)
            self.run(None, self._disjunction, frozenset(":"))
            self.match(":", _EXPRESSION)
            self._expr(_NONE, ends=True)

    def _disjunction(self) -> None:
        self.run(None, self._conjunction, frozenset(("||",)), ends=True)
        while self.token.kind == "||":
            self.match("||", _EXPRESSION)
            self.run(None, self._conjunction, frozenset(("||",)), ends=True)

    def _conjunction(self) -> None:
        self.run("relation", self._relation, frozenset(("&&",)), ends=True)
        while self.token.kind == "&&":
            self.match("&&", _EXPRESSION)
            self.run("relation", self._relation, frozenset(("&&",)), ends=True)

    def _relation(self) -> None:
        self.run("calc", self._sum, _RELATION, ends=True)
        while self.token.kind in _RELATION:
            self.match(self.token.kind, _EXPRESSION)
            self.run("relation", self._right_of_relation, _RELATION, ends=True)

    def _right_of_relation(self) -> None:
        self.run("calc", self._sum, _RELATION, ends=True)

    def _sum(self) -> None:
        self._calc(0)

    def _product(self) -> None:
        self._calc(2)

    def _factor(self) -> None:
        self._calc(3)

    def _calc(self, loosest: int) -> None:
        self.run(None, self._unary, _CALCULATION, ends=True)
        while (strength := _CALCULATIONS.get(self.token.kind, -1)) >= loosest:
            self.match(self.token.kind, _EXPRESSION)
            self.run("calc", self._factor if strength == 2 else self._product, _CALCULATION, ends=True)

    def _unary(self) -> None:
        self.sync(_EXPRESSION)
        kind = self.token.kind
        if kind not in _EXPRESSION:
            raise self.dead_end(0)
        if kind == "!":
            while self.token.kind == "!":
                self.match("!", _EXPRESSION)
                self.sync_again(_EXPRESSION)
        elif kind == "-" and self.ahead() not in _NUMBERS:
            if self.ahead() not in _PRIMARY:
                raise self.dead_end(1)
            self._negations()
        self.run(None, self._member, _NONE, ends=True)

    def _negations(self) -> None:
        while True:
            self.match("-", _PRIMARY)
            self.sync_again(_PRIMARY)
            if self.token.kind != "-":
                if self.token.kind not in _PRIMARY:
                    raise self.dead_end(0)
                return
            if self.ahead() not in _PRIMARY:
                raise self.dead_end(1)

    def _member(self) -> None:
        self.run(None, self._primary, _MEMBER, ends=True)
        while self.token.kind in _MEMBER:
            if self.token.kind == "[":
                self._index_of()
            elif self.ahead() == "IDENTIFIER" and self.ahead(2) == "(":
                self.match(".", _FIELD)
                self.match("IDENTIFIER", frozenset("("))
                self._arguments()
            elif self.ahead() in _FIELD or self.ahead() == "?":
                self._field_of()
            else:
                raise self.dead_end(1)

    def _index_of(self) -> None:
        self.match("[", _EXPRESSION | {"?"})
        self.sync(_EXPRESSION | {"?"})
        if self.token.kind == "?":
            self.match("?", _EXPRESSION)
        self._expr(frozenset("]"))
        self.match("]", _MEMBER, ends=True)

    def _field_of(self) -> None:
        self.match(".", _FIELD | {"?"})
        self.sync(_FIELD | {"?"})
        if self.token.kind == "?":
            self.match("?", _FIELD)
        if self.token.kind not in _FIELD and self.ahead() not in _FIELD:
            self.later.append(Issue(self.token.at, "unsupported ident kind"))
        self.run(None, self._field_name, _MEMBER, ends=True)

    def _field_name(self) -> None:
        at = self.token.at
        self.sync(_FIELD)
        if self.token.kind not in _FIELD:
            raise self.dead_end(0)
        if self.token.kind == "ESC_IDENTIFIER":
            self.later.append(Issue(at, "unsupported syntax: '`'"))
        self.match(self.token.kind, _NONE, ends=True)

    def _arguments(self) -> None:
        self.match("(", _EXPRESSION | {")"})
        self.sync(_EXPRESSION | {")"})
        if self.token.kind in _EXPRESSION:
            self.run(None, self._expressions, frozenset(")"))
        self.match(")", _MEMBER, ends=True)

    def _expressions(self) -> None:
        self._expr(frozenset(","), ends=True)
        while self.token.kind == ",":
            self.match(",", _EXPRESSION)
            self._expr(frozenset(","), ends=True)

    def _primary(self) -> None:
        self.sync(_PRIMARY)
        kind = self.token.kind
        if kind == "(":
            self.match("(", _EXPRESSION)
            self._expr(frozenset(")"))
            self.match(")", _NONE, ends=True)
        elif kind == "[":
            self._items("]", self._elements, _EXPRESSION | {"?"})
        elif kind == "{":
            self._items("}", self._entries, _EXPRESSION | {"?"})
        elif kind in (".", "IDENTIFIER"):
            self._name()
        elif kind in _PRIMARY:
            self.run(None, self._literal, _NONE, ends=True)
        else:
            raise self.dead_end(0)

    def _literal(self) -> None:
        self.sync(_LITERALS | {"-"})
        if self.token.kind == "-":
            if self.ahead() not in _NUMBERS:
                raise self.dead_end(1)
            self.match("-", _NUMBERS)
        self.match(self.token.kind, _NONE, ends=True)

    def _name(self) -> None:
        at = self.token.at
        if self.token.kind == ".":
            if self.ahead() != "IDENTIFIER":
                raise self.dead_end(1)
            self.match(".", frozenset(("IDENTIFIER",)))
        if self._begins_struct():
            self._struct()
            return
        if self.token.text in RESERVED:
            self.later.append(Issue(at, f"reserved identifier: {self.token.text}"))
        self.match("IDENTIFIER", frozenset("("), ends=True)
        if self.token.kind == "(":
            self._arguments()

    def _begins_struct(self) -> bool:
        behind = 0
        while self.ahead(behind) == "IDENTIFIER" and self.ahead(behind + 1) == ".":
            behind += 2
        return self.ahead(behind) == "IDENTIFIER" and self.ahead(behind + 1) == "{"

    def _struct(self) -> None:
        self.match("IDENTIFIER", frozenset(".{"))
        while self.token.kind == ".":
            self.match(".", frozenset(("IDENTIFIER",)))
            self.match("IDENTIFIER", frozenset(".{"))
        self._items("}", self._fields, _FIELD | {"?"})

    def _items(self, closing: str, rule: Callable[[], None], first: _Kinds) -> None:
        ending = frozenset((",", closing))
        self.match(self.token.kind, first | ending)
        self.sync(first | ending)
        if self.token.kind in first:
            self.run(None, rule, ending)
        self.sync(ending)
        if self.token.kind == ",":
            self.match(",", frozenset(closing))
        self.match(closing, _NONE, ends=True)

    def _elements(self) -> None:
        self.run(None, self._optional, frozenset(","), ends=True)
        while self.token.kind == "," and self.ahead() in _EXPRESSION | {"?"}:
            self.match(",", _EXPRESSION | {"?"})
            self.run(None, self._optional, frozenset(","), ends=True)

    def _optional(self) -> None:
        self.sync(_EXPRESSION | {"?"})
        if self.token.kind == "?":
            self.match("?", _EXPRESSION)
        self._expr(_NONE, ends=True)

    def _entries(self) -> None:
        self._entry(self._optional)
        while self.token.kind == "," and self.ahead() in _EXPRESSION | {"?"}:
            self.match(",", _EXPRESSION | {"?"})
            self._entry(self._optional)

    def _entry(self, key: Callable[[], None]) -> None:
        self.run(None, key, frozenset(":"))
        self.match(":", _EXPRESSION)
        self._expr(frozenset(","), ends=True)

    def _fields(self) -> None:
        self._entry(self._optional_field)
        while self.token.kind == "," and self.ahead() in _FIELD | {"?"}:
            self.match(",", _FIELD | {"?"})
            self._entry(self._optional_field)

    def _optional_field(self) -> None:
        self.sync(_FIELD | {"?"})
        if self.token.kind == "?":
            self.match("?", _FIELD)
        self.run(None, self._field_name, _NONE, ends=True)
