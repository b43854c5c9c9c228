"""
Nodes: registered ready, dead on command, alive again.

Source: k8s.io/kubernetes pkg/kubelet/nodestatus, pkg/controller/nodelifecycle (taints, conditions and texts).
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_api import JsonObject
from fairlead_api.conditions import get
from fairlead_lab.settings import FAILED, SIMULATED, LabSettings
from fairlead_lab.world import World, is_going
from fairlead_lab.writes import Create, Played, Write, at, deleted, of_status, patched, seconds_of

_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_ALIVE = {
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status (simulated)"),
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_DEAD = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
_EFFECTS = ("NoSchedule", "NoExecute")
_USUAL_S = 300.0
"""What the server lets every pod bear that says nothing; in a lab that is :attr:`LabSettings.evict_after_s`."""


def is_played(node: JsonObject) -> bool:
    """Tell whether a node is the lab's."""
    return (node["metadata"].get("labels") or {}).get(SIMULATED) == "true"


def is_failed(node: JsonObject) -> bool:
    """Tell whether a node plays dead."""
    return (node["metadata"].get("annotations") or {}).get(FAILED) == "true"


def is_open_for(pod: JsonObject, node: JsonObject) -> bool:
    """Tell whether a node takes a pod: ready, schedulable, labels and taints fitting."""
    spec = node.get("spec") or {}
    ready = (get((node.get("status") or {}).get("conditions"), "Ready") or {}).get("status") == "True"
    labels = node["metadata"].get("labels") or {}
    fits = (pod["spec"].get("nodeSelector") or {}).items() <= labels.items()
    taints = [taint for taint in spec.get("taints") or () if taint["effect"] in _EFFECTS]
    tolerated = all(_tolerates(pod, taint) is not None for taint in taints)
    return ready and fits and tolerated and not spec.get("unschedulable") and not is_failed(node) and not is_going(node)


def registered(settings: LabSettings, known: Iterable[str], version: str, now_s: float) -> list[Create]:
    """Return the creates of the nodes that are missing, ready; ``version`` is the server's."""
    names = set(known)
    return [
        Create("Node", _node(settings, index, version, now_s))
        for index, name in enumerate(settings.node_names)
        if name not in names
    ]


def play(node: JsonObject, world: World, settings: LabSettings, now_s: float) -> Played:
    """Let a node's condition, taints and pods follow whether it plays dead."""
    if not is_played(node) or is_going(node):
        return Played()
    writes = _tainted(node, now_s)
    if writes:
        return Played(writes, now_s)  # the status follows on the node's new version
    dead = is_failed(node)
    writes = of_status(node, _status(node, now_s))
    if not dead:
        return Played(writes)
    # An eviction is due from the first taint on; the pods' own tolerations may put it off.
    since_s = seconds_of(_taint(node)["timeAdded"])
    again_s = None
    for pod in world.pods_on(node["metadata"]["name"]):
        if is_going(pod):
            continue
        writes += _not_ready(pod, now_s)
        tolerated_s = _tolerates(pod, {"key": _UNREACHABLE, "effect": "NoExecute"})
        due_s = since_s + (settings.evict_after_s if tolerated_s in (None, _USUAL_S) else tolerated_s or 0.0)
        if due_s <= now_s:
            writes.append(deleted(pod))
        elif due_s != float("inf"):
            again_s = due_s if again_s is None else min(again_s, due_s)
    return Played(writes, again_s)


def _taint(node: JsonObject) -> JsonObject:
    return next(taint for taint in node["spec"]["taints"] if taint["key"] == _UNREACHABLE)


def _tainted(node: JsonObject, now_s: float) -> list[Write]:
    """Taint a dead node; take off a living one what says that it is not, as the server puts it on new nodes too."""
    taints: list[JsonObject] = (node.get("spec") or {}).get("taints") or []
    wanted = [taint for taint in taints if taint["key"] not in (_UNREACHABLE, _NOT_READY)]
    if is_failed(node):
        dead = [taint for taint in taints if taint["key"] == _UNREACHABLE]
        new = [{"key": _UNREACHABLE, "effect": effect, "timeAdded": at(now_s)} for effect in _EFFECTS]
        wanted += dead or new
    return [] if wanted == taints else [patched(node, {"spec": {"taints": wanted or None}})]


def _status(node: JsonObject, now_s: float) -> JsonObject:
    old = node.get("status") or {}
    conditions = []
    for type_, alive in _ALIVE.items():
        status, reason, message = _DEAD if is_failed(node) else alive
        known = get(old.get("conditions"), type_)
        if known is not None and known["status"] == status:
            conditions.append(known)
            continue
        times = {"lastHeartbeatTime": at(now_s), "lastTransitionTime": at(now_s)}
        conditions.append({"type": type_, "status": status, "reason": reason, "message": message, **times})
    return {**old, "conditions": conditions}


def _not_ready(pod: JsonObject, now_s: float) -> list[Write]:
    """Note that nobody vouches for a pod's readiness any more."""
    status = pod.get("status") or {}
    conditions = [
        {**one, "status": "False", "lastTransitionTime": at(now_s)}
        if one["type"] == "Ready" and one["status"] == "True"
        else one
        for one in status.get("conditions") or ()
    ]
    return of_status(pod, {**status, "conditions": conditions}) if status.get("conditions") else []


def _tolerates(pod: JsonObject, taint: JsonObject) -> float | None:
    """Return how many seconds a pod bears a taint, infinity for ever, None not at all."""
    for one in pod["spec"].get("tolerations") or ():
        if one.get("effect") and one["effect"] != taint["effect"]:
            continue
        if one.get("operator", "Equal") == "Exists":
            matches = not one.get("key") or one["key"] == taint["key"]
        else:
            matches = one.get("key") == taint["key"] and one.get("value", "") == taint.get("value", "")
        if matches:
            seconds = one.get("tolerationSeconds")
            return float("inf") if seconds is None else float(seconds)
    return None


def _node(settings: LabSettings, index: int, version: str, now_s: float) -> JsonObject:
    name = settings.node_names[index]
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        SIMULATED: "true",
    }
    if settings.region:
        labels |= {
            "topology.kubernetes.io/region": settings.region,
            "topology.kubernetes.io/zone": f"{settings.region}-{'abc'[index % 3]}",
        }
    resources = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    node: JsonObject = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": f"10.244.{index}.0/24", "podCIDRs": [f"10.244.{index}.0/24"]},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [
                {"type": "InternalIP", "address": f"10.0.0.{index + 10}"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": _info(name, version),
        },
    }
    node["status"] |= _status(node, now_s)
    return node


def _info(name: str, version: str) -> JsonObject:
    return {
        "machineID": name,
        "systemUUID": name,
        "bootID": name,
        "kernelVersion": "none",
        "osImage": "Simulated by Fairlead lab",
        "containerRuntimeVersion": "simulated://1",
        "kubeletVersion": version,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def lease(name: str, now_micro: str) -> JsonObject:
    """Return the lease by which a node says that it lives; ``now_micro`` is RFC 3339 with microseconds."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now_micro},
    }
