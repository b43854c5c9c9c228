"""
``find`` and ``findAll`` of regular expressions.

Source: k8s.io/apiserver/pkg/cel/library/regex.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.values import EvaluationError, Value
from fairlead_schema.patterns import BadPattern, compile_pattern


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except BadPattern as error:
        raise EvaluationError(f"Illegal regex: {error}") from error


def _find(text: str, pattern: str) -> str:
    found = _compiled(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    """Return at most so many matches that do not overlap; all when negative."""
    matches: list[str] = []
    for match in _matches(text, _compiled(pattern)):
        if 0 <= most <= len(matches):
            break
        matches.append(match)
    return matches


def _matches(text: str, compiled: Any) -> Iterator[str]:
    """Yield matches as Go does: an empty one right after another match does not count."""
    previous_end = -1
    for match in compiled.finditer(text):
        start, end = match.span()
        if start != end or start != previous_end:
            yield match[0]
        previous_end = end


def _cost(arguments: Sequence[Value], _result: Value) -> int:
    return costs.matching(size_of(arguments[0]), size_of(arguments[1]))


def _estimate(arguments: Sequence[Sized]) -> CallEstimate:
    text, pattern = arguments[0].size, arguments[1].size
    return CallEstimate(costs.estimate_matching(text, pattern), Span(0, text.most))


_TWO, _TEXTS = (t.STRING, t.STRING), t.list_of(t.STRING)

REGEX = Library(
    "kubernetes.regex",
    (
        Function("find", (Overload("string_find_string", _TWO, t.STRING, _find, True, _estimate, _cost),), _cost),
        Function(
            "findAll",
            (
                Overload("string_find_all_string", _TWO, _TEXTS, _find_all, True, _estimate, _cost),
                Overload("string_find_all_string_int", (*_TWO, t.INT), _TEXTS, _find_all, True, _estimate, _cost),
            ),
            _cost,
        ),
    ),
)
