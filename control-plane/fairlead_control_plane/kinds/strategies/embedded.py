"""
Objects within custom resources that are resources themselves (``x-kubernetes-embedded-resource``).

Their kind, version and metadata are decoded and validated like those of any object.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta/{algorithm,validation}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.shape import walk_of
from fairlead_control_plane.kinds.strategies.metadata import validate_metadata
from fairlead_schema.decoding import typed_problem
from fairlead_schema.node import Node

Found = Iterator[tuple[str, JsonObject, Node]]
_Finder = Callable[[Any, str], Found]
_WALK = "embedded"
_META = walk_of(f"{facts.META}.ObjectMeta")


def coerce(root: Node, obj: JsonObject) -> str | None:
    """Bring the metadata of embedded objects into shape, in place; return the text of the first that cannot be."""
    for path, value, node in _embedded(root, obj):
        for name in ("apiVersion", "kind"):
            if not isinstance(value.get(name, ""), str):
                return _text(wrong.invalid(f"{path}.{name}", value[name], "must be a string"))
        if "metadata" in value:
            problem = typed_problem(node.properties["metadata"], value["metadata"])
            if problem:
                return _text(wrong.invalid(f"{path}.metadata", value["metadata"], problem))
            value["metadata"] = _META(value["metadata"] or {})
    return None


def problems(root: Node, obj: JsonObject) -> list[Cause]:
    """Return what is wrong with the kinds, versions and metadata of embedded objects."""
    return [cause for path, value, _ in _embedded(root, obj) for cause in _problems(path, value)]


def _problems(path: str, value: JsonObject) -> Iterator[Cause]:
    for name in ("apiVersion", "kind"):
        if name not in value:
            yield wrong.required(f"{path}.{name}")
        elif not value[name]:
            yield wrong.invalid(f"{path}.{name}", value[name], "must not be empty")
    version, kind = str(value.get("apiVersion") or ""), str(value.get("kind") or "")
    if version.count("/") > 1:
        yield wrong.invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    messages = validation.dns1035_label(kind.lower()) if kind else []
    if messages:
        lead = "may have mixed case, but should otherwise match: "
        yield wrong.invalid(f"{path}.kind", kind, lead + ",".join(messages))
    if "metadata" in value:
        named = {"metadata": {"name": "fakename", **value["metadata"]}}
        has_place = bool(value["metadata"].get("namespace"))
        for cause in validate_metadata(named, namespaced=has_place, validate_name=validation.path_segment_name):
            yield replace(cause, field=f"{path}.{cause.field}")


def _text(cause: Cause) -> str:
    return f"{cause.field}: {cause.message}"


def _embedded(root: Node, obj: JsonObject) -> Found:
    """Yield the embedded objects of a custom resource, with their paths and schemas; outer ones first."""
    finder = _finder(root)
    return iter(()) if finder is None else finder(obj, "")


def _finder(root: Node) -> _Finder | None:
    """Return what finds embedded objects in values of a schema; None when it has none."""
    walks = root._walks  # noqa: SLF001 - shared nodes share their walks
    if _WALK not in walks:
        walks[_WALK] = _made(root, is_embedded=False)  # the root's own metadata is everybody's
    found: _Finder | None = walks[_WALK]
    return found


def _made(node: Node, *, is_embedded: bool) -> _Finder | None:
    declared: JsonObject = node.raw.get("properties") or {}
    fields = {name: _below(node.scope.node(raw)) for name, raw in declared.items()}
    others, items = _below(node.extra), _below(node.items)
    if not (is_embedded or others or items or any(fields.values())):
        return None

    def find(value: Any, path: str) -> Found:
        if isinstance(value, dict):
            if is_embedded:
                yield path, value, node
            for name, item in value.items():
                inner = fields.get(name, others)
                if inner is not None:
                    yield from inner(item, f"{path}[{name}]" if name not in fields else f"{path}.{name}".lstrip("."))
        elif isinstance(value, list) and items is not None:
            for index, item in enumerate(value):
                yield from items(item, f"{path}[{index}]")

    return find


def _below(node: Node | None) -> _Finder | None:
    return None if node is None else _made(node, is_embedded=node.embeds)
