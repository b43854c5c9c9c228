"""
Filling in defaults.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting (Default, PruneNonNullableNullsWithoutDefaults).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead_api import JsonObject
from fairlead_schema.node import LIST, MAP, Node

Defaulter = Callable[[Any], None]
"""Fills in defaults below a value, in place."""

POINTER = "x-fairlead-pointer"
"""Marks a field of a built-in kind that is not there until its default ``{}`` is filled in."""

_WALK = "default"
_MISSING = object()


def clone(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    if type(value) is dict:
        return {key: clone(item) if type(item) in (dict, list) else item for key, item in value.items()}
    if type(value) is list:
        return [clone(item) if type(item) in (dict, list) else item for item in value]
    return value


def defaulter(node: Node) -> Defaulter | None:
    """Return the walk for values of ``node``; None for scalars."""
    if _WALK in node._walks:  # noqa: SLF001 - the node keeps its walks so that shared nodes share them
        walk: Defaulter | None = node._walks[_WALK]  # noqa: SLF001
        return walk
    walk = None
    if node.kind == MAP or (node.kind != LIST and node.raw.get("properties")):
        walk = _map_walk(node)
    elif node.kind == LIST and node.items is not None:
        walk = _list_walk(node)
    node._walks[_WALK] = walk  # noqa: SLF001
    return walk


def _list_walk(node: Node) -> Defaulter:
    items = node.items
    assert items is not None
    default = node.raw["items"].get("default")
    inner: list[Defaulter | None] = []

    def walk(value: Any) -> None:
        if type(value) is not list:
            return
        if not inner:
            inner.append(defaulter(items))
        fill = inner[0]
        if default is not None and not items.nullable and None in value:
            value[:] = [clone(default) if item is None else item for item in value]
        if fill is not None:
            for item in value:
                fill(item)

    return walk


class _Fields:
    """What a map walk knows of its fields, read from the schema once."""

    __slots__ = ("defaults", "extra_default", "inner", "null_means_unset", "others")

    def __init__(self, node: Node) -> None:
        declared: JsonObject = node.raw.get("properties") or {}
        self.defaults = [
            (name, raw["default"], node.properties[name].nullable)
            for name, raw in declared.items()
            if raw.get("default") is not None
        ]
        self.inner = {name: defaulter(child) for name, child in node.properties.items()}
        self.null_means_unset = {name for name, child in node.properties.items() if not child.nullable}
        self.others = defaulter(node.extra) if node.extra else None
        self.extra_default: Any = _MISSING
        if node.extra and not node.extra.nullable:
            default = node.raw["additionalProperties"].get("default")
            self.extra_default = None if default is None else default


def _map_walk(node: Node) -> Defaulter:
    known: list[_Fields] = []

    def walk(value: Any) -> None:
        if type(value) is not dict:
            return
        if not known:
            known.append(_Fields(node))
        fields = known[0]
        for name, default, nullable in fields.defaults:
            present = value.get(name, _MISSING)
            if present is _MISSING or (present is None and not nullable):
                value[name] = clone(default)
        inner, others, has_null = fields.inner, fields.others, False
        for name, item in value.items():
            if item is None:
                has_null = True
                continue
            fill = inner.get(name, others)
            if fill is not None:
                fill(item)
        if has_null:
            _settle_nulls(value, fields)

    return walk


def _settle_nulls(value: JsonObject, fields: _Fields) -> None:
    """Drop fields that are null where null means unset; give map entries their default."""
    for name in [name for name, item in value.items() if item is None]:
        if name in fields.null_means_unset:
            del value[name]
        elif name not in fields.inner and fields.extra_default is not _MISSING:
            if fields.extra_default is None:
                del value[name]
            else:
                value[name] = clone(fields.extra_default)
                if fields.others is not None:
                    fields.others(value[name])


def zero(node: Node) -> JsonObject:
    """
    Return the empty object of a built-in kind: what Go's zero value encodes to.

    Struct fields without a pointer are there from the start (they carry ``default: {}``), required lists and maps are
    null; ownership starts from what differs. For CRDs the empty object is ``{}``.
    """
    if not node.scope.lenient:
        return {}
    required = set(node.raw.get("required") or ())
    found: JsonObject = {}
    for name, raw in (node.raw.get("properties") or {}).items():
        child = node.properties[name]
        if raw.get("default") == {} and child.kind == MAP and POINTER not in raw:
            found[name] = zero(child)
        elif name in required and child.kind in (MAP, LIST):
            found[name] = None
        elif "default" in raw and (name in required or raw["default"] == ""):
            found[name] = raw["default"]
    return found
