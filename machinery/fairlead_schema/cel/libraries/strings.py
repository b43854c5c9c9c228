"""
Functions on strings: ``charAt``, ``indexOf``, ``replace``, ``split``, ``format``, ``join`` and the like.

Positions count characters. Source: cel-go's ext/strings.go, version 2; costs as Kubernetes counts them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fairlead_schema.cel import types as t
from fairlead_schema.cel.conversions import text_of
from fairlead_schema.cel.declarations import MOST, CallEstimate, Function, Library, Overload, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.libraries.formatting import format_text
from fairlead_schema.cel.values import EvaluationError, Value

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's unicode.IsSpace accepts; Python's ``strip`` takes four control characters more."""
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_QUOTED = str.maketrans(
    {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\", '"': r"\""}
)


def _out_of_range(index: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def _index_of(text: str, wanted: str, start: int = 0) -> int:
    if not wanted:
        return start
    if start < 0:
        raise _out_of_range(start)
    return text.find(wanted, start)


def _last_index_of(text: str, wanted: str) -> int:
    return text.rfind(wanted)


def _last_index_from(text: str, wanted: str, start: int) -> int:
    """Find the last one that begins at ``start`` or before it; none when ``start`` is beyond the text."""
    if not wanted:
        return start
    if start < 0:
        raise _out_of_range(start)
    return text.rfind(wanted, 0, start + len(wanted)) if start < len(text) else -1


def _lower(text: str) -> str:
    return text.translate(_LOWER)


def _upper(text: str) -> str:
    return text.translate(_UPPER)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, max(count, -1))


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    """Split into at most so many parts; all when negative, none when zero; into characters by an empty separator."""
    if most == 0:
        return []
    if separator:
        return text.split(separator, most - 1 if most > 0 else -1)
    if most < 0 or len(text) <= most:
        return list(text)
    return [*text[: most - 1], text[most - 1 :]]


def _substring(text: str, start: int) -> str:
    if not 0 <= start <= len(text):
        raise _out_of_range(start)
    return text[start:]


def _substring_between(text: str, start: int, end: int) -> str:
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    for index in (start, end):
        if not 0 <= index <= len(text):
            raise _out_of_range(index)
    return text[start:end]


def _trim(text: str) -> str:
    return text.strip(_SPACE)


def _join(parts: Sequence[Value], separator: str = "") -> str:
    for part in parts:
        if not isinstance(part, str):
            raise EvaluationError(f"join: invalid input: {text_of(part)}")
    return separator.join(parts)


def _quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


def _join_cost(_arguments: Sequence[Value], result: Value) -> int:
    return math.ceil(size_of(result) * 2 * costs.STRING_FACTOR)


def _estimate_replace(arguments: Sequence[Sized]) -> CallEstimate:
    """Bound the result by the longest and the shortest that replacements can make of the text."""
    text, old, new = (argument.size for argument in arguments[:3])
    most = _replaced(text.most, old.least, is_kept=new.most <= old.least)
    least = _replaced(text.least, old.most, is_kept=old.most <= new.least)
    counts = Span(least[0].least, most[0].most)
    return CallEstimate(text.by(2 * costs.STRING_FACTOR), counts * new + Span(least[1], most[1]))


def _replaced(text: int, old: int, *, is_kept: bool) -> tuple[Span, int]:
    """Return how often the new text comes into one of a size, and how much of that one stays."""
    if old == 0:
        return Span(text, text) + costs.ONE, text
    return (Span(0, 0), text) if is_kept else (_times_in(text, old), 0)


def _times_in(text: int, part: int) -> Span:
    """Return how often a part fits into a text, with the rounding of floating point numbers."""
    times = min(math.ceil(text / part), MOST)
    return Span(times, times)


def _estimate_split(arguments: Sequence[Sized]) -> CallEstimate:
    text = arguments[0].size
    limit = arguments[2].constant if len(arguments) > 2 else None
    most = limit % 2**64 if type(limit) is int else text.most
    return CallEstimate(text.by(2 * costs.STRING_FACTOR), Span(0, most))


def _estimate_join(arguments: Sequence[Sized]) -> CallEstimate:
    parts = arguments[0].size
    text = parts * costs.element(arguments[0]) if getattr(arguments[0].type, "parameters", ()) else Span(0, 0)
    if len(arguments) > 1:
        text += arguments[1].size * Span(max(parts.least - 1, 0), max(parts.most - 1, 0))
    return CallEstimate(text.by(costs.STRING_FACTOR), text)


def _estimate_quote(arguments: Sequence[Sized]) -> CallEstimate:
    text = arguments[0].size
    # Go's numbers wrap around here.
    longest = Span((text.least + 2) % 2**64, (text.most * 2 + 2) % 2**64)
    return CallEstimate(text.by(costs.STRING_FACTOR), longest)


_S, _I, _TEXTS = t.STRING, t.INT, t.list_of(t.STRING)
_SAME = costs.estimate_read(keeps_size=True)


def _by_position(name: str, key: str, *calls: object) -> Function:
    """Declare a function that finds a string in a string."""
    forms = ((_S, _S), (_S, _S, _I))
    overloads = (
        Overload(f"{key}{suffix}", form, _I, call, True, costs.estimate_visit, costs.visit)  # type: ignore[arg-type]  # calls differ in arity
        for form, suffix, call in zip(forms, ("", "_int"), calls, strict=True)
    )
    return Function(name, tuple(overloads), costs.visit)


def _functions() -> tuple[Function, ...]:
    read, read_twice = costs.read(), costs.read(2)
    return (
        Function("charAt", (Overload("string_char_at_int", (_S, _I), _S, _char_at, True),)),
        _by_position("indexOf", "string_index_of_string", _index_of, _index_of),
        _by_position("lastIndexOf", "string_last_index_of_string", _last_index_of, _last_index_from),
        Function("lowerAscii", (Overload("string_lower_ascii", (_S,), _S, _lower, True, _SAME, read),)),
        Function("upperAscii", (Overload("string_upper_ascii", (_S,), _S, _upper, True, _SAME, read),)),
        Function("trim", (Overload("string_trim", (_S,), _S, _trim, True, _SAME, read),)),
        Function(
            "replace",
            tuple(
                Overload(
                    f"string_replace_string_string{suffix}", form, _S, _replace, True, _estimate_replace, read_twice
                )
                for suffix, form in (("", (_S, _S, _S)), ("_int", (_S, _S, _S, _I)))
            ),
            read_twice,
        ),
        Function(
            "split",
            tuple(
                Overload(f"string_split_string{suffix}", form, _TEXTS, _split, True, _estimate_split, read_twice)
                for suffix, form in (("", (_S, _S)), ("_int", (_S, _S, _I)))
            ),
            read_twice,
        ),
        Function(
            "substring",
            (
                Overload("string_substring_int", (_S, _I), _S, _substring, True, _SAME, read),
                Overload("string_substring_int_int", (_S, _I, _I), _S, _substring_between, True, _SAME, read),
            ),
            read,
        ),
        Function(
            "format",
            (Overload("string_format", (_S, t.list_of(t.DYN)), _S, format_text, True, costs.estimate_read(), read),),
        ),
        Function("strings.quote", (Overload("strings_quote", (_S,), _S, _quote, False, _estimate_quote, read),)),
        Function(
            "join",
            (
                Overload("list_join", (_TEXTS,), _S, _join, True, _estimate_join, _join_cost),
                Overload("list_join_string", (_TEXTS, _S), _S, _join, True, _estimate_join, _join_cost),
            ),
            _join_cost,
        ),
    )


STRINGS = Library("cel.lib.ext.strings", _functions())
