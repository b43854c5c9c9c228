"""Keys waiting to be reconciled: each once, failed ones later and later."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_S, _LONGEST_S = 0.05, 60.0


@dataclass(slots=True)
class _Entry:
    """
    What is known of a key that is not done.

    ``since`` is the revision that first asked for it; ``again`` the one that did while it was worked on, else 0.
    """

    since: int
    failures: int = 0
    is_running: bool = False
    is_waiting: bool = False
    again: int = 0


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

    @property
    def oldest(self) -> int | None:
        """Return the revision before which nothing is left to do; None when nothing is left at all."""
        return min((entry.since for entry in self._entries.values()), default=None)

    def add(self, key: K, since: int) -> None:
        """Ask for a key; ``since`` is the revision of the event that does."""
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(since)
            self._put(key)
        elif entry.is_running:
            entry.again = entry.again or since
        elif entry.is_waiting:
            # Something happened: no need to wait longer.
            entry.is_waiting = False
            self._put(key)

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
        if entry.again:
            entry.since, entry.again = entry.again, 0  # what asked before is done
            self._put(key)
        elif again_s is not None:
            self._later(key, entry, again_s)
        else:
            del self._entries[key]

    def failed(self, key: K) -> float:
        """Put a key back to be tried later; return after how many seconds."""
        entry = self._entries[key]
        entry.is_running, entry.again = False, 0
        delay_s = min(_FIRST_S * 2.0**entry.failures, _LONGEST_S)
        entry.failures += 1
        self._later(key, entry, delay_s)
        return delay_s

    def _later(self, key: K, entry: _Entry, delay_s: float) -> None:
        entry.is_waiting = True
        asyncio.get_running_loop().call_later(delay_s, self._due, key, entry)

    def _due(self, key: K, entry: _Entry) -> None:
        if entry.is_waiting and self._entries.get(key) is entry:
            entry.is_waiting = False
            self._put(key)

    def _put(self, key: K) -> None:
        self._ready.append(key)
        self._wake.set()
