"""
Who manages which fields: ``metadata.managedFields`` on every write.

Done before admission, so that what plugins and the server add belongs to nobody, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_api import JsonObject
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.options import WriteOptions
from fairlead_schema import apply, managed
from fairlead_schema.fieldset import EMPTY, FieldSet
from fairlead_schema.merging import NoElement

_STATUS = FieldSet.of(("status",))
_SPEC = FieldSet.of(("spec",))
_BUT_STATUS = FieldSet.of(("spec",), ("metadata",))
LABELS_KEPT = "deployments.apps"
"""The kind whose labels do not change through its status."""
_NOBODY = "\0"
"""Stands for the writer where what others manage is looked at in a version that is not the writer's."""
_SPEC_AND_LABELS = FieldSet.of(("spec",), ("metadata", "labels"))

Manage = Callable[[JsonObject, JsonObject | None], None]
"""Sets ``managedFields`` of the new object (changed in place), given the old one."""


def by(parts: Parts, target: Target, options: WriteOptions) -> Manage:
    """
    Return what notes the fields a create, update or patch changed as its manager's.

    Of a kind with two shapes it is given objects as they are stored, whatever the target's version.
    """
    if any(one.conversion is not None and one.conversion.is_whole for one in target.resource.versions):
        return _or_nobody(_by_version(parts, target, options))

    def manage(new: JsonObject, old: JsonObject | None) -> None:
        noted = apply.update(
            old,
            new,
            schema=target.version.schema(),
            api_version=target.api_version,
            manager=options.manager,
            subresource=target.subresource,
            now="" if target.subresource == "scale" else parts.timestamp(),  # as Kubernetes, which notes none
            reset_fields=reset_fields(target),
        )
        new["metadata"] = noted["metadata"]

    return _or_nobody(manage)


def _or_nobody(manage: Manage) -> Manage:
    """Leave an object that does not fit its schema to validation, which can say what is wrong with it."""

    def manage_if_possible(new: JsonObject, old: JsonObject | None) -> None:
        try:
            manage(new, old)
        except NoElement:
            new["metadata"].pop("managedFields", None)

    return manage_if_possible


def _by_version(parts: Parts, target: Target, options: WriteOptions) -> Manage:
    """Return what looks at a change in each version, for those who manage fields of that one."""

    def manage(new: JsonObject, old: JsonObject | None) -> None:
        kept: list[JsonObject] = []
        own = target.version.name
        for version in target.resource.versions:
            show = version.conversion.from_storage if version.conversion is not None else _as_it_is
            noted = apply.update(
                None if old is None else show(old),
                show(new),
                schema=version.schema(),
                api_version=target.resource.api_version(version.name),
                manager=options.manager if version.name == own else _NOBODY,
                subresource=target.subresource,
                now=parts.timestamp(),
                reset_fields=reset_fields(target),
            )
            entries = noted["metadata"].get("managedFields") or ()
            kept += [entry for entry in entries if _is_of(entry, target, version.name)]
        new["metadata"]["managedFields"] = managed.encode(managed.decode(kept, is_stored=True))
        if not kept:
            del new["metadata"]["managedFields"]

    return manage


def _as_it_is(obj: JsonObject) -> JsonObject:
    return obj


def _is_of(entry: JsonObject, target: Target, version: str) -> bool:
    """Tell whether an entry is one of a version's; those of versions nobody knows are the target's."""
    if entry.get("manager") == _NOBODY:
        return False
    named = str(entry.get("apiVersion", "")).rpartition("/")[2]
    known = any(one.name == named for one in target.resource.versions)
    return named == version or (not known and version == target.version.name)


def reset_fields(target: Target) -> FieldSet:
    """Return the fields that a write to this endpoint cannot change, so that its manager does not own them."""
    strategy = target.resource.strategy
    part = strategy.subresources.get(target.subresource)
    if part is not None and part.resets is not None:
        return part.resets
    if strategy.resets is not None and not target.subresource:
        return strategy.resets
    if target.subresource == "finalize":
        return _STATUS
    if target.subresource == "status":
        if target.resource.name == LABELS_KEPT:
            return _SPEC_AND_LABELS
        return _BUT_STATUS if target.version.open_api else _SPEC
    return _STATUS if "status" in target.version.subresources else EMPTY


def already(new: JsonObject, old: JsonObject | None) -> None:
    """Leave what server-side apply has worked out."""
    del new, old
