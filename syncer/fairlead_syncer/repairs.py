"""
When to apply again what the cluster made different, and when to let it be.

Admission in the cluster may rewrite what is applied; applying it again would change nothing and never end. Drift, an
edit made later by somebody else, is mended at once the first time, and ever more slowly when somebody keeps undoing it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import orjson

from fairlead_api import JsonObject
from fairlead_syncer import plan
from fairlead_syncer.target import Key

_FIRST_S, _LONGEST_S = 0.5, 300.0
_CALM_S = 600.0
"""After this long without a repair, the next drift is mended at once again."""


@dataclass(slots=True)
class _Outcome:
    """What was applied last, what the cluster made of it, and how often in a row that was for drift alone."""

    uid: str
    wanted: str
    made: str
    at_s: float
    repairs: int


class Repairs:
    """Remembers the outcome of applies, by key."""

    def __init__(self) -> None:
        self._outcomes: dict[Key, _Outcome] = {}

    def wait_s(self, key: Key, obj: JsonObject, actual: JsonObject, now_s: float) -> float | None:
        """
        Return how long to wait before applying ``obj`` over ``actual``: 0 for not at all, None when to let it be.

        It is let be while ``actual`` is, in all that we apply, what the last apply of the same made of it.
        """
        last = self._outcomes.get(key)
        wanted = plan.compared(obj)
        if last is None or last.uid != actual["metadata"]["uid"] or last.wanted != _digest(wanted):
            return 0.0
        if last.made == _digest(plan.projection(actual, wanted)):
            return None
        if not last.repairs or now_s - last.at_s >= _CALM_S:
            return 0.0
        pause_s = min(_FIRST_S * 2.0 ** min(last.repairs, 20), _LONGEST_S)
        return max(last.at_s + pause_s - now_s, 0.0)

    def applied(self, key: Key, obj: JsonObject, applied: JsonObject, now_s: float) -> None:
        """Remember what the cluster made of an apply."""
        compared = plan.compared(obj)
        wanted, made = _digest(compared), _digest(plan.projection(applied, compared))
        last = self._outcomes.get(key)
        is_repair = last is not None and last.wanted == wanted and now_s - last.at_s < _CALM_S
        repairs = last.repairs + 1 if last is not None and is_repair else 0
        uid = applied["metadata"]["uid"]
        self._outcomes[key] = _Outcome(uid, wanted, made, now_s, repairs)

    def forget(self, key: Key) -> None:
        """Drop an object that is gone."""
        self._outcomes.pop(key, None)


def _digest(value: object) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
