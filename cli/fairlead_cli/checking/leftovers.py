"""What stands in a cluster for SyncTargets that nobody knows any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fairlead_api import JsonObject, names
from fairlead_cli import inventory, kinds
from fairlead_cli.checking.asking import some
from fairlead_cli.checking.model import Finding, not_verified
from fairlead_cli.checking.plane import Plane
from fairlead_cli.checking.spaces import everywhere

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_OURS = {"labelSelector": "app.kubernetes.io/part-of=fairlead"}


async def known_targets(plane: Plane, here: list[JsonObject]) -> list[JsonObject] | None:
    """Return all SyncTargets of the control plane; None when the user sees those ``here`` alone."""
    found = await everywhere(plane.session, kinds.SYNC_TARGETS)
    if found.unseen:
        return None
    return [*here, *(one for part in found.objects.values() for one in part)]


async def look(cluster: Client, known: list[JsonObject] | None) -> Finding | None:
    """Compare what bears our marks in a cluster with the SyncTargets there are."""
    if known is None:
        return not_verified("you may not see the SyncTargets of all workspaces")
    namespaces, _ = await cluster.list(kinds.NAMESPACES)
    roles, _ = await cluster.list(kinds.CLUSTER_ROLES, query=_OURS)
    bindings, _ = await cluster.list(kinds.CLUSTER_ROLE_BINDINGS, query=_OURS)
    found = unknown(namespaces, [*roles, *bindings], known)
    if not found:
        return None
    fix = "if no other control plane uses this cluster, look at each and delete it"
    return Finding(f"of no SyncTarget known here: {some(found)}", fix)


def unknown(namespaces: Iterable[JsonObject], others: Iterable[JsonObject], known: Iterable[JsonObject]) -> list[str]:
    """
    Name what stands for SyncTargets that are not among those known.

    Args:
        namespaces: All of the cluster.
        others: ClusterRoles and ClusterRoleBindings with our label.
        known: SyncTargets.
    """
    targets = [one["metadata"] for one in known]
    uids = {one["uid"] for one in targets}
    agents = tuple(names.syncer_id(one["name"], one["uid"]) for one in targets)
    found = []
    for one in namespaces:
        metadata = one["metadata"]
        if metadata.get("deletionTimestamp"):
            continue  # somebody has seen to it
        is_marked = names.LOCATOR_ANNOTATION in (metadata.get("annotations") or {})
        locator = inventory.locator_of(one)
        is_agents = metadata["name"].startswith(inventory.AGENT_PREFIX) and metadata["name"] not in agents
        if is_agents or (is_marked and (locator is None or locator.target_uid not in uids)):
            found.append(f"namespace/{metadata['name']}")
    for one in others:
        name = one["metadata"]["name"]
        if name.startswith(inventory.AGENT_PREFIX) and not name.startswith(agents or ("\0",)):
            found.append(f"{one['kind'].lower()}/{name}")
    return found
