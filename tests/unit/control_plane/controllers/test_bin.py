"""A bin is emptied by age, by size, and with its workspace; nothing else goes."""

from __future__ import annotations

from datetime import UTC, datetime

from fairlead_control_plane.controllers.bin import BinKeeper
from fairlead_control_plane.store.contract import Delete, Event, Put, Row, prefix_end
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.views import bin as bins

_T0 = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_WORKSPACE = "/core.kcp.io/logicalclusters/-/ws/-/cluster"


async def _put(store: SqliteStore, name: str, at_s: float, part: str = bins.OBJECT) -> None:
    at = datetime.fromtimestamp(_T0 + at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    place = bins.Place("ws", "default", "", "configmaps", "", name, f"uid-{name}", part)
    value = await bins.encode(bins.Note(at, "ann", "Deleted"), {"name": name})
    await store.commit([Put(bins.row_key(place), value)])


async def _names(store: SqliteStore) -> list[str]:
    found = await store.range(bins.PREFIX, prefix_end(bins.PREFIX))
    return sorted(f"{bins.place_of(row.key).name}/{bins.place_of(row.key).part}" for row in found.rows)


async def _store() -> SqliteStore:
    store = await SqliteStore.open(":memory:")
    await store.commit([Put(_WORKSPACE, b"{}")])
    return store


async def test_by_age() -> None:
    """What is past its time goes, and the next look is when the next one's is."""
    store = await _store()
    now_s = [_T0]
    keeper = BinKeeper(store, lambda: now_s[0], retention_s=100.0)
    await _put(store, "old", 0)
    await _put(store, "new", 60)
    assert await keeper.reconcile(("ws",)) == 100.0
    now_s[0] += 101
    assert await keeper.reconcile(("ws",)) == 59.0
    assert await _names(store) == ["new/object"]
    now_s[0] += 60
    assert await keeper.reconcile(("ws",)) is None
    assert await _names(store) == []
    await store.close()


async def test_by_size() -> None:
    """What clusters had goes first, then the oldest."""
    store = await _store()
    for number in range(4):
        await _put(store, f"o{number}", number)
    await _put(store, "o9", 9, "target")
    size = max(len(row.value) for row in (await store.range(bins.PREFIX, prefix_end(bins.PREFIX))).rows)
    keeper = BinKeeper(store, lambda: _T0 + 10, retention_s=100.0, most_bytes=3 * size)
    await keeper.reconcile(("ws",))
    assert await _names(store) == ["o1/object", "o2/object", "o3/object"]
    await store.close()


async def test_with_its_workspace() -> None:
    """A workspace that is gone leaves nothing."""
    store = await _store()
    await _put(store, "a", 0)
    keeper = BinKeeper(store, lambda: _T0, retention_s=100.0)
    gone = Event(9, _WORKSPACE, None, Row(_WORKSPACE, b"{}", 1, 1))
    assert list(keeper.keys(gone)) == [("ws",)]
    await store.commit([Delete(_WORKSPACE)])
    assert await keeper.reconcile(("ws",)) is None
    assert await _names(store) == []
    await store.close()


async def test_a_burst_is_counted_a_few_times() -> None:
    """Looking again at once is put off, whatever comes."""
    store = await _store()
    await _put(store, "a", 0)
    keeper = BinKeeper(store, lambda: _T0, retention_s=100.0)
    await keeper.reconcile(("ws",))
    assert await keeper.reconcile(("ws",)) == 10.0
    assert [key async for key in keeper.all_keys()] == [("ws",)]
    await store.close()
