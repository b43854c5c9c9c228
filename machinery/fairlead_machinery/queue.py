"""
A work queue: each key once, never twice at a time, later or after failures with growing pauses.

Source: k8s.io/client-go/util/workqueue; fairness between tenants is ours.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fairlead_machinery.congestion import Congestion

Key = TypeVar("Key", bound=Hashable)

BASE_DELAY_S = 0.005
MAX_DELAY_S = 60.0
LASTING_S, MAX_LASTING_S = 1.0, 300.0
"""The first and the longest pause after a refusal of what is asked for; each is eight times as long as the last."""
_MOST_LEFT = 1000
_RESOLUTION_S = 0.001


@dataclass(frozen=True, slots=True)
class _Hold:
    """
    A key that must not be worked on before its time, whoever asks.

    Attributes:
        until_s: By the loop's clock.
        stamp: What the key's outcome followed from, of which a change ends the hold; None when nothing does.
    """

    until_s: float
    stamp: Hashable | None


class WorkQueue(Generic[Key]):
    """
    Keys waiting to be worked on.

    Args:
        tenant: Names the tenant of a key as it is added; tenants then take turns. A key that is added again with
            another answer stands in that line from then on. None: first come, first served.
        base_delay_s, max_delay_s: Pause after the first failure, doubled for each further one, up to the maximum.
        jitter: Gives a factor's random part in [0, 1); up to a tenth is added to pauses.
        stamp: Returns what the outcome for a key follows from, never None; a refusal that lasts is heeded until that
            changes. None: such refusals are like any failure.
        congestion: Has suspects of being slow wait.
    """

    def __init__(
        self,
        *,
        tenant: Callable[[Key], Hashable] | None = None,
        base_delay_s: float = BASE_DELAY_S,
        max_delay_s: float = MAX_DELAY_S,
        jitter: Callable[[], float] = random.random,
        stamp: Callable[[Key], Hashable] | None = None,
        congestion: Congestion[Key] | None = None,
    ) -> None:
        self._tenant = tenant
        self._base_delay_s = base_delay_s
        self._max_delay_s = max_delay_s
        self._jitter = jitter
        self._stamp = stamp
        self.congestion = congestion
        self._ready: OrderedDict[Hashable, deque[Key]] = OrderedDict()
        self._queued: dict[Key, Hashable] = {}
        self._left: int = 0  # entries in a tenant's line whose key has moved to another since
        self._running: dict[Key, Hashable] = {}  # and what its outcome will follow from
        self._holds: dict[Key, _Hold] = {}
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
        if self._closed or self._is_held(key):
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
        elif self.congestion is not None and key in self.congestion:
            self._queued[key] = tenant
        elif self._queued[key] != tenant:
            self._left += 1
            self._line_up(key, tenant)

    def _is_held(self, key: Key) -> bool:
        hold = self._holds.get(key)
        if hold is None:
            return False
        is_changed = hold.stamp is not None and self._stamp is not None and self._stamp(key) != hold.stamp
        loop = asyncio.get_running_loop()
        if not is_changed and loop.time() < hold.until_s:
            if key not in self._timers:
                self._timers[key] = loop.call_at(hold.until_s, self._due, key)
            return True
        del self._holds[key]
        if is_changed:
            self._failures.pop(key, None)
        return False

    def _line_up(self, key: Key, tenant: Hashable) -> None:
        self._queued[key] = tenant
        self._ready.setdefault(tenant, deque()).append(key)
        if self._left > _MOST_LEFT + len(self._queued):
            self._left = 0
            self._ready.clear()
            for one, line in self._queued.items():
                if self.congestion is None or one not in self.congestion:
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
        hold = self._holds.get(key)
        if hold is not None and asyncio.get_running_loop().time() >= hold.until_s - _RESOLUTION_S:
            del self._holds[key]
        self.add(key)

    def retry(self, key: Key, *, least_s: float = 0.0, lasts: bool = False) -> float:
        """
        Make a key ready after a pause that grows with its failures in a row; return the pause in seconds.

        Args:
            key: Which runs now.
            least_s: What the server asked for, believed up to the longest pause; nothing makes the key ready sooner.
            lasts: Whether it was refused for what is asked, so that only another ``stamp`` makes it worth a try soon.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        lasts = lasts and self._stamp is not None
        if lasts:
            delay_s = min(LASTING_S * (1 << min(3 * failures, 60)), MAX_LASTING_S)
        else:
            delay_s = min(self._base_delay_s * (1 << min(failures, 60)), self._max_delay_s)
        delay_s = max(delay_s * (1 + self._jitter() / 10), min(least_s, self._max_delay_s))
        if lasts or least_s > 0:
            stamp = self._running.get(key) if lasts else None
            self._holds[key] = _Hold(asyncio.get_running_loop().time() + delay_s, stamp)
        self.add_after(key, delay_s)
        return delay_s

    def failures(self, key: Key) -> int:
        """Return how often in a row a key failed."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Forget failures: the key was worked on successfully."""
        self._failures.pop(key, None)
        self._holds.pop(key, None)

    async def get(self) -> Key | None:
        """Wait for a key, which then counts as running until :meth:`done`; None when the queue is closed and empty."""
        while (key := self._next()) is None:
            if self._closed and not self._queued:
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
        self._running[key] = self._stamp(key) if self._stamp is not None else None
        return key

    def _next(self) -> Key | None:
        """Take the first key of the tenant whose turn it is; None when there is none that may run."""
        while self._ready:
            tenant, keys = self._ready.popitem(last=False)
            taken: Key | None = None
            while keys and taken is None:
                key = keys.popleft()
                is_there = key in self._queued and self._queued[key] == tenant
                self._left -= not is_there
                if is_there and (self.congestion is None or self.congestion.begin(key)):
                    taken = key
            if keys:
                self._ready[tenant] = keys  # to the end of the line
            if taken is not None:
                del self._queued[taken]
                return taken
        return None

    def is_late(self, key: Key) -> None:
        """Take note that a running key is slow; see :class:`Congestion`."""
        if self.congestion is not None and key in self._running:
            self._again_ready(self.congestion.is_late(key))

    def _again_ready(self, keys: list[Key]) -> None:
        """Line up what was parked."""
        for key in keys:
            if key in self._queued:
                self._ready.setdefault(self._queued[key], deque()).append(key)
                self._wake()

    def done(self, key: Key) -> None:
        """End work on a key; it is ready at once if it was added meanwhile."""
        self._running.pop(key, None)
        if self.congestion is not None:
            self._again_ready(self.congestion.end(key))
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        if self._closed and not self._queued:
            self._wake_all()

    def close(self) -> None:
        """Take nothing more, drop what is delayed, and let workers end when nothing is ready."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()
        self._holds.clear()
        self._wake_all()

    def _wake_all(self) -> None:
        while self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
