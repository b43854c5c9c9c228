"""
What agents have deleted of late: whoever begins for a SyncTarget begins with that spent.

An agent's brake counts in memory; if it is killed it must not begin with another allowance. It tells what has passed
with its heartbeats, and it asks before every deletion: what was asked since it last told counts too. Kept in memory: an
agent tells a server that has started anew with its next heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from fairlead_api import JsonObject
from fairlead_control_plane.views import rows

_FREE = frozenset({"Deleted", "Moved"})
"""Causes of tombstones that agents do not count."""
_UNDER_WAY_S = 5.0
"""What was asked so shortly before an agent told what has passed may not have been in it."""
_SLOT_S, _KEPT_S = 60.0, 86400.0
_MOST_SLOTS, _MOST = 20, 10_000_000

Slots = dict[int, tuple[float, int]]
"""Latest moment and count, by minute."""


class Allowances:
    """
    Remembers deletions by SyncTarget.

    Args:
        now_s: Monotonic seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._told: dict[str, list[tuple[float, int]]] = {}
        self._asked: dict[str, Slots] = {}
        self._fresh: dict[str, list[float]] = {}

    def asked(self, uid: str, view: rows.View) -> None:
        """Note that an agent is about to delete what a row says must go."""
        if view.state != rows.REMOVED or view.cause in _FREE:
            return
        self._settle(uid)
        self._fresh.setdefault(uid, []).append(self._now_s())

    def told(self, uid: str, passed: Sequence[Mapping[str, float]]) -> None:
        """Note what an agent says has passed within its window, in the place of all but what it asked just now."""
        self._settle(uid)
        self._asked.pop(uid, None)
        now_s = self._now_s()
        self._told[uid] = [(now_s - one["ageSeconds"], int(one["count"])) for one in passed]

    def of(self, uid: str) -> list[JsonObject]:
        """Return what has passed of late, as agents tell it: ``[{count, ageSeconds}]``."""
        now_s = self._now_s()
        found = [*self._told.get(uid, ()), *self._asked.get(uid, {}).values()]
        found += [(at_s, 1) for at_s in self._fresh.get(uid, ())]
        slots: Slots = {}
        for at_s, count in found:
            if at_s > now_s - _KEPT_S:
                _add(slots, at_s, count)
        return [{"count": count, "ageSeconds": int(now_s - at_s)} for _, (at_s, count) in sorted(slots.items())]

    def keep(self, uids: Set[str]) -> None:
        """Forget all SyncTargets but these."""
        for known in (self._told, self._asked, self._fresh):
            for uid in known.keys() - uids:
                del known[uid]

    def _settle(self, uid: str) -> None:
        """Put what was asked some time ago to the minute it was asked in, and forget what is a day old."""
        now_s, asked = self._now_s(), self._asked.setdefault(uid, {})
        fresh = self._fresh.get(uid, [])
        for at_s in fresh:
            if at_s <= now_s - _UNDER_WAY_S:
                _add(asked, at_s, 1)
        self._fresh[uid] = [at_s for at_s in fresh if at_s > now_s - _UNDER_WAY_S]
        for slot in [slot for slot, (at_s, _) in asked.items() if at_s <= now_s - _KEPT_S]:
            del asked[slot]


def _add(slots: Slots, at_s: float, count: int) -> None:
    slot = int(at_s // _SLOT_S)
    latest_s, before = slots.get(slot, (at_s, 0))
    slots[slot] = (max(at_s, latest_s), before + count)


def are_passed(value: object) -> bool:
    """Tell whether a heartbeat's ``passed`` is one: a short list of ``{count, ageSeconds}``, whole numbers both."""
    return (
        isinstance(value, list)
        and len(value) <= _MOST_SLOTS
        and all(isinstance(one, dict) and set(one) == {"count", "ageSeconds"} for one in value)
        and all(type(number) is int and 0 <= number <= _MOST for one in value for number in one.values())
    )
