"""
The store on etcd, for several API servers.

One watch of everything under the prefix feeds listeners and recent watches, and is resumed from the last revision
seen; a watch from further back gets a stream of its own. Writes return once that feed has reached them, so the
listeners of the writing process have heard of them. No lock: several servers are the point.

Source: etcd API reference, ``KV`` and ``Watch`` services (v3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import structlog
from aetcd import rpc

from fairlead_control_plane.store import etcd_wire as wire
from fairlead_control_plane.store.contract import (
    Compacted,
    Compare,
    CompareFailed,
    Event,
    FutureRevision,
    Operation,
    Range,
    Reached,
    Row,
    StoreError,
    Unavailable,
)
from fairlead_control_plane.store.feed import FeedLimits
from fairlead_control_plane.store.following import Follower
from fairlead_control_plane.store.sizing import Size, of_status
from fairlead_control_plane.store.transaction import EVERYTHING, check_transaction, transactions_of

log = structlog.get_logger(__name__)

PAGE_ROWS = 5_000
"""Rows read by one request of an unlimited range, to bound the size of messages."""

RETRY_S = (0.05, 2.0)
"""First and longest pause between attempts to resume the feed."""

PROGRESS_S = 0.1
"""Pause between requests for progress of a watch of the past: that of etcd's rounds that bring such watches along."""

_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


@dataclass(frozen=True, slots=True)
class EtcdSettings:
    """
    Attributes:
        endpoints: URLs such as ``https://host:2379``; tried in turn when one does not answer.
        prefix: Before every key, so that an etcd may be shared; as long as revisions are, they stay etcd's own.
        ca_file, cert_file, key_file: PEM files for ``https``; the last two for a client certificate.
        timeout_s: For one request, and for the feed to come to a write's revision.
    """

    endpoints: Sequence[str]
    prefix: str = "/fairlead"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    timeout_s: float = 10.0


class EtcdStore:
    """The contract of :class:`~fairlead_control_plane.store.contract.Store` on etcd; made by :meth:`open`."""

    def __init__(self, settings: EtcdSettings, channels: Sequence[grpc.aio.Channel], limits: FeedLimits | None) -> None:
        self._settings = settings
        self._prefix = settings.prefix.encode()
        self._channels = channels
        self._endpoint = 0
        self._follower = Follower(1, limits)
        self._feed_call: Any = None
        self._task: asyncio.Task[None] | None = None
        self._unusable = ""

    @classmethod
    async def open(cls, settings: EtcdSettings, limits: FeedLimits | None = None) -> EtcdStore:
        """
        Connect and start to follow.

        Raises:
            Unavailable: No endpoint answers.
            ValueError: No endpoint given, or one is no URL.
            OSError: A certificate file cannot be read.
        """
        if not settings.endpoints:
            raise ValueError("etcd: no endpoint given")
        credentials = await asyncio.to_thread(_credentials, settings)
        store = cls(settings, [_channel(endpoint, credentials) for endpoint in settings.endpoints], limits)
        try:
            store._follower.feed.restart(await store.current_revision())
        except BaseException:
            await store._close_channels()
            raise
        store._task = asyncio.create_task(store._follow(), name="store-etcd-feed")
        return store

    @property
    def revision(self) -> int:
        """See the contract."""
        return self._follower.feed.revision

    async def current_revision(self) -> int:
        """See the contract; a linearizable read, so it holds for all servers of the cluster."""
        answer = await self._read(rpc.RangeRequest(key=self._prefix, count_only=True))
        revision = int(answer.header.revision)
        if revision > self.revision and self._feed_call is not None:
            # Others' writes outside the prefix make no event; ask how far the feed has come.
            await _ask_progress(self._feed_call)
        return revision

    async def size(self) -> Size:
        """See :class:`~fairlead_control_plane.store.sizing.Sized`; of the member that answers, as its quota is."""
        status = rpc.StatusRequest()
        answer = await self._call(
            lambda channel: rpc.MaintenanceStub(channel).Status(status, timeout=self._settings.timeout_s)
        )
        return of_status(answer)

    async def get(self, key: str, *, revision: int = 0) -> Row | None:
        """See the contract."""
        answer = await self._read(rpc.RangeRequest(key=self._key(key), revision=revision))
        return wire.row_of(self._prefix, answer.kvs[0]) if answer.kvs else None

    async def range(self, start: str, end: str, *, limit: int = 0, revision: int = 0) -> Range:
        """See the contract."""
        rows: list[Row] = []
        begin, stop = self._key(start), self._key(end)
        while begin < stop:
            size = min(limit - len(rows), PAGE_ROWS) if limit else PAGE_ROWS
            answer = await self._read(rpc.RangeRequest(key=begin, range_end=stop, limit=size, revision=revision))
            revision = revision or answer.header.revision
            rows.extend(wire.row_of(self._prefix, pair) for pair in answer.kvs)
            if not answer.more:
                break
            if limit and len(rows) >= limit:
                return Range(rows, revision, True, answer.count - len(answer.kvs))
            begin = answer.kvs[-1].key + b"\0"
        return Range(rows, revision or self.revision)

    async def count(self, start: str, end: str) -> int:
        """See the contract."""
        begin, stop = self._key(start), self._key(end)
        if begin >= stop:
            return 0
        return int((await self._read(rpc.RangeRequest(key=begin, range_end=stop, count_only=True))).count)

    async def commit(self, operations: Sequence[Operation], compares: Sequence[Compare] = ()) -> int:
        """See the contract."""
        check_transaction(operations, compares)
        request = wire.transaction_request(self._prefix, operations, compares)
        answer = await self._call(lambda channel: rpc.KVStub(channel).Txn(request, timeout=self._settings.timeout_s))
        if not answer.succeeded:
            found = [response.response_range.kvs for response in answer.responses]
            raise CompareFailed(
                {
                    compare.key: wire.row_of(self._prefix, pairs[0]) if pairs else None
                    for compare, pairs in zip(compares, found, strict=True)
                }
            )
        revision = int(answer.header.revision)
        if wire.has_changed(operations, answer):
            await self._reach(revision)
        return revision

    async def _reach(self, revision: int) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._follower.reach(revision)
        except TimeoutError:
            raise Unavailable(f"written as revision {revision}, but etcd's watch has not told of it") from None

    async def watch(self, start: str, end: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        """See the contract. Ends without an error when this store object is closed."""
        self._check()
        history = partial(self._watch_etcd, start, end)
        async with aclosing(self._follower.watch(start, end, after=after, history=history)) as batches:
            async for batch in batches:
                yield batch

    async def _watch_etcd(self, start: str, end: str, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """
        Watch a range in etcd itself.

        etcd answers a request for progress only once it has told the past (3.4.25, 3.5.8 and later), and drops it
        before that; so it is asked until it answers.
        """
        call = rpc.WatchStub(self._channel).Watch()
        asking: asyncio.Task[None] | None = None
        try:
            await call.write(wire.watch_request(self._key(start), self._key(end), after=after))
            asking = asyncio.create_task(_ask_on(call), name="store-etcd-progress")
            async for events, upto in self._events(call, after):
                if events:
                    yield events
                elif upto:
                    yield Reached(upto)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            if self._task is None:
                return
            raise Unavailable(f"etcd's watch broke: {_details(error)}") from error
        except asyncio.CancelledError:
            # gRPC ends a call of a closed channel by cancelling it; our own cancellation must pass.
            task = asyncio.current_task()
            if self._task is not None or (task is not None and task.cancelling()):
                raise
        finally:
            call.cancel()
            if asking is not None:
                asking.cancel()
                await asyncio.wait([asking])

    async def _events(self, call: Any, after: int) -> AsyncGenerator[tuple[list[Event], int], None]:
        """
        Yield whole transactions above ``after`` from a watch stream, and how far it has certainly come.

        Raises:
            Compacted, Unavailable: etcd cancelled the watch, or ended the stream.
        """
        events: list[Event] = []
        while (answer := await call.read()) is not grpc.aio.EOF:
            if answer.canceled:
                if answer.compact_revision:
                    raise Compacted(answer.compact_revision)
                raise Unavailable(f"etcd cancelled the watch: {answer.cancel_reason}")
            events.extend(wire.event_of(self._prefix, one) for one in answer.events if one.kv.mod_revision > after)
            if answer.fragment or answer.created:
                continue
            yield events, events[-1].revision if events else (0 if answer.events else answer.header.revision)
            events = []
        raise Unavailable("etcd ended the watch")

    def listen(self, listener: Callable[[Sequence[Event], int], None]) -> Callable[[], None]:
        """See the contract."""
        return self._follower.feed.listen(listener)

    async def compact(self, revision: int) -> None:
        """See the contract; a revision compacted already is fine."""
        request = rpc.CompactionRequest(revision=revision)
        try:
            await self._call(lambda channel: rpc.KVStub(channel).Compact(request, timeout=self._settings.timeout_s))
        except Compacted:
            return

    async def close(self) -> None:
        """See the contract; etcd itself goes on."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._unusable = self._unusable or "the store is closed"
        task.cancel()
        await asyncio.wait([task])
        self._follower.cut(Unavailable(self._unusable))
        self._follower.feed.stop()
        await self._close_channels()

    async def _close_channels(self) -> None:
        for channel in self._channels:
            await channel.close()

    @property
    def _channel(self) -> grpc.aio.Channel:
        return self._channels[self._endpoint % len(self._channels)]

    def _key(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def _check(self) -> None:
        if self._unusable:
            raise Unavailable(self._unusable)

    async def _read(self, request: Any) -> Any:
        revision = int(request.revision)
        return await self._call(
            lambda channel: rpc.KVStub(channel).Range(request, timeout=self._settings.timeout_s), revision
        )

    async def _call(self, call: Callable[[grpc.aio.Channel], Awaitable[Any]], revision: int = 0) -> Any:
        self._check()
        try:
            return await call(self._channel)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                self._endpoint += 1
            raise _error_of(error, revision) from error
        except grpc.aio.UsageError as error:
            raise Unavailable(str(error)) from error

    async def _follow(self) -> None:
        """Keep the feed going until closed or cut off for good."""
        pause = RETRY_S[0]
        while True:
            came_from = self.revision
            try:
                await self._follow_once()
            except Compacted as error:
                self._unusable = "changes were missed while etcd could not be reached: restart this process"
                log.critical("etcd feed is cut off", revision=self.revision, compacted=error.compacted)
                self._follower.cut_off(self._unusable)
                return
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, Unavailable) as error:
                log.warning("etcd feed broke, resuming", revision=self.revision, reason=_details(error))
                self._endpoint += 1
            pause = RETRY_S[0] if self.revision > came_from else min(2 * pause, RETRY_S[1])
            await asyncio.sleep(pause)

    async def _follow_once(self) -> None:
        call = rpc.WatchStub(self._channel).Watch(wait_for_ready=False)
        try:
            start, end = (self._key(bound) for bound in EVERYTHING)
            await call.write(wire.watch_request(start, end, after=self.revision))
            self._feed_call = call
            async for events, upto in self._events(call, self.revision):
                self._follower.advance(transactions_of(events), upto)
        finally:
            self._feed_call = None
            call.cancel()


async def _ask_on(call: Any) -> None:
    while True:
        if not await _ask_progress(call):
            return
        await asyncio.sleep(PROGRESS_S)


async def _ask_progress(call: Any) -> bool:
    """Ask a watch stream how far it has come; return whether it could be asked."""
    try:
        await call.write(wire.progress_request())
    except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
        log.debug("etcd cannot be asked for progress", reason=_details(error))
        return False
    return True


def _credentials(settings: EtcdSettings) -> grpc.ChannelCredentials:
    ca, cert, key = (
        path.read_bytes() if path else None for path in (settings.ca_file, settings.cert_file, settings.key_file)
    )
    return grpc.ssl_channel_credentials(ca, key, cert)


def _channel(endpoint: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    url = urlsplit(endpoint)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError(f"etcd endpoint {endpoint!r} must look like https://host:2379")
    target = f"{url.hostname}:{url.port or 2379}"
    if url.scheme == "https":
        return grpc.aio.secure_channel(target, credentials, options=_CHANNEL_OPTIONS)
    return grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)


def _details(error: Exception) -> str:
    return str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else str(error)


def _error_of(error: grpc.aio.AioRpcError, revision: int) -> StoreError | ValueError:
    details = _details(error)
    if error.code() is grpc.StatusCode.OUT_OF_RANGE:
        if "compacted" in details:
            # etcd does not say up to where; this much follows from the question.
            return Compacted(revision + 1)
        return FutureRevision(details)
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return ValueError(details)
    return Unavailable(f"etcd: {details}")
