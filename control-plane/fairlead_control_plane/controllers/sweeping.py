"""Deleting all objects of a kind, and saying what is left. Shared by what empties bindings and workspaces."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict, NotFound
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry


async def delete_all(registry: Registry, kind: Resource, cluster: str) -> int:
    """Delete all objects of a resource in a logical cluster; return how many are left, waiting for their finalizers."""
    items, _ = await registry.list(kind, cluster)
    return sum([await _stays(registry, kind, cluster, item) for item in items])


async def _stays(registry: Registry, kind: Resource, cluster: str, item: JsonObject) -> bool:
    metadata = item["metadata"]
    if "deletionTimestamp" in metadata:
        return True
    place = metadata.get("namespace", "")
    try:
        return await registry.delete(kind, cluster, place, metadata["name"], uid=metadata["uid"]) is not None
    except NotFound:
        return False
    except Conflict:
        return True


def remaining(left: Mapping[str, int]) -> str:
    """Return what holds a deletion, in Kubernetes' words: ``{"pods": 2}`` names two pods."""
    counted = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(left.items()))
    return f"Some resources are remaining: {counted}"
