"""Restores ``kube-root-ca.crt`` and the default ServiceAccount of a namespace when they are deleted or changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, Forbidden, NotFound
from fairlead_control_plane.admission.namespace_objects import DEFAULT_ACCOUNT, ROOT_CA, NamespaceObjects
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Event
from fairlead_control_plane.store.paging import rows_under


class RootCa:
    """Keys are (cluster, namespace)."""

    name = "rootca"

    def __init__(self, registry: Registry, namespaces: Resource, objects: NamespaceObjects) -> None:
        self._registry = registry
        self._namespaces = namespaces
        self._objects = objects
        self._maps = keys.range_prefix(objects.config_maps)
        self._accounts = keys.range_prefix(objects.service_accounts)
        self._places = keys.range_prefix(namespaces)

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at the two objects' changes, and at namespaces that came into being without them."""
        key = event.key
        if key.startswith(self._maps) and key.endswith(f"/{ROOT_CA}") and event.previous is not None:
            return [_place(key)]
        if key.startswith(self._accounts) and key.endswith(f"/{DEFAULT_ACCOUNT}") and event.row is None:
            return [_place(key)]
        if key.startswith(self._places) and event.previous is None:
            parsed = keys.parse_key(key)
            return [(parsed.cluster, parsed.name)]
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every namespace."""
        async for row in rows_under(self._registry.parts.store, self._places):
            parsed = keys.parse_key(row.key)
            yield parsed.cluster, parsed.name

    async def reconcile(self, key: Key) -> float | None:
        """Create what is missing, mend what was changed, unless the namespace is going."""
        cluster, namespace = key
        try:
            place = await self._registry.get(self._namespaces, cluster, "", namespace)
        except NotFound:
            return None
        if place["metadata"].get("deletionTimestamp"):
            return None
        objects = self._objects
        await self._ensure(objects.config_maps, cluster, objects.root_ca(cluster, namespace))
        await self._ensure(objects.service_accounts, cluster, objects.account(cluster, namespace))
        return None

    async def _ensure(self, resource: Resource, cluster: str, wanted: JsonObject) -> None:
        def mend(obj: JsonObject) -> JsonObject | None:
            if "data" not in wanted or obj.get("data") == wanted["data"]:
                return None
            return {**obj, "data": wanted["data"]}

        data = wanted["metadata"]
        try:
            await self._registry.modify(resource, cluster, data["namespace"], data["name"], mend)
        except NotFound:
            try:
                await self._registry.create(resource, cluster, wanted)
            except (AlreadyExists, Forbidden):
                return  # somebody was faster, or the namespace has begun to go


def _place(key: str) -> Key:
    parsed = keys.parse_key(key)
    return parsed.cluster, parsed.namespace
