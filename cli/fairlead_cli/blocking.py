"""Why a namespace has not moved yet, in words that name what to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli.assignments import Assigned
from fairlead_cli.downstream import trouble_of
from fairlead_cli.session import Session

if TYPE_CHECKING:
    from fairlead_machinery.client import Client, Gvr

_MOST = 5


async def reasons(session: Session, assigned: Assigned) -> list[str]:
    """Return at least one reason for a namespace that is still on the SyncTarget being left."""
    others = assigned.others()
    is_leaving = assigned.entry().get("state") == "Leaving"
    waits = [f"{assigned}: {one}" for one in _not_removed(assigned)] if is_leaving else []
    if is_leaving and not others:
        return waits or [f"{assigned}: its objects are still being removed there; its agent has to confirm each"]
    if not others:
        message = assigned.decision.get("message") or assigned.entry().get("reason", "")
        return [f"{assigned}: nowhere to go: {message}"]
    found = [f"{assigned}: {reason}" for one in others for reason in _not_applied(assigned, one)]
    if is_leaving or assigned.is_ready_elsewhere():
        remaining = assigned.progress(assigned.uid).get("remaining", 0)
        return [f"{assigned}: {remaining} objects are still being removed", *waits, *found]
    workspace = session.top.at(assigned.workspace)
    found += [f"{assigned}: {reason}" for reason in await _not_ready(workspace, assigned.namespace)]
    return found or [f"{assigned}: waiting for {', '.join(one['name'] for one in others)}"]


def _not_applied(assigned: Assigned, target: JsonObject) -> list[str]:
    report = assigned.progress(target["uid"])
    found = [
        f"{one['resource']}/{one['name']} cannot be applied in {target['name']}: "
        f"{one.get('message') or one.get('reason', '')}"
        for one in report.get("blocked") or ()
    ]
    if report.get("objects", 0) > report.get("applied", 0) and not found:
        found.append(f"{report['applied']} of {report['objects']} objects are applied in {target['name']}")
    return found[:_MOST]


def _not_removed(assigned: Assigned) -> list[str]:
    """Return what the agent cannot remove from the SyncTarget being left, and what keeps each: a finalizer, say."""
    return [
        f"{one['resource']}/{one['name']} cannot be removed: {one.get('message') or one.get('reason', '')}"
        for one in assigned.progress(assigned.uid).get("blocked") or ()
    ][:_MOST]


async def _not_ready(workspace: Client, namespace: str) -> list[str]:
    """Return workloads and pods that are not ready."""
    from fairlead_cli.kinds import DEPLOYMENTS, PODS  # noqa: PLC0415 - only to talk

    found = []
    for deployment in await _listed(workspace, DEPLOYMENTS, namespace):
        spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
        if status.get("unavailableReplicas") or status.get("readyReplicas", 0) < spec.get("replicas", 1):
            ready = f"{status.get('readyReplicas', 0)} of {spec.get('replicas', 1)} replicas ready"
            found.append(f"deployments/{deployment['metadata']['name']}: {ready}")
    found += [reason for pod in await _listed(workspace, PODS, namespace) if (reason := not_ready(pod))]
    return found[:_MOST]


async def _listed(workspace: Client, gvr: Gvr, namespace: str) -> list[JsonObject]:
    try:
        return (await workspace.list(gvr, namespace=namespace))[0]
    except (NotFound, Forbidden):
        return []


def not_ready(pod: JsonObject) -> str:
    """Return why a Pod is not Ready; "" when it is, or has ended well."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    if ready.get("status") == "True" or status.get("phase") == "Succeeded":
        return ""
    phase = str(status.get("phase", "Pending"))
    why = (
        ready.get("message") or ready.get("reason") or ("it runs, but says it is not" if phase == "Running" else phase)
    )
    return trouble_of(pod) or f"pod {name} is not ready: {why}"
