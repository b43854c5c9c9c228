"""
What travels between a store's process and its clients: frames of a JSON header and raw values.

A frame is two big-endian 32-bit lengths (header, rest), the header, and the values it speaks of, one after the other.
In the header a row is ``[key, create_revision, mod_revision, length of its value]``, so values are never escaped.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    Event,
    FutureRevision,
    Operation,
    Put,
    Range,
    Reached,
    Row,
    StoreError,
    Unavailable,
)

Header = dict[str, Any]

MAX_FRAME_BYTES = 1 << 30

PART_ROWS = 500
"""Rows of a range in one frame: about a millisecond to encode or decode."""

_LENGTHS = struct.Struct("!II")


class Outgoing:
    """A frame being put together."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self._values: list[bytes] = []

    def row(self, row: Row | None) -> list[Any] | None:
        """Add a row; return what stands for it in the header."""
        if row is None:
            return None
        self._values.append(row.value)
        return [row.key, row.create_revision, row.mod_revision, len(row.value)]

    def events(self, events: Iterable[Event]) -> list[Any]:
        """Add events; return what stands for them in the header."""
        return [[event.revision, event.key, self.row(event.row), self.row(event.previous)] for event in events]

    def operations(self, operations: Iterable[Operation]) -> list[Any]:
        """Add operations; return what stands for them in the header."""
        described: list[Any] = []
        for operation in operations:
            if isinstance(operation, Put):
                self._values.append(operation.value)
                described.append([operation.key, len(operation.value)])
            else:
                described.append([operation.key])
        return described

    def encode(self) -> bytes:
        """Return the frame."""
        header = orjson.dumps(self.header)
        body = b"".join(self._values)
        return b"".join((_LENGTHS.pack(len(header), len(body)), header, body))


class Incoming:
    """A frame received; its parts are taken in the order in which they were added."""

    def __init__(self, header: Header, body: bytes) -> None:
        self.header = header
        self._body = body
        self._position = 0

    def _value(self, length: int) -> bytes:
        begin = self._position
        self._position += length
        return self._body[begin : self._position]

    def row(self, described: Sequence[Any] | None) -> Row | None:
        """Return the row that the header describes."""
        if described is None:
            return None
        key, created, modified, length = described
        return Row(key, self._value(length), created, modified)

    def rows(self, described: Iterable[Sequence[Any]]) -> list[Row]:
        """Return the rows that the header describes."""
        return [row for one in described if (row := self.row(one)) is not None]

    def events(self, described: Iterable[Sequence[Any]]) -> list[Event]:
        """Return the events that the header describes."""
        return [Event(revision, key, self.row(new), self.row(old)) for revision, key, new, old in described]

    def operations(self, described: Iterable[Sequence[Any]]) -> list[Operation]:
        """Return the operations that the header describes."""
        return [Put(one[0], self._value(one[1])) if len(one) == 2 else Delete(one[0]) for one in described]


async def read_frame(reader: asyncio.StreamReader) -> Incoming:
    """
    Wait for the next frame.

    Raises:
        asyncio.IncompleteReadError, OSError: The other side is gone.
    """
    header_length, body_length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if header_length + body_length > MAX_FRAME_BYTES:
        raise OSError(f"frame of {header_length + body_length} bytes: the other side speaks something else")
    data = await reader.readexactly(header_length + body_length)
    return Incoming(orjson.loads(data[:header_length]), data[header_length:])


def encode_commit(call: int, operations: Sequence[Operation], compares: Sequence[Compare]) -> bytes:
    """Return the frame that asks for a transaction."""
    frame = Outgoing({"id": call, "call": "commit", "if": [[one.key, one.mod_revision] for one in compares]})
    frame.header["do"] = frame.operations(operations)
    return frame.encode()


def encode_range(call: int, found: Range) -> Iterator[bytes]:
    """Yield the frames that answer a range read: rows in parts, so that neither side is held up for long."""
    for begin in range(0, len(found.rows), PART_ROWS):
        part = Outgoing({"id": call})
        part.header["part"] = [part.row(row) for row in found.rows[begin : begin + PART_ROWS]]
        yield part.encode()
    yield Outgoing({"id": call, "revision": found.revision, "more": found.more, "remaining": found.remaining}).encode()


def encode_batch(call: int, batch: Sequence[Event]) -> bytes:
    """Return the frame that passes a batch of a watch on."""
    if isinstance(batch, Reached):
        return Outgoing({"id": call, "reached": batch.revision}).encode()
    frame = Outgoing({"id": call})
    frame.header["events"] = frame.events(batch)
    return frame.encode()


def decode_batch(frame: Incoming) -> Sequence[Event]:
    """
    Return the batch of a watch that a frame passes on.

    Raises:
        StoreError, ValueError: What the watch ended with.
    """
    if "error" in frame.header:
        raise decode_error(frame)
    if "reached" in frame.header:
        return Reached(frame.header["reached"])
    return frame.events(frame.header["events"])


def encode_error(call: int, error: StoreError | ValueError) -> bytes:
    """Return the frame that answers with an error."""
    frame = Outgoing({"id": call})
    if isinstance(error, CompareFailed):
        described: list[Any] = ["CompareFailed", [[key, frame.row(row)] for key, row in error.rows.items()]]
    elif isinstance(error, Compacted):
        described = ["Compacted", error.compacted]
    else:
        described = [type(error).__name__, str(error)]
    frame.header["error"] = described
    return frame.encode()


def decode_error(frame: Incoming) -> StoreError | ValueError:
    """Return the error that a frame answers with."""
    name, detail = frame.header["error"]
    if name == "CompareFailed":
        return CompareFailed({key: frame.row(described) for key, described in detail})
    if name == "Compacted":
        return Compacted(detail)
    kinds: dict[str, type[StoreError | ValueError]] = {"FutureRevision": FutureRevision, "ValueError": ValueError}
    return kinds.get(name, Unavailable)(detail)
