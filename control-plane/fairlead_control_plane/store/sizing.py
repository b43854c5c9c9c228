"""How much room a store takes, and how much there is: what an operator has to know before it is full."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

DEFAULT_QUOTA_BYTES = 2 << 30
"""etcd's own, ``--quota-backend-bytes=0``; etcd before 3.6 does not tell its quota."""
_QUOTA_FIELD = 12
"""``dbSizeQuota`` of etcd's StatusResponse, which the client's definitions do not know."""


@dataclass(frozen=True, slots=True)
class Size:
    """
    Bytes.

    Attributes:
        used: Of the database with its log; what deletions freed inside is counted, for the disk does not have it back.
        quota: At how much etcd takes no more writes; 0 where there is no such bound.
        disk, free: Of the file system the store is on, without what is reserved for root; 0 and 0 when it is elsewhere.
    """

    used: int
    quota: int = 0
    disk: int = 0
    free: int = 0


@runtime_checkable
class Sized(Protocol):
    """A store that knows its size; one in another process does not, its owner does."""

    async def size(self) -> Size:
        """
        Return the size.

        Raises:
            StoreError: It cannot be told now.
            OSError: The file system does not say.
        """
        ...


def of_files(database: Path) -> Size:
    """Return the size of an SQLite database; blocks."""
    system = os.statvfs(database.parent)
    free = system.f_bavail * system.f_frsize
    usable = free + (system.f_blocks - system.f_bfree) * system.f_frsize
    files = [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
    return Size(sum(file.stat().st_size for file in files if file.exists()), disk=usable, free=free)


def of_status(answer: Any) -> Size:
    """Return the size that etcd tells in a StatusResponse."""
    return Size(int(answer.dbSize), quota=_number(answer.SerializeToString(), _QUOTA_FIELD) or DEFAULT_QUOTA_BYTES)


def _number(message: Sequence[int], wanted: int) -> int:
    """Return a varint field of a protobuf message that its definition may not name; 0 when it is not there."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        field, kind = divmod(varint(), 8)
        if kind == 0:
            value = varint()
            if field == wanted:
                return value
        elif kind == 2:
            length = varint()  # first: it moves ``at``
            at += length
        else:
            at += 8 if kind == 1 else 4
    return 0
