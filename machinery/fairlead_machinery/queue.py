"""
A work queue: each key once, never twice at a time, later or after failures with growing pauses.

Source: k8s.io/client-go/util/workqueue; fairness between tenants is ours.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

BASE_DELAY_S = 0.005
MAX_DELAY_S = 60.0
_MOST_LEFT = 1000


class WorkQueue(Generic[Key]):
    """
    Keys waiting to be worked on.

    Args:
        tenant: Names the tenant of a key as it is added; tenants then take turns. A key that is added again with
            another answer stands in that line from then on. None: first come, first served.
        base_delay_s, max_delay_s: Pause after the first failure, doubled for each further one, up to the maximum.
        jitter: Gives a factor's random part in [0, 1); up to a tenth is added to pauses.
    """

    def __init__(
        self,
        *,
        tenant: Callable[[Key], Hashable] | None = None,
        base_delay_s: float = BASE_DELAY_S,
        max_delay_s: float = MAX_DELAY_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._tenant = tenant
        self._base_delay_s = base_delay_s
        self._max_delay_s = max_delay_s
        self._jitter = jitter
        self._ready: OrderedDict[Hashable, deque[Key]] = OrderedDict()
        self._queued: dict[Key, Hashable] = {}
        self._left: int = 0  # entries in a tenant's line whose key has moved to another since
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        """Count keys that are ready now; delayed and running ones are not."""
        return len(self._queued)

    @property
    def is_idle(self) -> bool:
        """True when nothing is ready, running or delayed."""
        return not (self._queued or self._running or self._timers or self._again)

    def add(self, key: Key) -> None:
        """Make a key ready, unless it is; one that is being worked on comes again after that."""
        if self._closed:
            return
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._running:
            self._again.add(key)
            return
        tenant = self._tenant(key) if self._tenant else None
        if key not in self._queued:
            self._line_up(key, tenant)
            self._wake()
        elif self._queued[key] != tenant:
            self._left += 1
            self._line_up(key, tenant)

    def _line_up(self, key: Key, tenant: Hashable) -> None:
        self._queued[key] = tenant
        self._ready.setdefault(tenant, deque()).append(key)
        if self._left > _MOST_LEFT + len(self._queued):
            self._left = 0
            self._ready.clear()
            for one, line in self._queued.items():
                self._ready.setdefault(line, deque()).append(one)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Make a key ready later; the earliest of several such calls counts."""
        if self._closed:
            return
        if delay_s <= 0:
            self.add(key)
            return
        if key in self._queued:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + delay_s:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_later(delay_s, self._due, key)

    def _due(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    def retry(self, key: Key) -> float:
        """Make a key ready after a pause that grows with its failures in a row; return the pause in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(self._base_delay_s * (1 << min(failures, 60)), self._max_delay_s)
        delay_s *= 1 + self._jitter() / 10
        self.add_after(key, delay_s)
        return delay_s

    def failures(self, key: Key) -> int:
        """Return how often in a row a key failed."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Forget failures: the key was worked on successfully."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """Wait for a key, which then counts as running until :meth:`done`; None when the queue is closed and empty."""
        while not self._queued:
            if self._closed:
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._wake()  # the call that was lost goes to another
                raise
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        key = self._next()
        self._running.add(key)
        return key

    def _next(self) -> Key:
        """Take the first key of the tenant whose turn it is; there is one."""
        while True:
            tenant, keys = self._ready.popitem(last=False)
            is_taken = False
            while keys and not is_taken:
                key = keys.popleft()
                is_taken = key in self._queued and self._queued[key] == tenant
                self._left -= not is_taken
            if keys:
                self._ready[tenant] = keys  # to the end of the line
            if is_taken:
                del self._queued[key]
                return key

    def done(self, key: Key) -> None:
        """End work on a key; it is ready at once if it was added meanwhile."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Take nothing more, drop what is delayed, and let workers end when nothing is ready."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()
        while self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
