"""The physical cluster's side: making the agent's objects there, looking at its pods, taking everything out again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import Forbidden, NotFound
from fairlead_api.names import LOCATOR_ANNOTATION, Locator
from fairlead_cli import guarding, manifests
from fairlead_cli.failure import Failure
from fairlead_cli.manifests import Agent
from fairlead_cli.options import Server
from fairlead_cli.session import Local, local, until

if TYPE_CHECKING:
    from fairlead_machinery.client import Client, Gvr

_MANAGER = "kubectl-fairlead"
_GONE_S = 120.0
GOING = "is being removed"
_KEEPING = ("NamespaceFinalizersRemaining", "NamespaceContentRemaining", "NamespaceDeletionContentFailure")
"""Conditions that say what keeps a namespace, the most telling first."""
_POLICY_S = 20.0
_PROBE = "fairlead-policy-probe"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_TROUBLE = {
    "ErrImagePull": "the image cannot be pulled",
    "ImagePullBackOff": "the image cannot be pulled",
    "InvalidImageName": "the image's name is not valid",
    "CrashLoopBackOff": "the agent ends again and again",
    "CreateContainerConfigError": "its container cannot be set up",
    "CreateContainerError": "its container cannot be made",
    "RunContainerError": "its container cannot be started",
}


@asynccontextmanager
async def reached(server: Server) -> AsyncIterator[tuple[Client, Local]]:
    """Connect to the cluster with the user's own credentials for it."""
    from fairlead_machinery.client import Client  # noqa: PLC0415 - offline commands do not pay for it

    known = local(server)
    async with Client(known.config.credentials(known.context), user_agent="kubectl-fairlead") as client:
        yield client, known


async def cluster_uid(client: Client, context: str) -> str:
    """
    Return what names the cluster for life: the uid of its namespace kube-system.

    Raises:
        Failure: The cluster cannot be reached, or is none.
    """
    from fairlead_cli.kinds import NAMESPACES  # noqa: PLC0415 - only to talk
    from fairlead_machinery.transport import Unreachable  # noqa: PLC0415

    fix = f"check that this answers: kubectl --context {context} get namespace kube-system"
    try:
        return str((await client.get(NAMESPACES, "kube-system"))["metadata"]["uid"])
    except Unreachable as error:
        raise Failure(f'the cluster of context "{context}" cannot be reached', str(error), fix) from error
    except NotFound as error:
        raise Failure(f'context "{context}" is no cluster', str(error), fix) from error


def _gvr(kind: str) -> Gvr:
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    return {
        "Namespace": kinds.NAMESPACES,
        "ServiceAccount": kinds.SERVICE_ACCOUNTS,
        "Secret": kinds.SECRETS,
        "ClusterRole": kinds.CLUSTER_ROLES,
        "ClusterRoleBinding": kinds.CLUSTER_ROLE_BINDINGS,
        "Role": kinds.ROLES,
        "RoleBinding": kinds.ROLE_BINDINGS,
        "Deployment": kinds.DEPLOYMENTS,
        "ValidatingAdmissionPolicy": kinds.POLICIES,
        "ValidatingAdmissionPolicyBinding": kinds.POLICY_BINDINGS,
    }[kind]


async def install(client: Client, agent: Agent, objects: Sequence[JsonObject]) -> bool:
    """
    Apply an agent's objects in order; what is there already is brought up to date, what must not be there is removed.

    Nothing that comes after the policy is made before the policy is in force.

    Returns:
        Whether that could be seen; the user may lack the right to impersonate.

    Raises:
        Failure: The policy does not come into force.
    """
    seen = True
    for body in objects:
        namespace = body["metadata"].get("namespace", "")
        if body["kind"] == "Deployment":
            body = await _as_many_as_now(client, body)  # noqa: PLW2901 - the same object in this cluster
        await client.apply(_gvr(body["kind"]), body, field_manager=_MANAGER, force=True, namespace=namespace)
        if body["kind"] == "ValidatingAdmissionPolicyBinding":
            seen = await _in_force(client, agent)
    for kind, name in manifests.obsolete(agent):
        try:
            await client.delete(_gvr(kind), name)
        except NotFound:
            continue
    return seen


async def _as_many_as_now(client: Client, body: JsonObject) -> JsonObject:
    """Return a Deployment with the replicas it has in the cluster, which somebody may have wanted."""
    metadata = body["metadata"]
    try:
        found = await client.get(_gvr("Deployment"), metadata["name"], namespace=metadata["namespace"])
    except NotFound:
        return body
    return {**body, "spec": {**body["spec"], "replicas": found["spec"]["replicas"]}}


async def _in_force(client: Client, agent: Agent) -> bool:
    """Wait until the policy refuses the agent a namespace; API servers learn of one some time after their store."""
    found = await until(lambda: _is_refused(client, agent), _POLICY_S, every_s=0.1)
    if found is None:
        fix = f"kubectl describe validatingadmissionpolicy {agent.id}"
        raise Failure(f"the admission policy is not in force after {_POLICY_S:g} s", fix=fix)
    return found


async def _is_refused(client: Client, agent: Agent) -> bool | None:
    """
    Try, as the agent and without making it, a namespace that the policy does not allow.

    Returns:
        True when the policy refuses; None when it does not yet; False when we may not try.
    """
    from fairlead_cli.kinds import NAMESPACES  # noqa: PLC0415 - only to talk

    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _PROBE}}
    # What RBAC grants the agent is not the question, and not granted yet: its user, in the group that may everything.
    who = {"Impersonate-User": guarding.user(agent), "Impersonate-Group": "system:masters"}
    try:
        await client.request("POST", NAMESPACES.path(), {"dryRun": "All"}, body=json.dumps(body).encode(), headers=who)
    except Forbidden as error:
        return f"ValidatingAdmissionPolicy '{agent.id}'" in error.message
    return None


async def is_lab(client: Client) -> bool:
    """Tell whether the cluster is one of ``kubectl fairlead demo``: it keeps admission policies and asks none."""
    return "+fairlead-lab-" in str((await client.request("GET", "/version")).json().get("gitVersion", ""))


async def has_policies(client: Client) -> bool:
    """Tell whether the cluster enforces admission policies; it does from Kubernetes 1.30 on, and a lab never does."""
    from fairlead_cli.kinds import POLICIES  # noqa: PLC0415 - only to talk

    if await is_lab(client):
        return False
    try:
        found = (await client.request("GET", f"/apis/{POLICIES.group}/{POLICIES.version}")).json()
    except NotFound:
        return False
    return any(one["name"] == POLICIES.resource for one in found.get("resources") or ())


async def is_wide(client: Client, agent: Agent) -> bool:
    """Tell whether the agent there now is of wide mode."""
    from fairlead_cli.kinds import CLUSTER_ROLE_BINDINGS  # noqa: PLC0415 - only to talk

    try:
        await client.get(CLUSTER_ROLE_BINDINGS, manifests.namespace_role_name(agent))
    except NotFound:
        return False
    return True


async def allows_privileged(client: Client, agent: Agent) -> bool:
    """Tell whether the policy there now lets the agent make namespaces of pod security level ``privileged``."""
    from fairlead_cli.kinds import POLICIES  # noqa: PLC0415 - only to talk

    try:
        return guarding.allows_privileged(await client.get(POLICIES, agent.id))
    except NotFound:
        return False


async def listed(client: Client) -> tuple[tuple[str, str], ...]:
    """Return (group, plural) of every namespaced kind the cluster can list, sorted; Events do not count."""
    found: set[tuple[str, str]] = set()
    for path in ("/api", "/apis"):
        document = (await client.request("GET", path, headers={"Accept": AGGREGATED})).json()
        for group in document.get("items") or ():
            for version in group.get("versions") or ():
                found.update(
                    (group["metadata"].get("name", ""), resource["resource"])
                    for resource in version.get("resources") or ()
                    if resource.get("scope") == "Namespaced" and "list" in resource.get("verbs", ())
                )
    return tuple(sorted(one for one in found if one[1] != "events"))


async def token(client: Client, namespace: str, account: str) -> tuple[str, str]:
    """Return a token for a service account, valid as long as the cluster grants up to a year, and when it ends."""
    from fairlead_cli.kinds import SERVICE_ACCOUNTS  # noqa: PLC0415 - only to talk

    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": guarding.LONGEST_TOKEN_S},
    }
    made = await client.create(SERVICE_ACCOUNTS, body, namespace=namespace, name=account, subresource="token")
    return str(made["status"]["token"]), str(made["status"]["expirationTimestamp"])


async def known_key(client: Client, namespace: str, name: str, key: str) -> str:
    """Return a value of a Secret in plain text; "" when it is not there."""
    import base64  # noqa: PLC0415 - only to talk

    from fairlead_cli.kinds import SECRETS  # noqa: PLC0415

    try:
        found = await client.get(SECRETS, name, namespace=namespace)
    except NotFound:
        return ""
    return base64.b64decode((found.get("data") or {}).get(key, "")).decode()


async def pod_trouble(client: Client, namespace: str, app: str) -> str:
    """Return what is wrong with the agent's pods, in words; "" when nothing is."""
    from fairlead_cli.kinds import PODS  # noqa: PLC0415 - only to talk

    pods, _ = await client.list(PODS, namespace=namespace, query={"labelSelector": f"app={app}"})
    return next((problem for pod in pods if (problem := trouble_of(pod))), "")


def trouble_of(pod: JsonObject) -> str:
    """Return what is wrong with a Pod, in words; "" when nothing is, or nothing yet."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _TROUBLE:
            image = f" ({container['image']})" if "mage" in waiting["reason"] and container.get("image") else ""
            last = ((container.get("lastState") or {}).get("terminated") or {}).get("message", "")
            told = waiting.get("message") or last
            return f"pod {name}: {_TROUBLE[waiting['reason']]}{image}: {waiting['reason']}: {last or told}".rstrip(": ")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"pod {name}: no node takes it: {condition.get('message', '')}".rstrip(": ")
    return ""


async def take_out(client: Client, agent_id: str, namespace: str, timeout_s: float = _GONE_S) -> None:
    """
    Remove the agent's objects and wait until its namespace is gone; what is gone already is fine.

    Raises:
        Failure: The namespace does not go.
    """
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    inside = f"{agent_id}-namespace"
    for gvr, name in (
        (kinds.CLUSTER_ROLE_BINDINGS, agent_id),
        (kinds.CLUSTER_ROLE_BINDINGS, inside),
        (kinds.CLUSTER_ROLES, agent_id),
        (kinds.CLUSTER_ROLES, inside),
        (kinds.NAMESPACES, namespace),
        # What holds the agent goes when there is nothing left to hold.
        (kinds.POLICY_BINDINGS, agent_id),
        (kinds.POLICIES, agent_id),
    ):
        try:
            await client.delete(gvr, name)
        except NotFound:
            continue

    async def gone() -> bool | None:
        try:
            await client.get(kinds.NAMESPACES, namespace)
        except NotFound:
            return True
        return None

    if await until(gone, timeout_s) is None:
        raise Failure(f"namespace {namespace} is still being removed", fix=f"kubectl describe namespace {namespace}")


async def stop_deployment(client: Client, agent_id: str, namespace: str) -> bool:
    """Remove the agent's Deployment and wait until no pod of it is left; return whether there was one."""
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    try:
        await client.delete(kinds.DEPLOYMENTS, agent_id, namespace=namespace, propagation="Foreground")
    except NotFound:
        return False

    async def ended() -> bool | None:
        pods, _ = await client.list(kinds.PODS, namespace=namespace, query={"labelSelector": f"app={agent_id}"})
        return None if pods else True

    await until(ended, _GONE_S)
    return True


@dataclass(frozen=True, slots=True)
class Left:
    """Something of ours that is still in a cluster: ``kind/name``, and what keeps it or what it holds."""

    name: str
    why: str = ""


async def left(client: Client, name: str, uid: str) -> list[Left]:
    """Return what is in a cluster for a SyncTarget: namespaces, roles and bindings of its agent and its tenants."""
    from fairlead_api.names import syncer_id  # noqa: PLC0415 - only to talk
    from fairlead_cli import kinds  # noqa: PLC0415

    agent_id = syncer_id(name, uid)
    namespaces, _ = await client.list(kinds.NAMESPACES)
    found = [
        Left(f"namespace/{one['metadata']['name']}", _what_keeps(one))
        for one in namespaces
        if one["metadata"]["name"] == agent_id or _target_uid(one) == uid
    ]
    for gvr, kind in (
        (kinds.CLUSTER_ROLES, "clusterrole"),
        (kinds.CLUSTER_ROLE_BINDINGS, "clusterrolebinding"),
        (kinds.POLICIES, "validatingadmissionpolicy"),
        (kinds.POLICY_BINDINGS, "validatingadmissionpolicybinding"),
    ):
        items, _ = await client.list(gvr)
        names = (str(one["metadata"]["name"]) for one in items)
        found += [Left(f"{kind}/{one}") for one in names if one == agent_id or one.startswith(f"{agent_id}-")]
    return sorted(found, key=lambda one: one.name)


async def of_others(client: Client, name: str, uid: str) -> list[str]:
    """Return namespaces that are left of other SyncTargets of the same name."""
    from fairlead_cli import kinds  # noqa: PLC0415 - only to talk

    namespaces, _ = await client.list(kinds.NAMESPACES)
    known = ((one["metadata"]["name"], _locator(one)) for one in namespaces)
    return sorted(one for one, found in known if found and found.target_name == name and found.target_uid != uid)


def _locator(namespace: JsonObject) -> Locator | None:
    text = (namespace["metadata"].get("annotations") or {}).get(LOCATOR_ANNOTATION)
    try:
        return Locator.from_json(text) if text else None
    except ValueError:
        return None


def _target_uid(namespace: JsonObject) -> str:
    found = _locator(namespace)
    return found.target_uid if found else ""


def _what_keeps(namespace: JsonObject) -> str:
    """Return why a namespace that is being removed is still there, or for whom it was made."""
    if namespace["metadata"].get("deletionTimestamp"):
        conditions = (namespace.get("status") or {}).get("conditions") or ()
        said = {one["type"]: one.get("message", "") for one in conditions if one.get("status") == "True"}
        why = next((said[kind] for kind in _KEEPING if said.get(kind)), "")
        return GOING + (f": {why}" if why else "")
    found = _locator(namespace)
    return f"of namespace {found.namespace} in {found.cluster}" if found else ""
