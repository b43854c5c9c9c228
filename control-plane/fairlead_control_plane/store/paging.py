"""Going through many rows without holding them all."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fairlead_control_plane.store.contract import Row, Store, prefix_end

_PAGE = 500


async def rows_under(store: Store, prefix: str, *, page: int = _PAGE) -> AsyncIterator[Row]:
    """
    Yield the rows whose keys begin with a prefix, in order, a page at a time.

    Each page is read when it is reached: what is written meanwhile behind the place reached is seen, before it not.
    """
    start, end = prefix, prefix_end(prefix)
    while True:
        found = await store.range(start, end, limit=page)
        for row in found.rows:
            yield row
        if not found.more:
            return
        start = found.rows[-1].key + "\0"
