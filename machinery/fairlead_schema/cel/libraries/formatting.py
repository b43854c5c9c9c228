"""
``format``: clauses like ``%d`` and ``%.2f`` in a text, replaced by the elements of a list.

Oddities are cel-go's: ``%e`` always shows six places and takes its precision for a width, ``%f`` groups digits by
three and shows at least its precision modulo 256.

Source: cel-go's ext/formatting.go (version 1, English) and golang.org/x/text/message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fairlead_api.field_errors import quoted
from fairlead_schema.cel.conversions import to_string
from fairlead_schema.cel.kinds import name_of, runtime_name
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import Duration, EvaluationError, Timestamp, Value

_PLACES = 6
_TIMES_TEN = "\u00d710"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_INT64_MAX = 2**63 - 1
_WITH_TEXT = (bool, int, float, str, bytes, Timestamp, Duration)
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_STRING_KINDS = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
WRONG_KIND = {
    "s": f"string clause can only be used on {_STRING_KINDS}, was given ",
    "d": "decimal clause can only be used on integers, was given ",
    "f": "fixed-point clause can only be used on doubles, was given ",
    "e": "scientific clause can only be used on doubles, was given ",
    "b": "only integers and bools can be formatted as binary, was given ",
    "x": "only integers, byte buffers, and strings can be formatted as hex, was given ",
    "X": "only integers, byte buffers, and strings can be formatted as hex, was given ",
    "o": "octal clause can only be used on integers, was given ",
}
"""By clause: what cel-go says of a value it cannot show; the kind follows."""


class BadClause(ValueError):
    """A text has a clause that is none, or too few arguments; the text is cel-go's."""


@dataclass(frozen=True, slots=True)
class Clause:
    """``%.2f``: its letter, and its precision or None."""

    letter: str
    precision: int | None = None


def clauses(text: str, count: int) -> Iterator[str | Clause]:
    """
    Yield the literal parts of a format and its clauses, in order.

    Args:
        text: The format.
        count: How many arguments there are.

    Raises:
        BadClause: While iterating, at the first clause that is wrong or has no argument.
    """
    at = used = 0
    while (found := text.find("%", at)) >= 0:
        yield text[at:found]
        if text.startswith("%%", found):
            yield "%"
            at = found + 2
            continue
        if used >= count:
            raise BadClause(f"index {used} out of range")
        used += 1
        clause, at = _clause(text, found + 1)
        yield clause
    yield text[at:]


def _clause(text: str, at: int) -> tuple[Clause, int]:
    """Read a clause after its percent sign; return it and where it ends."""
    if at >= len(text):
        raise BadClause("unexpected end of string")
    precision = None
    if text[at] == ".":
        try:
            precision, at = _precision(text, at + 1)
        except BadClause as error:
            raise BadClause(f"could not parse formatting clause: error while parsing precision: {error}") from error
    letter = text[at]
    if letter not in WRONG_KIND:
        # cel-go looks at the first byte alone.
        shown = chr(letter.encode("utf-8", "surrogatepass")[0])
        raise BadClause(f'could not parse formatting clause: unrecognized formatting clause "{shown}"')
    return Clause(letter, precision), at + 1


def _precision(text: str, at: int) -> tuple[int, int]:
    digits = re.compile("[0-9]*").match(text, at)
    assert digits is not None, "matches anything"
    if digits.end() >= len(text):
        raise BadClause("could not find end of precision specifier")
    problem = "invalid syntax" if not digits[0] else ""
    if digits[0] and (len(digits[0]) > 4000 or int(digits[0]) > _INT64_MAX):
        problem = "value out of range"
    if problem:
        told = f"strconv.Atoi: parsing {quoted(digits[0])}: {problem}"
        raise BadClause(f"error while converting precision to integer: {told}")
    return int(digits[0]), digits.end()


def format_text(text: str, arguments: Sequence[Value]) -> str:
    """
    Return a text with its clauses replaced.

    Raises:
        EvaluationError: A clause is wrong, has no argument, or cannot show the one it has.
    """
    parts: list[str] = []
    remaining = iter(arguments)
    try:
        for part in clauses(text, len(arguments)):
            parts.append(part if isinstance(part, str) else _shown(part, next(remaining)))  # noqa: PERF401  # may raise
    except BadClause as error:
        raise EvaluationError(str(error)) from error
    return "".join(parts)


def _shown(clause: Clause, value: Value) -> str:
    try:
        shown = _FORMATS[clause.letter](value, clause)
    except _Unshowable as error:
        raise EvaluationError(f"error during formatting: {error}") from error
    if shown is None:
        raise EvaluationError(f"error during formatting: {WRONG_KIND[clause.letter]}{name_of(value)}")
    return shown


class _Unshowable(ValueError):
    """A value inside of a list or map cannot be shown."""


def _is_int(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _string(value: Value, _clause: Clause) -> str | None:
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, dict):
        return _map(value)
    if value is None:
        return "null"
    if isinstance(value, Type):
        return runtime_name(value)
    if not isinstance(value, _WITH_TEXT):
        return None
    try:
        return to_string(value)
    except EvaluationError as error:
        raise _Unshowable(f"could not convert argument {quoted(str(error))} to string") from error


def _decimal(value: Value, _clause: Clause) -> str | None:
    return str(int(value)) if _is_int(value) else None


def _double(value: Value) -> float | None:
    if isinstance(value, str):
        return _SPECIAL.get(value)
    return value if isinstance(value, float) else None


def _fixed(value: Value, clause: Clause) -> str | None:
    number = _double(value)
    if number is None or not math.isfinite(number):
        return _endless(number)
    places = _PLACES if clause.precision is None else clause.precision
    most = (places + 2**15) % 2**16 - 2**15
    # Beyond 1074 places no double has digits; without a bound it has the fewest that tell it.
    text = f"{abs(number):.{min(most, 1100)}f}" if most >= 0 else f"{Decimal(repr(abs(number))):f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(places % 256, "0")
    sign = "-" if number < 0 else ""
    return f"{sign}{int(whole):,}" + (f".{fraction}" if fraction else "")


def _endless(number: float | None) -> str | None:
    if number is None:
        return None
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


def _scientific(value: Value, clause: Clause) -> str | None:
    number = _double(value)
    if number is None:
        return None
    text = _endless(number)
    if math.isfinite(number):
        digits, _, exponent = f"{number or 0.0:.{_PLACES}e}".partition("e")
        text = f"{digits}{_TIMES_TEN}{exponent.removeprefix('+').translate(_SUPERSCRIPT)}"
    width = _PLACES if clause.precision is None else clause.precision
    return (text or "").rjust(width % 2**16)


def _binary(value: Value, _clause: Clause) -> str | None:
    return f"{int(value):b}" if isinstance(value, int) else None


def _hex(value: Value, clause: Clause) -> str | None:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    text = value.hex() if isinstance(value, bytes) else f"{int(value):x}" if _is_int(value) else None
    return text.upper() if text is not None and clause.letter == "X" else text


def _octal(value: Value, _clause: Clause) -> str | None:
    return f"{int(value):o}" if _is_int(value) else None


_FORMATS: dict[str, Callable[[Value, Clause], str | None]] = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "x": _hex,
    "X": _hex,
    "o": _octal,
}


def _list(values: Sequence[Value]) -> str:
    return f"[{', '.join(map(_literal, values))}]"


def _map(entries: dict[Value, Value]) -> str:
    pairs = []
    for key, value in entries.items():
        if not isinstance(key, str | int):
            raise _Unshowable(f"no formatting function for map key of type {name_of(key)}")
        pairs.append((_literal(key), _literal(value)))
    return "{" + ", ".join(f"{key}:{value}" for key, value in sorted(pairs, key=lambda pair: pair[0])) + "}"


def _literal(value: Value) -> str:
    """Show an element as it would stand in an expression."""
    if isinstance(value, float):
        return f"{value:.{_PLACES}f}" if math.isfinite(value) else f'"{_go_special(value)}"'
    if isinstance(value, Timestamp | Duration):
        return f"{'timestamp' if isinstance(value, Timestamp) else 'duration'}({quoted(to_string(value))})"
    shown = _string(value, Clause("s"))
    if shown is None:
        raise _Unshowable(f"no formatting function for {name_of(value)}")
    if isinstance(value, str | bytes):
        return ("b" if isinstance(value, bytes) else "") + quoted(shown)
    return shown


def _go_special(number: float) -> str:
    return "NaN" if math.isnan(number) else f"{number:+}".replace("inf", "Inf")
