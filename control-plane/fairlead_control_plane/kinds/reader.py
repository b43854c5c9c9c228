"""Typed reading and writing of objects for the rooms below the registry (tenancy, sharing, authorization, views)."""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Delete, Put, Store, prefix_end


class ObjectReader:
    """Reads decoded objects straight from the store; no cache, no admission, no authorization."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, resource: Resource, cluster: str, namespace: str, name: str) -> JsonObject | None:
        """Return the object with its resourceVersion, or None."""
        row = await self._store.get(keys.object_key(resource, cluster, namespace, name))
        return None if row is None else encoding.decode(row)

    async def list(self, resource: Resource, cluster: str = "", namespace: str = "") -> list[JsonObject]:
        """Return all objects of a resource: everywhere, of one cluster, or of one namespace in it."""
        prefix = keys.range_prefix(resource, cluster, namespace)
        found = await self._store.range(prefix, prefix_end(prefix))
        return [encoding.decode(row) for row in found.rows]


def put(resource: Resource, cluster: str, obj: JsonObject) -> Put:
    """Return the operation that writes a complete object (metadata filled in) into a cluster."""
    metadata = obj["metadata"]
    return Put(
        keys.object_key(resource, cluster, metadata.get("namespace", ""), metadata["name"]),
        encoding.encode(obj),
    )


def delete(resource: Resource, cluster: str, namespace: str, name: str) -> Delete:
    """Return the operation that removes an object."""
    return Delete(keys.object_key(resource, cluster, namespace, name))
