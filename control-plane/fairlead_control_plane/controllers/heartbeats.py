"""
Which clusters live: heartbeats in memory, transitions in the store.

Heartbeats are stamped with this server's clock (an agent's may be wrong or forged), written at most every quarter of
the threshold, and are no input to scheduling; only their transitions are (design section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.controllers.allowances import Allowances

THRESHOLD_S = 60.0
"""Seconds without a heartbeat after which a SyncTarget is not Ready; kcp's default."""

_MOST_WAITING = 8


@dataclass(slots=True)
class _Beat:
    seen_s: float
    written_s: float


class Heartbeats:
    """
    Remembers when each SyncTarget was last heard of.

    Args:
        now_s: Monotonic seconds: a clock that is set back must not make clusters look lost.
        threshold_s: See :data:`THRESHOLD_S`.
    """

    def __init__(self, now_s: Callable[[], float], threshold_s: float = THRESHOLD_S) -> None:
        self._now_s = now_s
        self.threshold_s = threshold_s
        self._started_s = now_s()
        self._beats: dict[str, _Beat] = {}
        self._waiting: dict[str, dict[str, tuple[str, float]]] = {}
        self.allowances = Allowances(now_s)
        self.received = 0
        """How many heartbeats there have been."""

    def beat(self, uid: str) -> bool:
        """Note a heartbeat; return whether its time should be written now."""
        self.received += 1
        now = self._now_s()
        beat = self._beats.get(uid)
        if beat is None:
            self._beats[uid] = _Beat(now, now)
            return True
        beat.seen_s = now
        if now - beat.written_s < self.threshold_s / 4:
            return False
        beat.written_s = now
        return True

    def wait(self, uid: str, process: str, host: str) -> None:
        """Note that an agent waits for its turn at a SyncTarget."""
        waiting = self._waiting.setdefault(uid, {})
        waiting.pop(process, None)
        waiting[process] = (host, self._now_s())
        if len(waiting) > _MOST_WAITING:
            del waiting[next(iter(waiting))]

    def leave(self, uid: str, process: str) -> None:
        """Note that an agent waits no longer: its turn has come."""
        if process in self._waiting.get(uid, {}):
            del self._waiting[uid][process]

    def waiting(self, uid: str) -> list[str]:
        """Return the hosts of the agents that were heard to wait within the threshold, sorted."""
        since_s = self._now_s() - self.threshold_s
        return sorted(host for host, seen_s in self._waiting.get(uid, {}).values() if seen_s >= since_s)

    def is_healthy(self, uid: str, was_healthy: bool) -> bool:
        """
        Tell whether a SyncTarget is heard of.

        After a start nobody has been heard of yet; until the threshold has passed, what was stored holds, so that a
        restart of the server is not taken for the loss of all clusters.
        """
        beat = self._beats.get(uid)
        now = self._now_s()
        if beat is None:
            return was_healthy and now - self._started_s < self.threshold_s
        return now - beat.seen_s < self.threshold_s

    def next_change_s(self, uid: str) -> float:
        """Return in how many seconds the answer of :meth:`is_healthy` may change by time alone."""
        beat = self._beats.get(uid)
        since = self._started_s if beat is None else beat.seen_s
        return max(since + self.threshold_s - self._now_s(), 0.0)

    def keep(self, uids: Set[str]) -> None:
        """Forget all SyncTargets but these."""
        for uid in self._beats.keys() - uids:
            del self._beats[uid]
        for uid in self._waiting.keys() - uids:
            del self._waiting[uid]
        self.allowances.keep(uids)


def conditions(
    old: list[JsonObject],
    *,
    healthy: bool,
    ever: bool,
    authorized: JsonObject | None,
    held: JsonObject | None = None,
    now: str,
) -> list[JsonObject]:
    """
    Return the conditions of a SyncTarget; an unchanged one keeps its transition time.

    Args:
        old: As stored.
        healthy: Heartbeats are fresh.
        ever: One was seen at some time.
        authorized: ``{"status", "reason", "message"}`` of SyncerAuthorized as the agent reported, or None.
        held: DeletionsHeld without its type, or None while nothing is held.
        now: RFC 3339 time.

    Source: kcp TMC, heartbeat controller: Ready sums up HeartbeatHealthy.
    """
    lost = "No heartbeat since the threshold passed" if ever else "No heartbeat yet seen"
    fresh: JsonObject = {"type": "HeartbeatHealthy", "status": "True"}
    stale = {"status": "False", "severity": "Warning", "reason": "ErrorHeartbeat", "message": lost}
    health = fresh if healthy else {**fresh, **stale}
    wanted = [{**health, "type": "Ready"}, health]
    if authorized is not None:
        wanted.append({"type": "SyncerAuthorized", **authorized})
    if held is not None:
        wanted.append({"type": "DeletionsHeld", **held})
    return timed(wanted, old, now)


def timed(wanted: Iterable[JsonObject], old: Iterable[JsonObject], now: str) -> list[JsonObject]:
    """Return conditions with their transition times: those of ``old`` where the status is the same."""
    kept = {condition["type"]: condition for condition in old}
    return [_timed(condition, kept.get(condition["type"]), now) for condition in wanted]


def _timed(condition: JsonObject, before: Mapping[str, str] | None, now: str) -> JsonObject:
    same = before is not None and before.get("status") == condition["status"]
    return {**condition, "lastTransitionTime": before["lastTransitionTime"] if same and before else now}
