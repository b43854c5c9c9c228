"""The contract with the client in another process than the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.store.feed import FeedLimits
from tests.integration.store.store_process import StoreProcess
from tests.unit.control_plane.store.contract_suite import StoreContract

pytestmark = pytest.mark.integration


class TestProcess(StoreContract):
    """SQLite in a process of its own."""

    @pytest.fixture
    async def store(self, tmp_path: Path, limits: FeedLimits) -> AsyncIterator[Store]:
        process = StoreProcess(tmp_path)
        process.start()
        store = await process.connect(limits)
        yield store
        await store.close()
        assert process.stop() == 0
