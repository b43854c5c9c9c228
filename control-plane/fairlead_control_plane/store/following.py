"""A store's change feed seen from another process: kept complete and in order, watched, and waited for by writers."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing

from fairlead_control_plane.store.contract import Event, StoreError, Unavailable, seen_of
from fairlead_control_plane.store.feed import Feed, FeedLimits
from fairlead_control_plane.store.transaction import Transaction

History = Callable[[int], AsyncGenerator[Sequence[Event], None]]
"""
Watches the store itself after a revision, from where the feed no longer reaches back; says :class:`Reached` at its end
and goes on. Ends when the store object is closed.
"""


class Follower:
    """
    A feed and those who wait until it has come so far.

    A writer waits for the revision it was given: by then the listeners of its own process have heard of it.
    """

    def __init__(self, revision: int, limits: FeedLimits | None = None) -> None:
        self.feed = Feed(revision, limits)
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0

    def advance(self, transactions: Iterable[Transaction], upto: int = 0) -> None:
        """Publish transactions, then note that nothing else happened up to ``upto``."""
        self.feed.publish(transactions)
        self.feed.revision = max(self.feed.revision, upto)
        while self._waiting and self._waiting[0][0] <= self.feed.revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def reach(self, revision: int) -> None:
        """
        Wait until the feed has come to ``revision``.

        Raises:
            Unavailable: It was cut off first.
        """
        if revision <= self.feed.revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._waiting, (revision, self._order, future))
        await future

    async def watch(
        self, start: str, end: str, *, after: int, history: History
    ) -> AsyncGenerator[Sequence[Event], None]:
        """
        Watch as the contract says: what the feed has forgotten from history, all else from the feed.

        A watch stays with history only until that has come to what the feed remembers, so it costs the store no
        stream of its own for longer.
        """
        feed = self.feed
        while after < feed.floor:
            async with aclosing(history(after)) as batches:
                async for batch in batches:
                    yield batch
                    after = seen_of(batch) or after
                    if after >= feed.floor:
                        break
                else:
                    return
        async with aclosing(feed.watch(start, end, after=after)) as live:
            async for batch in live:
                yield batch

    def cut_off(self, reason: str) -> None:
        """
        End all watches for good: changes were missed.

        Listeners keep what they know; with a hole in it they would answer wrongly for ever.
        """
        failure = Unavailable(reason)
        self.cut(failure)
        self.feed.stop(failure)

    def cut(self, failure: StoreError) -> None:
        """Tell those who wait that the feed was cut off."""
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(failure)
