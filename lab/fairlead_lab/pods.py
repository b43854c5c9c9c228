"""
Pods: a scheduler that finds them a node, and a kubelet that starts, readies and ends them.

Source: k8s.io/kubernetes pkg/scheduler, pkg/kubelet (status_manager, pod conditions), reduced to what is seen from
outside. Nothing runs: a pod "is ready" after a set time.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.conditions import get, set_meta_condition
from fairlead_lab.nodes import is_failed, is_open_for, is_played
from fairlead_lab.settings import LabSettings, ready_after_s
from fairlead_lab.world import Key, World, is_going
from fairlead_lab.writes import NOTHING, Bind, Played, at, deleted, of_status

_FINISHED = frozenset({"Succeeded", "Failed"})
_MOST_PODS = 110
_UNSCHEDULABLE_S = 5.0


def play(pod: JsonObject, world: World, settings: LabSettings, now_s: float) -> Played:
    """Take a pod one step further in its life."""
    node_name = pod["spec"].get("nodeName")
    if not node_name:
        return NOTHING if is_going(pod) else _schedule(pod, world, now_s)
    node = world.get(Key("Node", "", node_name))
    if is_going(pod):
        return _end(pod, node, world, settings, now_s)
    if node is None or not is_played(node) or is_failed(node):
        return NOTHING
    if (pod.get("status") or {}).get("phase") in _FINISHED:
        return NOTHING
    return _run(pod, node, world, settings, now_s)


def _schedule(pod: JsonObject, world: World, now_s: float) -> Played:
    spec = pod["spec"]
    if spec.get("schedulerName", "default-scheduler") != "default-scheduler" or spec.get("schedulingGates"):
        return NOTHING
    nodes = list(world.all("Node"))
    loads = {node["metadata"]["name"]: len(world.pods_on(node["metadata"]["name"])) for node in nodes}
    fitting = [node["metadata"]["name"] for node in nodes if is_open_for(pod, node)]
    free = [name for name in fitting if loads[name] < _MOST_PODS]
    if free:
        chosen = min(free, key=lambda name: (loads[name], name))
        return Played([Bind(Key("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"]), _uid(pod), chosen)])
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": f"0/{len(nodes)} nodes are available (simulated cluster).",
    }
    status = pod.get("status") or {}
    conditions = set_meta_condition(status.get("conditions"), condition, at(now_s))
    return Played(of_status(pod, {**status, "conditions": conditions}), now_s + _UNSCHEDULABLE_S)


def _end(pod: JsonObject, node: JsonObject | None, world: World, settings: LabSettings, now_s: float) -> Played:
    """End a pod that is being deleted: its kubelet confirms; without a node, nobody else will."""
    grace_s = pod["metadata"].get("deletionGracePeriodSeconds") or 0
    if not grace_s or (node is not None and (not is_played(node) or is_failed(node))):
        return NOTHING
    due_s = world.going_s.get(_uid(pod), now_s) + (min(settings.stop_s, grace_s) if node is not None else 0)
    return Played([deleted(pod, 0)]) if due_s <= now_s else Played(again_s=due_s)


def _run(pod: JsonObject, node: JsonObject, world: World, settings: LabSettings, now_s: float) -> Played:
    wait_s = ready_after_s(pod["metadata"].get("annotations") or {}, settings.ready_after_s)
    due_s = None if wait_s is None else world.bound_s.get(_uid(pod), now_s) + wait_s
    is_ready = due_s is not None and due_s <= now_s
    status = _status(pod, node, world, now_s, is_ready=is_ready)
    return Played(of_status(pod, status), None if is_ready else due_s)


def _status(pod: JsonObject, node: JsonObject, world: World, now_s: float, *, is_ready: bool) -> JsonObject:
    old = pod.get("status") or {}
    now = at(now_s)
    started = old.get("startTime") or now
    address = f"{node['spec']['podCIDR'].rpartition('.')[0]}.{world.slots[_uid(pod)]}"
    host = next((one["address"] for one in node["status"].get("addresses", ()) if one["type"] == "InternalIP"), "")
    conditions = old.get("conditions")
    unready = [container["name"] for container in pod["spec"]["containers"]]
    for type_ in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"):
        known = get(conditions, type_)
        if is_ready or type_ not in ("Ready", "ContainersReady"):
            condition = {"type": type_, "status": "True"}
        else:
            message = f"containers with unready status: [{' '.join(unready)}]"
            condition = {"type": type_, "status": "False", "reason": "ContainersNotReady", "message": message}
        if known is None or any(known.get(field) != value for field, value in condition.items()):
            generation = pod["metadata"].get("generation", 1)
            conditions = set_meta_condition(conditions, {**condition, "observedGeneration": generation}, now)
    status = {
        **old,
        "phase": "Running",
        "startTime": started,
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "observedGeneration": pod["metadata"].get("generation", 1),
        "conditions": conditions,
        "containerStatuses": [
            _container(container, pod, started, is_ready=is_ready) for container in pod["spec"]["containers"]
        ],
    }
    if pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [_initial(each, pod, started) for each in pod["spec"]["initContainers"]]
    return status


def _container(container: JsonObject, pod: JsonObject, started: str, *, is_ready: bool) -> JsonObject:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"simulated://{container['image']}",
        "containerID": f"simulated://{_uid(pod)}/{container['name']}",
        "ready": is_ready,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": started}},
        "lastState": {},
    }


def _initial(container: JsonObject, pod: JsonObject, started: str) -> JsonObject:
    if container.get("restartPolicy") == "Always":
        return _container(container, pod, started, is_ready=True)
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": started}
    return {**_container(container, pod, started, is_ready=True), "started": False, "state": {"terminated": ended}}


def _uid(pod: JsonObject) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid
