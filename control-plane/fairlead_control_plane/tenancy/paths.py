"""
Which logical cluster a path or name means.

``/paths/<path>`` rows are written and removed with their logical cluster. A workspace made anew under an old path gets
a new logical cluster, so whoever kept the name never reaches the new one's data.

Source: kcp-core 1.1, 1.9.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from fairlead_api import JsonObject, names
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import object_key
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.sharing.rows import CachedRows
from fairlead_control_plane.store.contract import Row, Store

LOGICAL_CLUSTER_NAME = "cluster"
TYPE_ANNOTATION = "internal.tenancy.kcp.io/type"
REQUIRED_GROUPS_ANNOTATION = "authorization.kcp.io/required-groups"
INACTIVE_ANNOTATION = "core.kcp.io/inactive"
_PATHS = "/paths/"


def path_key(path: str) -> str:
    """Return the key of a path's row."""
    return _PATHS + path


def path_value(cluster: str) -> bytes:
    """Return the value of a path's row."""
    return orjson.dumps({"cluster": cluster})


@dataclass(frozen=True, slots=True)
class LogicalCluster:
    """
    What requests need to know of a logical cluster; kept small, for many are kept.

    Attributes:
        path: Canonical path, the name itself when it has none.
        type: ``<path>:<name>`` of its WorkspaceType, ``""`` for none.
        phase: ``status.phase``.
        required_groups: The annotation, ``""`` for none.
        revision: Of its row.
    """

    name: str
    path: str
    type: str
    phase: str
    revision: int
    required_groups: str = ""
    is_deleting: bool = False
    is_inactive: bool = False


class Tenancy:
    """
    Resolves paths and knows logical clusters, both through bounded caches that are never stale to a writer.

    Args:
        store: Where rows are.
        logical_clusters: The record of ``logicalclusters.core.kcp.io``.
        size: Most paths and most logical clusters kept.
    """

    def __init__(self, store: Store, logical_clusters: Resource, *, size: int = 8192) -> None:
        self._kind = logical_clusters
        self._paths = CachedRows(store, _target, size=size)
        self._clusters = CachedRows(store, _facts, size=size)

    async def resolve(self, path: str) -> str | None:
        """
        Return the name of the logical cluster that ``path`` means, None when there is none.

        Args:
            path: A path (``root:org:team``), a name, a path below a name (``<name>:team``), or a home
                (``user:<name>``, ``user:<name>:team``). Never ``*``. Text that is no path has no logical cluster.
        """
        if not names.valid_path(path):
            return None
        if path == names.ROOT:
            # Root is there before its own rows are: its types and exports are what it is made from.
            return path
        first, *rest = names.split(path)
        if not rest and not first.startswith("user:"):
            return first if await self.logical_cluster(first) is not None else None
        found = await self._paths.get(path_key(path))
        if found is None and rest and ":" not in first:
            above = await self.logical_cluster(first)
            if above is not None and above.path != first:
                found = await self._paths.get(path_key(names.join(above.path, *rest)))
        return found

    async def logical_cluster(self, name: str) -> LogicalCluster | None:
        """Return what is known of the logical cluster of that name, None when there is none."""
        return await self._clusters.get(object_key(self._kind, name, "", LOGICAL_CLUSTER_NAME))

    async def path_of(self, name: str) -> str:
        """Return the canonical path of a logical cluster; its name when it has none or is gone."""
        found = await self.logical_cluster(name)
        return found.path if found is not None else name

    async def is_going(self, name: str) -> bool:
        """Tell whether a logical cluster is being deleted or gone: then nothing in it is protected any more."""
        found = await self.logical_cluster(name)
        return found is None or found.is_deleting


def _target(row: Row) -> str:
    cluster: str = orjson.loads(row.value)["cluster"]
    return cluster


def _facts(row: Row) -> LogicalCluster:
    obj: JsonObject = encoding.decode(row)
    name = row.key.split("/")[4]
    annotations = obj["metadata"].get("annotations") or {}
    return LogicalCluster(
        name=name,
        path=annotations.get(names.PATH_ANNOTATION, name),
        type=annotations.get(TYPE_ANNOTATION, ""),
        phase=(obj.get("status") or {}).get("phase", ""),
        revision=row.mod_revision,
        required_groups=annotations.get(REQUIRED_GROUPS_ANNOTATION, ""),
        is_deleting="deletionTimestamp" in obj["metadata"],
        is_inactive=annotations.get(INACTIVE_ANNOTATION) == "true",
    )
