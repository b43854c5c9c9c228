"""
Compaction of the SQLite store: forgetting superseded rows in slices, by hand or as time and size ask for it.

A slice costs what was written since the last compaction, not what the store holds: each newer row names the key
whose older rows go. How far the sweep has come is stored with each slice, so that a restart goes on where it ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import apsw
import structlog

from fairlead_control_plane.store.contract import FutureRevision, Unavailable
from fairlead_control_plane.store.database import POSITION_BITS, compacted_revision
from fairlead_control_plane.store.reading import ids_after
from fairlead_control_plane.store.writing import Writer

log = structlog.get_logger(__name__)

SLICE_ROWS = 128
"""Rows one slice looks at: about a millisecond of the event loop."""

RETRY_S = 5.0

_SWEPT = "SELECT value FROM progress WHERE name = 'swept'"
_SLICE_END = "SELECT id FROM history WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?"
_DELETE_OLDER = (
    "DELETE FROM history WHERE id IN (SELECT old.id FROM"
    " (SELECT key, max(id) AS id FROM history WHERE id >= ? AND id < ? GROUP BY key) newer"
    " CROSS JOIN history old ON old.key = newer.key AND old.id < newer.id)"
)
# A tombstone of the compacted revision itself stays: it may be what the store's newest revision is read from.
_DELETE_TOMBSTONES = "DELETE FROM history WHERE id >= ? AND id < ? AND value IS NULL"
_SET = "UPDATE progress SET value = ? WHERE name = ?"


def sweep(connection: apsw.Connection, revision: int) -> bool:
    """
    Note that history before ``revision`` is gone and delete one slice of it; return whether that was the last.

    Runs inside a transaction of the caller; may be repeated after a rollback.
    """
    begin, end = int(connection.execute(_SWEPT).get), ids_after(revision)
    cut = connection.execute(_SLICE_END, (begin, end, SLICE_ROWS)).get
    upto = end if cut is None else int(cut)
    connection.execute(_DELETE_OLDER, (begin, upto))
    tombstones_end = min(upto, revision << POSITION_BITS)
    connection.execute(_DELETE_TOMBSTONES, (begin, tombstones_end))
    connection.execute(_SET, (tombstones_end, "swept"))
    connection.execute(_SET, (max(revision, compacted_revision(connection)), "compacted"))
    return cut is None


@dataclass(frozen=True, slots=True)
class _Sample:
    time_s: float
    revision: int
    written_bytes: int


class Schedule:
    """
    Decides up to which revision history may go.

    Args:
        history_s: Age in seconds below which history stays.
        history_bytes: Size of newer writes above which it goes earlier.
    """

    def __init__(self, history_s: float, history_bytes: int) -> None:
        self._history_s = history_s
        self._history_bytes = history_bytes
        self._samples: deque[_Sample] = deque()

    def due(self, now_s: float, revision: int, written_bytes: int) -> int:
        """Note where the store stands now; return the revision to compact to, 0 for none."""
        self._samples.append(_Sample(now_s, revision, written_bytes))
        due = 0
        while self._samples:
            oldest = self._samples[0]
            is_old = now_s - oldest.time_s >= self._history_s
            if not is_old and written_bytes - oldest.written_bytes < self._history_bytes:
                break
            due = self._samples.popleft().revision
        return due


class Compactor:
    """Runs compactions of one store, one at a time."""

    def __init__(self, writer: Writer, revision: Callable[[], int]) -> None:
        self._writer = writer
        self._newest = revision
        self.compacted = compacted_revision(writer.connection)
        self._turn = asyncio.Lock()

    async def compact(self, revision: int) -> None:
        """
        Sweep up to ``revision``. Readers are refused below it from now on, before the first row goes.

        Raises:
            FutureRevision, Unavailable: The latter when a slice could not be written; call again.
        """
        if revision > self._newest():
            raise FutureRevision(f"revision {revision} has not happened, the newest is {self._newest()}")
        self.compacted = max(self.compacted, revision)
        async with self._turn:
            is_done = False

            def work(connection: apsw.Connection) -> None:
                nonlocal is_done
                is_done = sweep(connection, revision)

            while not is_done:
                await self._writer.maintain(work)

    async def run(
        self, schedule: Schedule, written_bytes: Callable[[], int], clock: Callable[[], float], period_s: float
    ) -> None:
        """Compact as ``schedule`` says until cancelled; first finish what a crash left half swept."""
        due = self.compacted
        while True:
            due = max(due, schedule.due(clock(), self._newest(), written_bytes()))
            try:
                if due:
                    await self.compact(due)
                due = 0
            except Unavailable as error:
                log.warning("compaction failed, will be retried", revision=due, reason=str(error))
            await asyncio.sleep(min(RETRY_S, period_s) if due else period_s)
