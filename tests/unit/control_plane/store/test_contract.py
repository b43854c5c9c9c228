"""The contract on SQLite: in memory, in a file, and through the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.serving import serve_store
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from tests.unit.control_plane.store.contract_suite import StoreContract


class TestMemory(StoreContract):
    """SQLite in memory."""

    @pytest.fixture
    async def store(self, limits: FeedLimits) -> AsyncIterator[Store]:
        store = await SqliteStore.open(":memory:", SqliteSettings(limits=limits))
        yield store
        await store.close()


class TestFile(StoreContract):
    """SQLite in a file."""

    @pytest.fixture
    async def store(self, tmp_path: Path, limits: FeedLimits) -> AsyncIterator[Store]:
        store = await SqliteStore.open(tmp_path / "store.db", SqliteSettings(limits=limits))
        yield store
        await store.close()


class TestRemote(StoreContract):
    """SQLite behind its socket."""

    @pytest.fixture
    async def store(self, tmp_path: Path, limits: FeedLimits) -> AsyncIterator[Store]:
        owner = await SqliteStore.open(tmp_path / "store.db")
        async with serve_store(owner, tmp_path / "socket"):
            store = await RemoteStore.open(tmp_path / "socket", limits)
            yield store
            await store.close()
        await owner.close()
