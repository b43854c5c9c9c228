"""
Our own kinds as records, made from their models.

Source: ``fairlead_api.kinds.registry``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.kinds.registry import OWN_KINDS, Immutable, OwnKind
from fairlead_api.kinds.schema import structural_schema
from fairlead_control_plane.kinds.custom import compiled, custom_strategy
from fairlead_control_plane.kinds.record import Column, Resource, Version

_MISSING = object()


@cache
def own_resources() -> tuple[Resource, ...]:
    """Return a record for each group and resource of ours, in the order of the registry."""
    by_name: dict[tuple[str, str], list[OwnKind]] = {}
    for kind in OWN_KINDS:
        by_name.setdefault((kind.group, kind.plural), []).append(kind)
    return tuple(_resource(kinds) for kinds in by_name.values())


def own_resource(group: str, plural: str) -> Resource:
    """
    Return one of our resources.

    Raises:
        LookupError: There is none of that name.
    """
    for resource in own_resources():
        if (resource.group, resource.plural) == (group, plural):
            return resource
    raise LookupError(f"{plural}.{group} is none of our kinds")


def _resource(kinds: Sequence[OwnKind]) -> Resource:
    first = next((kind for kind in kinds if kind.storage), kinds[0])
    strategy = custom_strategy(has_status="status" in first.subresources)
    if first.immutable:
        strategy = replace(strategy, validate_update=_unchanged(first.immutable))
    return Resource(
        group=first.group,
        plural=first.plural,
        kind=first.kind,
        versions=tuple(_version(kind) for kind in kinds),
        namespaced=first.namespaced,
        singular=first.singular_name,
        list_kind=first.list_kind,
        short_names=first.short_names,
        categories=first.categories,
        origin="own",
        strategy=strategy,
    )


def _version(kind: OwnKind) -> Version:
    schema = structural_schema(kind.model)
    return Version(
        name=kind.version,
        schema=compiled(schema),
        open_api=schema,
        storage=kind.storage,
        subresources=kind.subresources,
        columns=tuple(
            Column(one.name, one.type, "", one.description, one.priority, one.json_path) for one in kind.columns
        ),
    )


def _unchanged(fields: Sequence[Immutable]) -> Callable[[JsonObject, JsonObject], list[Cause]]:
    """Refuse changes of the fields that the registry calls immutable."""

    def validate(new: JsonObject, old: JsonObject) -> list[Cause]:
        return [
            wrong.invalid(field.path, None if value is _MISSING else value, field.message)
            for field in fields
            if not _may_change(field, value := _at(new, field.path), _at(old, field.path))
        ]

    return validate


def _may_change(field: Immutable, new: Any, old: Any) -> bool:
    if new == old:
        return True
    if old is _MISSING:
        return field.settable_once
    return field.changeable and new is not _MISSING


def _at(obj: JsonObject, path: str) -> Any:
    """Return the value at a dotted path; an empty text counts as absent."""
    value: Any = obj
    for name in path.split("."):
        value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
    return _MISSING if value in (None, "") else value
