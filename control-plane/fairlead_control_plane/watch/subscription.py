"""What the watchers of a change feed have yet to send, and how those who are sent the same share it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from fairlead_control_plane.store.contract import Event

_log = structlog.get_logger(__name__)

_CATCH_UP_BYTES = 256 << 10

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


class Broken(Exception):
    """What the subscriber follows cannot be shown to it; starting again meets the same."""


class Subscription:
    """
    What one watcher has yet to send. Iterate it; each step gives everything that came since the last one.

    ``revision`` is that up to which everything has been handed out; a bookmark may name it.
    """

    def __init__(self, leave: Callable[[Subscription], None], prefix: str, limit_bytes: int) -> None:
        self._leave = leave
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
        """True when :meth:`take` has nothing to give any more: closed by its owner, or the server is stopping."""
        return self._closed and not self._pending and self._failure is None

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
        settle(self._wake)

    async def drained(self) -> None:
        """Wait until little enough is waiting that history can go on; a long one would cut its own watcher."""
        while self._size > _CATCH_UP_BYTES and not self._closed:
            self._taken = asyncio.get_running_loop().create_future()
            await self._taken

    def end(self) -> None:
        """Let the watcher send what waits, then nothing more."""
        self._closed = True
        settle(self._wake)
        settle(self._taken)

    def fail(self, failure: Exception) -> None:
        """End the subscription with an error, dropping what waits."""
        self._failure = failure
        self._closed = True
        self._pending.clear()
        self._size = 0
        self._leave(self)
        settle(self._wake)

    async def take(self, timeout_s: float | None = None) -> list[bytes]:
        """
        Wait for something to send and return all of it; an empty list after ``timeout_s`` or when closed.

        Raises:
            SlowWatcher: The subscription was cut.
            Compacted: The history it started from is gone.
            Unavailable: The store went away.
            Broken: See there.
        """
        if not self._pending and self._failure is None and not self._closed:
            await self._woken(timeout_s)
        if self._failure is not None:
            raise self._failure
        taken, self._pending, self._size = self._pending, [], 0
        settle(self._taken)
        return taken

    async def _woken(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._wake = wake = loop.create_future()
        # A timer of our own: asyncio.wait and asyncio.timeout cost more than everything else a watcher does.
        timer = None if timeout_s is None else loop.call_later(timeout_s, settle, wake)
        try:
            await wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    async def close(self) -> None:
        """Stop following. Idempotent."""
        self.end()
        self._leave(self)
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
        try:
            data = self.frame(delivery)
        except Exception:  # noqa: BLE001 - it must not reach the store's writer, or the other feeds
            _log.exception("an event cannot be shown", key=delivery.event.key)
            for member in tuple(self.members):
                member.fail(Broken("an event cannot be shown"))
            return
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


def settle(future: asyncio.Future[None] | None) -> None:
    """Wake who waits, if somebody does."""
    if future is not None and not future.done():
        future.set_result(None)
