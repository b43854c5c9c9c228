"""
Empties the bins: what is past its time, what is too much for one workspace, what belonged to a workspace that is gone.

Only rows are looked at, and of them only the line that says what happened. Nothing is done in a workspace in which
nothing was deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds.keys import NONE
from fairlead_control_plane.store.contract import Delete, Event, Store, prefix_end
from fairlead_control_plane.views import bin as bins

RETENTION_S = 72 * 3600.0
"""How long what is deleted is kept, unless the administrator says otherwise."""
WORKSPACE_BYTES = 32 << 20
"""How much is kept for one workspace; what clusters had goes first, then the oldest."""
_SLICE = 90
_PAUSE_S = 10.0
"""Least time between two looks at one bin: a burst of deletions is counted a few times."""
_WORKSPACES = f"/core.kcp.io/logicalclusters/{NONE}/"


class _Kept(NamedTuple):
    """One row: sorted, what may go first comes first."""

    is_object: bool
    at_s: float
    key: str
    size: int


class BinKeeper:
    """
    Keys are (cluster,); see :class:`fairlead_control_plane.controllers.runner.Controller`.

    Args:
        now_s: Returns the time in seconds since 1970.
        retention_s: How long a row is kept.
        most_bytes: How much one workspace's rows may hold together.
    """

    name = "bin"

    def __init__(
        self,
        store: Store,
        now_s: Callable[[], float],
        *,
        retention_s: float = RETENTION_S,
        most_bytes: int = WORKSPACE_BYTES,
    ) -> None:
        self._store = store
        self._now_s = now_s
        self._retention_s = retention_s
        self._most_bytes = most_bytes
        self._looked_s: dict[str, float] = {}

    def keys(self, event: Event) -> Iterable[Key]:
        """Look where something was put in, and where a workspace went."""
        if event.key.startswith(bins.PREFIX):
            return [] if event.row is None else [(event.key.split("/", 3)[2],)]
        if event.row is None and event.key.startswith(_WORKSPACES):
            return [(event.key.removeprefix(_WORKSPACES).split("/", 1)[0],)]
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every workspace that has a bin, one point read each."""
        start, end = bins.PREFIX, prefix_end(bins.PREFIX)
        while (page := await self._store.range(start, end, limit=1)).rows:
            cluster = page.rows[0].key.split("/", 3)[2]
            yield (cluster,)
            start = prefix_end(bins.prefix(cluster))

    async def reconcile(self, key: Key) -> float | None:
        """Drop what has to go from one bin; return when the next row's time is over."""
        [cluster] = key
        now_s = self._now_s()
        wait_s = self._looked_s.get(cluster, 0.0) + _PAUSE_S - now_s
        if 0 < wait_s <= _PAUSE_S:
            return wait_s
        rows = await self._rows(cluster)
        if await self._store.get(f"{_WORKSPACES}{cluster}/{NONE}/cluster") is None:
            await self._drop(rows)
            rows = []
        else:
            rows = await self._tidy(rows, now_s)
        if not rows:
            self._looked_s.pop(cluster, None)
            return None
        self._looked_s[cluster] = now_s
        oldest_s = min(row.at_s for row in rows)
        return max(oldest_s + self._retention_s - now_s, _PAUSE_S)

    async def _rows(self, cluster: str) -> list[_Kept]:
        prefix = bins.prefix(cluster)
        start, found = prefix, []
        while True:
            page = await self._store.range(start, prefix_end(prefix), limit=_SLICE)
            for row in page.rows:
                is_object = bins.place_of(row.key).part in {bins.OBJECT, bins.ASKED}
                at_s = datetime.fromisoformat(bins.note_of(row).at).timestamp()
                found.append(_Kept(is_object, at_s, row.key, len(row.value)))
            if not page.more:
                return found
            start = page.rows[-1].key + "\0"

    async def _tidy(self, rows: Sequence[_Kept], now_s: float) -> list[_Kept]:
        left = sorted(row for row in rows if row.at_s + self._retention_s > now_s)
        size = sum(row.size for row in left)
        first = 0
        while size > self._most_bytes:
            size -= left[first].size
            first += 1
        left = left[first:]
        stays = {row.key for row in left}
        await self._drop([row for row in rows if row.key not in stays])
        return left

    async def _drop(self, rows: Sequence[_Kept]) -> None:
        for start in range(0, len(rows), _SLICE):
            await self._store.commit([Delete(row.key) for row in rows[start : start + _SLICE]])
