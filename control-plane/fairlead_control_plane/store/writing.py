"""
The writer of the SQLite store: group commit.

Statements run on the event loop, where they take microseconds in the page cache; ``COMMIT``, which waits for the
disk, runs in a thread, so that a commit waits for the interpreter's lock once and not at each statement. While one
batch is being made durable the next one gathers.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import apsw
import structlog

from fairlead_control_plane.store.contract import (
    Compare,
    CompareFailed,
    Event,
    Operation,
    Put,
    Row,
    Unavailable,
)
from fairlead_control_plane.store.database import POSITION_BITS, newest_revision
from fairlead_control_plane.store.reading import read_events, read_row
from fairlead_control_plane.store.transaction import EVERYTHING, Transaction, transaction_of, transactions_of
from fairlead_machinery import failpoints

log = structlog.get_logger(__name__)

BATCH_S = 0.004
"""Longest time statements of one batch may hold the event loop; what waits joins the next batch."""

CHECKPOINT_PAGES = 1_000
"""WAL pages (4 KiB) from which an idle moment is used to move them into the database file."""

CHECKPOINT_PAGES_AT_MOST = 8_192
"""WAL pages at which writers wait for that: 32 MiB."""

CHECKPOINT_IDLE_S = 0.02

_INSERT = "INSERT INTO history (id, key, create_revision, value) VALUES (?, ?, ?, ?)"
_POINT = "INSERT INTO current (key, id) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET id = excluded.id"
_UNPOINT = "DELETE FROM current WHERE key = ?"

SWITCH_INTERVAL_S = 0.000_1
"""
Longest time a thread lets another hold the interpreter's lock before it insists; Python's default is 5 ms.

A thread insists only after waiting this long undisturbed, and each system call of a busy event loop disturbs it. With
the default, commits beside a loop busy in pieces of 0.5 ms were seen to take 100 to 370 ms each, and a range of 50,000
rows 39 s; with this 1.8 ms and 0.3 s.
"""

Maintenance = Callable[[apsw.Connection], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    operations: Sequence[Operation]
    compares: Sequence[Compare]
    future: asyncio.Future[int]


@dataclass(slots=True)
class _Batch:
    transactions: list[Transaction] = field(default_factory=list)
    outcomes: list[tuple[asyncio.Future[int], int | CompareFailed]] = field(default_factory=list)
    written: dict[str, Row | None] = field(default_factory=dict)
    """The rows of all keys written so far."""
    maintained: asyncio.Future[int] | None = None


class Writer:
    """
    Owns the connection that writes.

    Args:
        publish: Called on the event loop with each durable batch, before any of its writers hears.
        known: Returns a row as of what was published last, None where there is none; KeyError when it has to be read.
        is_threaded: False for a database in memory, whose commit takes no time.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        publish: Callable[[Sequence[Transaction]], None],
        known: Callable[[str], Row | None],
        *,
        is_threaded: bool,
    ) -> None:
        self.connection = connection
        self._publish = publish
        self._known = known
        self._revision = newest_revision(connection)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._maintenance: deque[tuple[Maintenance, asyncio.Future[int]]] = deque()
        self._is_busy = False
        self._is_in_doubt = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self._wal_pages = 0
        self._checkpoint_timer: asyncio.TimerHandle | None = None
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], Callable[[Exception | None], None]] | None]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if is_threaded:
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
            connection.set_wal_hook(self._note_wal)
            self._thread = threading.Thread(target=self._work, name="store-commit", daemon=True)
            self._thread.start()

    def submit(self, operations: Sequence[Operation], compares: Sequence[Compare]) -> asyncio.Future[int]:
        """Queue a transaction; the future ends as the contract's ``commit`` does."""
        future: asyncio.Future[int] = self._loop.create_future()
        if self._is_closed:
            future.set_exception(Unavailable("the store is closed; nothing was written"))
            return future
        self._waiting.append(_Waiting(operations, compares, future))
        self._wake()
        return future

    def maintain(self, work: Maintenance) -> asyncio.Future[int]:
        """Queue statements that change no key; they join a batch and its fsync. Must be quick and repeatable."""
        future: asyncio.Future[int] = self._loop.create_future()
        if self._is_closed:
            future.set_exception(Unavailable("the store is closed"))
            return future
        self._maintenance.append((work, future))
        self._wake()
        return future

    async def close(self) -> None:
        """Finish what waits, then stop the thread; the connection stays open."""
        self._is_closed = True
        await self._idle.wait()
        if self._checkpoint_timer is not None:
            self._checkpoint_timer.cancel()
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _wake(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._idle.clear()
            self._loop.call_soon(self._begin)  # not now: what is committed in this turn of the loop joins

    def _begin(self) -> None:
        batch = _Batch()
        try:
            failpoints.hit("before-begin")
            self.connection.execute("BEGIN IMMEDIATE")
            failpoints.hit("after-begin")
            if self._is_in_doubt:
                self._resolve_doubt()
            is_changed = self._fill(batch)
        except (apsw.Error, OSError) as error:
            self._fail(batch, f"{_reason(error)}; nothing was written")
            return
        if self._thread is None or not is_changed:
            self._finish(batch, _run(self._commit))
        else:
            self._jobs.put((self._commit, lambda error: self._finish(batch, error)))

    def _fill(self, batch: _Batch) -> bool:
        """Run the statements of what waits, as much as one batch may hold; return whether any row changed."""
        deadline = time.monotonic() + BATCH_S
        is_changed = False
        failpoints.hit("before-insert")
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.future.cancelled():
                continue
            batch.outcomes.append((waiting.future, 0))
            outcome = self._apply(batch, waiting)
            batch.outcomes[-1] = (waiting.future, outcome)
            if time.monotonic() > deadline:
                break
        if self._maintenance:
            work, batch.maintained = self._maintenance.popleft()
            work(self.connection)
            is_changed = True
        failpoints.hit("after-insert")
        return is_changed or bool(batch.transactions)

    def _apply(self, batch: _Batch, waiting: _Waiting) -> int | CompareFailed:
        rows = {compare.key: self._row(batch, compare.key) for compare in waiting.compares}
        for compare in waiting.compares:
            row = rows[compare.key]
            if compare.mod_revision != (0 if row is None else row.mod_revision):
                return CompareFailed(rows)
        newest = batch.transactions[-1].revision if batch.transactions else self._revision
        events: list[Event] = []
        for operation in waiting.operations:
            key = operation.key
            previous = rows[key] if key in rows else self._row(batch, key)
            if isinstance(operation, Put) or previous is not None:
                value = operation.value if isinstance(operation, Put) else None
                events.append(self._write(key, value, previous, ((newest + 1) << POSITION_BITS) + len(events)))
        if not events:
            return newest
        batch.transactions.append(transaction_of(newest + 1, events))
        batch.written.update((event.key, event.row) for event in events)
        return newest + 1

    def _row(self, batch: _Batch, key: str) -> Row | None:
        """Return a row as this batch leaves it so far."""
        if key in batch.written:
            return batch.written[key]
        try:
            return self._known(key)
        except KeyError:
            return read_row(self.connection, key)

    def _write(self, key: str, value: bytes | None, previous: Row | None, row_id: int) -> Event:
        revision = row_id >> POSITION_BITS
        created = revision if previous is None else previous.create_revision
        self.connection.execute(_INSERT, (row_id, key, created, value))
        if value is None:
            self.connection.execute(_UNPOINT, (key,))
            return Event(revision, key, None, previous)
        self.connection.execute(_POINT, (key, row_id))
        return Event(revision, key, Row(key, value, created, revision), previous)

    def _commit(self) -> None:
        failpoints.hit("before-commit")
        self.connection.execute("COMMIT")
        failpoints.hit("after-commit")

    def _finish(self, batch: _Batch, error: Exception | None) -> None:
        if error is not None:
            # Nobody is told that it worked; what reached the disk all the same is published like any other change.
            self._is_in_doubt = True
            self._roll_back()
            if _run(self._resolve_doubt) is not None:
                log.warning("store cannot be read after a failed commit")
            self._fail(batch, f"{_reason(error)}; whether it was written is unknown")
            return
        if batch.transactions:
            self._revision = batch.transactions[-1].revision
        failpoints.hit("before-notify")
        self._publish(batch.transactions)
        failpoints.hit("after-notify")
        for future, outcome in batch.outcomes:
            if future.done():
                continue
            if isinstance(outcome, CompareFailed):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        if batch.maintained is not None and not batch.maintained.done():
            batch.maintained.set_result(0)
        self._rest()

    def _fail(self, batch: _Batch, reason: str) -> None:
        log.warning("store write failed", reason=reason)
        self._roll_back()
        failed = [future for future, _ in batch.outcomes]
        if not failed:  # not even begun: what waits would meet the same, again and again
            failed = [one.future for one in self._waiting]
            self._waiting.clear()
        if batch.maintained is not None:
            failed.append(batch.maintained)
        failed.extend(future for _, future in self._maintenance)
        self._maintenance.clear()
        for future in failed:
            if not future.done():
                future.set_exception(Unavailable(reason))
        self._rest()

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            _run(lambda: self.connection.execute("ROLLBACK"))

    def _resolve_doubt(self) -> None:
        """Publish what a failed commit made durable after all."""
        while self._revision < newest_revision(self.connection):
            events, upto = read_events(self.connection, *EVERYTHING, after=self._revision, window=1)
            self._revision = upto
            self._publish(transactions_of(events))
        self._is_in_doubt = False

    def _rest(self) -> None:
        """Start the next batch, or a checkpoint when the WAL has grown, or wait for work."""
        if self._checkpoint_timer is not None:
            self._checkpoint_timer.cancel()
            self._checkpoint_timer = None
        if self._wal_pages >= CHECKPOINT_PAGES_AT_MOST:
            self._checkpoint()
        elif self._waiting or self._maintenance:
            self._loop.call_soon(self._begin)
        else:
            self._is_busy = False
            self._idle.set()
            if self._wal_pages >= CHECKPOINT_PAGES and not self._is_closed:
                self._checkpoint_timer = self._loop.call_later(CHECKPOINT_IDLE_S, self._checkpoint_if_idle)

    def _checkpoint_if_idle(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._idle.clear()
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._wal_pages = 0  # the next commit counts again; a failed checkpoint is tried again from then
        self._jobs.put((lambda: _passive_checkpoint(self.connection), self._finish_checkpoint))

    def _finish_checkpoint(self, error: Exception | None) -> None:
        if error is not None:
            log.warning("store checkpoint failed", reason=_reason(error))
        self._publish(())  # readers let go of the WAL, so that the next commit can start it over
        self._rest()

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            error = _run(work)
            try:
                self._loop.call_soon_threadsafe(done, error)
            except RuntimeError:  # the loop was closed before the store
                return


def _run(work: Callable[[], object]) -> Exception | None:
    try:
        work()
    except (apsw.Error, OSError) as error:
        return error
    return None


def _passive_checkpoint(connection: apsw.Connection) -> None:
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _reason(error: Exception) -> str:
    return "the disk is full" if isinstance(error, apsw.FullError) else f"the disk failed ({error})"
