"""The SQLite store against a dictionary of snapshots, through any sequence of calls and restarts."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    Event,
    Operation,
    Put,
    Row,
    prefix_end,
)
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from tests.unit.control_plane.store.contract_suite import ALL

T = TypeVar("T")

KEYS = ["/a", "/a-b/x", "/a/", "/a/x", "/a/x/y", "/a0", "/b/é", "/b/\U0001f600"]
RANGES = [
    ALL,
    ("/a/", prefix_end("/a/")),
    ("/a/x", "/a/x\0"),
    ("/a-", "/b/z"),
    ("/b/", prefix_end("/b/")),
    ("/b", "/a"),
]
SETTINGS = SqliteSettings(history_s=0, limits=FeedLimits(ring_events=6))


class StoreMachine(RuleBasedStateMachine):
    """``snapshots[revision]`` holds every key of the store as of that revision."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.db"
        self.store = self.run(SqliteStore.open(self.path, SETTINGS))
        self.newest = self.store.revision
        self.compacted = 0
        self.snapshots: dict[int, dict[str, Row]] = {self.newest: {}}
        self.events: list[Event] = []
        self.heard: list[Event] = []
        self.store.listen(lambda events, _: self.heard.extend(events))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one call of the store, with a bound on its time."""
        return self.runner.run(asyncio.wait_for(work, 10))

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    @initialize()
    def start(self) -> None:
        assert self.newest == 1

    def apply(self, operations: list[Operation]) -> None:
        """Do to the model what the store must have done."""
        before = self.snapshots[self.newest]
        after = dict(before)
        events = []
        for operation in operations:
            previous = before.get(operation.key)
            row = None
            if isinstance(operation, Put):
                created = previous.create_revision if previous else self.newest + 1
                row = after[operation.key] = Row(operation.key, operation.value, created, self.newest + 1)
            elif previous is None:
                continue
            else:
                del after[operation.key]
            events.append(Event(self.newest + 1, operation.key, row, previous))
        if events:
            self.newest += 1
            self.snapshots[self.newest] = after
            self.events.extend(events)

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        keys = data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
        operations: list[Operation] = [
            Delete(key) if data.draw(st.booleans()) else Put(key, data.draw(st.binary(max_size=8))) for key in keys
        ]
        now = self.snapshots[self.newest]
        compares = [
            Compare(key, data.draw(st.sampled_from([0, self.newest, now[key].mod_revision if key in now else 0])))
            for key in data.draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))
        ]
        holds = all((now[c.key].mod_revision if c.key in now else 0) == c.mod_revision for c in compares)
        if holds:
            self.apply(operations)
            assert self.run(self.store.commit(operations, compares)) == self.newest
            return
        with pytest.raises(CompareFailed) as caught:
            self.run(self.store.commit(operations, compares))
        assert caught.value.rows == {compare.key: now.get(compare.key) for compare in compares}

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=2, max_size=6))
    def commit_together(self, keys: list[str]) -> None:
        """Several writers in one batch; each is its own transaction, in the order of the calls."""

        async def commit_all() -> list[int]:
            return await asyncio.gather(*(self.store.commit([Put(key, b"together")]) for key in keys))

        begin = self.newest
        for key in keys:
            self.apply([Put(key, b"together")])
        assert self.run(commit_all()) == list(range(begin + 1, self.newest + 1))

    def revisions(self) -> st.SearchStrategy[int]:
        return st.sampled_from(sorted(self.snapshots))

    def expected(self, bounds: tuple[str, str], revision: int) -> list[Row]:
        rows = self.snapshots[revision]
        keys = sorted(rows, key=str.encode)
        return [rows[key] for key in keys if bounds[0].encode() <= key.encode() < bounds[1].encode()]

    @rule(data=st.data(), bounds=st.sampled_from(RANGES), limit=st.integers(0, 4))
    def page(self, data: st.DataObject, bounds: tuple[str, str], limit: int) -> None:
        """Read a range page by page at any revision."""
        revision = data.draw(self.revisions())
        asked = data.draw(st.sampled_from([revision, 0])) if revision == self.newest else revision
        if revision < self.compacted:
            with pytest.raises(Compacted) as caught:
                self.run(self.store.range(*bounds, limit=limit, revision=revision))
            assert caught.value.compacted == self.compacted
            return
        expected = self.expected(bounds, revision)
        rows: list[Row] = []
        start = bounds[0]
        while True:
            found = self.run(self.store.range(start, bounds[1], limit=limit, revision=asked))
            assert found.revision == revision
            rows.extend(found.rows)
            assert found.remaining == len(expected) - len(rows)
            assert found.more == (found.remaining > 0)
            if not found.more:
                break
            start = rows[-1].key + "\0"
        assert rows == expected

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def get(self, data: st.DataObject, key: str) -> None:
        revision = data.draw(self.revisions())
        if revision >= self.compacted:
            assert self.run(self.store.get(key, revision=revision)) == self.snapshots[revision].get(key)

    @rule(data=st.data(), bounds=st.sampled_from(RANGES))
    def watch(self, data: st.DataObject, bounds: tuple[str, str]) -> None:
        """Watch from any revision to now: everything once, in order, transactions whole."""
        after = data.draw(self.revisions())
        expected = [e for e in self.events if e.revision > after and bounds[0] <= e.key < bounds[1]]

        async def read() -> list[Event]:
            seen: list[Event] = []
            last = 0
            async for batch in self.store.watch(*bounds, after=after):
                assert not batch or batch[0].revision > last
                seen.extend(batch)
                last = seen[-1].revision if seen else 0
                if len(seen) >= len(expected):
                    break
            return seen

        if after < self.compacted:
            with pytest.raises(Compacted):
                self.run(read())
            return
        if expected:
            assert self.run(read()) == expected

    @precondition(lambda self: self.newest > self.compacted)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        revision = data.draw(self.revisions())
        self.run(self.store.compact(revision))
        self.compacted = max(self.compacted, revision)

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.store = self.run(SqliteStore.open(self.path, SETTINGS))
        self.store.listen(lambda events, _: self.heard.extend(events))

    @invariant()
    def agrees(self) -> None:
        assert self.store.revision == self.newest
        assert self.heard == self.events
        assert self.run(self.store.count(*ALL)) == len(self.expected(ALL, self.newest))


TestStore = pytest.mark.slow(StoreMachine.TestCase)
TestStore.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
