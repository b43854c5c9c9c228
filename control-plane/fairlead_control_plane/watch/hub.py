"""
One change feed for the process, and everybody who follows a part of it.

A subscription names a key prefix; an event looks its subscribers up by the prefixes of its key, so it costs only those
who follow it. Subscriptions with the same prefix and the same key are one :class:`Feed`: what is sent is made once and
shared. Where many follow, events in quick succession are sent together: the first goes out at once, what follows within
a few milliseconds in one piece. Nobody is waited for: who lets more than ``limit_bytes`` pile up is cut, and starts
again where it stopped.

A start at an older revision is served from a ring of recent transactions, and behind that from the store's history.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from fairlead_control_plane.store.contract import Event, Store, StoreError, prefix_end, seen_of

RING_EVENTS = 20_000
RING_BYTES = 16 << 20
"""How much history is kept in memory; a client that comes back after a cut connection is usually within it."""
LIMIT_BYTES = 2 * RING_BYTES
"""How much may wait for a watcher: more than the ring can put there at once. Frames are shared, so it is not a copy."""
_CATCH_UP_BYTES = 256 << 10
_BEHIND = 1 << 62
"""``live_after`` while history is being read: the feed sends nothing then."""

PAUSE_PER_MEMBER_S = 0.000_05
"""Least time between two sends of a feed, for each of its members: about five times what a send costs."""
PAUSE_AT_MOST_S = 0.005
_FEW = 8
"""Members to whom everything is sent at once."""


@dataclass(slots=True)
class Delivery:
    """
    An event on its way to its feeds.

    ``frames`` is where feeds leave what others can use as well, under a key of their own (see ``selection.framer``);
    it is emptied once all have been served.
    """

    event: Event
    frames: dict[object, bytes] = field(default_factory=dict)


Frame = Callable[[Delivery], bytes | None]
"""Makes what is sent for an event; None when the watcher does not see it. Called once per feed and event."""


class SlowWatcher(Exception):
    """The subscriber let too much pile up and has been cut; it may start again from the last revision it saw."""


class Subscription:
    """
    What one watcher has yet to send. Iterate it; each step gives everything that came since the last one.

    ``revision`` is that up to which everything has been handed out; a bookmark may name it.
    """

    def __init__(self, hub: Hub, prefix: str, limit_bytes: int) -> None:
        self._hub = hub
        self.prefix = prefix
        self._limit_bytes = limit_bytes
        self._pending: list[bytes] = []
        self._size = 0
        self._wake: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._closed = False
        self.feed: Feed | None = None
        self.behind: asyncio.Task[None] | None = None
        self.live_after = 0
        """Events up to this revision come from history, later ones from the feed."""

    @property
    def is_closed(self) -> bool:
        """True when nothing will come any more: closed by its owner, cut, or the server is stopping."""
        return self._closed

    @property
    def is_current(self) -> bool:
        """True when nothing older than the newest revision can still arrive."""
        held = self.feed is not None and self.feed.is_holding
        return self.behind is None and not self._pending and not held and self._failure is None

    def push(self, data: bytes) -> None:
        """Add to what is to be sent; cut the watcher when that becomes too much. Never waits."""
        if self._closed:
            return
        self._pending.append(data)
        self._size += len(data)
        if self._size > self._limit_bytes:
            self.fail(SlowWatcher(f"{self._size} bytes were waiting"))
            return
        _settle(self._wake)

    async def drained(self) -> None:
        """Wait until little enough is waiting that history can go on; a long one would cut its own watcher."""
        while self._size > _CATCH_UP_BYTES and not self._closed:
            self._taken = asyncio.get_running_loop().create_future()
            await self._taken

    def end(self) -> None:
        """Let the watcher send what waits, then nothing more."""
        self._closed = True
        _settle(self._wake)
        _settle(self._taken)

    def fail(self, failure: Exception) -> None:
        """End the subscription with an error, dropping what waits."""
        self._failure = failure
        self._closed = True
        self._pending.clear()
        self._size = 0
        self._hub.leave(self)
        _settle(self._wake)

    async def take(self, timeout_s: float | None = None) -> list[bytes]:
        """
        Wait for something to send and return all of it; an empty list after ``timeout_s`` or when closed.

        Raises:
            SlowWatcher: The subscription was cut.
            Compacted: The history it started from is gone.
            Unavailable: The store went away.
        """
        if not self._pending and self._failure is None and not self._closed:
            await self._woken(timeout_s)
        if self._failure is not None:
            raise self._failure
        taken, self._pending, self._size = self._pending, [], 0
        _settle(self._taken)
        return taken

    async def _woken(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._wake = wake = loop.create_future()
        # A timer of our own: asyncio.wait and asyncio.timeout cost more than everything else a watcher does.
        timer = None if timeout_s is None else loop.call_later(timeout_s, _settle, wake)
        try:
            await wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    async def close(self) -> None:
        """Stop following. Idempotent."""
        self.end()
        self._hub.leave(self)
        task = self.behind
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))


class Feed:
    """
    All subscriptions to which exactly the same is sent.

    What is held for the next send keeps its revision: who subscribes meanwhile may have seen it already.
    """

    __slots__ = ("_held", "_timer", "frame", "members")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.members: dict[Subscription, None] = {}
        self._held: list[tuple[int, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_holding(self) -> bool:
        """True when something waits for the next send."""
        return bool(self._held)

    def send(self, delivery: Delivery) -> None:
        """Frame an event and hand it to every member that has caught up to it, now or with what follows soon."""
        revision = delivery.event.revision
        if not any(member.live_after < revision for member in self.members):
            return  # who still reads history comes to it there; a frame that collects events must not see it twice
        data = self.frame(delivery)
        if data is None:
            return
        self._held.append((revision, data))
        if self._timer is None:
            self.flush()

    def _resume(self) -> None:
        self._timer = None
        if self._held:
            self.flush()

    def flush(self) -> None:
        """Hand out what is held; where there are many members, what comes next has to wait a little."""
        if len(self.members) > _FEW and self._timer is None:
            pause_s = min(PAUSE_PER_MEMBER_S * len(self.members), PAUSE_AT_MOST_S)
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._resume)
        held, self._held = self._held, []
        if not held:
            return
        first = held[0][0]
        joined = held[0][1] if len(held) == 1 else b"".join([data for _, data in held])
        for member in tuple(self.members):
            if first > member.live_after:
                member.push(joined)
                continue
            for revision, data in held:
                if revision > member.live_after:
                    member.push(data)

    def stop(self) -> None:
        """Hold nothing any more."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Hub:
    """The process's change feed. Make it once the store is open; :meth:`close` lets go of the store."""

    def __init__(self, store: Store, *, ring_events: int = RING_EVENTS, ring_bytes: int = RING_BYTES) -> None:
        self._store = store
        self._feeds: dict[str, dict[object, Feed]] = {}
        self._where: dict[Subscription, tuple[str, object]] = {}
        self._ring: deque[tuple[int, Sequence[Event]]] = deque()
        self._ring_limits = (ring_events, ring_bytes)
        self._ring_size = [0, 0]
        self._ring_after = store.revision
        self._revision = store.revision
        self._forget = store.listen(self._on_events)

    @property
    def revision(self) -> int:
        """Return the newest revision that all feeds have been told of."""
        return self._revision

    def close(self) -> None:
        """Hear no more of the store and end all subscriptions: open watches end in order when the server stops."""
        self._forget()
        for feeds in self._feeds.values():
            for feed in tuple(feeds.values()):
                feed.flush()
        for subscription in tuple(self._where):
            subscription.end()

    def watch(
        self, prefix: str, *, after: int, frame: Frame, key: object, limit_bytes: int = LIMIT_BYTES
    ) -> Subscription:
        """
        Follow the changes below ``prefix`` with a revision above ``after``.

        Args:
            prefix: A key prefix ending in ``/``, or one whole key.
            after: Revision already seen. Older than the ring is read from the store's history.
            frame: Makes what is sent; see :data:`Frame`.
            key: Subscriptions with equal prefix and key must have frames that do the same.
            limit_bytes: How much may wait before the watcher is cut.
        """
        subscription = Subscription(self, prefix, limit_bytes)
        subscription.live_after = max(after, self._revision)
        feed = self._feeds.setdefault(prefix, {}).setdefault(key, Feed(frame))
        feed.members[subscription] = None
        subscription.feed = feed
        self._where[subscription] = (prefix, key)
        if after < self._ring_after:
            subscription.live_after = _BEHIND
            subscription.behind = asyncio.create_task(
                self._catch_up(subscription, after, frame), name=f"watch history {prefix}"
            )
        elif after < self._revision:
            self._replay(subscription, after, frame)
        return subscription

    async def events(self, prefix: str, *, after: int) -> AsyncIterator[Sequence[Event]]:
        """
        Yield the changes below ``prefix`` themselves, in batches; for consumers in this process.

        They are held as they are (no copy), so no limit is kept: the consumer must keep up on its own.

        Raises:
            Compacted, Unavailable.
        """
        found: list[Event] = []

        def note(delivery: Delivery) -> bytes:
            found.append(delivery.event)
            return b"."

        subscription = self.watch(prefix, after=after, frame=note, key=object(), limit_bytes=1 << 40)
        try:
            while not subscription.is_closed:
                await subscription.take()
                batch, found[:] = list(found), []
                if batch:
                    yield batch
        finally:
            await subscription.close()

    def leave(self, subscription: Subscription) -> None:
        """Drop a subscription from the index; see :meth:`Subscription.close`."""
        place = self._where.pop(subscription, None)
        if place is None:
            return
        prefix, key = place
        feeds = self._feeds[prefix]
        feed = feeds[key]
        del feed.members[subscription]
        if not feed.members:
            feed.stop()
            del feeds[key]
            if not feeds:
                del self._feeds[prefix]

    def _on_events(self, events: Sequence[Event], revision: int) -> None:
        self._remember(events, revision)
        self._revision = revision
        feeds = self._feeds
        if not feeds:
            return
        for event in events:
            delivery: Delivery | None = None
            for prefix in _prefixes(event.key):
                found = feeds.get(prefix)
                if found is None:
                    continue
                if delivery is None:
                    delivery = Delivery(event)
                for feed in tuple(found.values()):
                    feed.send(delivery)

    def _remember(self, events: Sequence[Event], revision: int) -> None:
        if not events:
            return
        self._ring.append((revision, events))
        size = self._ring_size
        size[0] += len(events)
        size[1] += _bytes_of(events)
        while self._ring and (size[0] > self._ring_limits[0] or size[1] > self._ring_limits[1]):
            self._ring_after, gone = self._ring.popleft()
            size[0] -= len(gone)
            size[1] -= _bytes_of(gone)

    def _replay(self, subscription: Subscription, after: int, frame: Frame) -> None:
        """Send what the ring holds after a revision."""
        start = bisect_right(self._ring, after, key=lambda entry: entry[0])
        prefix = subscription.prefix
        is_key = not prefix.endswith("/")
        for index in range(start, len(self._ring)):
            for event in self._ring[index][1]:
                if event.key == prefix if is_key else event.key.startswith(prefix):
                    data = frame(Delivery(event))
                    if data is not None:
                        subscription.push(data)

    async def _catch_up(self, subscription: Subscription, after: int, frame: Frame) -> None:
        """
        Send history from the store until the ring reaches back far enough, then what the ring holds, then live.

        Not every store says when history ends; there a watcher of what never changes stays here, which costs one store
        watch. The change over happens in one step, so nothing is sent twice or left out.
        """
        prefix = subscription.prefix
        end = prefix_end(prefix) if prefix.endswith("/") else prefix + "\0"
        batches = self._store.watch(prefix, end, after=after)
        try:
            async for batch in batches:
                for event in batch:
                    data = frame(Delivery(event))
                    if data is not None:
                        subscription.push(data)
                seen = seen_of(batch)
                if seen >= self._ring_after:
                    subscription.live_after = max(self._revision, seen)
                    self._replay(subscription, seen, frame)
                    break
                await subscription.drained()
        except StoreError as failure:
            subscription.fail(failure)
        finally:
            subscription.behind = None
            close = getattr(batches, "aclose", None)
            if close is not None:
                await close()


def _settle(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _bytes_of(events: Sequence[Event]) -> int:
    return sum(len(event.row.value) if event.row else 0 for event in events)


def _prefixes(key: str) -> list[str]:
    """Return every prefix a subscription to this key can have: up to each slash, and the whole key."""
    found = [key]
    end = key.rfind("/")
    while end > 0:
        found.append(key[: end + 1])
        end = key.rfind("/", 0, end)
    found.append("/")
    return found
