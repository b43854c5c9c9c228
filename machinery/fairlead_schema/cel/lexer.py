"""
Words of an expression.

Source: the lexer rules of cel-go's grammar (parser/gen/CEL.g4). Where no word matches, ANTLR's lexer reports the
characters up to the one at which it gave up, drops them and goes on; so does this one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fairlead_schema.cel.ast import Issue

END = "<EOF>"

NAMES = (
    *("==", "!=", "in", "<", "<=", ">=", ">", "&&", "||", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!"),
    *("?", ":", "+", "*", "/", "%", "true", "false", "null"),
    *("NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER", "ESC_IDENTIFIER"),
)
"""Kinds of words in the grammar's order, which is the order in which messages list them."""

RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let"),
        *("loop", "package", "namespace", "null", "return", "true", "var", "void", "while"),
    )
)
"""Identifiers that may name fields and methods only."""


class Token(NamedTuple):
    """A word: its kind, the text as written, and where it begins. Operators and keywords are their own kind."""

    kind: str
    at: int
    text: str

    @property
    def end(self) -> int:
        """Return the offset behind the word."""
        return self.at + (0 if self.kind == END else len(self.text))


class Words(NamedTuple):
    """All words up to and with the end, what did not match any, and the spans of text that were dropped for it."""

    tokens: tuple[Token, ...]
    issues: tuple[Issue, ...]
    dropped: tuple[tuple[int, int], ...]


_ESCAPE = r"""\\(?:[abfnrtv"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
_TEXT = "|".join(
    (
        rf'"""(?:{_ESCAPE}|[^\\])*?"""',
        rf"'''(?:{_ESCAPE}|[^\\])*?'''",
        rf'"(?:[^\\"\n\r]++|{_ESCAPE})*+"',
        rf"'(?:[^\\'\n\r]++|{_ESCAPE})*+'",
        r'[rR]"""(?:.|\n)*?"""',
        r"[rR]'''(?:.|\n)*?'''",
        r'[rR]"[^"\n\r]*+"',
        r"[rR]'[^'\n\r]*+'",
    )
)
_WORD = re.compile(
    rf"""(?P<hidden>[\t \r\n\f]++|//[^\n]*+)
    |(?P<BYTES>[bB](?:{_TEXT}))
    |(?P<STRING>{_TEXT})
    |(?P<NUM_FLOAT>[0-9]++\.[0-9]++(?:[eE][+-]?[0-9]++)?|[0-9]++[eE][+-]?[0-9]++|\.[0-9]++(?:[eE][+-]?[0-9]++)?)
    |(?P<NUM_UINT>0x[0-9a-fA-F]++[uU]|[0-9]++[uU])
    |(?P<NUM_INT>0x[0-9a-fA-F]++|[0-9]++)
    |(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<ESC_IDENTIFIER>`[A-Za-z0-9_.\-/\x20]++`)
    |(?P<operator>==|!=|<=|>=|&&|\|\||[\[\]{{}}().,\-!?:+*/%<>])""".replace("\n    ", ""),
)
_KEYWORDS = frozenset(("in", "true", "false", "null"))
_BROKEN_ESCAPE = re.compile(
    r"""\\(?:[xX][0-9a-fA-F]{0,1}|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]{0,1}|)""",
)
_BROKEN = {
    '"': re.compile(rf'"(?:[^\\"\n\r]++|{_ESCAPE})*+'),
    "'": re.compile(rf"'(?:[^\\'\n\r]++|{_ESCAPE})*+"),
    "`": re.compile(r"`[A-Za-z0-9_.\-/ ]*+"),
    "=": re.compile("="),
    "&": re.compile("&"),
    "|": re.compile(r"\|"),
}


def words(text: str) -> Words:
    """Return the words of an expression; white space and comments are left out."""
    tokens: list[Token] = []
    issues: list[Issue] = []
    dropped: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            behind = min(_gives_up(text, at) + 1, len(text))
            issues.append(Issue(at, f"Syntax error: token recognition error at: '{text[at:behind]}'"))
            dropped.append((at, behind))
            at = behind
            continue
        kind = match.lastgroup or ""
        word = match.group()
        if kind == "operator" or (kind == "IDENTIFIER" and word in _KEYWORDS):
            tokens.append(Token(word, at, word))
        elif kind != "hidden":
            tokens.append(Token(kind, at, word))
        at = match.end()
    tokens.append(Token(END, len(text), END))
    return Words(tuple(tokens), tuple(issues), tuple(dropped))


def _gives_up(text: str, at: int) -> int:
    """Return the offset of the character that no word which begins at ``at`` can have."""
    begun = _BROKEN.get(text[at])
    match = begun.match(text, at) if begun else None
    if match is None:
        return at
    behind = match.end()
    escape = _BROKEN_ESCAPE.match(text, behind) if text[at] in "\"'" else None
    return escape.end() if escape else behind
