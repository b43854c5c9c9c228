"""
What is being deleted in the cluster and does not go: told once that has lasted, not of each object that takes its time.

Most are gone within a second or two: a deletion in the foreground, a claim that a pod still uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_syncer.target import Key

GOING_S = 5.0
"""Seconds after which what is being deleted is looked at again, and told when it still is there."""


@dataclass(slots=True)
class _Since:
    uid: str
    since_s: float
    told: str = ""


class Goings:
    """Remembers, by key, since when an object has been going, in monotonic seconds, and what was told of it."""

    def __init__(self) -> None:
        self._since: dict[Key, _Since] = {}

    def lasts(self, key: Key, actual: JsonObject, now_s: float) -> bool:
        """Tell whether an object that is going has been for a while."""
        uid = actual["metadata"]["uid"]
        known = self._since.get(key)
        if known is None or known.uid != uid:
            known = self._since[key] = _Since(uid, now_s)
        return now_s - known.since_s >= GOING_S

    def is_news(self, key: Key, message: str, *, is_known: bool) -> bool:
        """Tell whether what keeps an object is to be told: it is another thing, or not known above (any more)."""
        known = self._since[key]
        if known.told == message and is_known:
            return False
        known.told = message
        return True

    def forget(self, key: Key) -> None:
        """Drop an object that is not going (any more)."""
        self._since.pop(key, None)
