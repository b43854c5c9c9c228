"""
Namespace deletion: empty it, say what is left, let it go.

Pods go first, so that what they write on their way out finds its place; but what only shows a cluster's Pod goes last
and at once, as that Pod ends by the end of what it belongs to, and its cluster may be away for days. A namespace is let
go only when one pass found nothing in it; nothing can be created in it meanwhile (``registry.committing`` ties creates
to their namespace, ``http.upsync`` does so for Pods that are shown).

Source: k8s.io/kubernetes pkg/controller/namespace/deletion/{namespaced_resources_deleter,status_condition_utils}.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, NotFound
from fairlead_control_plane.controllers.conditions import set_condition
from fairlead_control_plane.controllers.departed import ORIGIN
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Event, Row
from fairlead_control_plane.store.paging import rows_under

_LOOK_AGAIN_S = 5.0
_FINALIZER = "kubernetes"


@dataclass(slots=True)
class _Left:
    """What a pass found and could not remove: objects by resource, finalizers by name, errors."""

    objects: dict[str, int] = field(default_factory=dict)
    finalizers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Namespaces:
    """Keys are (cluster, namespace)."""

    name = "namespaces"

    def __init__(self, registry: Registry, namespaces: Resource) -> None:
        self._registry = registry
        self._store = registry.parts.store
        self._namespaces = namespaces
        self._prefix = keys.range_prefix(namespaces)
        self._emptying: set[Key] = set()

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at namespaces that are being deleted, and again when something in them goes."""
        if event.key.startswith(self._prefix):
            return [_place(event.row)] if event.row is not None and _is_going(event.row.value) else []
        if event.row is None and self._emptying and event.key.count("/") == 6:
            parsed = keys.parse_key(event.key)
            place = (parsed.cluster, parsed.namespace)
            return [place] if place in self._emptying else []
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield the namespaces that are being deleted."""
        async for row in rows_under(self._store, self._prefix):
            if _is_going(row.value):
                yield _place(row)

    async def reconcile(self, key: Key) -> float | None:
        """Empty one namespace as far as it goes."""
        cluster, name = key
        try:
            place = await self._registry.get(self._namespaces, cluster, "", name)
        except NotFound:
            self._emptying.discard(key)
            return None
        if not place["metadata"].get("deletionTimestamp") or not (place.get("spec") or {}).get("finalizers"):
            self._emptying.discard(key)
            return None
        self._emptying.add(key)
        left = await self._empty(cluster, name)
        if left.objects or left.errors:
            await self._report(cluster, name, left)
            return _LOOK_AGAIN_S
        await self._let_go(cluster, name)
        self._emptying.discard(key)
        return None

    async def _empty(self, cluster: str, namespace: str) -> _Left:
        left = _Left()
        resources = [one for one in await self._registry.parts.catalog.resources(cluster) if _has_objects(one)]
        # Pods first; while one is left, what it may still write to stays.
        pods = [one for one in resources if one.plural == "pods" and not one.group]
        for resource in pods:
            await self._empty_resource(resource, cluster, namespace, left)
        if left.objects:
            return left
        for resource in resources:
            if resource not in pods:
                await self._empty_resource(resource, cluster, namespace, left)
        for resource in pods:
            await self._empty_resource(resource, cluster, namespace, left, shown=True)
        return left

    async def _empty_resource(
        self, resource: Resource, cluster: str, namespace: str, left: _Left, *, shown: bool = False
    ) -> None:
        """Delete the objects of a kind; those that only show a cluster's if ``shown``, else all others."""
        async for row in rows_under(self._store, keys.range_prefix(resource, cluster, namespace)):
            if _is_shown(row) == shown:
                await self._delete(resource, cluster, row, left, 0 if shown else None)

    async def _delete(self, resource: Resource, cluster: str, row: Row, left: _Left, grace_s: int | None) -> None:
        parsed = keys.parse_key(row.key)
        try:
            rest = await self._registry.delete(resource, cluster, parsed.namespace, parsed.name, grace_s=grace_s)
        except NotFound:
            return
        except ApiError as error:
            left.errors.append(f"failed to delete {resource.name}, err: {error.message}")
            return
        if rest is None:
            return
        left.objects[resource.name] = left.objects.get(resource.name, 0) + 1
        for finalizer in rest["metadata"].get("finalizers") or ():
            left.finalizers[finalizer] = left.finalizers.get(finalizer, 0) + 1

    async def _report(self, cluster: str, name: str, left: _Left) -> None:
        timestamp = self._registry.parts.timestamp()

        def change(obj: JsonObject) -> JsonObject | None:
            if not obj["metadata"].get("deletionTimestamp"):
                return None
            changes = [set_condition(obj, condition, timestamp) for condition in _conditions(left)]
            return obj if any(changes) else None

        await self._registry.modify(self._namespaces, cluster, "", name, change, subresource="status")

    async def _let_go(self, cluster: str, name: str) -> None:
        def change(obj: JsonObject) -> JsonObject | None:
            if not obj["metadata"].get("deletionTimestamp"):
                return None
            finalizers = [one for one in (obj.get("spec") or {}).get("finalizers") or [] if one != _FINALIZER]
            obj["spec"] = {"finalizers": finalizers}
            return obj

        try:
            await self._registry.modify(self._namespaces, cluster, "", name, change, subresource="finalize")
        except NotFound:
            return


def _has_objects(resource: Resource) -> bool:
    # An alias (events.k8s.io) shows another resource's objects.
    return resource.namespaced and not resource.strategy.virtual and not resource.stored_as


def _is_going(value: bytes) -> bool:
    return b'"deletionTimestamp"' in value


def _is_shown(row: Row) -> bool:
    mark = f'"{ORIGIN}"'.encode()
    return mark in row.value and ORIGIN in (encoding.decode(row)["metadata"].get("labels") or {})


def _place(row: Row) -> Key:
    parsed = keys.parse_key(row.key)
    return parsed.cluster, parsed.name


def _conditions(left: _Left) -> list[JsonObject]:
    objects = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(left.objects.items()))
    holders = sorted(left.finalizers.items())
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in holders)
    errors = "; ".join(left.errors)
    return [
        _condition(
            "NamespaceDeletionDiscoveryFailure", "", "ResourcesDiscovered", "All resources successfully discovered"
        ),
        _condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            "",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        _condition(
            "NamespaceDeletionContentFailure",
            f"Failed to delete all resource types, {len(left.errors)} remaining: {errors}" if errors else "",
            "ContentDeletionFailed" if errors else "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        _condition(
            "NamespaceContentRemaining",
            f"Some resources are remaining: {objects}" if objects else "",
            "SomeResourcesRemain" if objects else "ContentRemoved",
            "All content successfully removed",
        ),
        _condition(
            "NamespaceFinalizersRemaining",
            f"Some content in the namespace has finalizers remaining: {finalizers}" if finalizers else "",
            "SomeFinalizersRemain" if finalizers else "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]


def _condition(kind: str, problem: str, reason: str, good: str) -> JsonObject:
    """Return a condition that is True when there is a problem, False with the good news otherwise."""
    return {"type": kind, "status": "True" if problem else "False", "reason": reason, "message": problem or good}
