"""Values of literals. Source: cel-go's parser/unescape.go and Go's strconv."""

from __future__ import annotations

import math
import re

from fairlead_schema.cel.values import UInt

_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MOST_DIGITS = 64


class BadLiteral(ValueError):
    """A literal without a value; the text is what the parser reports."""


def integer(text: str) -> int:
    """Return the value of ``12``, ``-12`` or ``0x1f``."""
    number = _number(text, "invalid int literal")
    if not -(2**63) <= number < 2**63:
        raise BadLiteral("invalid int literal")
    return number


def unsigned(text: str) -> UInt:
    """Return the value of ``12u`` or ``0x1fu``."""
    number = _number(text[:-1], "invalid uint literal")
    if number >= 2**64:
        raise BadLiteral("invalid uint literal")
    return UInt(number)


def _number(text: str, message: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    base = 16 if digits.startswith("0x") else 10
    digits = (digits[2:] if base == 16 else digits).lstrip("0")
    if len(digits) > _MOST_DIGITS:
        raise BadLiteral(message)
    return sign * int(digits or "0", base)


def double(text: str) -> float:
    """Return the value of ``1.5`` or ``-1e3``."""
    number = float(text)
    if math.isinf(number):
        raise BadLiteral("invalid double literal")
    return number


def string(text: str) -> str:
    """Return the value of a literal in any quotes, raw or not; all line ends become line feeds."""
    content, raw = _content(text)
    if raw or "\\" not in content:
        return content
    return _ESCAPE.sub(_character, content)


def octets(text: str) -> bytes:
    """Return the value of ``b"..."``: escapes are bytes, other characters UTF-8."""
    content, raw = _content(text[1:])
    if raw or "\\" not in content:
        return content.encode()
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(content):
        pieces.append(content[at : match.start()].encode())
        pieces.append(_octet(match))
        at = match.end()
    pieces.append(content[at:].encode())
    return b"".join(pieces)


def _content(text: str) -> tuple[str, bool]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    quote = 3 if len(text) >= 6 and text[:3] in ("'''", '"""') else 1
    return text[quote:-quote], raw


def _character(match: re.Match[str]) -> str:
    simple = match.group(5)
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    point = int(match.group(4), 8) if match.group(4) else int(match.group(1) or match.group(2) or match.group(3), 16)
    if point > 0x10FFFF or 0xD800 <= point < 0xE000:
        raise BadLiteral("invalid unicode code point")
    return chr(point)


def _octet(match: re.Match[str]) -> bytes:
    if match.group(5) is not None:
        return _SIMPLE.get(match.group(5), match.group(5)).encode()
    if match.group(2) or match.group(3):
        raise BadLiteral("unable to unescape string")
    return bytes((int(match.group(1), 16) if match.group(1) else int(match.group(4), 8),))
