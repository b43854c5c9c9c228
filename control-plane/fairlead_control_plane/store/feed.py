"""
The change feed of one store in one process: listeners, a ring of recent transactions, and the watches.

Everything runs on the event loop, so that taking from the ring and subscribing is one step without a gap. An
event finds its watches through its key's prefixes; ten thousand idle watches cost it nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass

from fairlead_control_plane.store.contract import Event, Reached, StoreError, Unavailable
from fairlead_control_plane.store.transaction import Transaction

Listener = Callable[[Sequence[Event], int], None]


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """
    Bounds of what the feed keeps in memory.

    Attributes:
        ring_events: Events kept for watches that start in the recent past.
        ring_bytes: The same in bytes of keys and values.
        pending_events: Events one watch may lag behind before it is ended as too slow.
        pending_bytes: The same in bytes.
    """

    ring_events: int = 20_000
    ring_bytes: int = 32 << 20
    pending_events: int = 20_000
    pending_bytes: int = 64 << 20


class Subscription:
    """One watch of ``[start, end)``: what it has not taken yet, or why it ended."""

    __slots__ = ("_ended", "_failure", "_limits", "_pending", "_size", "_waiter", "after", "end", "start")

    def __init__(self, start: str, end: str, *, after: int, limits: FeedLimits) -> None:
        self.start = start
        self.end = end
        self.after = after
        self._limits = limits
        self._pending: list[Event] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: StoreError | None = None
        self._ended = False

    def offer(self, events: Sequence[Event], size_bytes: int) -> None:
        """Add the events of one transaction; a watch that lags too far loses all and ends."""
        if self._ended or events[0].revision <= self.after:
            return
        self._pending.extend(events)
        self._size += size_bytes
        if len(self._pending) > self._limits.pending_events or self._size > self._limits.pending_bytes:
            self.stop(Unavailable("watcher too slow"))
            return
        self._wake()

    def stop(self, failure: StoreError | None = None) -> None:
        """End the watch: with an error at once, without one after what is pending has been taken."""
        if failure is not None:
            self._pending = []
        self._failure = failure
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_empty(self) -> bool:
        """True when :meth:`take` would have to wait, or ends."""
        return not self._pending

    async def take(self) -> list[Event] | None:
        """
        Wait for events and return all of them; None at the end.

        Raises:
            Unavailable: The watch was too slow, or the store went away.
        """
        while not self._pending:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken, self._pending, self._size = self._pending, [], 0
        return taken


class Feed:
    """
    Listeners and watches of one store.

    Invariant: every transaction above ``floor`` and up to ``revision`` is in the ring.
    """

    def __init__(self, revision: int, limits: FeedLimits | None = None) -> None:
        self.revision = revision
        self.floor = revision
        self.limits = limits or FeedLimits()
        self._ring: deque[Transaction] = deque()
        self._ring_events = 0
        self._ring_bytes = 0
        self._listeners: list[Listener] = []
        self._by_prefix: dict[str, set[Subscription]] = {}
        self._others: set[Subscription] = set()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return what removes it (again: nothing happens)."""
        self._listeners = [*self._listeners, listener]

        def remove() -> None:
            self._listeners = [other for other in self._listeners if other is not listener]

        return remove

    def publish(self, transactions: Iterable[Transaction]) -> None:
        """Tell listeners, then watches, of transactions in order of their revisions."""
        for transaction in transactions:
            self.revision = transaction.revision
            for listener in self._listeners:
                listener(transaction.events, transaction.revision)
            self._remember(transaction)
            if self._by_prefix or self._others:
                self._deliver(transaction)

    def _remember(self, transaction: Transaction) -> None:
        self._ring.append(transaction)
        self._ring_events += len(transaction.events)
        self._ring_bytes += transaction.size_bytes
        while self._ring_events > self.limits.ring_events or self._ring_bytes > self.limits.ring_bytes:
            oldest = self._ring.popleft()
            self._ring_events -= len(oldest.events)
            self._ring_bytes -= oldest.size_bytes
            self.floor = oldest.revision

    def _deliver(self, transaction: Transaction) -> None:
        matches: dict[Subscription, list[Event]] = {}
        for event in transaction.events:
            for subscription in self._watching(event.key):
                matches.setdefault(subscription, []).append(event)
        for subscription, events in matches.items():
            subscription.offer(events, transaction.size_bytes)

    def _watching(self, key: str) -> Iterable[Subscription]:
        """Yield the watches of one key: by each of its prefixes, then those of ranges that are no prefix."""
        slash = key.find("/")
        while slash >= 0:
            yield from self._by_prefix.get(key[: slash + 1], ())
            slash = key.find("/", slash + 1)
        for subscription in self._others:
            if subscription.start <= key < subscription.end:
                yield subscription

    def subscribe(self, start: str, end: str, *, after: int) -> Subscription:
        """Start a watch with what the ring holds above ``after``, which must not lie below ``floor``."""
        if after < self.floor:
            raise ValueError(f"revision {after} has left the ring, which starts after {self.floor}")
        subscription = Subscription(start, end, after=after, limits=self.limits)
        missed: list[Transaction] = []
        for transaction in reversed(self._ring):
            if transaction.revision <= after:
                break
            missed.append(transaction)
        for transaction in reversed(missed):
            events = [event for event in transaction.events if start <= event.key < end]
            if events:
                subscription.offer(events, transaction.size_bytes)
        if is_prefix(start, end):
            self._by_prefix.setdefault(start, set()).add(subscription)
        else:
            self._others.add(subscription)
        return subscription

    async def watch(self, start: str, end: str, *, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what the ring holds above ``after``, that this was all (:class:`Reached`), then what happens."""
        subscription = self.subscribe(start, end, after=after)
        reached = max(self.revision, after)
        try:
            if not subscription.is_empty and (missed := await subscription.take()) is not None:
                yield missed
            yield Reached(reached)
            while (batch := await subscription.take()) is not None:
                yield batch
        finally:
            self.unsubscribe(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a watch; one that is gone already is ignored."""
        self._others.discard(subscription)
        group = self._by_prefix.get(subscription.start)
        if group is not None:
            group.discard(subscription)
            if not group:
                del self._by_prefix[subscription.start]

    def stop(self, failure: StoreError | None = None) -> None:
        """End every watch."""
        for subscription in [*self._others, *(one for group in self._by_prefix.values() for one in group)]:
            subscription.stop(failure)

    def restart(self, revision: int) -> None:
        """Forget the ring: what happened before ``revision`` was missed and must be read from history."""
        self._ring.clear()
        self._ring_events = self._ring_bytes = 0
        self.revision = self.floor = revision


def is_prefix(start: str, end: str) -> bool:
    """Tell whether ``[start, end)`` is all that starts with ``start``."""
    return start.endswith("/") and end == start[:-1] + "0"
