"""
Who may take a worker, going by who has been slow with one: what waits for a broken webhook keeps nobody else waiting.

A key that runs for longer than :data:`SLOW_S` is late. It gives its worker's place to another (see
:class:`fairlead_machinery.controller.Controller`), and it and its like are suspects: few of them run at a time, and
never so many that none of the places is left for others. Who is quick once is no suspect any more, nor are its like.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
SLOW_S = 1.0
AT_ONCE = 2
"""So many suspects of a lane run at a time."""
_MOST_UNPARKED = 4


class Congestion(Generic[Key]):
    """
    Keys that run, and suspects that wait for their turn.

    Args:
        traits: What a key is slow or quick together with; the first is its lane, within which turns are counted.
        workers: How many keys run at a time.
        spare: How many more may, while that many are late.
    """

    def __init__(self, traits: Callable[[Key], Sequence[Hashable]], *, workers: int, spare: int) -> None:
        self._traits = traits
        self._workers = workers
        self.spare = spare
        self._running: dict[Key, bool] = {}  # whether it is late
        self._slow_keys: set[Key] = set()
        self._slow_traits: set[Hashable] = set()
        self._parked: OrderedDict[tuple[Hashable, bool], deque[Key]] = OrderedDict()
        self._where: dict[Key, tuple[Hashable, bool]] = {}

    def __contains__(self, key: Key) -> bool:
        """Tell whether a key is parked."""
        return key in self._where

    @property
    def late(self) -> int:
        """Count keys that gave their place to another."""
        return min(sum(self._running.values()), self.spare)

    def begin(self, key: Key) -> bool:
        """Have a key run if it may; else it is parked."""
        if self._may_run(key):
            self._running[key] = False
            return True
        self._where[key] = bucket = (self._traits(key)[0], key in self._slow_keys)
        self._parked.setdefault(bucket, deque()).append(key)
        return False

    def _may_run(self, key: Key) -> bool:
        if not self._slow_keys and not self._slow_traits:
            return True
        if not self._is_suspect(key):
            return True
        suspects = [one for one in self._running if self._is_suspect(one)]
        early = sum(not self._running[one] for one in suspects)
        if early >= self._workers // 2 or early + sum(self._running.values()) >= self.spare:
            return False
        lane, is_known = self._traits(key)[0], key in self._slow_keys
        beside = [one for one in suspects if self._traits(one)[0] == lane]
        like = sum((one in self._slow_keys) == is_known for one in beside)
        return like < AT_ONCE and len(beside) < self._workers

    def _is_suspect(self, key: Key) -> bool:
        return key in self._slow_keys or not self._slow_traits.isdisjoint(self._traits(key))

    def is_late(self, key: Key) -> list[Key]:
        """Take note that a key runs for long; return what may be tried to run by that."""
        self._running[key] = True
        self._slow_keys.add(key)
        self._slow_traits.update(self._traits(key))
        return self._unpark(())

    def end(self, key: Key) -> list[Key]:
        """Take note that a key has ended; return what may be tried to run by that."""
        was_late = self._running.pop(key, False)
        if not was_late and (self._slow_keys or self._slow_traits):
            self._slow_keys.discard(key)
            self._slow_traits.difference_update(self._traits(key))
        return self._unpark(() if was_late else self._traits(key)[:1])

    def _unpark(self, quick: Sequence[Hashable]) -> list[Key]:
        """Take a few keys out, each lane in its turn; all that were parked for nothing but their lane's slowness."""
        found: list[Key] = []
        if not self._parked:
            return found
        for lane in quick:
            found += self._parked.pop((lane, False), ())
        for bucket in list(self._parked)[:_MOST_UNPARKED]:
            keys = self._parked.pop(bucket)
            found.append(keys.popleft())
            if keys:
                self._parked[bucket] = keys  # to the end of the line
        for key in found:
            del self._where[key]
        return found
