"""
Creates and updates: the loops around :mod:`preparing` and :mod:`committing`.

An update reads, changes, and commits only if nothing changed meanwhile; what was read is never written back blindly.

Source: k8s.io/apiserver pkg/registry/generic/registry/store.go (Create, Update), GuaranteedUpdate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, ServiceUnavailable, Unclassified
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.registry import messages, metadata, preparing, settling
from fairlead_control_plane.registry.aside import aside, is_large
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import Written, commit
from fairlead_control_plane.registry.managing import Manage
from fairlead_control_plane.registry.options import WriteOptions, parse_version
from fairlead_control_plane.registry.rendering import shown
from fairlead_control_plane.store.contract import CompareFailed, Row

_GENERATED_TRIES = 8
_LARGE_BYTES = 128 << 10
_LEAVING = "create not allowed while custom resource definition is terminating"
_TRIES = 16
"""Reads and commits until an update gives up: only effects that other writers keep invalidating come near."""

Change = Callable[[JsonObject | None], Awaitable[JsonObject]]
"""Makes the new object from the present one (a fresh dict it may change; None: there is none)."""


async def stored(target: Target, obj: JsonObject) -> JsonObject:
    """Return an object of the target's version as it is stored."""
    if target.version.conversion is not None:
        return target.version.conversion.to_storage(obj)
    return obj if target.version.storage else await settling.to_storage(target, obj)


def _is_whole(target: Target) -> bool:
    return target.version.conversion is not None and target.version.conversion.is_whole


async def create(parts: Parts, target: Target, obj: JsonObject, options: WriteOptions, manage: Manage) -> Written:
    """
    Create an object; with ``generateName`` try several names.

    Args:
        obj: Decoded, in the target's version; changed.

    Raises:
        AlreadyExists, Invalid, ApiError (admission, effects).
    """
    data = obj["metadata"]
    stem = data.get("generateName", "")
    if not stem:
        return await _create_named(parts, target, obj, options, manage)
    if data.get("name"):
        try:
            return await _create_named(parts, target, obj, options, manage)
        except AlreadyExists as error:
            raise _not_generated(error) from error
    for _ in range(_GENERATED_TRIES):
        attempt = await aside(lambda: preparing.copied(obj), is_large=is_large(obj))
        attempt["metadata"]["name"] = metadata.generated(stem, parts.suffix())
        try:
            return await _create_named(parts, target, attempt, options, manage)
        except AlreadyExists as error:
            last = error
    raise _not_generated(last)


def _not_generated(error: AlreadyExists) -> AlreadyExists:
    """Return the 409 of an object with a stem for names, as Kubernetes says it whoever chose the name."""
    error.message += ", the server was not able to generate a unique name for the object"
    error.retry_after_s = 1
    return error


async def _create_named(
    parts: Parts, target: Target, obj: JsonObject, options: WriteOptions, manage: Manage
) -> Written:
    return await _seen(target, await _create_stored(parts, target, obj, options, manage))


async def _seen(target: Target, written: Written) -> Written:
    """Return what was written in the target's version where a webhook converts it; renderers do the rest."""
    return replace(written, value=await settling.value(target, written.value))


async def _create_stored(
    parts: Parts, target: Target, obj: JsonObject, options: WriteOptions, manage: Manage
) -> Written:
    if target.resource.is_leaving:
        raise messages.forbidden(target.resource, metadata.name_of(obj), _LEAVING)
    if _is_whole(target):
        obj, target = await stored(target, obj), target.as_stored
    metadata.check_place(obj, target.resource, target.namespace)
    place = Target(
        target.resource, target.version, target.cluster, target.namespace, metadata.name_of(obj),
        target.subresource, target.user, target.warnings,
    )  # fmt: skip
    new = await preparing.created(parts, place, obj, options, manage)
    if not place.name:
        place = replace(place, name=metadata.name_of(new))  # a LimitRange names itself
    for _ in range(_TRIES):
        if options.dry_run:
            await _check_free(parts, place)
        try:
            return await commit(parts, place, None, await stored(place, new), old=None, dry_run=options.dry_run)
        except CompareFailed:
            await _check_free(parts, place)
        except ServiceUnavailable:
            raise  # it may have been written: what is there now may be this very object
        except ApiError:
            # Most creates are of new names and read nothing; but a taken one says so before anything else.
            await _check_free(parts, place)
            raise
    raise messages.conflict(target.resource, place.name)


async def _check_free(parts: Parts, place: Target) -> None:
    if await parts.store.get(place.key) is not None:
        raise messages.already_exists(place.resource, place.name)


async def update(  # noqa: PLR0913 - two are keywords
    parts: Parts,
    target: Target,
    change: Change,
    options: WriteOptions,
    manage: Manage,
    *,
    may_create: bool = False,
    by_uid: bool = True,
) -> Written:
    """
    Replace an object by what ``change`` makes of it; retried whenever it changed meanwhile.

    A new object with a ``resourceVersion`` demands that very version; without one the newest is replaced.

    Args:
        may_create: Create the object when there is none.
        by_uid: Another uid in the new object is a precondition that does not hold (409), not a change (422).

    Raises:
        NotFound, Conflict, Invalid, ApiError.
    """
    for _ in range(_TRIES):
        row = await parts.store.get(target.key)
        if row is None:
            if not may_create:
                raise messages.not_found(target.resource, target.name)
            return await _create_by_update(parts, target, change, options, manage)
        try:
            written = await _replace(parts, target, row, change, options, manage, by_uid=by_uid)
        except CompareFailed:
            continue
        return await _seen(target, written)
    raise messages.conflict(target.resource, target.name)


async def _create_by_update(
    parts: Parts, target: Target, change: Change, options: WriteOptions, manage: Manage
) -> Written:
    obj = await change(None)
    if obj["metadata"].get("uid"):
        given = obj["metadata"]["uid"]
        why = f"Precondition failed: UID in precondition: {given}, UID in object meta: "
        raise messages.conflict(target.resource, target.name, why)
    obj["metadata"].pop("resourceVersion", None)
    return await create(parts, target, obj, options, manage)


async def _replace(  # noqa: PLR0913 - one is a keyword
    parts: Parts, target: Target, row: Row, change: Change, options: WriteOptions, manage: Manage, *, by_uid: bool
) -> Written:
    new = await change(await _decoded(target, row))
    if _is_whole(target):
        new, target = await stored(target, new), target.as_stored
    old = await _decoded(target, row)
    _check_preconditions(target, new, old, by_uid=by_uid)
    new = await preparing.updated(parts, target, new, old, options, manage)
    new["metadata"].pop("resourceVersion", None)
    saved = await stored(target, new)
    is_long = len(row.value) > _LARGE_BYTES
    old_saved = await aside(lambda: encoding.decode(row), is_large=is_long)
    if await aside(lambda: preparing.is_same(saved, old_saved), is_large=is_long):
        return Written(row.value, row.mod_revision)
    if is_finished(new) and old["metadata"].get("deletionTimestamp"):
        gone = await commit(parts, target, row, None, old=old_saved, dry_run=options.dry_run)
        return Written(encoding.encode(saved), gone.revision, is_gone=True)
    return await commit(parts, target, row, saved, old=old_saved, dry_run=options.dry_run)


async def _decoded(target: Target, row: Row) -> JsonObject:
    settled = await settling.row(target, row)

    def decoded() -> JsonObject:
        return shown(encoding.decode(settled), row.mod_revision, target.version, target.api_version)

    return await aside(decoded, is_large=len(settled.value) > _LARGE_BYTES)


def check_version(target: Target, new: JsonObject) -> None:
    """
    Check that an update names the version it replaces, where its kind demands that.

    Raises:
        Invalid: It does not.
    """
    is_demanded = bool(target.version.open_api) or target.resource.strategy.demands_version
    if is_demanded and new["metadata"].get("resourceVersion") in (None, "", "0"):
        raise messages.unconditional(target.resource, target.name)


def _check_preconditions(target: Target, new: JsonObject, old: JsonObject, *, by_uid: bool) -> None:
    uid, version = new["metadata"].get("uid"), new["metadata"].get("resourceVersion")
    if by_uid and uid and uid != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        raise messages.conflict(target.resource, target.name, why)
    if version and _precondition(version) and version != old["metadata"]["resourceVersion"]:
        raise messages.conflict(target.resource, target.name)


def _precondition(version: str) -> int:
    """Return the number of the version an update replaces; raises ``Unclassified`` when it is none."""
    try:
        return parse_version(version)
    except Unclassified as error:
        why = error.message.partition(": strconv")
        raise Unclassified(f"strconv{why[2]}") from error


def is_finished(obj: JsonObject) -> bool:
    """Tell whether nothing holds an object that is being deleted any more."""
    data = obj["metadata"]
    if not data.get("deletionTimestamp") or data.get("finalizers"):
        return False
    if data.get("deletionGracePeriodSeconds"):
        return False
    return not (obj["kind"] == "Namespace" and obj["apiVersion"] == "v1" and obj.get("spec", {}).get("finalizers"))
