"""
What a SyncTarget leaves behind when it is deleted: its rows and the Pods it showed.

With the SyncTarget gone nobody can confirm anything any more; whether its cluster was cleaned first is the business of
``cluster remove``, which says what is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Row, Store, prefix_end
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.targets import TargetIndex

ORIGIN = "internal.workload.kcp.io/origin"
"""Label on an upsynced object: uid of the SyncTarget it came from, fixed at creation."""
_SLICE = 90

Namespace = tuple[str, str]
"""Logical cluster and namespace."""


async def departed(store: Store, targets: TargetIndex) -> list[str]:
    """Return the uids that have rows but no SyncTarget, one point read each."""
    found: list[str] = []
    start, end = rows.PREFIX, prefix_end(rows.PREFIX)
    while True:
        page = await store.range(start, end, limit=1)
        if not page.rows:
            return found
        uid, _ = rows.split_key(page.rows[0].key)
        if targets.get(uid) is None:
            found.append(uid)
        start = prefix_end(rows.target_prefix(uid))


async def purge(store: Store, catalog: Catalog, uid: str, drop: Callable[[Row], Awaitable[None]]) -> set[Namespace]:
    """
    Drop all rows of a target, and the Pods it showed; return which namespaces it had.

    Args:
        drop: Drops one row and lets the status users see follow.

    Raises:
        CompareFailed, Conflict: Something changed meanwhile; what is left is done at the next call.
    """
    prefix = rows.target_prefix(uid)
    found: set[Namespace] = set()
    while True:
        page = await store.range(prefix, prefix_end(prefix), limit=_SLICE)
        if not page.rows:
            return found
        for row in page.rows:
            key = keys.parse_key(rows.split_key(row.key)[1])
            namespace = (key.cluster, key.namespace or key.name)
            if namespace not in found:
                found.add(namespace)
                pods = await catalog.lookup(key.cluster, "", "pods")
                if pods is not None:
                    await hide_pods(store, pods, uid, *namespace)
            await drop(row)


async def hide_pods(store: Store, pods: Resource, uid: str, cluster: str, namespace: str) -> int:
    """Delete the Pods a target showed in a namespace; return how many."""
    prefix = keys.range_prefix(pods, cluster, namespace)
    count = 0
    for row in (await store.range(prefix, prefix_end(prefix))).rows:
        labels = encoding.decode(row)["metadata"].get("labels") or {}
        if labels.get(ORIGIN) == uid:
            try:
                await store.commit([Delete(row.key)], [Compare(row.key, row.mod_revision)])
                count += 1
            except CompareFailed:
                continue  # gone or changed by its own agent's last word; the next look decides
    return count
