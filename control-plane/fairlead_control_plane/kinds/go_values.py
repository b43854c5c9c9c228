"""
Values as Kubernetes' messages show them: its internal Go structs as JSON, every member there, in their order.

Source: encoding/json of Go, k8s.io/apimachinery/pkg/util/diff; the structs are in ``data/internal.json``.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts

_ZEROS: Mapping[str, Any] = {
    "string": "", "bool": False, "int": 0, "quantity": "0", "intstr": 0, "time": None, "raw": None,
}  # fmt: skip
_ESCAPED = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})
_POD, _CONTEXT = "core.PodSpec", "core.PodSecurityContext"


def shown_as(name: str, value: Any) -> str:
    """Return a value as JSON of the internal struct ``name`` (``core.PodSpec``); None is null."""
    return json.dumps(_struct(name, value), separators=(",", ":"), ensure_ascii=False).translate(_ESCAPED)


def difference(name: str, old: JsonObject, new: JsonObject) -> str:
    """Return a unified diff of two values of the internal struct ``name``."""
    one, other = (_lines(_struct(name, value)) for value in (old, new))
    # Without the two lines that would name the files.
    return "".join(list(difflib.unified_diff(one, other, n=3))[2:])


def _lines(value: Any) -> list[str]:
    text = json.dumps(value, indent=1, ensure_ascii=False).translate(_ESCAPED)
    return [f"{line}\n" for line in text.split("\n")]


def _struct(name: str, value: Any) -> Any:
    if value is None:
        return None
    found: dict[str, Any] = {}
    for shown, own, kind, form, is_optional in facts.internal_types()[name]:
        if form == "inline":
            found |= _struct(kind, (value.get(own) or {}) if own else value)
            continue
        item = value.get(own)
        if kind == _CONTEXT and name == _POD and item is not None:
            moved = {field: value[field] for _, field, *_ in facts.internal_types()[_CONTEXT] if field in value}
            item = {**item, **moved}
        if not (is_optional and not item):
            found[shown] = _member(kind, form, item)
    return found


def _member(kind: str, form: str, item: Any) -> Any:
    if form == "list":
        return None if item is None else [_one(kind, each) for each in item]
    if form == "map":
        return None if item is None else {key: _one(kind, item[key]) for key in sorted(item)}
    return None if form == "pointer" and item is None else _one(kind, item)


def _one(kind: str, item: Any) -> Any:
    if kind in _ZEROS:
        return _ZEROS[kind] if item is None else item
    return _struct(kind, {} if item is None else item)
