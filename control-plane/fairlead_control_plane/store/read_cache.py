"""
Rows in memory, so that what is read over and over costs no statement: single rows, and whole ranges that are prefixes.

Told of every transaction in the very step in which listeners are, it is never behind them nor ahead. Bounded in bytes;
what was not read for longest goes first, so that what nobody reads is not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from fairlead_control_plane.store.contract import Event, Row
from fairlead_control_plane.store.transaction import Transaction

LIMIT_BYTES = 32 << 20

_ROW_BYTES = 320
"""What a kept row costs beyond its key and value: objects, and its place in a dict."""

_RANGE_BYTES = 1_000
"""The same for a range, apart from its rows: one that is empty counts too."""

_RANGE_SHARE = 4
"""No range may take more than one part in this many of the cache."""


def _size(row: Row) -> int:
    return len(row.key) + len(row.value) + _ROW_BYTES


def _size_of(key: str, row: Row | None) -> int:
    return len(key) + _ROW_BYTES if row is None else _size(row)


class KeptRange:
    """
    The rows of one prefix; made before they are read, so that no change between is missed.

    ``size`` is in bytes. Rows keep their order as long as none is added.
    """

    __slots__ = ("_listed", "_missed", "_rows", "is_filled", "is_sorted", "size")

    def __init__(self) -> None:
        self.is_filled = False
        self.is_sorted = True
        self.size = 0
        self._missed: list[Event] = []
        self._rows: dict[str, Row] = {}
        self._listed: Sequence[Row] | None = None

    def fill(self, rows: Sequence[Row], revision: int) -> None:
        """Take what was read as of ``revision``, and what has changed since."""
        self._rows = {row.key: row for row in rows}
        self._listed = rows
        self.size = _RANGE_BYTES + sum(map(_size, rows))
        self.is_filled = True
        missed, self._missed = self._missed, []
        for event in missed:
            if event.revision > revision:
                self.note(event)

    def note(self, event: Event) -> None:
        """Follow a change."""
        if not self.is_filled:
            self._missed.append(event)
            return
        self._listed = None
        old = self._rows.get(event.key)
        if old is not None:
            self.size -= _size(old)
        if event.row is None:
            self._rows.pop(event.key, None)
            return
        self.is_sorted = self.is_sorted and old is not None
        self._rows[event.key] = event.row
        self.size += _size(event.row)

    def rows(self) -> Sequence[Row]:
        """Return the rows in key order; the same sequence, which nobody may change, until one of them changes."""
        if self._listed is None:
            if not self.is_sorted:
                self._rows = dict(sorted(self._rows.items()))  # by code points, which is by UTF-8 bytes
                self.is_sorted = True
            self._listed = list(self._rows.values())
        return self._listed


class ReadCache:
    """The rows and ranges that were read last, as they are now; of a key also that there is no row."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._rows: OrderedDict[str, Row | None] = OrderedDict()
        self._ranges: OrderedDict[str, KeptRange] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> Row | None:
        """
        Return a row, None when there is none.

        Raises:
            KeyError: The cache does not know.
        """
        row = self._rows[key]
        self._rows.move_to_end(key)
        return row

    def keep(self, key: str, row: Row | None) -> None:
        """Keep the newest state of a row; None: there is none."""
        self._put(key, row)
        self._shrink()

    def _put(self, key: str, row: Row | None) -> None:
        if key in self._rows:
            self.size -= _size_of(key, self._rows.pop(key))
        self._rows[key] = row
        self.size += _size_of(key, row)

    def range(self, prefix: str) -> Sequence[Row] | None:
        """Return all rows below a prefix if they are kept, else None."""
        kept = self._ranges.get(prefix)
        if kept is None or not kept.is_filled:
            return None
        self._ranges.move_to_end(prefix)
        return kept.rows()

    def begin(self, prefix: str) -> KeptRange | None:
        """Follow a range from before it is read until :meth:`finish`; None when somebody else does already."""
        if prefix in self._ranges:
            return None
        kept = self._ranges[prefix] = KeptRange()
        return kept

    def finish(self, prefix: str, kept: KeptRange, rows: Sequence[Row] | None, revision: int) -> None:
        """Keep what was read as of ``revision``; None, or too much of it, is not kept."""
        if self._ranges.get(prefix) is not kept:
            return
        if rows is None or sum(len(row.value) for row in rows) > self._limit // _RANGE_SHARE:
            del self._ranges[prefix]
            return
        kept.fill(rows, revision)
        self.size += kept.size
        self._shrink()

    def note(self, transactions: Iterable[Transaction]) -> None:
        """Follow transactions; rows and ranges that are not kept cost a lookup each."""
        for transaction in transactions:
            for event in transaction.events:
                if event.key in self._rows:
                    self._put(event.key, event.row)
                if self._ranges:
                    self._note_ranges(event)
        self._shrink()

    def _note_ranges(self, event: Event) -> None:
        slash = event.key.find("/")
        while slash >= 0:
            prefix = event.key[: slash + 1]
            kept = self._ranges.get(prefix)
            if kept is not None:
                before = kept.size
                kept.note(event)
                self.size += kept.size - before
            slash = event.key.find("/", slash + 1)

    def _shrink(self) -> None:
        """Drop what was not read for longest; ranges, which are cheap for what they hold, after rows."""
        while self.size > self._limit and self._rows:
            key, row = self._rows.popitem(last=False)
            self.size -= _size_of(key, row)
        while self.size > self._limit and self._ranges:
            _, kept = self._ranges.popitem(last=False)
            self.size -= kept.size
