"""
Server-side apply, and the ownership that every other write leaves behind.

Versions of a resource share their fields here (no conversion), so one schema serves the entries of all versions.

Source: sigs.k8s.io/structured-merge-diff/merge (Updater), k8s.io/apimachinery/pkg/util/managedfields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Unclassified
from fairlead_schema import managed
from fairlead_schema.causes import compact
from fairlead_schema.defaulting import zero
from fairlead_schema.fieldset import EMPTY, FieldSet
from fairlead_schema.managed import Manager, Managers, Ownership
from fairlead_schema.merging import (
    Comparison,
    Shape,
    compare,
    fields_of,
    merge,
    problems,
    reconcile,
    remove,
    shape_of,
    with_named,
)
from fairlead_schema.node import Node

_NOTHING = "nothing"
_BEFORE_FIRST_APPLY = "before-first-apply"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MAX_ANNOTATIONS_BYTES = 256 * 1024
_SERVER_SET = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
    "resourceVersion",
)  # fmt: skip
_STRIPPED = FieldSet.of(("apiVersion",), ("kind",), ("metadata",), *(("metadata", name) for name in _SERVER_SET))
"""Fields nobody owns."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What one write is about: by whom, in which version, with which schema."""

    shape: Shape
    manager: Manager
    api_version: str
    now: str
    reset: FieldSet


def apply(  # noqa: PLR0913 - the parts of an apply request; all but the objects are keywords
    live: JsonObject | None,
    config: JsonObject,
    *,
    schema: Node,
    api_version: str,
    manager: str,
    force: bool,
    subresource: str = "",
    now: str,
    reset_fields: FieldSet = EMPTY,
) -> JsonObject:
    """
    Return ``live`` with ``config`` applied by ``manager``; neither changes, unchanged parts are shared.

    An apply that changes nothing returns an object equal to ``live``, times included. Defaults are not filled in.

    Args:
        live: The stored object in ``api_version``; None to create.
        config: What the client sent; without managedFields.
        force: Take fields others own instead of refusing.
        subresource: ``status``, ``scale`` … or empty.
        now: RFC 3339 in whole seconds.
        reset_fields: Fields a write to this endpoint cannot change (``status`` on the main resource).

    Raises:
        BadRequest: Another version, managedFields in the config, unreadable managedFields in ``live``.
        Unclassified: The config has undeclared fields or wrong types, which Kubernetes answers with a bare 500.
        Conflict: Others own fields that the config changes and ``force`` is not set.
    """
    shape = shape_of(schema)
    _check_config(config, shape, api_version)
    write = _Write(shape, Manager(manager or "unknown", "Apply", "", subresource), api_version, now, reset_fields)
    bare, entries = _split(live or {})
    try:
        managers = managed.decode(entries)
    except managed.BadEntry as error:
        raise BadRequest(f"failed to decode managed fields: {error}") from error
    if not managers and live is not None:
        first = Manager(_BEFORE_FIRST_APPLY, "Update", api_version, subresource)
        managers = _updated(replace(write, manager=first), nothing(schema), bare, {})
    new, managers = _applied(write, bare, config, managers, force=force)
    if manager == "kubectl":
        new = _with_last_applied(new, config)
    return _join(new, managers)


def update(  # noqa: PLR0913 - the parts of a write; all but the objects are keywords
    live: JsonObject | None,
    new: JsonObject,
    *,
    schema: Node,
    api_version: str,
    manager: str,
    operation: str = "Update",
    subresource: str = "",
    now: str,
    reset_fields: FieldSet = EMPTY,
) -> JsonObject:
    """
    Return ``new`` with the managedFields a create, update or patch by ``manager`` leaves; neither argument changes.

    A client may set managedFields itself (not through a subresource); ``[]`` or ``[{}]`` forgets all owners.

    Args:
        live: The stored object; None to create.
        new: The object about to be stored, defaults filled in.
        operation: ``Update``; here for symmetry with entries.
        subresource, now, reset_fields: As for :func:`apply`.
    """
    bare, entries = _split(new)
    live_bare, live_entries = _split(live or {})
    managers = _chosen(entries, live_entries, subresource)
    if not managers and live is not None:
        return bare  # nobody's owners are kept for an object that has none until it is first applied
    shape = shape_of(schema)
    writer = Manager(manager or "unknown", operation, api_version, subresource)
    write = _Write(shape, writer, api_version, now, reset_fields)
    old = live_bare if live is not None else nothing(schema)
    return _join(bare, managed.capped(_updated(write, old, bare, managers)))


def start_from(schema: Node, empty: JsonObject) -> None:
    """Say what the empty object of a kind is, where Go shows nulls of which its schema does not tell."""
    schema._walks[_NOTHING] = empty  # noqa: SLF001 - as in nothing


def nothing(schema: Node) -> JsonObject:
    """Return the kind's empty object, made once: it is only ever compared with."""
    found: JsonObject | None = schema._walks.get(_NOTHING)  # noqa: SLF001 - shared nodes share what is made of them
    if found is None:
        found = schema._walks[_NOTHING] = zero(schema)  # noqa: SLF001
    return found


def _chosen(entries: Any, live_entries: Any, subresource: str) -> Managers:
    """Return the owners before the write: the client's, if it sent usable ones, else the stored ones."""
    if not subresource:
        if managed.is_reset(entries):
            return {}
        managers = _readable(entries, is_stored=False)
        if managers:
            return managers
    return _readable(live_entries, is_stored=True)


def _readable(entries: Any, *, is_stored: bool) -> Managers:
    try:
        return managed.decode(entries, is_stored=is_stored)
    except (managed.BadEntry, AttributeError, TypeError):
        return {}


def _split(obj: JsonObject) -> tuple[JsonObject, Any]:
    """Return the object without managedFields, and those."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj, None
    rest = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**obj, "metadata": rest}, metadata["managedFields"]


def _join(obj: JsonObject, managers: Managers) -> JsonObject:
    if not managers:
        return obj
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "managedFields": managed.encode(managers)}}


def _check_config(config: JsonObject, shape: Shape, api_version: str) -> None:
    metadata = config.get("metadata") or {}
    kind = _kind_text(config)
    if config.get("apiVersion") != api_version:
        raise BadRequest(f"invalid object type: {kind}")
    if metadata.get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    found = list(problems(shape, config))
    if found:
        text = found[0] if len(found) == 1 else "\n".join(["errors:", *(f"  {line}" for line in found)])
        name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        raise Unclassified(f"failed to create typed patch object ({name}; {kind}): {text}")


def _kind_text(config: JsonObject) -> str:
    """Return the kind as messages print it: ``apps/v1, Kind=Deployment``, ``/v1, Kind=Pod``."""
    version = str(config.get("apiVersion", ""))
    return f"{version if '/' in version else f'/{version}'}, Kind={config.get('kind', '')}"


def _owned(managers: Managers, shape: Shape) -> Managers:
    """Return the owners as the schema of today has them."""
    found = {}
    for manager, owned in managers.items():
        fields = reconcile(shape, owned.fields)
        found[manager] = owned if fields is owned.fields else replace(owned, fields=fields, entry=None)
    return found


def _shifted(
    managers: Managers, comparison: Comparison, writer: Manager | None
) -> tuple[Managers, dict[Manager, FieldSet]]:
    """Return the owners after fields changed hands or went away, and what others lost to the writer."""
    if not managers:
        return {}, {}
    changed = comparison.modified.union(comparison.added)
    lost: dict[Manager, FieldSet] = {}
    found: Managers = {}
    for manager, owned in managers.items():
        fields = owned.fields
        if manager != writer:
            taken = fields.intersection(changed)
            if taken:
                lost[manager] = taken
                fields = fields.difference(taken)
            gone = fields.intersection(comparison.removed) if comparison.removed else EMPTY
            if gone:
                fields = fields.difference(gone)
        if fields:
            found[manager] = owned if fields is owned.fields else replace(owned, fields=fields, entry=None)
    return found, lost


def _updated(write: _Write, old: JsonObject, new: JsonObject, managers: Managers) -> Managers:
    """Return the owners after an update: the writer owns what it added and changed, beside what it had."""
    comparison = compare(write.shape, old, new).without(write.reset)
    found, _ = _shifted(_owned(managers, write.shape), comparison, None)
    fields = comparison.modified.union(comparison.added).recursive_difference(write.reset).difference(_STRIPPED)
    if fields:
        previous = found.get(write.manager)
        union = fields if previous is None else fields.union(previous.fields)
        found[write.manager] = Ownership(union, write.api_version, write.now)
    return found


def _applied(
    write: _Write, live: JsonObject, config: JsonObject, managers: Managers, *, force: bool
) -> tuple[JsonObject, Managers]:
    managers = _owned(managers, write.shape)
    merged = merge(write.shape, live, config)
    previous = managers.get(write.manager)
    fields = fields_of(write.shape, config).recursive_difference(write.reset)
    owned = Ownership(fields, write.api_version, previous.time if previous else "")
    managers = {**managers, write.manager: owned}
    if previous is not None and previous.fields.difference(fields):
        merged = _pruned(write, merged, managers, previous.fields)
    comparison = compare(write.shape, live, merged).without(write.reset)
    found, lost = _shifted(managers, comparison, write.manager)
    if lost and not force:
        _refuse(write, live, lost)
    if write.manager in found:
        fields = owned.fields.difference(_STRIPPED)
        found[write.manager] = replace(owned, fields=fields)
        if not fields:
            del found[write.manager]
    if _same(live, merged):
        return live, found
    if write.manager in found:
        found[write.manager] = replace(found[write.manager], time=write.now, entry=None)
    return merged, found


def _pruned(write: _Write, merged: JsonObject, managers: Managers, last: FieldSet) -> Any:
    """
    Drop what the manager applied last time and does not now, unless someone else owns it.

    Done by taking away all it owned and adding back what is still owned, and what was never its own. As upstream, a
    container that loses its last item becomes null (defaulting drops it) even if the config holds it empty.
    """
    shape = write.shape
    last = with_named(shape, last)
    rest = remove(shape, merged, last) or {}
    owned = EMPTY
    for each in managers.values():
        owned = owned.union(each.fields)
    everything = with_named(shape, fields_of(shape, merged))
    kept = with_named(shape, fields_of(shape, rest)).union(with_named(shape, owned))
    rest = remove(shape, merged, everything.difference(kept)) or {}
    gone = everything.difference(with_named(shape, fields_of(shape, rest))).intersection(last)
    return remove(shape, merged, gone) or {} if gone else merged


def _same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are the same; unlike ``==`` tells true from 1."""
    return one is other or (one == other and compact(one) == compact(other))


def _refuse(write: _Write, live: JsonObject, lost: Mapping[Manager, FieldSet]) -> None:
    """
    Refuse to take fields from others.

    kubectl, coming from client-side apply, may take what its last-applied annotation shows it set itself.
    """
    left = dict(lost)
    if write.manager.name == "kubectl":
        allowed = _last_applied_fields(write, live)
        if allowed is not None:
            left = {manager: fields.difference(allowed) for manager, fields in lost.items()}
            left = {manager: fields for manager, fields in left.items() if fields}
    if left:
        raise managed.conflict(left)


def _last_applied_fields(write: _Write, live: JsonObject) -> FieldSet | None:
    """Return the fields that still are as the last-applied annotation says, None when there is no usable one."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(_LAST_APPLIED)
    try:
        last = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(last, dict) or last.get("apiVersion") != write.api_version:
        return None
    if any(True for _ in problems(write.shape, last)):
        return None
    comparison = compare(write.shape, last, live)
    fields = fields_of(write.shape, last).difference(comparison.modified)
    return fields.difference(comparison.added).difference(comparison.removed)


def _with_last_applied(obj: JsonObject, config: JsonObject) -> JsonObject:
    """Keep the last-applied annotation true, for as long as there is one (kubectl may go back to client-side apply)."""
    metadata = obj.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if not annotations.get(_LAST_APPLIED):
        return obj
    applied = dict(config)
    own = dict((config.get("metadata") or {}).get("annotations") or {})
    if own.pop(_LAST_APPLIED, None) is not None:
        applied["metadata"] = {**config["metadata"], "annotations": own}
    text = compact(applied) + "\n"
    if text == annotations[_LAST_APPLIED]:
        return obj
    annotations = {**annotations, _LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _MAX_ANNOTATIONS_BYTES:
        del annotations[_LAST_APPLIED]
    return {**obj, "metadata": {**metadata, "annotations": annotations}}
