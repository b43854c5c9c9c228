"""What a store tells of its size."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fairlead_control_plane.store.contract import Put
from fairlead_control_plane.store.sizing import DEFAULT_QUOTA_BYTES, Size, Sized, of_files, of_status
from fairlead_control_plane.store.sqlite import SqliteStore


async def test_sqlite_counts_its_log_and_knows_its_disk(tmp_path: Path) -> None:
    """The write-ahead log takes room, too; of the disk what is root's alone is not counted."""
    store = await SqliteStore.open(tmp_path / "a.db")
    try:
        assert isinstance(store, Sized)
        before = await store.size()
        await store.commit([Put("/a/b", b"x" * 200_000)])
        after = await store.size()
    finally:
        await store.close()
    assert after.used >= before.used + 200_000
    assert (after.quota, 0 < after.free < after.disk) == (0, True)


def test_root_reserve_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``df`` counts: of 100 blocks 10 are reserved, 30 used, 60 free for the server."""
    told = SimpleNamespace(f_frsize=1000, f_blocks=100, f_bfree=70, f_bavail=60)
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    assert of_files(tmp_path / "a.db") == Size(0, disk=90_000, free=60_000)


async def test_a_store_in_memory_has_no_disk() -> None:
    """Nothing is told of it."""
    store = await SqliteStore.open(":memory:")
    assert await store.size() == Size(0)
    await store.close()


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


@pytest.mark.parametrize("quota", [1, 127, 128, DEFAULT_QUOTA_BYTES, 2**62])
@pytest.mark.parametrize("other", [b"", bytes([12 << 3]) * 3, b"x" * 300])
def test_the_quota_is_found_among_other_fields(quota: int, other: bytes) -> None:
    """A field that the definitions do not have, of etcd 3.6; what another field holds is not read as fields."""
    text = _varint(2 << 3 | 2) + _varint(len(other)) + other
    before = text + _varint(3 << 3) + _varint(7) + _varint(4 << 3 | 1) + bytes(8) + _varint(5 << 3 | 5) + bytes(4)

    def answer(raw: bytes) -> SimpleNamespace:
        return SimpleNamespace(dbSize=7, SerializeToString=lambda: raw)

    assert of_status(answer(before + _varint(12 << 3) + _varint(quota))) == Size(7, quota=quota)
    assert of_status(answer(before)) == Size(7, quota=DEFAULT_QUOTA_BYTES)
