"""
SyncTargets: making one, letting its agent in, and knowing which physical cluster stands behind it.

Used by ``kubectl fairlead cluster join`` and ``kubectl kcp workload sync``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Forbidden, NotFound
from fairlead_cli import places
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.manifests import Agent
from fairlead_cli.session import Session

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

PINNED, LEADER = "internal.workload.kcp.io/agent-key", "internal.workload.kcp.io/agent-leader"
CLUSTER_UID = "workload.fairlead.io/cluster-uid"
"""Annotation of a SyncTarget: uid of the physical cluster's namespace kube-system, which names the cluster for life."""
AGENT = "workload.fairlead.io/agent"
"""Annotation of a SyncTarget: where its agent is; see :mod:`fairlead_cli.process`."""
DEFAULT_EXPORT = {"path": "root:compute", "export": "kubernetes"}
_LOOPBACK = frozenset({"localhost", "::1", "0.0.0.0", "::"})
_ALWAYS_THERE = (("", "services"), ("apps", "deployments"))


def default_image() -> str:
    """Return the image of this version."""
    return f"fairlead:v{metadata.version('fairlead')}"


def parse_labels(labels: Sequence[str]) -> dict[str, str]:
    """
    Read ``k=v`` pairs.

    Raises:
        Failure: One has not exactly one ``=``.
    """
    found = {}
    for label in labels:
        key, _, value = label.partition("=")
        if label.count("=") != 1 or not key:
            raise Failure(f'invalid label "{label}"', fix="write it as key=value", code=USAGE)
        found[key] = value
    return found


@dataclass(frozen=True, slots=True)
class Registration:
    """A SyncTarget, and whether this command made it."""

    target: JsonObject
    created: bool

    @property
    def cluster(self) -> str:
        """Logical cluster it is in."""
        return str(self.target["metadata"]["annotations"]["kcp.io/cluster"])

    @property
    def name(self) -> str:
        """Name of the SyncTarget."""
        return str(self.target["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Uid of the SyncTarget."""
        return str(self.target["metadata"]["uid"])

    @property
    def external_url(self) -> str:
        """Scheme, host and port that the control plane wants to be reached by; "" when it says none."""
        workspaces = (self.target.get("status") or {}).get("virtualWorkspaces") or ()
        parts = urlsplit(str(workspaces[0]["syncerURL"])) if workspaces else urlsplit("")
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def with_port(server: str) -> str:
    """Return scheme, host and port of a URL; the port is written even where it goes without saying."""
    parts = urlsplit(server)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def is_loopback(server: str) -> bool:
    """Tell whether a URL means the machine it is used on."""
    host = urlsplit(server).hostname or ""
    return host in _LOOPBACK or host.startswith("127.") or host.endswith(".localhost")


async def find(workspace: Client, name: str) -> JsonObject | None:
    """Return a SyncTarget, or None."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    try:
        return await workspace.get(SYNC_TARGETS, name)
    except NotFound:
        return None


async def get(session: Session, name: str) -> Registration:
    """
    Return a SyncTarget that is there.

    Raises:
        Failure: There is none; the message names what to do.
    """
    found = await find(session.here, name)
    if found is not None:
        return Registration(found, created=False)
    what = f'SyncTarget "{name}" not found in {session.place.path}'
    for path in places.ancestors(session.place.path)[1:]:
        if name in {one["metadata"]["name"] for one in await targets_of(session, path)}:
            raise Failure(what, f"it is in {path}", f"say -w {path}")
    raise Failure(what, fix="kubectl fairlead cluster list")


async def targets_of(session: Session, path: str) -> list[JsonObject]:
    """Return the SyncTargets of a workspace; none where the user may not see any."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    try:
        return (await session.top.at(path).list(SYNC_TARGETS))[0]
    except (NotFound, Forbidden):
        return []


async def register(
    workspace: Client, name: str, labels: Mapping[str, str] | None, *, cluster_uid: str = "", spec: JsonObject
) -> Registration:
    """
    Create a SyncTarget, or bring one of that name up to date.

    Args:
        workspace: Where.
        name: Of the SyncTarget.
        labels: To set; others stay. None leaves all.
        cluster_uid: Of the physical cluster, "" when it is not known.
        spec: Fields to set.

    Raises:
        Failure: The name stands for another physical cluster.
        ApiError: The server refused.
    """
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    found = await find(workspace, name)
    annotations = {CLUSTER_UID: cluster_uid} if cluster_uid else {}
    wanted: JsonObject = {"metadata": {"annotations": annotations, "labels": dict(labels or {})}, "spec": spec}
    if found is None:
        body = {"apiVersion": "workload.kcp.io/v1alpha1", "kind": "SyncTarget", **wanted}
        body["metadata"] = {"name": name, **wanted["metadata"]}
        return Registration(await workspace.create(SYNC_TARGETS, body), created=True)
    check_same_cluster(found, cluster_uid)
    return Registration(await workspace.patch(SYNC_TARGETS, name, wanted), created=False)


def check_same_cluster(target: JsonObject, cluster_uid: str) -> None:
    """
    Check that a SyncTarget stands for a physical cluster.

    Raises:
        Failure: It is another one's; nothing may be changed then.
    """
    known = (target["metadata"].get("annotations") or {}).get(CLUSTER_UID, "")
    if known and cluster_uid and known != cluster_uid:
        name = target["metadata"]["name"]
        raise Failure(
            f'SyncTarget "{name}" is another cluster',
            f"it was joined from a cluster with uid {known}, this one has {cluster_uid}",
            f"choose another name, or first: kubectl fairlead cluster remove {name}",
        )


def check_context(target: JsonObject, cluster_uid: str, context: str) -> None:
    """
    Check that a context of the user's is the cluster that a SyncTarget was joined from.

    Raises:
        Failure: It is another one; nothing may be changed then.
    """
    known = (target["metadata"].get("annotations") or {}).get(CLUSTER_UID, "")
    if known and cluster_uid != known:
        name = target["metadata"]["name"]
        raise Failure(f'context "{context}" is another cluster than {name}', fix=f"name that of {name}: --context")


async def bootstrap_token(session: Session, registration: Registration) -> str:
    """
    Have a single-use token made for the agent's first start.

    Raises:
        Forbidden: The user may not update the SyncTarget.
    """
    path = f"/services/syncer/{registration.cluster}/{registration.name}/{registration.uid}/bootstrap"
    answer = (await session.top.request("POST", path, body=b"{}")).json()
    return str(answer["token"])


async def exported_resources(session: Session, target: JsonObject) -> tuple[tuple[str, str], ...]:
    """
    Return (group, plural) of what the SyncTarget's exports hold, sorted.

    Exports the user may not read count with what kcp's always have.
    """
    from fairlead_cli.kinds import API_EXPORTS  # noqa: PLC0415 - only to talk

    found: set[tuple[str, str]] = set()
    for export in (target.get("spec") or {}).get("supportedAPIExports") or [DEFAULT_EXPORT]:
        path = export.get("path") or session.place.path
        try:
            one = await session.top.at(path).get(API_EXPORTS, export["export"])
        except (NotFound, Forbidden):
            found.update(_ALWAYS_THERE)
            continue
        found.update(resource_of(name) for name in (one.get("spec") or {}).get("latestResourceSchemas") or ())
    return tuple(sorted(found))


def resource_of(schema: str) -> tuple[str, str]:
    """Return (group, plural) of an APIResourceSchema's name, ``<prefix>.<plural>.<group or core>``."""
    _, plural, group = schema.split(".", 2)
    return ("" if group == "core" else group), plural


async def agent_of(session: Session, registration: Registration, server: str, token: str) -> Agent:
    """Return the agent of a SyncTarget, without what only a Deployment needs."""
    return Agent(
        name=registration.name,
        uid=registration.uid,
        cluster=registration.cluster,
        server=with_port(server),
        ca=session.top.credentials.ca.decode(),
        resources=await exported_resources(session, registration.target),
        bootstrap_token=token,
    )


def new_key() -> str:
    """Return a new key for an agent, as PEM text."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow to load, needed by few
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def is_ready(target: JsonObject) -> bool:
    """Tell whether a SyncTarget's agent is heard of."""
    conditions = (target.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def pulse(target: JsonObject) -> tuple[str, str]:
    """Return what changes when a SyncTarget's agent is heard of: the time of its heartbeat, and whose turn it is."""
    leader = (target["metadata"].get("annotations") or {}).get(LEADER, "")
    return str((target.get("status") or {}).get("lastSyncerHeartbeatTime") or ""), str(leader)


def pinned_key(target: JsonObject) -> str:
    """Return the thumbprint of the key that is pinned to a SyncTarget; "" when none is."""
    from fairlead_machinery import agentkeys  # noqa: PLC0415 - slow to load

    text = (target["metadata"].get("annotations") or {}).get(PINNED)
    return agentkeys.thumbprint(json.loads(text)) if text else ""


async def note_agent(workspace: Client, registration: Registration, where: str) -> None:
    """Write on a SyncTarget where its agent is, for ``cluster list`` and ``remove``, also on other machines."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    if (registration.target["metadata"].get("annotations") or {}).get(AGENT) != where:
        await workspace.patch(SYNC_TARGETS, registration.name, {"metadata": {"annotations": {AGENT: where}}})


async def unregister(workspace: Client, registration: Registration) -> None:
    """Take back what :func:`register` made; a SyncTarget that was there before stays."""
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    if not registration.created:
        return
    try:
        await workspace.delete(SYNC_TARGETS, registration.name, uid=registration.uid)
    except ApiError as error:
        fix = f"kubectl delete synctarget {registration.name}"
        raise Failure(f'SyncTarget "{registration.name}" could not be taken back', str(error), fix) from error
