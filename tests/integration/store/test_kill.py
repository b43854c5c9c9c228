"""A store process killed at random and at each failpoint while clients write: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead_control_plane.store.contract import Event, Put, Unavailable
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_machinery import failpoints
from tests.integration.store.store_process import StoreProcess
from tests.unit.control_plane.store.contract_suite import ALL, events_of

pytestmark = pytest.mark.integration

RANDOM_KILLS = 200
WRITERS = 6


class Workload:
    """Writers that put one number under two keys in each transaction, and remember what was acknowledged."""

    def __init__(self, store: RemoteStore) -> None:
        self.store = store
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.asked = [0] * WRITERS
        self.told: list[int] = []
        self.seen: list[Event] = []
        self.begin = store.revision
        self._progress = asyncio.Event()
        store.listen(lambda _events, revision: self.told.append(revision))

    async def write(self, writer: int) -> None:
        """Write for ever; after an Unavailable go on with the next number as soon as the store is back."""
        while True:
            number = self.asked[writer] = self.asked[writer] + 1
            value = b"%d" % number
            try:
                revision = await self.store.commit([Put(f"/{writer}/left", value), Put(f"/{writer}/right", value)])
            except Unavailable:
                await asyncio.sleep(0.002)
            else:
                self.acknowledged[revision] = (writer, number)
                self._progress.set()

    async def watch(self) -> None:
        """Watch for ever, from the last revision seen."""
        while True:
            after = self.seen[-1].revision if self.seen else self.begin
            try:
                async for batch in self.store.watch(*ALL, after=after):
                    self.seen.extend(batch)
            except Unavailable:
                await asyncio.sleep(0.002)

    async def progress(self) -> None:
        """Wait for the next acknowledgement."""
        self._progress.clear()
        async with asyncio.timeout(10):
            await self._progress.wait()


async def kill_again_and_again(process: StoreProcess, workload: Workload) -> None:
    """Kill at random moments, then at each failpoint, each at its first hit and after some."""
    chance = random.Random(3)
    for _ in range(RANDOM_KILLS):
        await workload.progress()
        await asyncio.sleep(chance.uniform(0, 0.03))
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)
    await asyncio.to_thread(process.kill)
    for name in sorted(failpoints.STORE):
        for hit in (1, 5, 12):
            await asyncio.to_thread(process.start, f"{name}=kill@{hit}")
            assert await asyncio.to_thread(process.join) == -signal.SIGKILL
    await asyncio.to_thread(process.start)
    await workload.progress()


@pytest.mark.timeout(60)
async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Every acknowledged write is there, none is half done, revisions grow, feed and watch have no gap."""
    process = StoreProcess(tmp_path)
    process.start()
    store = await process.connect()
    workload = Workload(store)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(workload.write(i)) for i in range(WRITERS)]
        running.append(tasks.create_task(workload.watch()))
        await kill_again_and_again(process, workload)
        for task in running:
            task.cancel()
    await store.close()
    assert await asyncio.to_thread(process.stop) == 0
    assert len(workload.acknowledged) > RANDOM_KILLS
    await check(tmp_path, workload)


async def check(folder: Path, workload: Workload) -> None:
    """Compare what the file holds with what writers, listener and watch were told."""
    store = await SqliteStore.open(folder / "store.db", SqliteSettings(history_s=0))
    begin, newest = workload.begin, store.revision
    history = await events_of(store, 2 * (newest - begin), begin)
    await store.close()
    written: dict[int, tuple[int, int]] = {}
    for left, right in zip(history[::2], history[1::2], strict=True):
        assert left.row is not None
        assert right.row is not None
        assert left.revision == right.revision
        assert left.row.value == right.row.value
        writer = int(left.key.split("/")[1])
        assert [left.key, right.key] == [f"/{writer}/left", f"/{writer}/right"]
        written[left.revision] = (writer, int(left.row.value))
    assert list(written) == list(range(begin + 1, newest + 1))
    assert workload.acknowledged.items() <= written.items()
    assert len(set(written.values())) == len(written), "a write happened twice"
    assert workload.told == list(range(begin + 1, workload.told[-1] + 1))
    assert workload.seen == history[: len(workload.seen)]
    assert len(workload.seen) > len(workload.acknowledged)


def test_failpoint_is_armed_by_the_environment(tmp_path: Path) -> None:
    """As an operator's or a larger test's process would be."""
    program = (
        "import asyncio, sys\n"
        "from fairlead_control_plane.store.contract import Put\n"
        "from fairlead_control_plane.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = await SqliteStore.open(sys.argv[1])\n"
        "    await store.commit([Put('/a', b'1')])\n"
        "asyncio.run(main())\n"
    )
    path = str(tmp_path / "store.db")
    environment = {**os.environ, "FAIRLEAD_FAILPOINTS": "after-commit=kill"}
    ended = subprocess.run([sys.executable, "-c", program, path], env=environment, timeout=20, check=False)
    assert ended.returncode == -signal.SIGKILL

    async def read() -> bytes | None:
        store = await SqliteStore.open(path)
        row = await store.get("/a")
        await store.close()
        return row.value if row else None

    assert asyncio.run(read()) == b"1"
