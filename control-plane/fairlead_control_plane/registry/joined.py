"""
The items of whole lists as they were last served, so that a list that is asked for again is not joined again.

Which rows they were made of is told by the sequence itself: a store gives out the same one until a row in it changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from fairlead_control_plane.store.contract import Row

LIMIT_BYTES = 16 << 20

_ENTRY_BYTES = 500
"""What an entry costs beside its items; those of an empty list are kept too."""


class JoinedItems:
    """Joined items by prefix and form; those not asked for the longest go when there are too many bytes."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[object, tuple[Sequence[Row], bytes]] = OrderedDict()
        self.size = 0

    def get(self, key: object, rows: Sequence[Row]) -> bytes | None:
        """Return the items made of these very rows, None when they are not there."""
        found = self._kept.get(key)
        if found is None or found[0] is not rows:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def keep(self, key: object, rows: Sequence[Row], items: bytes) -> None:
        """Keep items in place of older ones of the same key."""
        if len(items) > self._limit // 4:
            return
        old = self._kept.pop(key, None)
        if old is not None:
            self.size -= len(old[1]) + _ENTRY_BYTES
        self._kept[key] = (rows, items)
        self.size += len(items) + _ENTRY_BYTES
        while self.size > self._limit:
            _, (_, gone) = self._kept.popitem(last=False)
            self.size -= len(gone) + _ENTRY_BYTES
