"""A store's change feed seen from another process: kept complete and in order, and waited for by writers."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable

from fairlead_control_plane.store.contract import StoreError
from fairlead_control_plane.store.feed import Feed, FeedLimits
from fairlead_control_plane.store.transaction import Transaction


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

    def cut(self, failure: StoreError) -> None:
        """Tell those who wait that the feed was cut off."""
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(failure)
