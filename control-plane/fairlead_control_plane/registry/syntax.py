"""
What is wrong with bytes that are no JSON, in the words of Go's decoder, which clients print.

The parser says where and what; only that place is looked at.
Source: Go's encoding/json (scanner.go), of which sigs.k8s.io/json is a copy.
"""

from __future__ import annotations

import re

import orjson

END = "unexpected end of JSON input"
_PLACES = {
    "unexpected character, expected a JSON value": "looking for beginning of value",
    "unexpected character, expected a string key": "looking for beginning of object key string",
    "unexpected character, expected ':' after key": "after object key",
    "unexpected character, expected ',' or '}'": "after object key:value pair",
    "unexpected character, expected ',' or ']'": "after array element",
    "unexpected content after document": "after top-level value",
    "no digit after sign": "in numeric literal",
    "no digit after decimal point": "after decimal point in numeric literal",
    "no digit after exponent sign": "in exponent of numeric literal",
    "unexpected control character in string": "in string literal",
}
"""What the parser says to what Go says of the same place."""
_LITERAL = re.compile(r"invalid literal, expected '(\w+)'")
_SHOWN = {"'": r"'\''", "\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'"}


def why(error: orjson.JSONDecodeError) -> str:
    """Say in Go's words why a text could not be parsed."""
    text, at = error.doc, error.pos
    if place := _PLACES.get(error.msg):
        return _unexpected(text, at, place)
    if error.msg == "trailing comma is not allowed":
        at += 1 + len(text[at + 1 :]) - len(text[at + 1 :].lstrip())
        return _unexpected(text, at, _PLACES[f"unexpected character, expected a {_wanted(text[at : at + 1])}"])
    if literal := _LITERAL.match(error.msg):
        word = literal[1]
        index = next((index for index, letter in enumerate(word) if text[at + index : at + index + 1] != letter), 0)
        return _unexpected(text, at + index, f"in literal {word} (expecting '{word[index]}')")
    if error.msg == "number with leading zero is not allowed":
        return _after_zero(text, at + text[at:].index("0") + 1)
    if error.msg == "invalid escaped sequence in string":
        return _escaped(text, at + 1)
    return END if "end" in error.msg or "empty" in error.msg or "zero-length" in error.msg else error.msg


def _wanted(letter: str) -> str:
    return "string key" if letter == "}" else "JSON value"


def _unexpected(text: str, at: int, place: str) -> str:
    """Quote the byte at a place; of a letter of several bytes that is the first."""
    byte = text[at : at + 1].encode(errors="surrogatepass")[:1]
    if not byte:
        return END
    letter = byte.decode("latin-1")
    shown = _SHOWN.get(letter) or (f"'{letter}'" if letter.isprintable() else f"'\\x{byte[0]:02x}'")
    return f"invalid character {shown} {place}"


def _after_zero(text: str, at: int) -> str:
    """A number ends with its leading zero; what would have to come then depends on where it stands."""
    try:
        orjson.loads(f"{text[:at]} x")
    except orjson.JSONDecodeError as error:
        return _unexpected(text, at, _PLACES.get(error.msg, "after top-level value"))
    return END


def _escaped(text: str, at: int) -> str:
    if text[at : at + 1] != "u":
        return _unexpected(text, at, "in string escape code")
    wrong = next((index for index in range(at + 1, at + 5) if text[index : index + 1] not in _HEX), at + 5)
    return _unexpected(text, wrong, r"in \u hexadecimal character escape")


_HEX = frozenset("0123456789abcdefABCDEF")
