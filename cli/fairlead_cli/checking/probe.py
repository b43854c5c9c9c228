"""
Asks for the control plane from inside a cluster, before anything is installed there, with a Pod that goes again.

What it cannot find out is "not verified" with the reason, never a success.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden, NotFound
from fairlead_cli import downstream, kinds
from fairlead_cli.checking.model import Finding, Level, not_verified
from fairlead_machinery.client import Gvr
from fairlead_machinery.transport import Unreachable

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_NODES = Gvr("", "v1", "nodes")
_POLL_S, _REMOVAL_S = 0.5, 20.0
MARGIN_S = 2 * _REMOVAL_S
"""What asking may take beyond the Pod's own time."""
_USER = 65532
_INSIDE = Path(__file__).with_name("probe_inside.py")


@dataclass(frozen=True, slots=True)
class Probe:
    """
    What to ask, and how.

    Attributes:
        server: URL of the control plane, without path.
        ca: PEM text of its authority; "" for the system's.
        image: Has ``python3``.
        namespace: Where the Pod is made.
        timeout_s: How long it may take, pulling the image included.
    """

    server: str
    ca: str
    image: str
    namespace: str = "default"
    timeout_s: float = 60.0


def pod(probe: Probe, name: str, script: str) -> JsonObject:
    """Return the Pod: fit for the restricted level, without credentials, ended by the kubelet when we are gone."""
    container = {
        "name": "probe",
        "image": probe.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", script],
        "env": [{"name": "FAIRLEAD_URL", "value": probe.server}, {"name": "FAIRLEAD_CA", "value": probe.ca}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": max(int(probe.timeout_s), 1),
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security,
        "containers": [container],
    }
    metadata = {"name": name, "namespace": probe.namespace, "labels": {"app.kubernetes.io/part-of": "fairlead"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def ask(cluster: Client, probe: Probe) -> Finding | None:
    """Make the Pod, wait for its word, remove it."""
    why = await _no_room(cluster)
    if why:
        return not_verified(why)
    script = await asyncio.to_thread(_INSIDE.read_text)
    name = f"fairlead-check-{secrets.token_hex(4)}"
    may_be_there, left = True, False
    try:
        try:
            await cluster.create(kinds.PODS, pod(probe, name, script), namespace=probe.namespace)
        except ApiError as error:
            may_be_there = False
            return not_verified(f"a Pod may not be made in namespace {probe.namespace}: {error}")
        finding = await _word_of(cluster, probe, name)
    finally:  # also when no answer came, or the user has had enough
        if may_be_there:
            left = not await _removed(cluster, probe.namespace, name)
    if not left:
        return finding
    text = f"Pod {name} in namespace {probe.namespace} could not be removed"
    if finding is not None:
        return replace(finding, text=f"{finding.text}; besides, {text}")
    return Finding(text, f"kubectl -n {probe.namespace} delete pod {name}", Level.WARNING)


async def _no_room(cluster: Client) -> str:
    """Return why no Pod can run there; "" when one may."""
    try:
        nodes, _ = await cluster.list(_NODES)
    except Forbidden:
        return ""
    return "" if nodes else "the cluster has no nodes, so no Pod can run there"


async def _word_of(cluster: Client, probe: Probe, name: str) -> Finding | None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + probe.timeout_s
    trouble = ""
    while True:
        try:
            found = await cluster.get(kinds.PODS, name, namespace=probe.namespace)
        except NotFound:
            return not_verified(f"somebody removed Pod {name}")
        status = found.get("status") or {}
        if status.get("phase") in {"Succeeded", "Failed"} or _terminated(found):
            return judged(found, probe.server)
        trouble = downstream.trouble_of(found)
        if any((one.get("state") or {}).get("waiting") for one in status.get("containerStatuses") or ()) and trouble:
            return not_verified(trouble, "name an image with python3 that the cluster can pull: --image IMAGE")
        if loop.time() >= deadline_s:
            phase = status.get("phase", "Pending")
            return not_verified(trouble or f"Pod {name} was still {phase} after {probe.timeout_s:g} s")
        await asyncio.sleep(_POLL_S)


def _terminated(found: JsonObject) -> JsonObject:
    statuses = (found.get("status") or {}).get("containerStatuses") or ()
    return next((one["state"]["terminated"] for one in statuses if (one.get("state") or {}).get("terminated")), {})


def judged(found: JsonObject, server: str) -> Finding | None:
    """Judge the word that an ended Pod left."""
    ended = _terminated(found)
    try:
        word = json.loads(ended.get("message") or "")
        ok = word["ok"]
    except (KeyError, TypeError, ValueError):
        why = ended.get("reason") or (found.get("status") or {}).get("reason") or "no reason"
        return not_verified(f"the Pod ended without a word (exit code {ended.get('exitCode', '?')}, {why})")
    if ok is True:
        return None
    stage = {
        "name": "its name cannot be resolved there",
        "connection": "no connection comes about",
        "TLS": "TLS fails",
        "answer": "it does not answer",
    }.get(str(word.get("stage")), "it failed")
    fix = "mend names, routes and firewalls between them, or give the control plane another --external-url"
    return Finding(f"{server}, asked from inside the cluster: {stage}: {word.get('why', '')}", fix)


async def _removed(cluster: Client, namespace: str, name: str) -> bool:
    """Remove the Pod; return whether that was taken."""
    try:
        async with asyncio.timeout(_REMOVAL_S):
            await cluster.delete(kinds.PODS, name, namespace=namespace, grace_period_s=0)
    except NotFound:
        return True
    except (ApiError, Unreachable, TimeoutError):
        return False
    return True
