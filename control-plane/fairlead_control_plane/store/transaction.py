"""What every store checks before it starts a transaction, and the shape in which one reaches listeners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from fairlead_control_plane.store.contract import MAX_OPERATIONS, Compare, Event, Operation

EVERYTHING = ("", "\U0010ffff")
"""Start and end of the range of all keys: the end is a code point that is no character."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    One committed transaction.

    Invariant: every event carries ``revision``; ``size_bytes`` counts keys and values, old and new.
    """

    revision: int
    events: Sequence[Event]
    size_bytes: int


def transaction_of(revision: int, events: Sequence[Event]) -> Transaction:
    """Return the transaction with its size counted."""
    size = 0
    for event in events:
        size += 2 * len(event.key)
        if event.row is not None:
            size += len(event.row.value)
        if event.previous is not None:
            size += len(event.previous.value)
    return Transaction(revision, events, size)


def check_key(key: str) -> None:
    """Raise :class:`ValueError` for a key that no store can order or hold: empty, with NUL, or not UTF-8."""
    if not key or "\0" in key:
        raise ValueError(f"key {key!r} is empty or holds NUL")
    if not key.isascii():
        key.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError, before it can spoil a batch


def check_transaction(operations: Sequence[Operation], compares: Sequence[Compare]) -> None:
    """Raise :class:`ValueError` as the contract's ``commit`` says."""
    if not operations:
        raise ValueError("a transaction needs at least one operation")
    if len(operations) > MAX_OPERATIONS or len(compares) > MAX_OPERATIONS:
        raise ValueError(f"a transaction holds at most {MAX_OPERATIONS} operations and as many compares")
    keys = {operation.key for operation in operations}
    if len(keys) != len(operations):
        raise ValueError("a key may appear in one operation only")
    for key in keys:
        check_key(key)
    for compare in compares:
        check_key(compare.key)


def transactions_of(events: Iterable[Event]) -> list[Transaction]:
    """Group events, which are in order of their revisions and complete, by transaction."""
    return [transaction_of(revision, list(group)) for revision, group in groupby(events, key=attrgetter("revision"))]
