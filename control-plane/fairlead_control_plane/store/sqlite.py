"""
The default store: one SQLite file owned by one process.

Writes: :mod:`writing` (group commit). Reads of a row or a small range run on the event loop, on a connection whose
read transaction is pinned at the newest revision that listeners have seen, so that no read is ahead of a cache;
large ranges: :mod:`large_reads`. Watches: :mod:`feed`, and history where its ring has forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from fairlead_control_plane.store.compaction import Compactor, Schedule
from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    Event,
    FutureRevision,
    Operation,
    Range,
    Row,
    Unavailable,
)
from fairlead_control_plane.store.database import Database, newest_revision, open_database
from fairlead_control_plane.store.feed import Feed, FeedLimits, is_prefix
from fairlead_control_plane.store.large_reads import LargeReads, RangeQuery
from fairlead_control_plane.store.read_cache import LIMIT_BYTES, ReadCache
from fairlead_control_plane.store.reading import (
    read_count,
    read_events,
    read_row,
    read_row_at,
)
from fairlead_control_plane.store.sizing import Size, of_files
from fairlead_control_plane.store.transaction import Transaction, check_transaction
from fairlead_control_plane.store.writing import Writer

INLINE_ROWS = 512
"""Rows a range may read on the event loop ; more are left to :mod:`large_reads`."""

INLINE_BYTES = 1 << 20

WATCH_WINDOW = 256
"""Events of history a watch reads in one turn of the event loop."""

_NO_BOUND = 1 << 62


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """
    Attributes:
        history_s: Seconds history is kept for watches and paged lists; 0 keeps it until ``compact`` is called.
            Five minutes, as kube-apiserver does with etcd.
        history_bytes: Bytes written after which history goes even if it is younger.
        limits: Bounds of the watch feed.
        cache_bytes: Bound of what reads keep in memory; see :mod:`read_cache`.
    """

    history_s: float = 300.0
    history_bytes: int = 1 << 30
    limits: FeedLimits = field(default_factory=FeedLimits)
    cache_bytes: int = LIMIT_BYTES


class SqliteStore:
    """The contract of :class:`~fairlead_control_plane.store.contract.Store` on SQLite; made by :meth:`open`."""

    def __init__(self, database: Database, settings: SqliteSettings) -> None:
        self._database = database
        self._feed = Feed(newest_revision(database.connection), settings.limits)
        self._reader = database.connection if database.is_memory else database.reader()
        self._cache = ReadCache(settings.cache_bytes)
        self._written_bytes = 0
        self._is_closed = False
        self._writer = Writer(database.connection, self._publish, self._cache.get, is_threaded=not database.is_memory)
        self._compactor = Compactor(self._writer, lambda: self._feed.revision)
        self._large_reads = LargeReads(database)
        self._compaction: asyncio.Task[None] | None = None
        self._pin()

    @classmethod
    async def open(
        cls, path: str | Path, settings: SqliteSettings | None = None, *, clock: Callable[[], float] | None = None
    ) -> SqliteStore:
        """
        Open the store, create it where there is none; ``:memory:`` makes one that ends with :meth:`close`.

        Args:
            clock: Seconds, for the age of history; the event loop's by default.

        Raises:
            Locked: Another process has it open.
            Unusable: Damaged, of another program, or of a newer release.
            OSError: The directory or file cannot be made or written.
        """
        settings = settings or SqliteSettings()
        database = await asyncio.to_thread(open_database, str(path))
        store = cls(database, settings)
        if settings.history_s:
            schedule = Schedule(settings.history_s, settings.history_bytes)
            store._compaction = asyncio.create_task(
                store._compactor.run(
                    schedule,
                    lambda: store._written_bytes,
                    clock or asyncio.get_running_loop().time,
                    min(30.0, settings.history_s / 5),
                ),
                name="store-compaction",
            )
        return store

    @property
    def revision(self) -> int:
        """See the contract."""
        return self._feed.revision

    async def current_revision(self) -> int:
        """See the contract; this process owns the store, so it is :attr:`revision`."""
        self._check_open()
        return self._feed.revision

    async def size(self) -> Size:
        """See :class:`~fairlead_control_plane.store.sizing.Sized`."""
        return Size(0) if self._database.is_memory else await asyncio.to_thread(of_files, Path(self._database.path))

    async def get(self, key: str, *, revision: int = 0) -> Row | None:
        """See the contract."""
        self._check_revision(revision)
        try:
            if revision and revision != self._feed.revision:
                return read_row_at(self._reader, key, revision)
            try:
                return self._cache.get(key)
            except KeyError:
                return self._read_row(key)
        except apsw.Error as error:
            raise Unavailable(f"the store cannot be read: {error}") from error

    def _read_row(self, key: str) -> Row | None:
        row = read_row(self._reader, key)
        self._cache.keep(key, row)
        return row

    async def range(self, start: str, end: str, *, limit: int = 0, revision: int = 0) -> Range:
        """See the contract."""
        self._check_revision(revision)
        if (not revision or revision == self._feed.revision) and is_prefix(start, end):
            kept = self._cache.range(start)
            if kept is not None:
                return _cut(kept, limit, self._feed.revision)
            if not limit:
                return await self._kept_range(start, end, revision)
        return await self._read_range(start, end, limit, revision)

    async def _kept_range(self, start: str, end: str, revision: int) -> Range:
        """Read a whole range and keep it for who asks next."""
        kept = self._cache.begin(start)
        found: Range | None = None
        try:
            found = await self._read_range(start, end, 0, revision)
            return found
        finally:
            if kept is not None:
                rows, at = (None, 0) if found is None else (found.rows, found.revision)
                self._cache.finish(start, kept, rows, at)

    async def _read_range(self, start: str, end: str, limit: int, revision: int) -> Range:
        while True:
            try:
                return await self._range(RangeQuery(start, end, limit, revision or self._feed.revision))
            except apsw.Error as error:
                raise Unavailable(f"the store cannot be read: {error}") from error
            except Compacted:
                if revision:
                    raise  # else: compaction has passed what was newest a moment ago

    async def _range(self, query: RangeQuery) -> Range:
        if query.limit > INLINE_ROWS and not self._database.is_memory:
            return await self._large_reads.range(query)
        reader = query.reader(self._reader)
        bounds = (_NO_BOUND, _NO_BOUND) if self._database.is_memory else (INLINE_ROWS + 1, INLINE_BYTES)
        is_complete = reader.read(*bounds)
        reader.close()  # an open cursor would hold the pinned transaction back
        if not is_complete:
            return await self._large_reads.range(query)
        remaining = reader.remaining() if reader.more else 0
        return reader.answer(await self.count(reader.rest, query.end) if remaining is None else remaining)

    async def count(self, start: str, end: str) -> int:
        """See the contract."""
        self._check_open()
        try:
            if self._database.is_memory:
                return read_count(self._reader, start, end)
            return await self._large_reads.count(start, end)
        except apsw.Error as error:
            raise Unavailable(f"the store cannot be read: {error}") from error

    async def commit(self, operations: Sequence[Operation], compares: Sequence[Compare] = ()) -> int:
        """See the contract."""
        check_transaction(operations, compares)
        return await self._writer.submit(operations, compares)

    async def watch(self, start: str, end: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        """See the contract. Ends without an error when the store is closed."""
        self._check_open()
        while after < self._feed.floor:
            if after < self._compactor.compacted:
                raise Compacted(self._compactor.compacted)
            try:
                events, after = read_events(self._reader, start, end, after=after, window=WATCH_WINDOW)
            except apsw.Error as error:
                raise Unavailable(f"the store cannot be read: {error}") from error
            if events:
                yield events
            else:
                await asyncio.sleep(0)
            self._check_open()
        if after < self._compactor.compacted:
            raise Compacted(self._compactor.compacted)
        async with aclosing(self._feed.watch(start, end, after=after)) as live:
            async for batch in live:
                yield batch

    def listen(self, listener: Callable[[Sequence[Event], int], None]) -> Callable[[], None]:
        """See the contract."""
        return self._feed.listen(listener)

    async def compact(self, revision: int) -> None:
        """
        See the contract.

        Raises:
            FutureRevision: It has not happened.
            Unavailable: Not all of it could be forgotten; call again.
        """
        self._check_open()
        await self._compactor.compact(revision)

    async def close(self) -> None:
        """See the contract."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._compaction is not None:
            self._compaction.cancel()
            await asyncio.wait([self._compaction])
        await self._writer.close()
        self._feed.stop()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._large_reads.close()
        if not self._database.is_memory:
            self._reader.close()
        self._database.close()

    def _publish(self, transactions: Sequence[Transaction]) -> None:
        self._pin()
        self._cache.note(transactions)
        self._written_bytes += sum(transaction.size_bytes for transaction in transactions)
        self._feed.publish(transactions)

    def _pin(self) -> None:
        """Let the reader see what is committed now, and nothing newer until called again."""
        if self._database.is_memory:
            return
        if self._reader.in_transaction:
            self._reader.execute("COMMIT")
        self._reader.execute("BEGIN; SELECT value FROM progress WHERE name = ''").fetchall()

    def _check_open(self) -> None:
        if self._is_closed:
            raise Unavailable("the store is closed")

    def _check_revision(self, revision: int) -> None:
        self._check_open()
        if revision > self._feed.revision:
            raise FutureRevision(f"revision {revision} has not happened, the newest is {self._feed.revision}")
        if revision and revision < self._compactor.compacted:
            raise Compacted(self._compactor.compacted)


def _cut(rows: Sequence[Row], limit: int, revision: int) -> Range:
    """Return the first ``limit`` rows (0: all) of a whole range."""
    if not limit or len(rows) <= limit:
        return Range(rows, revision)
    return Range(rows[:limit], revision, more=True, remaining=len(rows) - limit)
