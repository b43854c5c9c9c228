"""
A Deployment's status: counts over its ReplicaSets, and the conditions Available and Progressing.

Source: k8s.io/kubernetes pkg/controller/deployment/{sync,progress}.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_api.conditions import get
from fairlead_lab.replica_sets import replicas_of
from fairlead_lab.rollout import Wanted
from fairlead_lab.writes import at, seconds_of

_NEVER_S = 2**31 - 1
_COMPLETE = "NewReplicaSetAvailable"


def status(
    deployment: JsonObject, new: JsonObject | None, sets: Sequence[JsonObject], wanted: Wanted, now_s: float
) -> tuple[JsonObject, float | None]:
    """
    Return a Deployment's status as of now, and when a rollout that stands still counts as stuck.

    Args:
        new: The ReplicaSet of the present template, one of ``sets``; None before there is one.
    """
    counts = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new is not None else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": _sum(sets, "availableReplicas"),
    }
    counts["unavailableReplicas"] = max(sum(map(replicas_of, sets)) - counts["availableReplicas"], 0)
    found: JsonObject = {name: count for name, count in counts.items() if count}
    found["observedGeneration"] = deployment["metadata"].get("generation", 1)
    old = (deployment.get("status") or {}).get("conditions")
    conditions = [_set(old, _available(counts["availableReplicas"], wanted), now_s)]
    progressing, again_s = _progressing(deployment, new, counts, now_s)
    if progressing is not None:
        conditions.append(progressing)
    kept = [one for one in old or () if one["type"] not in ("Available", "Progressing")]
    found["conditions"] = _ordered([*kept, *conditions], old)
    return found, again_s


def is_complete(deployment: JsonObject, found: JsonObject) -> bool:
    """Tell whether the rollout to the present template has ended."""
    wanted = replicas_of(deployment)
    names = ("updatedReplicas", "replicas", "availableReplicas")
    return all(found.get(name, 0) == wanted for name in names)


def _sum(sets: Sequence[JsonObject], field: str) -> int:
    return sum(int((one.get("status") or {}).get(field) or 0) for one in sets)


def _available(available: int, wanted: Wanted) -> JsonObject:
    if available >= wanted.least:
        reason, text = "MinimumReplicasAvailable", "Deployment has minimum availability."
        return {"type": "Available", "status": "True", "reason": reason, "message": text}
    reason, text = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    return {"type": "Available", "status": "False", "reason": reason, "message": text}


def _progressing(
    deployment: JsonObject, new: JsonObject | None, counts: JsonObject, now_s: float
) -> tuple[JsonObject | None, float | None]:
    old = get((deployment.get("status") or {}).get("conditions"), "Progressing")
    name = new["metadata"]["name"] if new is not None else ""
    deadline_s = deployment["spec"].get("progressDeadlineSeconds", _NEVER_S)
    if new is None or deadline_s == _NEVER_S:
        return old, None
    if old is None or f'"{name}"' not in old["message"]:
        return _moved(old, "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', now_s), now_s
    if old["reason"] == _COMPLETE:
        return old, None
    named = f'ReplicaSet "{name}"'
    if is_complete(deployment, counts):
        return _moved(old, "True", _COMPLETE, f"{named} has successfully progressed.", now_s), None
    return _under_way(deployment, counts, old, named, now_s)


def _under_way(
    deployment: JsonObject, counts: JsonObject, old: JsonObject, named: str, now_s: float
) -> tuple[JsonObject, float | None]:
    status, deadline_s = deployment.get("status") or {}, deployment["spec"]["progressDeadlineSeconds"]
    if _has_moved(status, counts):
        return _moved(old, "True", "ReplicaSetUpdated", f"{named} is progressing.", now_s), now_s + deadline_s
    due_s = seconds_of(old["lastUpdateTime"]) + deadline_s
    if due_s <= now_s:
        return _moved(old, "False", "ProgressDeadlineExceeded", f"{named} has timed out progressing.", now_s), None
    return old, due_s


def _has_moved(old: JsonObject, counts: JsonObject) -> bool:
    """Tell whether there are more new, fewer old, more ready or more available replicas than there were."""
    before = {name: old.get(name) or 0 for name in counts}
    left_before, left = before["replicas"] - before["updatedReplicas"], counts["replicas"] - counts["updatedReplicas"]
    more = any(counts[name] > before[name] for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return more or left < left_before


def _moved(old: JsonObject | None, status_: str, reason: str, message: str, now_s: float) -> JsonObject:
    if old is not None and old["status"] == status_ == "False" and old["reason"] == reason:
        return old  # noted already
    since = old["lastTransitionTime"] if old is not None and old["status"] == status_ else at(now_s)
    condition: JsonObject = {"type": "Progressing", "status": status_, "reason": reason, "message": message}
    return {**condition, "lastUpdateTime": at(now_s), "lastTransitionTime": since}


def _set(old: Sequence[JsonObject] | None, new: JsonObject, now_s: float) -> JsonObject:
    known = get(old, new["type"])
    if known is not None and known["status"] == new["status"] and known["reason"] == new["reason"]:
        return known
    since = known["lastTransitionTime"] if known is not None and known["status"] == new["status"] else at(now_s)
    return {**new, "lastUpdateTime": at(now_s), "lastTransitionTime": since}


def _ordered(conditions: Sequence[JsonObject], old: Sequence[JsonObject] | None) -> list[JsonObject]:
    """Keep the order that was, so that nothing seems to change."""
    places = {one["type"]: index for index, one in enumerate(old or ())}
    return sorted(conditions, key=lambda one: places.get(one["type"], len(places)))
