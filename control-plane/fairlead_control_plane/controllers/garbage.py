"""
Garbage collection by owner references, within one logical cluster.

The owner index (``registry.owners``) says who depends on whom, in the same transaction as the objects; so everything
is a range read, and what an owner's end asks for is found again after a restart.

An owner counts as absent only when its kind is known, and the store has no object of its name and uid: a kind that
cannot be looked up (a binding gone for the moment) deletes nothing.

Source: k8s.io/kubernetes pkg/controller/garbagecollector.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Conflict, NotFound
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.metadata import owners
from fairlead_control_plane.registry.options import BACKGROUND, FOREGROUND, ORPHAN
from fairlead_control_plane.registry.owners import ROOT, Owned, owned_prefix, parse_owned, reference
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Event, Row
from fairlead_control_plane.store.paging import rows_under

_TRIES = 5
_ORPHAN_FINALIZER, _FOREGROUND_FINALIZER = "orphan", "foregroundDeletion"
_OWNER, _GOING, _WAITING = "owner", "going", "waiting"
_NOT_OBJECTS = ("/owners/", "/views/", "/paths/", "/meta/", "/bin/", "/adoptions/", "/accepted/")


@dataclass(slots=True)
class _Sorted:
    """Owner references of an object by what their owners are doing."""

    present: list[JsonObject] = field(default_factory=list)
    absent: list[JsonObject] = field(default_factory=list)
    waiting: list[JsonObject] = field(default_factory=list)
    unknown: list[JsonObject] = field(default_factory=list)


class Garbage:
    """
    The garbage collector.

    Its keys are:

    - ``owner, cluster, uid``: the owner is gone, or somebody new names it: look at all that name it;
    - ``going, cluster, object key``: the object is being deleted and waits for its dependents;
    - ``waiting, cluster, namespace, reference``: a dependent is gone; its owner may wait for nothing else.
    """

    name = "garbage"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.parts.store

    def keys(self, event: Event) -> Iterable[Key]:
        """See the class."""
        key = event.key
        if key.startswith(ROOT):
            return _index_keys(event)
        if key.startswith(_NOT_OBJECTS):
            return []
        if event.row is None:
            uid = _uid(event.previous)
            return [(_OWNER, keys.parse_key(key).cluster, uid)] if uid else []
        if _waits(event.row.value):
            return [(_GOING, keys.parse_key(key).cluster, key)]
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every owner named, which finds both absent owners and those that wait for their dependents."""
        last = ("", "")
        async for row in rows_under(self._store, ROOT):
            owned = parse_owned(row.key)
            if (owned.cluster, owned.owner) != last:
                last = owned.cluster, owned.owner
                yield _OWNER, *last
                yield _WAITING, owned.cluster, owned.namespace, row.value.decode()

    async def reconcile(self, key: Key) -> float | None:
        """See the class."""
        if key[0] == _OWNER:
            await self._look_at_dependents(key[1], key[2])
        elif key[0] == _GOING:
            await self._proceed(key[1], key[2])
        else:
            await self._owner_of(key[1], key[2], reference(key[3].encode()))
        return None

    async def _dependents(self, cluster: str, uid: str) -> AsyncIterator[tuple[Owned, JsonObject]]:
        async for row in rows_under(self._store, owned_prefix(cluster, uid)):
            yield parse_owned(row.key), reference(row.value)

    async def _look_at_dependents(self, cluster: str, uid: str) -> None:
        """Collect all that can be; raise what stood in the way of the first that could not."""
        failure: ApiError | None = None
        async for owned, _ in self._dependents(cluster, uid):
            try:
                await self._collect(owned)
            except ApiError as error:  # say, a webhook's; the others need not wait for it
                failure = failure or error
        if failure is not None:
            raise failure

    async def _collect(self, owned: Owned) -> None:
        """
        Delete an object none of whose owners is left, or drop the references to those that are gone.

        Raises:
            Conflict: It changed each time before it could be deleted.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                await self._collect_once(owned)
                break
            except Conflict:
                if not tries_left:
                    raise

    async def _collect_once(self, owned: Owned) -> None:
        resource = await self._resource(owned)
        if resource is None:
            return
        try:
            obj = await self._registry.get(resource, owned.cluster, owned.namespace, owned.name)
        except NotFound:
            return
        if obj["metadata"].get("deletionTimestamp") and not _foreground(obj):
            return
        found = await self._sort(obj, owned.cluster)
        if found.unknown:
            return
        if found.present:
            drop = {one["uid"] for one in (*found.absent, *found.waiting)}
            if drop:
                await self._drop_references(resource, owned.cluster, obj, drop)
            return
        if not found.absent and not found.waiting:
            return
        policy = await self._policy(obj, owned.cluster, is_waited_for=bool(found.waiting))
        await self._delete(resource, owned.cluster, obj, policy)

    async def _policy(self, obj: JsonObject, cluster: str, *, is_waited_for: bool) -> str:
        finalizers = obj["metadata"].get("finalizers") or []
        if _ORPHAN_FINALIZER in finalizers:
            return ORPHAN
        if _FOREGROUND_FINALIZER in finalizers:
            return FOREGROUND
        if is_waited_for:
            async for _ in self._dependents(cluster, obj["metadata"]["uid"]):
                return FOREGROUND
        return BACKGROUND

    async def _delete(self, resource: Resource, cluster: str, obj: JsonObject, policy: str) -> None:
        """Delete the object as it was looked at: one that was let go of meanwhile must stay."""
        data = obj["metadata"]
        place, name, version = data.get("namespace", ""), data["name"], data["resourceVersion"]
        try:
            await self._registry.delete(
                resource, cluster, place, name, uid=data["uid"], version=version, propagation=policy
            )
        except NotFound:
            return

    async def _sort(self, obj: JsonObject, cluster: str) -> _Sorted:
        found = _Sorted()
        for one in owners(obj):
            resource = await self._kind(cluster, one)
            if resource is None:
                found.unknown.append(one)
                continue
            owner = await self._read_owner(resource, cluster, obj["metadata"].get("namespace", ""), one)
            if owner is None:
                found.absent.append(one)
            elif _foreground(owner) and one.get("blockOwnerDeletion"):
                found.waiting.append(one)
            else:
                found.present.append(one)
        return found

    async def _read_owner(self, resource: Resource, cluster: str, namespace: str, one: JsonObject) -> JsonObject | None:
        if resource.namespaced and not namespace:
            return None  # a cluster-scoped object cannot have an owner in a namespace
        try:
            owner = await self._registry.get(resource, cluster, namespace, one["name"])
        except NotFound:
            return None
        return owner if owner["metadata"]["uid"] == one["uid"] else None

    async def _kind(self, cluster: str, one: JsonObject) -> Resource | None:
        group, _, _ = one["apiVersion"].rpartition("/")
        for resource in await self._registry.parts.catalog.resources(cluster):
            if resource.group == group and resource.kind == one["kind"] and not resource.strategy.virtual:
                return resource
        return None

    async def _resource(self, owned: Owned) -> Resource | None:
        resource = await self._registry.parts.catalog.lookup(owned.cluster, owned.group, owned.plural)
        # A resource bound to another provider by now is another resource.
        return resource if resource is not None and resource.identity == owned.identity else None

    async def _drop_references(self, resource: Resource, cluster: str, obj: JsonObject, uids: set[str]) -> None:
        uid = obj["metadata"]["uid"]

        def without(present: JsonObject) -> JsonObject | None:
            if present["metadata"]["uid"] != uid:
                return None
            kept = [one for one in owners(present) if one["uid"] not in uids]
            present["metadata"]["ownerReferences"] = kept
            return present

        data = obj["metadata"]
        try:
            await self._registry.modify(resource, cluster, data.get("namespace", ""), data["name"], without)
        except NotFound:
            return

    async def _owner_of(self, cluster: str, namespace: str, one: JsonObject) -> None:
        resource = await self._kind(cluster, one)
        if resource is None:
            return
        owner = await self._read_owner(resource, cluster, namespace, one)
        if owner is not None:
            place = owner["metadata"].get("namespace", "")
            await self._proceed(cluster, keys.object_key(resource, cluster, place, one["name"]))

    async def _proceed(self, cluster: str, key: str) -> None:
        """Go on with an object that waits for its dependents: orphan or delete them, then let it go."""
        row = await self._store.get(key)
        if row is None or not _waits(row.value):
            return
        parsed = keys.parse_key(key)
        place = Owned(cluster, "", parsed.group, parsed.plural, parsed.identity, parsed.namespace, parsed.name)
        resource = await self._resource(place)
        if resource is None:
            return
        obj = await self._registry.get(resource, cluster, parsed.namespace, parsed.name)
        uid, finalizers = obj["metadata"]["uid"], obj["metadata"].get("finalizers") or []
        if not obj["metadata"].get("deletionTimestamp"):
            return
        if _ORPHAN_FINALIZER in finalizers:
            await self._orphan(cluster, uid)
            await self._release(resource, cluster, obj, _ORPHAN_FINALIZER)
        elif _FOREGROUND_FINALIZER in finalizers:
            await self._look_at_dependents(cluster, uid)
            if not await self._is_blocked(cluster, uid):
                await self._release(resource, cluster, obj, _FOREGROUND_FINALIZER)

    async def _is_blocked(self, cluster: str, uid: str) -> bool:
        async for _, one in self._dependents(cluster, uid):
            if one.get("blockOwnerDeletion"):
                return True
        return False

    async def _orphan(self, cluster: str, uid: str) -> None:
        async for owned, _ in self._dependents(cluster, uid):
            resource = await self._resource(owned)
            if resource is None:
                continue
            try:
                obj = await self._registry.get(resource, cluster, owned.namespace, owned.name)
            except NotFound:
                continue
            await self._drop_references(resource, cluster, obj, {uid})

    async def _release(self, resource: Resource, cluster: str, obj: JsonObject, finalizer: str) -> None:
        uid = obj["metadata"]["uid"]

        def without(present: JsonObject) -> JsonObject | None:
            data = present["metadata"]
            if data["uid"] != uid or finalizer not in (data.get("finalizers") or []):
                return None
            data["finalizers"] = [one for one in data["finalizers"] if one != finalizer]
            return present

        data = obj["metadata"]
        try:
            await self._registry.modify(resource, cluster, data.get("namespace", ""), data["name"], without)
        except NotFound:
            return


def _index_keys(event: Event) -> list[Key]:
    owned = parse_owned(event.key)
    if event.row is not None and event.previous is None:
        return [(_OWNER, owned.cluster, owned.owner)]
    if event.previous is not None:  # gone, or changed: it may block its owner no longer
        return [(_WAITING, owned.cluster, owned.namespace, event.previous.value.decode())]
    return []


def _waits(value: bytes) -> bool:
    """Tell from stored bytes whether an object may wait for its dependents; a decoded look follows."""
    has_finalizer = b'"foregroundDeletion"' in value or b'"orphan"' in value
    return has_finalizer and b'"deletionTimestamp"' in value


def _uid(row: Row | None) -> str:
    if row is None or row.value[4:13] != b'{"kind":"':
        return ""
    found = orjson.loads(memoryview(row.value)[4:])["metadata"].get("uid", "")
    return str(found)


def _foreground(obj: JsonObject) -> bool:
    data = obj["metadata"]
    return bool(data.get("deletionTimestamp")) and _FOREGROUND_FINALIZER in (data.get("finalizers") or [])
