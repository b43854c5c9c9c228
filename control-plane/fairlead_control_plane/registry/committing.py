"""The one place where the registry writes: object, owners' rows and what the effects add, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, InternalError, RequestTooLarge, ServiceUnavailable
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.registry import messages
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.owners import owner_operations
from fairlead_control_plane.store.contract import (
    MAX_OPERATIONS,
    Compare,
    Delete,
    Operation,
    Put,
    Row,
    Unavailable,
)

_VALUE_BYTES = 3 << 20
"""Largest stored object: what a request body may have, as etcd's default would refuse half of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """
    What a write left behind.

    Attributes:
        value: Stored bytes; of the last state when the object is gone.
        revision: To be shown as resourceVersion.
        is_new, is_gone: Whether the object was created or finally removed.
    """

    value: bytes
    revision: int
    is_new: bool = False
    is_gone: bool = False


async def commit(
    parts: Parts, target: Target, row: Row | None, new: JsonObject | None, *, old: JsonObject | None, dry_run: bool
) -> Written:
    """
    Write one change, or with ``dry_run`` everything short of it.

    Args:
        row: The stored row the change was made from; None when there was none. It must still be the newest.
        new: The complete object in its storage version; None removes it.
        old: ``row`` decoded.

    Raises:
        CompareFailed: The object, or something an effect relied on, changed meanwhile: read again.
        ApiError: An effect refused, or the object is too large.
    """
    key = target.key
    place = (target.cluster, target.namespace, target.name)
    change = Change(target.resource, *place, old, new, target.user, target.is_one_of_many)
    operations: list[Operation] = list(owner_operations(change))
    compares = [Compare(key, row.mod_revision if row is not None else 0)]
    if row is None:
        compares += await _guards(parts, target)
    for effects in parts.effects:
        effect = await effects(change)
        operations.extend(effect.operations)
        compares.extend(effect.compares)
        if effect.new is not None and change.new is not None:
            change = replace(change, new=effect.new)
    new = change.new
    value = encoding.encode(new) if new is not None else row.value if row is not None else b""
    if new is not None and len(value) > _VALUE_BYTES:
        raise RequestTooLarge(f"Request entity too large: limit is {_VALUE_BYTES}")
    operations.append(Put(key, value) if new is not None else Delete(key))
    if len(operations) > MAX_OPERATIONS:
        raise InternalError(f"this write would change {len(operations)} keys at once, more than {MAX_OPERATIONS}")
    if dry_run:
        revision = row.mod_revision if row is not None else 0
    else:
        revision = await _committed(parts, operations, compares)
    return Written(value, revision, is_new=row is None, is_gone=new is None)


async def _guards(parts: Parts, target: Target) -> list[Compare]:
    """
    Tie a create to its namespace as it is now.

    Admission has looked at the namespace before; without this, one deleted in between would be left with content.
    """
    namespaces = await parts.catalog.lookup(target.cluster, "", "namespaces") if target.namespace else None
    if namespaces is None:
        return []
    key = keys.object_key(namespaces, target.cluster, "", target.namespace)
    place = await parts.store.get(key)
    if place is None:
        raise messages.not_found(namespaces, target.namespace)
    if b'"deletionTimestamp"' in place.value and encoding.decode(place)["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
        raise messages.forbidden(target.resource, target.name, why)
    return [Compare(key, place.mod_revision)]


async def _committed(parts: Parts, operations: list[Operation], compares: list[Compare]) -> int:
    try:
        return await parts.store.commit(operations, _unique(compares))
    except Unavailable as error:
        raise _unavailable(error) from error


def _unique(compares: list[Compare]) -> list[Compare]:
    return list(dict.fromkeys(compares))


def _unavailable(error: Unavailable) -> ApiError:
    return ServiceUnavailable(f"the store cannot be written: {error}", retry_after_s=1)
