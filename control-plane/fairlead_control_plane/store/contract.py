"""
The contract every store keeps (design section 4). One test suite runs against all implementations.

Semantics are etcd's: one revision counter for the whole store, grown by one per transaction that writes; all
operations of a transaction carry the same revision; reads may name a past revision until it is compacted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

MAX_OPERATIONS = 100
"""Most operations (puts plus deletes) in one transaction: etcd's default of 128, less room for our own."""


@dataclass(frozen=True, slots=True)
class Row:
    """
    One key as of some revision.

    Invariant: ``create_revision <= mod_revision``; ``mod_revision`` is that of the transaction that wrote it.
    """

    key: str
    value: bytes
    create_revision: int
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Event:
    """
    One change of one key, as a watch delivers it.

    Attributes:
        revision: Of the transaction; several events share it when one transaction wrote several keys.
        key: The key written.
        row: The new row; None when the key was deleted.
        previous: The row before; None when the key did not exist.
    """

    revision: int
    key: str
    row: Row | None
    previous: Row | None


@dataclass(frozen=True, slots=True)
class Reached(Sequence[Event]):
    """An empty batch of a watch that says: nothing up to ``revision`` is still to come."""

    revision: int

    def __len__(self) -> int:
        return 0

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        return ()[index]


@dataclass(frozen=True, slots=True)
class Compare:
    """The key's ``mod_revision`` must equal this; 0 means that the key must not exist."""

    key: str
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """Write a value under a key."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key; removing one that does not exist changes nothing and costs no revision of its own."""

    key: str


Operation = Put | Delete


@dataclass(frozen=True, slots=True)
class Range:
    """
    Answer to a range read.

    Attributes:
        rows: In key order (byte-wise).
        revision: The revision the read shows; pass it on to read the next page of the same snapshot.
        more: True when ``limit`` cut the answer.
        remaining: Rows after the last one returned; 0 when ``more`` is false. When there are many (over a thousand)
            it may be counted a moment later than the rows were read, as Kubernetes allows of remainingItemCount.
    """

    rows: Sequence[Row]
    revision: int
    more: bool = False
    remaining: int = 0


class StoreError(Exception):
    """Something a store refuses or cannot do."""


class CompareFailed(StoreError):
    """A compare did not hold; nothing was written. ``rows`` holds the current row (or None) of each compared key."""

    def __init__(self, rows: dict[str, Row | None]) -> None:
        super().__init__("a compared key has another revision: " + ", ".join(sorted(rows)))
        self.rows = rows


class Compacted(StoreError):
    """The revision asked for lies before the last compaction, whose own revision can still be read (as in etcd)."""

    def __init__(self, compacted: int) -> None:
        super().__init__(f"revisions before {compacted} have been compacted")
        self.compacted = compacted


class FutureRevision(StoreError):
    """The revision asked for has not happened yet."""


class Unavailable(StoreError):
    """The store cannot answer now: disk full, leader lost, closed. The outcome of a write is unknown unless said."""


class Locked(StoreError):
    """Another server owns this store."""


class Store(Protocol):
    """
    The contract. All coroutines are safe to cancel; a cancelled ``commit`` may or may not have happened.

    Keys are ``str`` without NUL; ordered by their UTF-8 bytes. ``end`` of a range is exclusive.
    """

    @property
    def revision(self) -> int:
        """Return the newest revision this process has seen committed; at least 1."""

    async def current_revision(self) -> int:
        """Return the newest committed revision of the store itself (for a consistent read from a replica)."""

    async def get(self, key: str, *, revision: int = 0) -> Row | None:
        """
        Read one key, now (0) or as of a revision.

        Raises:
            Compacted, FutureRevision, Unavailable.
        """

    async def range(self, start: str, end: str, *, limit: int = 0, revision: int = 0) -> Range:
        """
        Read the keys in ``[start, end)``, now (0) or as of a revision, at most ``limit`` (0: all).

        Raises:
            Compacted, FutureRevision, Unavailable.
        """

    async def count(self, start: str, end: str) -> int:
        """Return how many keys ``[start, end)`` holds now."""

    async def commit(self, operations: Sequence[Operation], compares: Sequence[Compare] = ()) -> int:
        """
        Write all or nothing; return the transaction's revision once it is durable.

        A key may appear in one operation only. A transaction that changes nothing (deletes of missing keys)
        returns the current revision. Listeners have been called, in order, before this returns.

        Raises:
            CompareFailed: Nothing was written.
            Unavailable: See there.
            ValueError: More than :data:`MAX_OPERATIONS`, none at all, or a repeated key.
        """

    def watch(self, start: str, end: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        """
        Yield every change in ``[start, end)`` with a revision above ``after``, in order, in batches.

        A batch never splits a transaction. Once all that had happened when the watch began has been told, and not
        before, comes a :class:`Reached`, also where there was nothing to tell; others may follow. Any other empty
        batch says nothing. Ends without an error when this store object is closed.

        Raises:
            Compacted: On the first step, when ``after`` lies before the last compaction and what followed it is not
                remembered either; never a hole instead.
            Unavailable: The store went away, or the consumer lagged too far; watch again from the last revision seen.
        """

    def listen(self, listener: Callable[[Sequence[Event], int], None]) -> Callable[[], None]:
        """
        Call ``listener(events, revision)`` on the event loop for each transaction, in order, before its writer hears.

        For caches that must not be stale to the writer that made them so. Listeners must not block or raise.
        Returns a function that removes the listener.
        """

    async def compact(self, revision: int) -> None:
        """
        Forget what was superseded at or before ``revision``: reads and watches before it raise :class:`Compacted`.

        Raises:
            FutureRevision, Unavailable.
        """

    async def close(self) -> None:
        """Finish writes under way, end watches, release the lock. Idempotent."""


def seen_of(batch: Sequence[Event]) -> int:
    """Return the revision up to which a batch of a watch completes what came before it; 0 when it says nothing."""
    if isinstance(batch, Reached):
        return batch.revision
    return batch[-1].revision if batch else 0


def prefix_end(prefix: str) -> str:
    """Return the exclusive end of the range of all keys that start with ``prefix`` (which ends in ``/``)."""
    if not prefix.endswith("/"):
        raise ValueError(f"prefix {prefix!r} must end in '/' lest 'a' covers 'a-b'")
    return prefix[:-1] + "0"  # '0' follows '/' in ASCII
