"""
Reads too large for one turn of the event loop.

A thread that turns rows into objects competes with the loop for the interpreter's lock row by row. So a thread only
walks a slice in a single step, without the lock, which brings its pages into the connection's cache and may wait for
the disk; the loop then takes the rows from there, in turns of a few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import apsw

from fairlead_control_plane.store.contract import Range, Unavailable
from fairlead_control_plane.store.database import Database
from fairlead_control_plane.store.reading import RangeReader, read_count

SLICE_ROWS = 1_000
SLICE_BYTES = 2 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """``[start, end)`` as of ``revision`` (never 0), at most ``limit`` rows (0: all)."""

    start: str
    end: str
    limit: int
    revision: int

    def reader(self, connection: apsw.Connection) -> RangeReader:
        """Begin to read it."""
        return RangeReader(connection, self.start, self.end, limit=self.limit, revision=self.revision)


class LargeReads:
    """Threads and connections for large reads of one database file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(2, "store-read")

    async def range(self, query: RangeQuery) -> Range:
        """
        Read a range in slices of one snapshot.

        Raises:
            Compacted: Between the call and the snapshot.
            Unavailable: The store was closed meanwhile.
        """
        connection, job = await self._begin()
        try:
            reader = query.reader(connection)
            while True:
                job = self._submit(reader.warm, SLICE_ROWS)
                await asyncio.wrap_future(job)
                if reader.read(SLICE_ROWS, SLICE_BYTES):
                    break
            reader.close()
            remaining = reader.remaining() if reader.more else 0
            if remaining is None:
                job = counting = self._submit(read_count, connection, reader.rest, query.end)
                remaining = await asyncio.wrap_future(counting)
            return reader.answer(remaining)
        finally:
            # When this call was cancelled the thread may still be at work on the connection.
            job.add_done_callback(lambda _: self._database.give_back(connection))

    async def count(self, start: str, end: str) -> int:
        """Count the keys of a range now, in one step of a thread."""
        connection, job = await self._begin()
        try:
            job = counting = self._submit(read_count, connection, start, end)
            return await asyncio.wrap_future(counting)
        finally:
            job.add_done_callback(lambda _: self._database.give_back(connection))

    async def _begin(self) -> tuple[apsw.Connection, Future[Any]]:
        opening = self._submit(self._database.reader)
        connection = await asyncio.wrap_future(opening)
        connection.execute("BEGIN")
        return connection, opening

    def _submit(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        try:
            return self._threads.submit(work, *arguments)
        except RuntimeError as error:
            raise Unavailable("the store is closed") from error

    def close(self) -> None:
        """Wait for threads at work; reads under way end with Unavailable at their next slice."""
        self._threads.shutdown()
