"""etcd's requests and answers, built from and turned into the contract's types; nothing here waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aetcd import rpc

from fairlead_control_plane.store.contract import Compare, Delete, Event, Operation, Put, Row

LAST_KEY = b"\xff"
"""Above every key: no UTF-8 text begins with this byte."""


def compare_request(prefix: bytes, compare: Compare) -> Any:
    """Return the compare on a key's mod revision; a key that does not exist has 0 in etcd too."""
    return rpc.Compare(
        result=rpc.Compare.EQUAL,
        target=rpc.Compare.MOD,
        key=prefix + compare.key.encode(),
        mod_revision=compare.mod_revision,
    )


def operation_request(prefix: bytes, operation: Operation) -> Any:
    """Return the put or delete."""
    key = prefix + operation.key.encode()
    if isinstance(operation, Delete):
        return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key))
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=operation.value))


def transaction_request(prefix: bytes, operations: Sequence[Operation], compares: Sequence[Compare]) -> Any:
    """Return the transaction; when a compare fails it reads the compared keys instead."""
    return rpc.TxnRequest(
        compare=[compare_request(prefix, compare) for compare in compares],
        success=[operation_request(prefix, operation) for operation in operations],
        failure=[
            rpc.RequestOp(request_range=rpc.RangeRequest(key=prefix + compare.key.encode())) for compare in compares
        ],
    )


def has_changed(operations: Iterable[Operation], answer: Any) -> bool:
    """Return whether a successful transaction wrote anything (deletes of missing keys do not)."""
    return any(
        isinstance(operation, Put) or response.response_delete_range.deleted
        for operation, response in zip(operations, answer.responses, strict=True)
    )


def row_of(prefix: bytes, pair: Any) -> Row:
    """Return the row that a key-value message holds."""
    return Row(pair.key[len(prefix) :].decode(), pair.value, pair.create_revision, pair.mod_revision)


def event_of(prefix: bytes, event: Any) -> Event:
    """Return the contract's event; etcd marks a missing previous row by a mod revision of 0."""
    pair = event.kv
    previous = row_of(prefix, event.prev_kv) if event.prev_kv.mod_revision else None
    is_put = event.type == event.PUT
    key = pair.key[len(prefix) :].decode()
    return Event(pair.mod_revision, key, row_of(prefix, pair) if is_put else None, previous)


def watch_request(start: bytes, end: bytes, *, after: int) -> Any:
    """
    Return the request for events from ``after`` on.

    One revision early on purpose: etcd refuses a start before the last compaction, and the first event's previous
    row is known only if ``after`` itself is not compacted. The reader drops what it has seen.
    """
    return rpc.WatchRequest(
        create_request=rpc.WatchCreateRequest(
            key=start, range_end=end, start_revision=max(after, 1), prev_kv=True, fragment=True, progress_notify=True
        )
    )


def progress_request() -> Any:
    """Return the request to be told how far the watches of a stream have come."""
    return rpc.WatchRequest(progress_request=rpc.WatchProgressRequest())
