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
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import structlog

from fairlead_control_plane.store.contract import Event, Store, StoreError, prefix_end, seen_of
from fairlead_control_plane.watch.subscription import Broken, Delivery, Feed, Frame, Subscription

_log = structlog.get_logger(__name__)

RING_EVENTS = 20_000
RING_BYTES = 16 << 20
"""How much history is kept in memory; a client that comes back after a cut connection is usually within it."""
LIMIT_BYTES = 2 * RING_BYTES
"""How much may wait for a watcher: more than the ring can put there at once. Frames are shared, so it is not a copy."""
_BEHIND = 1 << 62
"""``live_after`` while history is being read: the feed sends nothing then."""


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
        subscription = Subscription(self.leave, prefix, limit_bytes)
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
            with _ending(subscription):
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

        The change over happens in one step, so nothing is sent twice or left out.
        """
        prefix = subscription.prefix
        end = prefix_end(prefix) if prefix.endswith("/") else prefix + "\0"
        batches = self._store.watch(prefix, end, after=after)
        try:
            with _ending(subscription):
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
        finally:
            subscription.behind = None
            close = getattr(batches, "aclose", None)
            if close is not None:
                await close()


@contextmanager
def _ending(subscription: Subscription) -> Iterator[None]:
    """End this subscription, and it alone, with what goes wrong."""
    try:
        yield
    except StoreError as failure:
        subscription.fail(failure)
    except Exception:  # noqa: BLE001 - whatever a watcher's frame raises: else it would wait for ever
        _log.exception("history cannot be shown", prefix=subscription.prefix)
        subscription.fail(Broken("an event cannot be shown"))


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
