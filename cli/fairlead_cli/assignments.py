"""
What runs on a SyncTarget: its view names the namespaces, the Assignments in their workspaces say how it stands.

The view is what the agent reads. So nothing is overlooked, whatever workspaces the user may enter, and only workspaces
that have something there are asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli.failure import FORBIDDEN, Failure
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Assigned:
    """
    One namespace on one SyncTarget.

    Attributes:
        workspace: Path of its workspace, its logical cluster's name where the path is not known.
        namespace: Its name.
        uid: Of the SyncTarget.
        body: The Assignment.
    """

    workspace: str
    namespace: str
    uid: str
    body: JsonObject

    def __str__(self) -> str:
        return f"{self.namespace} ({self.workspace})"

    @property
    def decision(self) -> JsonObject:
        """Why it is where it is."""
        return (self.body.get("spec") or {}).get("decision") or {}

    def targets(self) -> list[JsonObject]:
        """Return ``spec.targets``."""
        return list((self.body.get("spec") or {}).get("targets") or ())

    def entry(self) -> JsonObject:
        """Return the entry of this SyncTarget in ``spec.targets``."""
        return next((one for one in self.targets() if one["uid"] == self.uid), {})

    def others(self) -> list[JsonObject]:
        """Return the entries that must run the namespace instead."""
        return [one for one in self.targets() if one["uid"] != self.uid and one.get("state", "Sync") == "Sync"]

    def progress(self, uid: str) -> JsonObject:
        """Return the entry of a SyncTarget in ``status.targets``; ``{}`` when nothing was reported yet."""
        found = (self.body.get("status") or {}).get("targets") or ()
        return next((one for one in found if one["uid"] == uid), {})

    def is_ready_elsewhere(self) -> bool:
        """Tell whether other targets run it in full."""
        reports = [self.progress(one["uid"]) for one in self.others()]
        return bool(reports) and all(
            one and one["objects"] <= min(one["applied"], one["ready"]) + one.get("waived", 0) for one in reports
        )


async def on_target(
    session: Session, registration: Registration, paths: dict[str, str] | None = None
) -> list[Assigned]:
    """
    Return the namespaces that are on a SyncTarget in any state, in all workspaces.

    Args:
        session: Where the SyncTarget is.
        registration: The SyncTarget.
        paths: Of logical clusters; what is learned is added, for whoever asks again.

    Raises:
        Failure: The user may not ask (exit code 4).
    """
    paths = {} if paths is None else paths
    viewed = await _viewed(session, registration)
    limit = asyncio.Semaphore(_AT_ONCE)
    await asyncio.gather(*(_learn(session.top, one, paths, limit) for one in viewed.keys() - paths.keys()))
    found = await _in_workspaces(session, registration.uid, {cluster: paths[cluster] for cluster in viewed}, limit)
    known = {(one.workspace, one.namespace) for one in found}
    for cluster, namespaces in viewed.items():
        unread = [one for one in namespaces if (paths[cluster], one["metadata"]["name"]) not in known]
        found += [_as_viewed(registration, paths[cluster], one) for one in unread]
    return found


async def _viewed(session: Session, registration: Registration) -> dict[str, list[JsonObject]]:
    """Return the namespaces in a SyncTarget's view, by logical cluster."""
    from fairlead_cli.kinds import NAMESPACES  # noqa: PLC0415 - only to talk

    name = registration.name
    base = f"/services/syncer/{registration.cluster}/{name}/{registration.uid}/clusters/*"
    try:
        namespaces, _ = await session.top.below(base).list(NAMESPACES)
    except Forbidden as error:
        fix = f'have somebody grant you verb "sync" on synctargets/{name} in {session.place.path}'
        raise Failure(f"what runs on {name} cannot be seen", error.message, fix, code=FORBIDDEN) from error
    found: dict[str, list[JsonObject]] = {}
    for one in namespaces:
        found.setdefault(cluster_of(one), []).append(one)
    return found


def _as_viewed(registration: Registration, path: str, namespace: JsonObject) -> Assigned:
    """Return what the view alone says: of a workspace that is gone, or that the user may not enter."""
    is_gone = "deletionTimestamp" in namespace["metadata"]
    entry = {"name": registration.name, "uid": registration.uid, "cluster": registration.cluster}
    entry |= {"state": "Leaving" if is_gone else "Sync", "reason": "" if is_gone else "you may not see its Assignment"}
    body = {"metadata": namespace["metadata"], "spec": {"targets": [entry]}}
    return Assigned(path, namespace["metadata"]["name"], registration.uid, body)


async def _learn(top: Client, cluster: str, paths: dict[str, str], limit: asyncio.Semaphore) -> None:
    """Note the path of a logical cluster; its name where the path cannot be read."""
    from fairlead_cli.kinds import LOGICAL_CLUSTERS  # noqa: PLC0415 - only to talk

    async with limit:
        try:
            found = await top.at(cluster).get(LOGICAL_CLUSTERS, "cluster")
        except (Forbidden, NotFound):
            paths[cluster] = cluster
            return
    paths[cluster] = str((found["metadata"].get("annotations") or {}).get(names.PATH_ANNOTATION) or cluster)


async def _in_workspaces(session: Session, uid: str, paths: dict[str, str], limit: asyncio.Semaphore) -> list[Assigned]:
    """Return the namespaces of these workspaces, given as path by logical cluster, that are on a SyncTarget."""
    from fairlead_cli.kinds import ASSIGNMENTS  # noqa: PLC0415 - only to talk

    async def of(cluster: str, path: str) -> list[Assigned]:
        async with limit:
            try:
                found, _ = await session.top.at(cluster).list(ASSIGNMENTS)
            except (Forbidden, NotFound):
                return []
        return _of_target(uid, path, found)

    parts = await asyncio.gather(*(of(cluster, path) for cluster, path in paths.items()))
    return [one for part in parts for one in part]


def _of_target(uid: str, path: str, found: list[JsonObject]) -> list[Assigned]:
    return [
        Assigned(path, one["metadata"]["name"], uid, one)
        for one in found
        if any(target["uid"] == uid for target in (one.get("spec") or {}).get("targets") or ())
    ]


def cluster_of(obj: JsonObject) -> str:
    """Return the logical cluster an object is in; "" when it does not say."""
    return str((obj["metadata"].get("annotations") or {}).get(names.CLUSTER_ANNOTATION, ""))
