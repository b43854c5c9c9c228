"""
What a SyncTarget leaves behind when it is deleted: its rows and the Pods it showed.

With the SyncTarget gone nobody can confirm anything any more; whether its cluster was cleaned first is the business of
``cluster remove``, which says what is left.
"""

from __future__ import annotations

from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Store, prefix_end
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.targets import TargetIndex

_SLICE = 90


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


async def purge(store: Store, uid: str) -> int:
    """Drop all rows of a target; return how many there were."""
    prefix = rows.target_prefix(uid)
    count = 0
    while True:
        page = await store.range(prefix, prefix_end(prefix), limit=_SLICE)
        if not page.rows:
            return count
        await store.commit([Delete(row.key) for row in page.rows])
        count += len(page.rows)


async def hide_pods(store: Store, pods: Resource, uid: str, origin_label: str) -> int:
    """Delete the Pods a target showed in any workspace; return how many."""
    prefix = keys.range_prefix(pods)
    count = 0
    for row in (await store.range(prefix, prefix_end(prefix))).rows:
        labels = encoding.decode(row)["metadata"].get("labels") or {}
        if labels.get(origin_label) == uid:
            try:
                await store.commit([Delete(row.key)], [Compare(row.key, row.mod_revision)])
                count += 1
            except CompareFailed:
                continue  # gone or changed by its own agent's last word; the next look decides
    return count
