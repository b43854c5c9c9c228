"""A bounded cache of parsed rows that is never stale to the writer that changed one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from fairlead_control_plane.store.contract import Event, Row, Store

T = TypeVar("T")


class CachedRows(Generic[T]):
    """
    Parsed rows by key, the least recently used forgotten first. Absence is not cached: it costs one point read.

    Args:
        store: Read on a miss; its listener drops what changes before the writer hears of its write.
        parse: Makes the value that is kept; keep it small, and treat it as read-only.
        size: Most rows kept.
    """

    def __init__(self, store: Store, parse: Callable[[Row], T], *, size: int) -> None:
        self._store = store
        self._parse = parse
        self._size = size
        self._rows: OrderedDict[str, T] = OrderedDict()
        # Keys being read; a change meanwhile removes the mark, and what was read is then answered but not kept.
        self._reading: dict[str, object] = {}
        self.close = store.listen(self._heard)

    async def get(self, key: str) -> T | None:
        """Return the parsed row, or None when there is none."""
        kept = self._rows.get(key)
        if kept is not None:
            self._rows.move_to_end(key)
            return kept
        mark = self._reading[key] = object()
        try:
            row = await self._store.get(key)
        finally:
            current = self._reading.get(key) is mark
            if current:
                del self._reading[key]
        if row is None:
            return None
        value = self._parse(row)
        if current:
            self._rows[key] = value
            if len(self._rows) > self._size:
                self._rows.popitem(last=False)
        return value

    def _heard(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            self._rows.pop(event.key, None)
            self._reading.pop(event.key, None)
