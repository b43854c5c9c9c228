"""What kwok plays: how nodes and pods behave, as its Stage objects."""

from __future__ import annotations

import json

from fairlead_api import JsonObject

NEVER_READY = float("inf")
"""Pods run and never become Ready."""

_NODE_READY = """
{{ $now := Now }}
addresses:
- {type: InternalIP, address: 127.0.0.1}
- {type: Hostname, address: {{ NodeName | Quote }}}
allocatable: {cpu: "64", memory: 256Gi, pods: "1000", ephemeral-storage: 1Ti}
capacity: {cpu: "64", memory: 256Gi, pods: "1000", ephemeral-storage: 1Ti}
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  kubeletVersion: v1.36.3
  containerRuntimeVersion: played-by-kwok
phase: Running
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
"""

_POD_STATUS = """
{{ $now := Now }}
phase: %(phase)s
startTime: {{ or .status.startTime $now | Quote }}
hostIP: 127.0.0.1
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) \
( or .metadata.namespace "" ) | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "%(ready)s", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "%(ready)s", lastTransitionTime: {{ $now | Quote }}}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: "%(ready)s", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: %(ready_flag)s
  started: %(started)s
  restartCount: 0
  state: %(state)s
{{ end }}
"""

_RUNNING = "{running: {startedAt: {{ $now | Quote }}}}"
_COMPLETED = (
    "{terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}"
)


def node_and_pod_stages(ready_delay_s: float = 0.0) -> str:
    """
    Return the kwok configuration of a healthy cluster.

    Args:
        ready_delay_s: Seconds from a pod's start until it is Ready; ``NEVER_READY`` for never.
    """
    stages = [
        _stage("node-ready", "Node", [_ready_condition("NotIn")], {"statusTemplate": _NODE_READY}),
        _stage("pod-delete", "Pod", [_expression(".metadata.deletionTimestamp", "Exists")], {"delete": True}),
    ]
    alive = _expression(".metadata.deletionTimestamp", "DoesNotExist")
    pending = _expression(".status.phase", "In", "Pending")
    running = _expression(".status.phase", "In", "Running")
    if ready_delay_s == 0:
        stages.append(_stage("pod-ready", "Pod", [alive, pending], _pod("Running", is_ready=True)))
    else:
        stages.append(_stage("pod-start", "Pod", [alive, pending], _pod("Running", is_ready=False)))
        if ready_delay_s != NEVER_READY:
            late = _stage(
                "pod-ready", "Pod", [alive, running, _ready_condition("NotIn")], _pod("Running", is_ready=True)
            )
            late["spec"]["delay"] = {"durationMilliseconds": round(ready_delay_s * 1000)}
            stages.append(late)
    of_a_job = _expression(".metadata.ownerReferences.[].kind", "In", "Job")
    stages.append(
        _stage(
            "pod-complete",
            "Pod",
            [alive, running, of_a_job],
            _pod("Succeeded", is_ready=False, state=_COMPLETED),
        )
    )
    return "\n---\n".join(json.dumps(stage) for stage in stages) + "\n"


def _pod(phase: str, *, is_ready: bool, state: str = _RUNNING) -> JsonObject:
    words = {
        "phase": phase,
        "ready": str(is_ready),
        "ready_flag": str(is_ready).lower(),
        "started": str(phase == "Running").lower(),
        "state": state,
    }
    return {"statusTemplate": _POD_STATUS % words}


def _expression(key: str, operator: str, *values: str) -> JsonObject:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def _ready_condition(operator: str) -> JsonObject:
    return _expression('.status.conditions.[] | select( .type == "Ready" ) | .status', operator, "True")


def _stage(name: str, kind: str, when: list[JsonObject], then: JsonObject) -> JsonObject:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": when},
            "next": then,
        },
    }
