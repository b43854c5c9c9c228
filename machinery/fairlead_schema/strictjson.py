"""
Strict JSON: what a fast parser lets pass.

For bodies whose sender asked for strict field validation, and for bodies a fast parser refused and that need a proper
answer.

Source: sigs.k8s.io/json (UnmarshalStrict), RFC 8259.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_schema.causes import json_type, quote

MAX_DEPTH = 10_000
"""Nesting sigs.k8s.io/json allows."""

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAFE_DEPTH = 900  # the parser recurses; beyond this the document is refused before it is read


def strict_json(raw: bytes) -> tuple[JsonObject, list[str]]:
    """
    Parse a JSON object.

    Args:
        raw: UTF-8 text.

    Returns:
        The object, later duplicates winning, and a sentence for each duplicate field (``duplicate field "spec.x"``),
        in the order they stand, each once.

    Raises:
        BadRequest: Not JSON, not an object, nested deeper than a request may be, not UTF-8, a number that is none
            (NaN), or text with half a surrogate pair.
    """
    if _depth(raw) > _SAFE_DEPTH:
        raise BadRequest("json: exceeded max depth")
    duplicates: list[_Duplicate] = []

    def collect(pairs: list[tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    duplicates.append(_Duplicate(found, name))
                seen.add(name)
        return found

    try:
        value = json.loads(raw, object_pairs_hook=collect, parse_constant=_refuse_constant)
        text = raw.decode()
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"json: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {json_type(value)} into Go value of type map[string]interface {{}}")
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise BadRequest("json: invalid surrogate pair in string")
    return value, _sentences(value, duplicates) if duplicates else []


class _Duplicate:
    """A field given twice in ``holder``."""

    __slots__ = ("holder", "name")

    def __init__(self, holder: JsonObject, name: str) -> None:
        self.holder = holder
        self.name = name


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _depth(raw: bytes) -> int:
    """Return how deep brackets nest, strings left out."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(raw):
        char = found[0]
        if char in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif char in (b"}", b"]"):
            depth -= 1
    return deepest


def _sentences(value: JsonObject, duplicates: list[_Duplicate]) -> list[str]:
    """Return the sentences, with paths; a field lost to a later duplicate of its parent has none."""
    names: dict[int, list[str]] = {}
    for duplicate in duplicates:
        names.setdefault(id(duplicate.holder), []).append(duplicate.name)
    found: list[str] = []
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack:
        node, path = stack.pop()
        if isinstance(node, dict):
            found += [
                f"duplicate field {quote(f'{path}.{name}'.removeprefix('.'))}" for name in names.get(id(node), ())
            ]
            stack += [(item, f"{path}.{name}") for name, item in reversed(node.items())]
        elif isinstance(node, list):
            stack += [(item, f"{path}[{index}]") for index, item in reversed(list(enumerate(node)))]
    return list(dict.fromkeys(found))
