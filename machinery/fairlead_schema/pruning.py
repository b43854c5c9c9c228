"""
Dropping fields a schema does not declare.

A walk is a closure per schema node, made when the node is first met; one for a value that declares nothing inside is
None, so that scalars cost one dictionary look-up.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead_schema.node import LIST, MAP, SCHEMA_OR, Node

Pruner = Callable[[Any], list[str] | None]
"""Prunes a value in place; returns the dropped fields' paths below it (``.name``, ``[0].name``), None for none."""

_WALK = "prune"


def pruner(node: Node) -> Pruner | None:
    """Return the walk for values of ``node``; None when nothing inside can be unknown."""
    if _WALK in node._walks:  # noqa: SLF001 - the node keeps its walks so that shared nodes share them
        walk: Pruner | None = node._walks[_WALK]  # noqa: SLF001
        return walk
    walk = None
    if node.name in SCHEMA_OR:
        walk = _schema_walk(node)
    elif node.kind == MAP:
        walk = _map_walk(node)
    elif node.kind == LIST:
        walk = _list_walk(node)
    elif node.preserves:
        walk = _any_walk(node) if node.properties or node.items else None
    elif not node.scope.lenient:
        walk = _everything  # what is declared a scalar holds nothing
    node._walks[_WALK] = walk  # noqa: SLF001
    return walk


def _schema_walk(node: Node) -> Pruner:
    """Return the walk of a CRD's schema that may be something else: Kubernetes drops fields there and tells nobody."""

    def walk(value: Any) -> list[str] | None:
        inner = pruner(node.schema)
        for item in value if type(value) is list else (value,):
            if inner is not None and type(item) is dict:
                inner(item)
        return None

    return walk


def _list_walk(node: Node) -> Pruner | None:
    items = node.items
    if items is None or (items.kind not in (MAP, LIST) and pruner(items) is None):
        return None
    if pruner(items) is _everything:
        return _everything
    inner: list[Pruner | None] = []
    is_strict = not node.scope.lenient and not node.preserves

    def walk(value: Any) -> list[str] | None:
        if type(value) is not list:
            return _everything(value) if is_strict and type(value) is dict else None
        if not inner:
            inner.append(pruner(items))
        prune_item = inner[0]
        if prune_item is None:
            return None
        found: list[str] | None = None
        for index, item in enumerate(value):
            dropped = prune_item(item)
            if dropped:
                found = found or []
                found.extend(f"[{index}]{path}" for path in dropped)
        return found

    return walk


def _map_walk(node: Node) -> Pruner:
    table: dict[str, Pruner | None] = {}
    others: Pruner | None = None
    is_ready = False
    is_strict = not node.scope.lenient and not node.preserves

    def walk(value: Any) -> list[str] | None:
        nonlocal others, is_ready
        if type(value) is not dict:
            return _everything(value) if is_strict and type(value) is list else None
        if not is_ready:
            table.update((name, pruner(child)) for name, child in node.properties.items())
            others = _others(node)
            is_ready = True
        found: list[str] | None = None
        for name, inner in value.items():
            prune_field = table.get(name, others)
            if prune_field is None:
                continue
            if prune_field is _everything and type(inner) not in _CONTAINERS:
                continue
            dropped = _UNKNOWN if prune_field is _unknown else prune_field(inner)
            if dropped:
                found = found or []
                found.extend(f".{name}{path}" for path in dropped)
        if found and others is _unknown:
            for name in [name for name in value if name not in table]:
                del value[name]
        return found

    return walk


def _any_walk(node: Node) -> Pruner:
    """Return the walk of a node without a type that keeps the unknown but declares something inside."""
    as_map, as_list = _map_walk(node), _list_walk(node)

    def walk(value: Any) -> list[str] | None:
        if type(value) is list:
            return as_list(value) if as_list else None
        return as_map(value)

    return walk


_UNKNOWN = [""]
_CONTAINERS = frozenset({dict, list})


def _unknown(_value: Any) -> list[str] | None:
    """Mark an undeclared field; its own path is the whole finding."""
    return _UNKNOWN


def _everything(value: Any) -> list[str] | None:
    """
    Empty every object inside, and say what was in them.

    So it goes with what lies below a scalar, and below the fields of ``additionalProperties: true``.
    """
    found: list[str] = []
    if type(value) is dict:
        found.extend(f".{name}" for name in value)
        value.clear()
    elif type(value) is list:
        for index, item in enumerate(value):
            found.extend(f"[{index}]{path}" for path in _everything(item) or ())
    return found


def _others(node: Node) -> Pruner | None:
    """Return the walk of fields no property names."""
    if node.extra is not None:
        return pruner(node.extra)
    if node.preserves:
        return None
    if node.raw.get("additionalProperties") is True:
        return None if node.scope.lenient else _everything
    return None if node.is_open else _unknown


def prune(node: Node, obj: Any) -> list[str]:
    """Drop undeclared fields of ``obj`` in place; return their paths as field validation prints them, sorted."""
    walk = pruner(node)
    dropped = walk(obj) if walk else None
    return sorted(path[1:] for path in dropped) if dropped else []
