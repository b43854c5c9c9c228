"""
A store owned by another process on this machine, spoken to over its Unix socket.

The whole change feed is followed, so that listeners and watches here cost the owner one stream. It is resumed after
a reconnect from the last revision seen, without a gap; calls under way when the connection breaks end with
Unavailable, and of a commit that means that its outcome is unknown.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import structlog

from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    Event,
    Operation,
    Range,
    Row,
    StoreError,
    Unavailable,
    seen_of,
)
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.following import Follower
from fairlead_control_plane.store.frames import (
    Header,
    Incoming,
    Outgoing,
    decode_batch,
    decode_error,
    encode_commit,
    read_frame,
)
from fairlead_control_plane.store.transaction import EVERYTHING, check_transaction, transactions_of

log = structlog.get_logger(__name__)

RETRY_S = (0.02, 1.0)
"""First and longest pause between attempts to connect again."""

_FEED = 0

_LOST = "the connection to the store was lost"


class RemoteStore:
    """The contract of :class:`~fairlead_control_plane.store.contract.Store` over a socket; made by :meth:`open`."""

    def __init__(self, path: str, revision: int, limits: FeedLimits | None) -> None:
        self._path = path
        self._follower = Follower(revision, limits)
        self._writer: asyncio.StreamWriter | None = None
        self._calls: dict[int, asyncio.Future[Incoming]] = {}
        self._parts: dict[int, list[Row]] = {}
        self._streams: dict[int, asyncio.Queue[Incoming | None]] = {}
        self._ids = itertools.count(1)
        self._unusable = ""
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: str | Path, limits: FeedLimits | None = None) -> RemoteStore:
        """
        Connect to the store served at ``path``.

        Raises:
            Unavailable: Nobody answers there.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(path))
            revision = int((await read_frame(reader)).header["revision"])
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unavailable(f"no store answers at {path}: {error}") from error
        store = cls(str(path), revision, limits)
        store._adopt(writer)
        store._task = asyncio.create_task(store._run(reader), name="store-client")
        return store

    @property
    def revision(self) -> int:
        """See the contract."""
        return self._follower.feed.revision

    async def current_revision(self) -> int:
        """See the contract."""
        return int((await self._call({"call": "current"})).header["revision"])

    async def get(self, key: str, *, revision: int = 0) -> Row | None:
        """See the contract."""
        frame = await self._call({"call": "get", "key": key, "at": revision})
        return frame.row(frame.header["row"])

    async def range(self, start: str, end: str, *, limit: int = 0, revision: int = 0) -> Range:
        """See the contract."""
        call = next(self._ids)
        rows = self._parts[call] = []
        asked = {"id": call, "call": "range", "in": [start, end], "limit": limit, "at": revision}
        try:
            header = (await self._ask(call, Outgoing(asked).encode())).header
        finally:
            del self._parts[call]
        return Range(rows, header["revision"], header["more"], header["remaining"])

    async def count(self, start: str, end: str) -> int:
        """See the contract."""
        return int((await self._call({"call": "count", "in": [start, end]})).header["count"])

    async def commit(self, operations: Sequence[Operation], compares: Sequence[Compare] = ()) -> int:
        """See the contract."""
        check_transaction(operations, compares)
        call = next(self._ids)
        answer = await self._ask(call, encode_commit(call, operations, compares))
        revision = int(answer.header["revision"])
        await self._follower.reach(revision)
        return revision

    async def watch(self, start: str, end: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        """See the contract. Ends without an error when this client is closed."""
        self._check()
        history = partial(self._watch_there, start, end)
        async with aclosing(self._follower.watch(start, end, after=after, history=history)) as batches:
            async for batch in batches:
                yield batch

    async def _watch_there(self, start: str, end: str, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """Watch from a revision that this process has not seen or no longer remembers."""
        call = next(self._ids)
        frames: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._streams[call] = frames
        try:
            self._send(Outgoing({"id": call, "call": "watch", "in": [start, end], "after": after}).encode())
            while (frame := await frames.get()) is not None:
                yield decode_batch(frame)
            if self._task is not None:
                raise Unavailable(_LOST)
        finally:
            if self._streams.pop(call, None) is not None and self._writer is not None:
                self._send(Outgoing({"id": call, "call": "cancel"}).encode())

    def listen(self, listener: Callable[[Sequence[Event], int], None]) -> Callable[[], None]:
        """See the contract."""
        return self._follower.feed.listen(listener)

    async def compact(self, revision: int) -> None:
        """See the contract."""
        await self._call({"call": "compact", "at": revision})

    async def close(self) -> None:
        """See the contract; the store itself stays open where it is."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._unusable = self._unusable or "the store is closed"
        task.cancel()
        await asyncio.wait([task])
        self._disconnect()
        self._follower.feed.stop()

    def _check(self) -> asyncio.StreamWriter:
        if self._unusable or self._writer is None:
            raise Unavailable(self._unusable or "the store cannot be reached; nothing was written")
        return self._writer

    def _send(self, frame: bytes) -> None:
        self._check().write(frame)

    async def _call(self, header: Header) -> Incoming:
        call = next(self._ids)
        return await self._ask(call, Outgoing({"id": call, **header}).encode())

    async def _ask(self, call: int, frame: bytes) -> Incoming:
        writer = self._check()
        future: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()
        self._calls[call] = future
        writer.write(frame)
        try:
            return await future
        finally:
            self._calls.pop(call, None)

    def _adopt(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        after = self._follower.feed.revision
        self._send(Outgoing({"id": _FEED, "call": "watch", "in": list(EVERYTHING), "after": after}).encode())

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        failure = Unavailable(f"{_LOST}; the outcome of a write under way is unknown")
        for future in self._calls.values():
            if not future.done():
                future.set_exception(failure)
        for frames in self._streams.values():
            frames.put_nowait(None)
        self._follower.cut(failure)

    async def _run(self, reader: asyncio.StreamReader) -> None:
        """Take frames; connect again whenever the connection breaks, until closed or cut off for good."""
        while True:
            try:
                while True:
                    self._take(await read_frame(reader))
            except (OSError, asyncio.IncompleteReadError):
                self._disconnect()
            if self._unusable:
                self._follower.cut_off(self._unusable)
                return
            reader = await self._connect_again()

    async def _connect_again(self) -> asyncio.StreamReader:
        pause, longest = RETRY_S
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
                greeting = await read_frame(reader)
            except (OSError, asyncio.IncompleteReadError):
                continue
            if greeting.header["revision"] < self.revision:
                self._give_up("the store is older than what this process has seen of it")
            self._adopt_if_usable(writer)
            return reader

    def _adopt_if_usable(self, writer: asyncio.StreamWriter) -> None:
        if self._unusable:
            writer.close()
        else:
            self._adopt(writer)

    def _give_up(self, reason: str) -> None:
        self._unusable = f"{reason}: restart it"
        log.error("store client is cut off", reason=reason)

    def _take(self, frame: Incoming) -> None:
        call = int(frame.header["id"])
        if call == _FEED:
            self._follow(frame)
        elif "part" in frame.header:
            if (rows := self._parts.get(call)) is not None:
                rows.extend(frame.rows(frame.header["part"]))
        elif (future := self._calls.get(call)) is not None:
            if future.done():
                return
            if "error" in frame.header:
                future.set_exception(decode_error(frame))
            else:
                future.set_result(frame)
        elif (frames := self._streams.get(call)) is not None:
            frames.put_nowait(frame)

    def _follow(self, frame: Incoming) -> None:
        try:
            batch = decode_batch(frame)
        except (StoreError, ValueError) as error:
            if isinstance(error, Compacted):
                self._give_up("changes were missed while the store could not be reached")
            raise OSError(str(error)) from error  # begin again with a new connection
        self._follower.advance(transactions_of(batch), seen_of(batch))
