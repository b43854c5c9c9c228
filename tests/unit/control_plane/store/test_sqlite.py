"""What is the SQLite store's own: its file, its lock, failing disks, restarts, compaction."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import looptime
import pytest

from fairlead_control_plane.store import compaction, writing
from fairlead_control_plane.store.compaction import Schedule, sweep
from fairlead_control_plane.store.contract import Compacted, Delete, Event, Locked, Put, Unavailable
from fairlead_control_plane.store.database import APPLICATION_ID, Unusable
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_machinery import failpoints
from tests.unit.control_plane.store.contract_suite import ALL, events_of

QUIET = SqliteSettings(history_s=0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "store.db", QUIET)
    yield store
    await store.close()


@pytest.fixture
def disarm() -> Iterator[None]:
    yield
    failpoints.arm("")


async def test_second_server_is_refused_by_name(tmp_path: Path, store: SqliteStore) -> None:
    """The lock names the process that holds it, and goes with the store."""
    with pytest.raises(Locked, match=f"process {os.getpid()}"):
        await SqliteStore.open(tmp_path / "store.db")
    await store.close()
    again = await SqliteStore.open(tmp_path / "store.db")
    await again.close()


async def test_files_are_private(tmp_path: Path) -> None:
    """Secrets are in there: 0700 for a directory we make, 0600 for every file, whatever the umask."""
    store = await SqliteStore.open(tmp_path / "data" / "store.db")
    await store.commit([Put("/a", b"1")])

    def modes() -> dict[str, int]:
        folder = tmp_path / "data"
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}

    found = await asyncio.to_thread(modes)
    assert found.pop("data") == 0o700
    assert len(found) == 4
    assert set(found.values()) == {0o600}
    await store.close()


async def test_file_is_set_up_for_durability(store: SqliteStore) -> None:
    """Each acknowledged write has been through an fsync, and only the writer's own thread checkpoints."""
    connection = store._database.connection
    asked = {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "cache_spill": 0, "temp_store": 2}
    assert {name: connection.execute(f"PRAGMA {name}").get for name in asked} == asked


@pytest.mark.usefixtures("store")
async def test_commit_thread_is_not_starved() -> None:
    """A busy loop must hand over the interpreter's lock; see SWITCH_INTERVAL_S for what happens else."""
    assert sys.getswitchinterval() <= writing.SWITCH_INTERVAL_S


async def test_restart_keeps_rows_and_revision(tmp_path: Path, store: SqliteStore) -> None:
    """Revisions go on where they ended, and the past can still be watched."""
    start = store.revision
    first = await store.commit([Put("/a", b"1")])
    second = await store.commit([Put("/a", b"2"), Put("/b", b"2")])
    await store.close()
    again = await SqliteStore.open(tmp_path / "store.db", QUIET)
    assert again.revision == second
    assert [event.revision for event in await events_of(again, 3, start)] == [first, second, second]
    assert await again.commit([Put("/a", b"3")]) == second + 1
    await again.close()


async def test_restart_right_after_compaction(tmp_path: Path, store: SqliteStore) -> None:
    """The compacted revision is remembered; a store that ends with a deletion does not go back in revisions."""
    first = await store.commit([Put("/a", b"1")])
    second = await store.commit([Delete("/a")])
    await store.compact(second)
    await store.close()
    again = await SqliteStore.open(tmp_path / "store.db", QUIET)
    assert again.revision == second
    with pytest.raises(Compacted):
        await again.get("/a", revision=first)
    with pytest.raises(Compacted):
        await events_of(again, 1, first)
    third = await again.commit([Put("/b", b"")])
    assert third == second + 1
    await again.compact(third)
    rows = again._database.connection.execute("SELECT key FROM history").fetchall()
    assert rows == [("/b",)]
    await again.close()


async def test_half_swept_compaction_goes_on_after_restart(tmp_path: Path, store: SqliteStore) -> None:
    """A crash between two slices leaves rows behind, which the next process removes by itself."""
    for i in range(3 * compaction.SLICE_ROWS):
        await store.commit([Put("/a", b"%d" % i)])
    revision = store.revision
    await store._writer.maintain(lambda connection: assert_unfinished(sweep(connection, revision)))
    assert history_rows(store) > compaction.SLICE_ROWS
    await store.close()
    again = await SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(Compacted):
        await again.get("/a", revision=revision - 1)
    async with asyncio.timeout(5):
        while history_rows(again) > 1:  # noqa: ASYNC110 - the store tells nobody of its own compactions
            await asyncio.sleep(0)
    row = await again.get("/a")
    assert row is not None
    assert row.mod_revision == revision
    await again.close()


def assert_unfinished(is_finished: bool) -> None:
    assert not is_finished


def history_rows(store: SqliteStore) -> int:
    return int(store._database.connection.execute("SELECT count(*) FROM history").get)


async def test_damaged_file_is_refused(tmp_path: Path, store: SqliteStore) -> None:
    """Pages overwritten by something else are found at the start, and the message says what to do."""
    await store.commit([Put(f"/{i}", b"x" * 4_000) for i in range(50)])
    await store.close()

    def damage() -> None:
        with (tmp_path / "store.db").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096 * 4)

    await asyncio.to_thread(damage)
    with pytest.raises(Unusable, match="damaged: restore it"):
        await SqliteStore.open(tmp_path / "store.db")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("CREATE TABLE t (x)", "another program"),
        ("PRAGMA application_id=77", "another program"),
        (f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=99", "start the newer release"),
    ],
)
async def test_foreign_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Another program's database, or a newer release's, stays as it is."""
    path = tmp_path / "store.db"

    def make() -> bytes:
        connection = apsw.Connection(str(path))
        connection.execute(content)
        connection.close()
        return path.read_bytes()

    before = await asyncio.to_thread(make)
    with pytest.raises(Unusable, match=message):
        await SqliteStore.open(path)
    assert await asyncio.to_thread(path.read_bytes) == before


async def test_text_file_is_refused(tmp_path: Path) -> None:
    """Something that is no database at all."""
    path = tmp_path / "store.db"
    await asyncio.to_thread(path.write_text, "no database, but long enough to have a header " * 10)
    with pytest.raises(Unusable, match="damaged"):
        await SqliteStore.open(path)


async def test_full_disk_stops_writes_only(store: SqliteStore) -> None:
    """Writes say why and that nothing happened; reads and watches go on; it recovers by itself."""
    revision = await store.commit([Put("/a", b"1")])
    watching = asyncio.create_task(events_of(store, 2, revision - 1))
    connection = store._database.connection
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').get}")
    for _ in range(2):
        with pytest.raises(Unavailable, match="the disk is full; nothing was written"):
            await store.commit([Put(f"/{i}", b"x" * 10_000) for i in range(10)])
    assert (await store.range(*ALL)).revision == revision
    assert store.revision == revision
    connection.execute("PRAGMA max_page_count=1000000")
    assert await store.commit([Put("/b", b"2")]) == revision + 1
    assert [event.key for event in await watching] == ["/a", "/b"]


@pytest.mark.usefixtures("disarm")
@pytest.mark.parametrize("point", ["before-begin", "after-begin", "before-insert", "after-insert", "before-commit"])
async def test_failure_before_the_commit_writes_nothing(store: SqliteStore, point: str) -> None:
    """Everybody in the batch hears of it, nobody's write is there, and the next batch works."""
    revision = store.revision
    failpoints.arm(f"{point}=error")
    outcomes = await asyncio.gather(*(store.commit([Put(f"/{i}", b"")]) for i in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert await store.commit([Put("/a", b"")]) == revision + 1
    assert [row.key for row in (await store.range(*ALL)).rows] == ["/a"]


@pytest.mark.usefixtures("disarm")
async def test_failed_commit_that_took_effect_is_told_to_watchers_only(store: SqliteStore) -> None:
    """The writer hears that the outcome is unknown; caches and watches hear what is on disk."""
    revision = store.revision
    heard: list[int] = []
    store.listen(lambda _events, at: heard.append(at))
    failpoints.arm("after-commit=error")
    with pytest.raises(Unavailable, match="unknown"):
        await store.commit([Put("/a", b"1")])
    assert heard == [revision + 1] == [store.revision]
    assert await store.get("/a") is not None
    assert await store.commit([Put("/a", b"2")]) == revision + 2
    events = await events_of(store, 2, revision)
    assert [event.revision for event in events] == [revision + 1, revision + 2]


async def test_stalled_disk_does_not_stop_reads(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a commit waits for the disk, reads answer with what listeners know, and watches start."""
    revision = await store.commit([Put("/a", b"1")])
    disk = threading.Event()
    commit = store._writer._commit
    monkeypatch.setattr(store._writer, "_commit", lambda: (disk.wait(10), commit()))
    writing_now = asyncio.create_task(store.commit([Put("/a", b"2")]))
    queued = asyncio.create_task(store.commit([Put("/b", b"3")]))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        row = await store.get("/a")
        assert row is not None
        assert (row.value, store.revision) == (b"1", revision)
        assert len((await store.range(*ALL, limit=1_000)).rows) == 1
        assert await store.count(*ALL) == 1
        assert len(await events_of(store, 1, revision - 1)) == 1
    assert not writing_now.done()
    disk.set()
    assert (await writing_now, await queued) == (revision + 1, revision + 2)


async def test_reads_are_never_ahead_of_listeners(store: SqliteStore) -> None:
    """A row that a read returns was told before: at each transaction the newest readable row is its own."""
    readable: list[tuple[int, int]] = []

    def listener(_events: object, revision: int) -> None:
        newest = store._reader.execute("SELECT max(id) >> 7 FROM history").get
        readable.append((revision, newest))

    store.listen(listener)
    await asyncio.gather(*(store.commit([Put("/a", b"")]) for _ in range(20)))
    assert len(readable) == 20
    assert all(newest >= revision for revision, newest in readable)
    assert readable[-1][0] == readable[-1][1]


async def test_watch_reads_history_that_the_ring_forgot(tmp_path: Path) -> None:
    """Complete and in order over both, while writes go on."""
    settings = SqliteSettings(history_s=0, limits=FeedLimits(ring_events=50))
    store = await SqliteStore.open(tmp_path / "store.db", settings)
    start = store.revision
    await asyncio.gather(*(store.commit([Put(f"/{i % 7}", b"%d" % i), Put(f"/{i % 7}/x", b"")]) for i in range(400)))
    seen: list[Event] = []
    async with asyncio.timeout(10):
        async for batch in store.watch(*ALL, after=start):
            if not seen:
                await asyncio.gather(*(store.commit([Put("/late", b"%d" % i)]) for i in range(100)))
            seen.extend(batch)
            if len(seen) >= 900:
                break
    assert [event.revision for event in seen] == [
        r for i in range(500) for r in [start + 1 + i] * (2 if i < 400 else 1)
    ]
    previous: dict[str, int] = {}
    for event in seen:
        assert (event.previous.mod_revision if event.previous else None) == previous.get(event.key)
        previous[event.key] = event.revision
    await store.close()


async def test_slow_watcher_is_ended(tmp_path: Path) -> None:
    """It hears that it was too slow; nobody waits for it, and others are not harmed."""
    store = await SqliteStore.open(tmp_path / "store.db", SqliteSettings(limits=FeedLimits(pending_events=10)))
    slow = store._feed.subscribe(*ALL, after=store.revision)
    quick = store._feed.subscribe("/b/", "/b0", after=store.revision)
    for _ in range(11):
        await store.commit([Put("/a", b"")])
    await store.commit([Put("/b/x", b"")])
    with pytest.raises(Unavailable, match="watcher too slow"):
        await slow.take()
    assert len(await quick.take() or ()) == 1
    await store.close()


async def test_wal_stays_small(tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an idle moment too: writers make room once the bound is reached."""
    monkeypatch.setattr(writing, "CHECKPOINT_PAGES_AT_MOST", 200)
    for _ in range(100):
        await asyncio.gather(*(store.commit([Put(f"/{i}", b"x" * 4_000)]) for i in range(10)))
    size = (await asyncio.to_thread((tmp_path / "store.db-wal").stat)).st_size
    assert size < 8 * 200 * 4_096


def test_schedule_keeps_history_for_its_time() -> None:
    """The revision of ``history_s`` ago is due, never a newer one."""
    schedule = Schedule(history_s=300, history_bytes=1 << 30)
    due = [schedule.due(now_s=60.0 * i, revision=10 + i, written_bytes=0) for i in range(8)]
    assert due == [0, 0, 0, 0, 0, 10, 11, 12]


def test_schedule_gives_up_time_for_size() -> None:
    """When more was written than history may hold, younger history goes."""
    schedule = Schedule(history_s=300, history_bytes=1_000)
    assert schedule.due(0, 1, 0) == 0
    assert schedule.due(30, 2, 600) == 0
    assert schedule.due(60, 3, 1_200) == 1
    assert schedule.due(90, 4, 1_700) == 2


def test_history_is_compacted_as_time_goes() -> None:
    """After five minutes of virtual time what was superseded is gone, what was not stays."""

    async def live() -> None:
        store = await SqliteStore.open(":memory:")
        first = await store.commit([Put("/a", b"1")])
        await store.commit([Put("/a", b"2")])
        await asyncio.sleep(200)
        assert await store.get("/a", revision=first) is not None
        await asyncio.sleep(200)
        with pytest.raises(Compacted):
            await store.get("/a", revision=first)
        assert history_rows(store) == 1
        await store.close()

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(live())


@pytest.mark.usefixtures("disarm")
def test_failed_compaction_is_retried() -> None:
    """A disk that fails once delays it by seconds, no more."""

    async def live() -> None:
        store = await SqliteStore.open(":memory:")
        first = await store.commit([Put("/a", b"1")])
        await store.commit([Put("/a", b"2")])
        await asyncio.sleep(250)
        failpoints.arm("after-insert=error")
        await asyncio.sleep(200)
        assert history_rows(store) == 1
        with pytest.raises(Compacted):
            await store.get("/a", revision=first)
        await store.close()

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(live())
