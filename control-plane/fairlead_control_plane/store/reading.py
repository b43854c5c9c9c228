"""Reads of the SQLite store, as plain functions of a connection that holds a read transaction."""

from __future__ import annotations

import apsw

from fairlead_control_plane.store.contract import Compacted, Event, Range, Row
from fairlead_control_plane.store.database import POSITION_BITS, compacted_revision, newest_revision

_GET = "SELECT c.id, h.create_revision, h.value FROM current c JOIN history h ON h.id = c.id WHERE c.key = ?"
_GET_AT = "SELECT id, create_revision, value FROM history WHERE key = ? AND id < ? ORDER BY id DESC LIMIT 1"
_RANGE = (
    "SELECT c.key, c.id, h.create_revision, h.value FROM current c CROSS JOIN history h ON h.id = c.id"
    " WHERE c.key >= ? AND c.key < ? ORDER BY c.key"
)
_NEWEST_AT = "SELECT key, max(id) AS id FROM history WHERE key >= ? AND key < ? AND id < ? GROUP BY key"
_RANGE_AT = (
    f"SELECT g.key, g.id, h.create_revision, h.value FROM ({_NEWEST_AT}) g CROSS JOIN history h ON h.id = g.id"
    " WHERE h.value IS NOT NULL ORDER BY g.key"
)
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM current WHERE key >= ? AND key < ? LIMIT ?)"
_COUNT_AT = (
    f"SELECT count(*) FROM (SELECT 1 FROM ({_NEWEST_AT}) g CROSS JOIN history h ON h.id = g.id"
    " WHERE h.value IS NOT NULL LIMIT ?)"
)
_WINDOW_END = "SELECT id FROM history WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_EVENTS = (
    "SELECT h.id, h.key, h.create_revision, h.value, p.id, p.create_revision, p.value FROM history h"
    " LEFT JOIN history p ON p.id = (SELECT max(id) FROM history WHERE key = h.key AND id < h.id)"
    " WHERE h.id > ? AND h.id < ? AND h.key >= ? AND h.key < ? ORDER BY h.id"
)

COUNTED_ROWS = 1_024
"""Rows up to which what remains of a range is counted exactly, at its revision; at most a millisecond."""


def ids_after(revision: int) -> int:
    """Return the first id that lies above every row of ``revision``."""
    return (revision + 1) << POSITION_BITS


def read_row(connection: apsw.Connection, key: str) -> Row | None:
    """Return the row of one key as this connection sees it now."""
    found = connection.execute(_GET, (key,)).fetchone()
    return None if found is None else Row(key, found[2], found[1], found[0] >> POSITION_BITS)


def read_row_at(connection: apsw.Connection, key: str, revision: int) -> Row | None:
    """Return the row of one key as of ``revision``, which must not be compacted."""
    found = connection.execute(_GET_AT, (key, ids_after(revision))).fetchone()
    if found is None or found[2] is None:
        return None
    return Row(key, found[2], found[1], found[0] >> POSITION_BITS)


def check_compacted(connection: apsw.Connection, revision: int) -> None:
    """Raise :class:`Compacted` when ``revision`` lies before the last compaction this connection sees."""
    compacted = compacted_revision(connection)
    if revision < compacted:
        raise Compacted(compacted)


class RangeReader:
    """
    One range read in slices, all of the same read transaction.

    Args:
        connection: Holds a read transaction for as long as this is used.
        limit: Most rows, 0 for all.
        revision: To read at; the current view serves it when nothing newer is visible.
    """

    def __init__(self, connection: apsw.Connection, start: str, end: str, *, limit: int, revision: int) -> None:
        check_compacted(connection, revision)
        self._connection = connection
        self._bounds = (start, end)
        self._limit = limit
        self._revision = revision
        self._is_current = newest_revision(connection) == revision
        self._rows: list[Row] = []
        if self._is_current:
            self._cursor = connection.execute(_RANGE, (start, end))
        else:
            self._cursor = connection.execute(_RANGE_AT, (start, end, ids_after(revision)))
        self.more = False

    def warm(self, rows: int) -> None:
        """Bring the pages of the next rows into the connection's cache, in a single step; for a thread."""
        # The last byte of a value is at the end of its chain of pages.
        select = _RANGE if self._is_current else _RANGE_AT
        at = () if self._is_current else (ids_after(self._revision),)
        arguments = (self.rest, self._bounds[1], *at, rows)
        self._connection.execute(f"SELECT total(length(substr(value, -1))) FROM ({select} LIMIT ?)", arguments)

    def read(self, rows: int, size_bytes: int) -> bool:
        """Read up to that many rows or bytes, whichever comes first; return whether the range is complete."""
        read, limit, shift = self._rows, self._limit, POSITION_BITS
        target = len(read) + rows
        for key, row_id, created, value in self._cursor:
            if limit and len(read) == limit:
                self.more = True
                self._cursor.close()
                return True
            read.append(Row(key, value, created, row_id >> shift))
            size_bytes -= len(value)
            if size_bytes <= 0 or len(read) == target:
                return False
        return True

    def remaining(self) -> int | None:
        """Count the rows after those read; None when there are more than :data:`COUNTED_ROWS`."""
        revision = None if self._is_current else self._revision
        count = read_count(self._connection, self.rest, self._bounds[1], revision, COUNTED_ROWS + 1)
        return None if count > COUNTED_ROWS else count

    @property
    def rest(self) -> str:
        """Return where the rows after those read begin."""
        return self._rows[-1].key + "\0" if self._rows else self._bounds[0]

    def close(self) -> None:
        """Let go of the read transaction; what was read stays."""
        self._cursor.close()

    def answer(self, remaining: int = 0) -> Range:
        """Return what was read."""
        return Range(self._rows, self._revision, self.more, remaining)


def read_count(
    connection: apsw.Connection, start: str, end: str, revision: int | None = None, at_most: int = -1
) -> int:
    """Count the keys of a range, now or as of a revision, and stop at ``at_most`` (-1: never)."""
    if revision is None:
        return int(connection.execute(_COUNT, (start, end, at_most)).get)
    return int(connection.execute(_COUNT_AT, (start, end, ids_after(revision), at_most)).get)


def read_events(
    connection: apsw.Connection, start: str, end: str, *, after: int, window: int
) -> tuple[list[Event], int]:
    """
    Read the events of ``[start, end)`` among the next ``window`` or so of all events above ``after``.

    Returns:
        Whole transactions only, and the revision up to which nothing is missing now.

    Raises:
        Compacted: ``after`` lies before the last compaction.
    """
    check_compacted(connection, after)
    first = ids_after(after) - 1
    cut = connection.execute(_WINDOW_END, (first, window)).get
    upto = newest_revision(connection) if cut is None else cut >> POSITION_BITS
    events: list[Event] = []
    for row_id, key, created, value, old_id, old_created, old_value in connection.execute(
        _EVENTS, (first, ids_after(upto), start, end)
    ):
        revision = row_id >> POSITION_BITS
        row = None if value is None else Row(key, value, created, revision)
        previous = None if old_value is None else Row(key, old_value, old_created, old_id >> POSITION_BITS)
        events.append(Event(revision, key, row, previous))
    return events, max(upto, after)
