"""
What every create and update goes through between decoding and commit.

In this order, as in Kubernetes: reset what the request may not touch, let the kind fill in its defaults, note who
manages which fields, let admission change the object, settle what the server gives out, validate, let admission
validate.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds import custom_content
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.registry import metadata
from fairlead_control_plane.registry.aside import aside, is_large, weighed
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.managing import LABELS_KEPT, Manage
from fairlead_control_plane.registry.options import WriteOptions
from fairlead_schema.ruled import TakesLong

_KEEPS_STATUS_ON_CREATE = frozenset({("", "nodes")})
"""Kubelets register their node with its status."""

_NARROW = frozenset({"status", "finalize"})
"""Subresources that change one part of an object; the kind's preparation is about the others."""

_BINDING = "binding"
"""Sets what no update may change (a pod's node) and its condition; it has checks of its own."""


def copied(obj: JsonObject) -> JsonObject:
    """Return a deep copy of a JSON object."""
    copy: JsonObject = orjson.loads(orjson.dumps(obj))
    return copy


def is_same(one: JsonObject, other: JsonObject) -> bool:
    """Tell whether two objects differ in nothing but their resourceVersion; the order of keys says nothing."""
    return one.keys() == other.keys() and _sorted(one) == _sorted(other)


def _sorted(obj: JsonObject) -> bytes:
    data = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return orjson.dumps({**obj, "metadata": data}, option=orjson.OPT_SORT_KEYS)


async def created(parts: Parts, target: Target, obj: JsonObject, options: WriteOptions, manage: Manage) -> JsonObject:
    """
    Make a decoded object ready to be stored as a new one; changed in place and returned.

    Raises:
        Invalid: The kind's rules or those of metadata are broken.
        ApiError: Admission refused.
    """
    resource, large = target.resource, await weighed(obj)
    if "status" in target.version.subresources and (resource.group, resource.plural) not in _KEEPS_STATUS_ON_CREATE:
        obj.pop("status", None)
    metadata.prepare_create(obj, uid=parts.new_uid(), timestamp=parts.timestamp())
    strategy = resource.strategy

    def prepare() -> None:
        if strategy.prepare_create is not None:
            strategy.prepare_create(obj)
        if strategy.sign is not None:
            strategy.sign(obj, Writer(target.user, parts.timestamp()))
        manage(obj, None)

    await aside(prepare, is_large=large)
    if strategy.generation_of is not None:
        obj["metadata"]["generation"] = 1
    if parts.marks_cluster:
        metadata.place(obj, target.cluster)
    attributes = _attributes(target, "CREATE", obj, None, options)
    await parts.admission.admit(attributes)

    def check(*, is_brief: bool) -> None:
        if strategy.settle is not None:
            strategy.settle(obj, None)
        causes = metadata.validate(obj, resource)
        _refuse(target, obj, [*causes, *_content_causes(target, obj, None, is_brief=is_brief)])
        _warn(target, obj, None)

    await _checked(target, check, is_large=large)
    await parts.admission.validate(attributes)
    return obj


async def updated(
    parts: Parts, target: Target, new: JsonObject, old: JsonObject, options: WriteOptions, manage: Manage
) -> JsonObject:
    """
    Make a decoded object ready to replace ``old``; returns the one to store, ``old`` is not changed.

    Raises:
        Invalid, ApiError: As for :func:`created`.
    """
    large = await weighed(new) or is_large(old)
    writer = Writer(target.user, parts.timestamp())
    new = await aside(lambda: _prepared(target, new, old, manage, writer), is_large=large)
    if parts.marks_cluster:
        metadata.place(new, target.cluster)
    attributes = _attributes(target, "UPDATE", new, old, options)
    await parts.admission.admit(attributes)
    await _checked(target, partial(_check_update, target, new, old, writer), is_large=large)
    await parts.admission.validate(attributes)
    return new


def _is_narrow(target: Target) -> bool:
    """Tell whether a part of the object is written, which the kind's preparation is not about."""
    return target.subresource in _NARROW or target.subresource in target.resource.strategy.subresources


def _prepared(target: Target, new: JsonObject, old: JsonObject, manage: Manage, writer: Writer) -> JsonObject:
    strategy = target.resource.strategy
    new = _reset(target, new, old)
    metadata.prepare_update(new, old)
    part = strategy.subresources.get(target.subresource)
    if part is not None and part.prepare is not None:
        part.prepare(new, old, writer)
        normalise(new)
    elif strategy.prepare_update is not None and target.subresource not in _NARROW:
        strategy.prepare_update(new, old)
    elif target.subresource == "status":
        if strategy.prepare_status is not None:
            strategy.prepare_status(new)
        normalise(new)
    manage(new, old)
    return new


async def _checked(target: Target, check: Callable[..., None], *, is_large: bool) -> None:
    """Validate: in this turn of the loop where that is possible, from the beginning beside it where it was not."""
    if not is_large and not target.resource.strategy.has_expressions:
        with suppress(TakesLong):
            return check(is_brief=True)
    return await aside(lambda: check(is_brief=False), is_large=True)


def _check_update(target: Target, new: JsonObject, old: JsonObject, writer: Writer, *, is_brief: bool) -> None:
    """Settle what the server gives out, and validate."""
    strategy = target.resource.strategy
    part = strategy.subresources.get(target.subresource)
    if part is not None and part.settle is not None:
        part.settle(new, old, writer)
    if strategy.settle is not None and not _is_narrow(target):
        strategy.settle(new, old)
    is_bound = target.subresource == _BINDING
    if (
        strategy.generation_of is not None
        and not is_bound
        # Controllers note what they saw in annotations, too, with the status: that asks nobody for anything.
        and target.subresource != "status"
        and strategy.generation_of(new) != strategy.generation_of(old)
    ):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    causes = metadata.validate_update(new, old, target.resource)
    if part is not None and part.validate is not None:
        causes += part.validate(new, old)
    elif strategy.validate_change is not None and not is_bound:
        causes += strategy.validate_change(new, old)
    else:
        causes += _content_causes(target, new, old, is_brief=is_brief)
        if strategy.validate_update is not None and not is_bound:
            causes += strategy.validate_update(new, old)
    _refuse(target, new, causes)
    _warn(target, new, old)


def _reset(target: Target, new: JsonObject, old: JsonObject) -> JsonObject:
    """Undo what a request through this (sub)resource may not change."""
    if target.subresource == "status":
        kept = copied(old)
        if target.version.open_api:
            # Custom resources: the status alone, and who manages it.
            kept["metadata"]["managedFields"] = new["metadata"].get("managedFields", [])
        else:
            kept["metadata"] = new["metadata"]
            if target.resource.name == LABELS_KEPT:
                kept["metadata"]["labels"] = old["metadata"].get("labels")
        kept.pop("status", None)
        if "status" in new:
            kept["status"] = new["status"]
        return kept
    if target.subresource == "finalize":
        finalizers = (new.get("spec") or {}).get("finalizers") or []
        return {**copied(old), "spec": {"finalizers": finalizers} if finalizers else {}}
    if "status" in target.version.subresources and not target.subresource:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copied(old["status"])
    return new


def _content_causes(target: Target, obj: JsonObject, old: JsonObject | None, *, is_brief: bool = False) -> list[Cause]:
    causes: list[Cause] = []
    if target.version.open_api:
        causes += custom_content.problems(target.version, obj, old, of_status=target.subresource == "status")
        kept = target.version.schema().check_rules(obj, old, causes, is_brief=is_brief)
        causes += kept.causes
        target.warnings.extend(kept.warnings)
    if target.resource.strategy.validate is not None:
        causes += target.resource.strategy.validate(obj)
    return causes


def _refuse(target: Target, obj: JsonObject, causes: list[Cause]) -> None:
    if causes:
        found = list(dict.fromkeys(causes))
        raise invalid_object(target.resource.told_group, target.resource.kind, metadata.name_of(obj), found)


def _warn(target: Target, new: JsonObject, old: JsonObject | None) -> None:
    strategy = target.resource.strategy
    part = strategy.subresources.get(target.subresource)
    if part is not None and part.warn is not None:
        target.warnings.extend(part.warn(new))
    elif strategy.warn is not None and not _is_narrow(target):
        target.warnings.extend(strategy.warn(new, old))


def _attributes(
    target: Target, operation: str, obj: JsonObject | None, old: JsonObject | None, options: WriteOptions
) -> Attributes:
    return Attributes(
        operation=operation,
        resource=target.resource,
        version=target.version.name,
        cluster=target.cluster,
        namespace=target.namespace,
        name=target.name or (metadata.name_of(obj) if obj is not None else ""),
        subresource=target.subresource,
        user=target.user,
        obj=obj,
        old=old,
        dry_run=options.dry_run,
        warnings=target.warnings,
        manager=options.asked_manager,
        field_validation=options.validation,
        is_one_of_many=target.is_one_of_many,
    )


async def deleting(parts: Parts, target: Target, old: JsonObject, *, dry_run: bool) -> None:
    """Ask admission about a delete; raises its refusal."""
    attributes = _attributes(target, "DELETE", None, old, WriteOptions(dry_run=dry_run))
    await parts.admission.admit(attributes)
    await parts.admission.validate(attributes)
