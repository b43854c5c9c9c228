"""
Values as Kubernetes' messages show them: its own Go structs, whose members have no JSON names, and differences.

Source: encoding/json of Go; k8s.io/apimachinery pkg/util/diff/diff.go.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from fairlead_control_plane.kinds.strategies.go_shapes import SHAPES

_CAPITALS = re.compile(r"^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]")
_SCALARS: Mapping[str, Any] = {"": "", "-": None, "0": 0, "false": False}
_ESCAPED = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)  # as Go's encoder does for browsers


class _Member(NamedTuple):
    shown: str
    name: str
    kind: str
    is_omitted: bool


@cache
def _shapes() -> Mapping[str, str]:
    lines = SHAPES.replace("\n  ", " ").split("\n")
    return {name: members for name, _, members in (line.partition(": ") for line in lines)}


@cache
def _members(shape: str) -> tuple[_Member, ...]:
    found: list[_Member] = []
    for token in _shapes()[shape].split():
        if token.startswith("..."):
            found += _members(token[3:])
            continue
        name, _, kind = token.partition(":")
        shown, _, given = name.removesuffix("?").partition("=")
        found.append(_Member(shown, given or _CAPITALS.sub(lambda match: match[0].lower(), shown), kind, "?" in name))
    return tuple(found)


def internal(shape: str, value: Any) -> Any:
    """Return a value of the API as Kubernetes' internal struct of that shape; its members are in their order."""
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for member in _members(shape):
        item = _member(member.kind, value.get(member.name))
        if item or not member.is_omitted:
            found[member.shown] = item
    return found


def _member(kind: str, value: Any) -> Any:
    if kind in _SCALARS:
        return _SCALARS[kind] if value is None else value
    if kind.startswith("*"):
        return internal(kind[1:], value)
    if kind.startswith("[]"):
        return None if value is None else [internal(kind[2:], item) for item in value]
    return internal(kind, {} if value is None else value)


def difference(old: Any, new: Any) -> str:
    """Return the unified difference of two values, each as indented JSON."""
    before, after = (_pretty(value).splitlines() for value in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "".join(f"{line}\n" for line in lines)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False).translate(_ESCAPED)


def compact(value: Any) -> str:
    """Return a value as JSON in one line, members in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPED)
