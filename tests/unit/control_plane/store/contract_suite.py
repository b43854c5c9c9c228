"""The behaviour every store must show; each implementation runs it by inheriting and giving a ``store`` fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from fairlead_control_plane.store.contract import (
    MAX_OPERATIONS,
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    Event,
    FutureRevision,
    Put,
    Reached,
    Store,
    Unavailable,
    prefix_end,
)
from fairlead_control_plane.store.feed import FeedLimits

ALL = ("/", "0")


async def events_of(store: Store, count: int, after: int, start: str = "/", end: str = "0") -> list[Event]:
    """Watch until ``count`` events have come; return them."""
    events: list[Event] = []
    async with asyncio.timeout(10), aclosing(_generator(store, after, start, end)) as batches:
        async for batch in batches:
            events.extend(batch)
            if len(events) >= count:
                break
    return events


class StoreContract:
    """Tests of the contract."""

    @pytest.fixture
    def limits(self) -> FeedLimits:
        """What the process under test may remember of the past; each ``store`` fixture opens with it."""
        return FeedLimits()

    async def test_empty_store_has_a_revision(self, store: Store) -> None:
        """Revision 0 means "now" to callers, so no store may be at 0."""
        assert store.revision >= 1
        assert await store.current_revision() == store.revision

    async def test_transaction_writes_all_keys_under_one_revision(self, store: Store) -> None:
        """Keys written together share create and mod revision, one above the last."""
        before = store.revision
        revision = await store.commit([Put("/a", b"1"), Put("/b", b"2")])
        assert revision == before + 1 == store.revision
        for key, value in (("/a", b"1"), ("/b", b"2")):
            row = await store.get(key)
            assert row is not None
            assert (row.value, row.create_revision, row.mod_revision) == (value, revision, revision)

    async def test_missing_key_reads_as_none(self, store: Store) -> None:
        """A key never written is no error."""
        assert await store.get("/missing") is None

    async def test_update_keeps_create_revision(self, store: Store) -> None:
        """Only deletion starts a new life of a key."""
        first = await store.commit([Put("/a", b"1")])
        second = await store.commit([Put("/a", b"2")])
        row = await store.get("/a")
        assert row is not None
        assert (row.create_revision, row.mod_revision) == (first, second)
        await store.commit([Delete("/a")])
        third = await store.commit([Put("/a", b"3")])
        row = await store.get("/a")
        assert row is not None
        assert (row.create_revision, row.mod_revision) == (third, third)

    @pytest.mark.parametrize("value", [b"", b"\x00\xff\n", b"x" * 1_000_000])
    async def test_values_are_bytes(self, store: Store, value: bytes) -> None:
        """Any bytes come back as they were, the empty value included."""
        await store.commit([Put("/a", value)])
        row = await store.get("/a")
        assert row is not None
        assert row.value == value

    async def test_create_only_refuses_existing_key(self, store: Store) -> None:
        """Compare with 0 holds for a missing key only, and the error shows what is there."""
        revision = await store.commit([Put("/a", b"1")], [Compare("/a", 0)])
        with pytest.raises(CompareFailed) as caught:
            await store.commit([Put("/a", b"2"), Put("/b", b"2")], [Compare("/a", 0), Compare("/b", 0)])
        assert set(caught.value.rows) == {"/a", "/b"}
        row = caught.value.rows["/a"]
        assert row is not None
        assert (row.value, row.mod_revision) == (b"1", revision)
        assert caught.value.rows["/b"] is None
        assert await store.get("/b") is None
        assert store.revision == revision

    async def test_compare_with_revision(self, store: Store) -> None:
        """An update passes with the revision read and fails with an older one."""
        first = await store.commit([Put("/a", b"1")])
        second = await store.commit([Put("/a", b"2")], [Compare("/a", first)])
        with pytest.raises(CompareFailed):
            await store.commit([Delete("/a")], [Compare("/a", first)])
        assert await store.commit([Delete("/a")], [Compare("/a", second)]) == second + 1

    async def test_one_of_many_creators_wins(self, store: Store) -> None:
        """Transactions that wait together are still one after the other."""
        outcomes = await asyncio.gather(
            *(store.commit([Put("/a", b"%d" % i)], [Compare("/a", 0)]) for i in range(20)), return_exceptions=True
        )
        assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, CompareFailed) for outcome in outcomes) == 19

    async def test_concurrent_commits_get_revisions_of_their_own(self, store: Store) -> None:
        """Sharing an fsync is not sharing a revision."""
        before = store.revision
        revisions = await asyncio.gather(*(store.commit([Put(f"/{i}", b"")]) for i in range(50)))
        assert sorted(revisions) == list(range(before + 1, before + 51))
        assert store.revision == before + 50

    async def test_deleting_a_missing_key_costs_no_revision(self, store: Store) -> None:
        """Nothing changed, so nothing is told."""
        revision = await store.commit([Put("/a", b"1")])
        assert await store.commit([Delete("/missing")]) == revision
        assert await store.current_revision() == revision

    @pytest.mark.parametrize("count", [0, MAX_OPERATIONS + 1])
    async def test_size_of_a_transaction_is_bounded(self, store: Store, count: int) -> None:
        """None at all and too many are refused."""
        with pytest.raises(ValueError, match="transaction"):
            await store.commit([Put(f"/{i}", b"") for i in range(count)])

    async def test_largest_transaction(self, store: Store) -> None:
        """The bound itself is allowed, and arrives whole."""
        before = store.revision
        revision = await store.commit([Put(f"/{i:03}", b"v") for i in range(MAX_OPERATIONS)])
        assert revision == before + 1
        assert await store.count(*ALL) == MAX_OPERATIONS

    async def test_repeated_key_is_refused(self, store: Store) -> None:
        """A key has one outcome in a transaction."""
        with pytest.raises(ValueError, match="one operation"):
            await store.commit([Put("/a", b"1"), Delete("/a")])

    @pytest.mark.parametrize("key", ["", "/a\0b", "/\ud800"])
    async def test_impossible_keys_are_refused(self, store: Store, key: str) -> None:
        """Before they can spoil others' transactions."""
        with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError words it its own way
            await store.commit([Put(key, b"1")])

    async def test_reads_at_a_revision(self, store: Store) -> None:
        """The past stays readable: before creation, each value, after deletion."""
        before = await store.commit([Put("/other", b"")])
        first = await store.commit([Put("/a", b"1")])
        second = await store.commit([Put("/a", b"2")])
        third = await store.commit([Delete("/a")])
        expected = {before: None, first: b"1", second: b"2", third: None}
        for revision, value in expected.items():
            row = await store.get("/a", revision=revision)
            assert (row.value if row else None) == value
            found = await store.range("/a", "/b", revision=revision)
            assert [row.value for row in found.rows] == ([] if value is None else [value])
            assert found.revision == revision

    async def test_future_revision_is_refused(self, store: Store) -> None:
        """What has not happened cannot be read."""
        with pytest.raises(FutureRevision):
            await store.get("/a", revision=store.revision + 1_000_000)
        with pytest.raises(FutureRevision):
            await store.range(*ALL, revision=store.revision + 1_000_000)

    async def test_range_is_ordered_by_bytes(self, store: Store) -> None:
        """UTF-8 order, which is neither locale order nor UTF-16 order."""
        keys = ["/A", "/a", "/a-b", "/a/", "/é", "/\uffee", "/\U0001f600"]
        await store.commit([Put(key, key.encode()) for key in reversed(keys)])
        found = await store.range("/", "/\U0010ffff")
        assert [row.key for row in found.rows] == keys
        assert not found.more

    async def test_range_excludes_neighbours(self, store: Store) -> None:
        """The range of ``/a/`` holds neither ``/a-b/`` nor ``/a`` nor ``/a0``."""
        await store.commit([Put(key, b"") for key in ("/a", "/a-b/x", "/a/x", "/a/y", "/a0", "/b/x")])
        found = await store.range("/a/", prefix_end("/a/"))
        assert [row.key for row in found.rows] == ["/a/x", "/a/y"]
        assert await store.count("/a/", prefix_end("/a/")) == 2

    async def test_paging_shows_one_snapshot(self, store: Store) -> None:
        """Writes between pages are not seen, and what remains is counted."""
        await store.commit([Put(f"/{i}", b"old") for i in range(7)])
        page = await store.range(*ALL, limit=3)
        assert ([row.key for row in page.rows], page.more, page.remaining) == (["/0", "/1", "/2"], True, 4)
        await store.commit([Put("/4", b"new"), Delete("/5"), Put("/55", b"new")])
        second = await store.range("/2\0", "0", limit=3, revision=page.revision)
        assert ([row.key for row in second.rows], second.more, second.remaining) == (["/3", "/4", "/5"], True, 1)
        assert {row.value for row in second.rows} == {b"old"}
        last = await store.range("/5\0", "0", limit=3, revision=page.revision)
        assert ([row.key for row in last.rows], last.more, last.remaining) == (["/6"], False, 0)
        assert {page.revision, second.revision, last.revision} == {page.revision}

    async def test_limit_that_fits_exactly_has_no_more(self, store: Store) -> None:
        """``more`` is about rows, not about the limit having been reached."""
        await store.commit([Put("/a", b""), Put("/b", b"")])
        found = await store.range(*ALL, limit=2)
        assert (len(found.rows), found.more, found.remaining) == (2, False, 0)

    async def test_large_range_is_complete(self, store: Store) -> None:
        """Thousands of rows come back in one answer, in order, also as of the past."""
        for begin in range(0, 3_000, MAX_OPERATIONS):
            await store.commit([Put(f"/{i:05}", b"x" * 100) for i in range(begin, begin + MAX_OPERATIONS)])
        then = store.revision
        await store.commit([Delete("/00000")])
        found = await store.range(*ALL)
        assert [row.key for row in found.rows] == [f"/{i:05}" for i in range(1, 3_000)]
        assert len((await store.range(*ALL, revision=then)).rows) == 3_000
        page = await store.range(*ALL, limit=1_000)
        assert (len(page.rows), page.more, page.remaining) == (1_000, True, 1_999)

    async def test_watch_replays_the_past_and_goes_on(self, store: Store) -> None:
        """From any revision to the present without gap or repetition, rows before and after included."""
        start = store.revision
        first = await store.commit([Put("/a", b"1")])
        second = await store.commit([Put("/a", b"2")])
        watching = asyncio.create_task(events_of(store, 4, start))
        third = await store.commit([Delete("/a")])
        fourth = await store.commit([Put("/a", b"4")])
        events = await watching
        assert [event.revision for event in events] == [first, second, third, fourth]
        values = [(e.previous and e.previous.value, e.row and e.row.value) for e in events]
        assert values == [(None, b"1"), (b"1", b"2"), (b"2", None), (None, b"4")]
        new = events[1].row
        assert new is not None
        assert (new.create_revision, new.mod_revision) == (first, second)
        assert [event.revision for event in await events_of(store, 2, second)] == [third, fourth]

    async def test_watch_sees_only_its_range(self, store: Store) -> None:
        """Prefixes and single keys, but no neighbours."""
        start = store.revision
        await store.commit([Put(key, b"") for key in ("/a-b/x", "/a/x", "/a/x/y", "/b")])
        await store.commit([Put("/a/x", b"2")])
        assert [e.key for e in await events_of(store, 3, start, "/a/", "/a0")] == ["/a/x", "/a/x/y", "/a/x"]
        assert [e.key for e in await events_of(store, 2, start, "/a/x", "/a/x\0")] == ["/a/x", "/a/x"]

    async def test_live_watches_see_only_their_ranges(self, store: Store) -> None:
        """As above, for changes that come while watching."""
        start = store.revision
        prefix = asyncio.create_task(events_of(store, 3, start, "/a/", "/a0"))
        single = asyncio.create_task(events_of(store, 2, start, "/a/x", "/a/x\0"))
        everything = asyncio.create_task(events_of(store, 5, start, "/", "0"))
        await asyncio.sleep(0)
        await store.commit([Put(key, b"") for key in ("/a-b/x", "/a/x", "/a/x/y", "/b")])
        await store.commit([Put("/a/x", b"2")])
        assert [event.key for event in await prefix] == ["/a/x", "/a/x/y", "/a/x"]
        assert [event.key for event in await single] == ["/a/x", "/a/x"]
        assert sorted({event.key for event in await everything}) == ["/a-b/x", "/a/x", "/a/x/y", "/b"]

    async def test_watch_never_splits_a_transaction(self, store: Store) -> None:
        """All events of a revision come in one batch."""
        start = store.revision
        for _ in range(20):
            await store.commit([Put(f"/{i}", b"x" * 100) for i in range(MAX_OPERATIONS)])
        last = 0
        seen = 0
        async with aclosing(_generator(store, start)) as batches:
            async for batch in batches:
                revisions = [event.revision for event in batch]
                if revisions:
                    assert min(revisions) > last
                    last = max(revisions)
                seen += len(revisions)
                if seen == 20 * MAX_OPERATIONS:
                    break
        assert last == store.revision

    @pytest.mark.parametrize("limits", [FeedLimits(), FeedLimits(ring_events=1)])
    @pytest.mark.usefixtures("limits")
    async def test_watch_says_when_all_history_is_told(self, store: Store) -> None:
        """Also when there was nothing to tell, and when more has happened since than the process remembers."""
        start = await store.commit([Put("/quiet/a", b"1")])
        second = await store.commit([Put("/busy/a", b"1")])
        third = await store.commit([Put("/busy/a", b"2")])
        for prefix, told in (("/quiet/", []), ("/busy/", [second, third])):
            revisions: list[int] = []
            async with asyncio.timeout(10), aclosing(_generator(store, start, prefix, prefix_end(prefix))) as batches:
                async for batch in batches:
                    revisions += [event.revision for event in batch]
                    if isinstance(batch, Reached):
                        assert batch.revision >= third
                        assert revisions == told
                        break
                await store.commit([Put("/other", b"")])
                last = await store.commit([Put(prefix + "a", b"3")])
                async for batch in batches:
                    if batch:
                        assert [event.revision for event in batch] == [last]
                        break

    async def test_watch_from_the_future_waits(self, store: Store) -> None:
        """A watch after a revision that has not happened tells nothing up to it."""
        later = store.revision + 2
        watching = asyncio.create_task(events_of(store, 1, later))
        await asyncio.sleep(0)
        for i in range(3):
            await store.commit([Put("/a", b"%d" % i)])
        assert [event.revision for event in await watching] == [later + 1]

    async def test_listeners_hear_before_the_writer(self, store: Store) -> None:
        """In order, each transaction once, the revision already visible; none after removal."""
        heard: list[tuple[int, int, list[str]]] = []
        remove = store.listen(lambda events, at: heard.append((at, store.revision, [e.key for e in events])))
        revision = await store.commit([Put("/b", b""), Put("/a", b"")])
        assert heard == [(revision, revision, ["/b", "/a"])]
        revisions = await asyncio.gather(*(store.commit([Put(f"/{i}", b"")]) for i in range(10)))
        assert [one[0] for one in heard[1:]] == sorted(revisions)
        remove()
        remove()
        await store.commit([Put("/c", b"")])
        assert len(heard) == 11

    async def test_compaction_keeps_the_present(self, store: Store) -> None:
        """Live rows stay as they were; the compacted revision can be read, those before it not."""
        first = await store.commit([Put("/a", b"1"), Put("/gone", b"1")])
        await store.commit([Put("/a", b"2")])
        third = await store.commit([Delete("/gone")])
        await store.compact(third)
        with pytest.raises(Compacted):
            await store.get("/a", revision=first)
        with pytest.raises(Compacted):
            await store.range(*ALL, revision=first)
        row = await store.get("/a")
        assert row is not None
        assert (row.value, row.create_revision) == (b"2", first)
        assert [row.key for row in (await store.range(*ALL, revision=third)).rows] == ["/a"]
        fourth = await store.commit([Put("/a", b"4")])
        assert fourth == third + 1
        assert [row.value for row in (await store.range(*ALL, revision=third)).rows] == [b"2"]
        with pytest.raises(FutureRevision):
            await store.compact(fourth + 1_000_000)

    async def test_watch_from_before_a_compaction_has_no_hole(self, store: Store) -> None:
        """It fails with Compacted on the first step or tells everything; from the compaction on it works."""
        start = store.revision
        revisions = [await store.commit([Put("/a", b"%d" % i)]) for i in range(3)]
        await store.compact(revisions[1])
        try:
            events = await events_of(store, 3, start)
        except Compacted:
            pass
        else:
            assert [event.revision for event in events] == revisions
        events = await events_of(store, 1, revisions[1])
        assert [event.revision for event in events] == revisions[2:]
        assert events[0].previous is not None
        assert events[0].previous.value == b"1"

    async def test_cancelled_commit_harms_nobody(self, store: Store) -> None:
        """Those who wait in the same batch are written, and the store goes on."""
        cancelled = asyncio.create_task(store.commit([Put("/a", b"1")]))
        others = [asyncio.create_task(store.commit([Put(f"/{i}", b"")])) for i in range(5)]
        await asyncio.sleep(0)
        cancelled.cancel()
        assert len({await other for other in others}) == 5
        assert await store.commit([Put("/b", b"")]) == store.revision

    async def test_close_ends_watches_and_refuses_calls(self, store: Store) -> None:
        """A watch ends without an error, a call with Unavailable; closing again does nothing."""
        start = store.revision

        async def watch() -> list[Event]:
            return [event async for batch in store.watch(*ALL, after=start) for event in batch]

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        await store.commit([Put("/a", b"1")])
        await store.close()
        async with asyncio.timeout(10):
            assert [event.key for event in await watching] == ["/a"]
        with pytest.raises(Unavailable):
            await store.commit([Put("/a", b"2")])
        with pytest.raises(Unavailable):
            await store.get("/a")
        await store.close()


async def _generator(
    store: Store, after: int, start: str = "/", end: str = "0"
) -> AsyncGenerator[Sequence[Event], None]:
    async for batch in store.watch(start, end, after=after):
        yield batch
