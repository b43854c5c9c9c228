"""
ReplicaSets: as many pods as asked for.

Source: k8s.io/kubernetes pkg/controller/replicaset (manageReplicas, calculateStatus), pkg/controller ActivePods.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_api import JsonObject
from fairlead_api.conditions import get
from fairlead_lab.world import World, is_going
from fairlead_lab.writes import Create, Played, Write, deleted, earliest, of_status, seconds_of

_FINISHED = frozenset({"Succeeded", "Failed"})


def play(replica_set: JsonObject, world: World, now_s: float) -> Played:
    """Create what is missing, delete what is too much, count the rest."""
    pods = active(world.owned(replica_set, "Pod"))
    writes: list[Write] = []
    if not is_going(replica_set):
        difference = replicas_of(replica_set) - len(pods)
        writes += [_new_pod(replica_set) for _ in range(difference)]
        writes += [deleted(pod) for pod in _worst_first(pods)[: max(-difference, 0)]]
    again_s = None
    for pod in pods:
        if is_ready(pod) and not is_available(pod, replica_set, now_s):
            again_s = earliest(again_s, _ready_since_s(pod) + _min_ready_s(replica_set))
    status = _status(replica_set, pods, now_s)
    return Played([*of_status(replica_set, status), *writes], again_s)


def replicas_of(obj: JsonObject) -> int:
    """Return how many replicas a Deployment or ReplicaSet asks for; one when it does not say."""
    asked = obj["spec"].get("replicas")
    return 1 if asked is None else int(asked)


def active(pods: Iterable[JsonObject]) -> list[JsonObject]:
    """Return the pods that count: neither ended nor going."""
    return [pod for pod in pods if not is_going(pod) and (pod.get("status") or {}).get("phase") not in _FINISHED]


def is_ready(pod: JsonObject) -> bool:
    """Tell whether a pod is ready."""
    return (_ready(pod) or {}).get("status") == "True"


def is_available(pod: JsonObject, owner: JsonObject, now_s: float) -> bool:
    """Tell whether a pod has been ready for as long as its Deployment or ReplicaSet wants (``minReadySeconds``)."""
    wait_s = _min_ready_s(owner)
    return is_ready(pod) and (not wait_s or _ready_since_s(pod) + wait_s <= now_s)


def available(replica_set: JsonObject, world: World, now_s: float) -> int:
    """
    Count the available pods that a ReplicaSet keeps.

    Pods beyond its ``replicas`` are about to go and do not count, whichever they will be: a status that lags behind
    a scaling down cannot make a rollout go below its minimum.
    """
    pods = active(world.owned(replica_set, "Pod"))
    return min(replicas_of(replica_set), sum(is_available(pod, replica_set, now_s) for pod in pods))


def _ready(pod: JsonObject) -> JsonObject | None:
    return get((pod.get("status") or {}).get("conditions"), "Ready")


def _ready_since_s(pod: JsonObject) -> float:
    return seconds_of((_ready(pod) or {})["lastTransitionTime"])


def _min_ready_s(owner: JsonObject) -> int:
    return int(owner["spec"].get("minReadySeconds") or 0)


def _new_pod(replica_set: JsonObject) -> Create:
    metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
    described = template.get("metadata") or {}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{metadata['name']}-",
            "namespace": metadata["namespace"],
            "labels": described.get("labels") or {},
            "annotations": described.get("annotations") or {},
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }
    return Create("Pod", body)


def _worst_first(pods: list[JsonObject]) -> list[JsonObject]:
    """Order pods by who is missed least: without a node, not running, not ready, then the youngest."""
    by_age = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    return sorted(by_age, key=_worth)


def _worth(pod: JsonObject) -> tuple[bool, bool, bool]:
    is_running = (pod.get("status") or {}).get("phase") == "Running"
    return bool(pod["spec"].get("nodeName")), is_running, is_ready(pod)


def _status(replica_set: JsonObject, pods: list[JsonObject], now_s: float) -> JsonObject:
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = sum(wanted.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods)
    counts = {
        "fullyLabeledReplicas": labelled,
        "readyReplicas": sum(map(is_ready, pods)),
        "availableReplicas": sum(is_available(pod, replica_set, now_s) for pod in pods),
    }
    status: JsonObject = {"replicas": len(pods), "observedGeneration": replica_set["metadata"].get("generation", 1)}
    return status | {name: count for name, count in counts.items() if count}
