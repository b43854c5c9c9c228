"""Going through rows a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead_control_plane.store.contract import Delete, Put
from fairlead_control_plane.store.paging import rows_under
from fairlead_control_plane.store.sqlite import SqliteStore


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    """An empty store in memory."""
    made = await SqliteStore.open(":memory:")
    yield made
    await made.close()


@pytest.mark.parametrize("page", [1, 2, 3, 100])
async def test_every_row_of_the_prefix_is_seen_once(store: SqliteStore, page: int) -> None:
    """Neighbours of the prefix are not; the size of the page changes nothing."""
    keys = ["/a/", "/a/1", "/a/2", "/a/20", "/a/3", "/a0", "/b/1"]
    await store.commit([Put(key, b"x") for key in keys])
    assert [row.key async for row in rows_under(store, "/a/", page=page)] == ["/a/", "/a/1", "/a/2", "/a/20", "/a/3"]


async def test_what_is_deleted_on_the_way_is_no_obstacle(store: SqliteStore) -> None:
    """Controllers delete what they meet."""
    await store.commit([Put(f"/a/{index}", b"x") for index in range(5)])
    seen = []
    async for row in rows_under(store, "/a/", page=2):
        seen.append(row.key)
        await store.commit([Delete(row.key)])
    assert len(seen) == 5
