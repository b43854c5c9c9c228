"""Keys waiting to be reconciled: each once, failed ones later and later."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_S, _LONGEST_S = 0.05, 60.0

NO_EVENT = 0
"""Asks for a key that no event did."""


@dataclass(slots=True)
class _Entry:
    """
    What is known of a key that is not done.

    ``since`` is the revision that first asked for it; ``again`` the one that did while it was worked on, which waits
    for ``pause_s``; ``timer`` runs while the key waits.
    """

    since: int
    failures: int = 0
    is_running: bool = False
    again: int | None = None
    pause_s: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Queue(Generic[K]):
    """One worker at a time has a key; what is asked for meanwhile is done again afterwards."""

    def __init__(self) -> None:
        self._entries: dict[K, _Entry] = {}
        self._ready: deque[K] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ready(self) -> int:
        """Count the keys a worker could take now."""
        return len(self._ready)

    def waiting(self) -> Iterator[tuple[int, K]]:
        """Yield all keys that are not done, with the revision of the event that first asked."""
        return ((entry.since, key) for key, entry in self._entries.items())

    def add(self, key: K, since: int, *, pause_s: float = 0.0) -> None:
        """
        Ask for a key.

        Args:
            since: Revision of the event that does, or :data:`NO_EVENT`.
            pause_s: Seconds to let pass before.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(since)
            self._later(key, entry, pause_s)
        elif entry.is_running:
            if entry.again is None:
                entry.again, entry.pause_s = since, pause_s
            entry.pause_s = min(entry.pause_s, pause_s)
        elif entry.timer is not None and not pause_s:
            self._put(key, entry)  # something happened: no need to wait longer

    async def take(self) -> K:
        """Wait for a key and start on it."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        self._entries[key].is_running = True
        return key

    def done(self, key: K, again_s: float | None = None) -> None:
        """Finish a key; ``again_s`` asks for it once more after so many seconds."""
        entry = self._entries[key]
        entry.is_running, entry.failures = False, 0
        if entry.again is not None:
            entry.since, entry.again = entry.again, None  # what asked before is done
            self._later(key, entry, entry.pause_s)
        elif again_s is not None:
            self._later(key, entry, again_s)
        else:
            del self._entries[key]

    def failed(self, key: K) -> float:
        """Put a key back to be tried later; return after how many seconds."""
        entry = self._entries[key]
        entry.is_running, entry.again = False, None
        delay_s = min(_FIRST_S * 2.0**entry.failures, _LONGEST_S)
        entry.failures += 1
        self._later(key, entry, delay_s)
        return delay_s

    def _later(self, key: K, entry: _Entry, delay_s: float) -> None:
        if delay_s > 0:
            entry.timer = asyncio.get_running_loop().call_later(delay_s, self._put, key, entry)
        else:
            self._put(key, entry)

    def _put(self, key: K, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        self._ready.append(key)
        self._wake.set()
