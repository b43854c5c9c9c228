"""Cells of Pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.ages import Timed, age, since

NONE = "<none>"
_TERMINAL = {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class PodSummary:
    """What the columns of one pod say; ``restarted`` is the time of the last restart or empty."""

    ready: int
    total: int
    reason: str
    restarts: int
    restarted: str


def summarise(pod: JsonObject) -> PodSummary:
    """Return a pod's state as kubectl words it."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    reason = _initial_reason(status)
    init = _init_containers(spec, status, sidecars)
    ready, restarts, restarted = init.ready, init.restarts, init.restarted
    if init.reason:
        reason = init.reason
    if not init.reason or _condition(status, "Initialized"):
        statuses = status.get("containerStatuses") or ()
        ready += sum(_is_running(one) for one in statuses)
        restarts = init.sidecar_restarts + sum(one.get("restartCount", 0) for one in statuses)
        restarted = max((init.sidecar_restarted, *map(_last_end, statuses)))
        reason = _container_reason(statuses, status, reason)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            reason = "Terminating"
    return PodSummary(ready, total, reason, restarts, restarted)


def _initial_reason(status: JsonObject) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


@dataclass(slots=True)
class _Init:
    reason: str = ""
    ready: int = 0
    restarts: int = 0
    restarted: str = ""
    sidecar_restarts: int = 0
    sidecar_restarted: str = ""


def _init_containers(spec: JsonObject, status: JsonObject, sidecars: set[Any]) -> _Init:
    found = _Init()
    for index, one in enumerate(status.get("initContainerStatuses") or ()):
        is_sidecar = one.get("name") in sidecars
        found.restarts += one.get("restartCount", 0)
        found.restarted = max(found.restarted, _last_end(one))
        if is_sidecar:
            found.sidecar_restarts += one.get("restartCount", 0)
            found.sidecar_restarted = max(found.sidecar_restarted, _last_end(one))
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended is not None and not ended.get("exitCode"):
            continue
        if is_sidecar and one.get("started"):
            found.ready += bool(one.get("ready"))
            continue
        if ended is not None:
            found.reason = "Init:" + (ended.get("reason") or _exit(ended))
        elif waiting is not None and waiting.get("reason") not in {None, "", "PodInitializing"}:
            found.reason = f"Init:{waiting['reason']}"
        else:
            found.reason = f"Init:{index}/{len(spec.get('initContainers') or ())}"
        break
    return found


def _container_reason(statuses: Sequence[JsonObject], status: JsonObject, reason: str) -> str:
    for one in reversed(statuses):
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if waiting is not None and waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            reason = ended.get("reason") or _exit(ended)
    if reason == "Completed" and any(map(_is_running, statuses)):
        return "Running" if _condition(status, "Ready") else "NotReady"
    return reason


def _is_running(status: JsonObject) -> bool:
    state = status.get("state") or {}
    has_other = (state.get("waiting") or {}).get("reason") or state.get("terminated") is not None
    return not has_other and bool(status.get("ready")) and state.get("running") is not None


def _exit(ended: JsonObject) -> str:
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _last_end(status: JsonObject) -> str:
    return ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _condition(status: JsonObject, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())


def _restarts(pod: JsonObject) -> object:
    found = summarise(pod)
    if not found.restarts or not found.restarted:
        return str(found.restarts)
    return Timed(lambda now: f"{found.restarts} ({since(found.restarted, now)} ago)")


def _ready(pod: JsonObject) -> str:
    found = summarise(pod)
    return f"{found.ready}/{found.total}"


def _gates(pod: JsonObject) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return NONE
    status = pod.get("status") or {}
    return f"{sum(_condition(status, gate.get('conditionType', '')) for gate in gates)}/{len(gates)}"


def _address(pod: JsonObject) -> str:
    status = pod.get("status") or {}
    addresses = status.get("podIPs") or ()
    return (addresses[0].get("ip") if addresses else status.get("podIP")) or NONE


def row_conditions(pod: JsonObject) -> list[JsonObject]:
    """Return the conditions of a pod's row, by which kubectl can leave finished pods out."""
    phase = (pod.get("status") or {}).get("phase")
    texts = {
        "Succeeded": "The pod has completed successfully.",
        "Failed": "The pod failed.",
    }
    if phase not in texts:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": texts[phase]}]


CELLS: Mapping[str, Any] = {
    "Ready": _ready,
    "Status": lambda pod: summarise(pod).reason,
    "Restarts": _restarts,
    "Age": lambda pod: age(pod["metadata"].get("creationTimestamp")),
    "IP": _address,
    "Node": lambda pod: (pod.get("spec") or {}).get("nodeName") or NONE,
    "Nominated Node": lambda pod: (pod.get("status") or {}).get("nominatedNodeName") or NONE,
    "Readiness Gates": _gates,
}
