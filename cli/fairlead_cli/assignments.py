"""
What runs on a SyncTarget, as the Assignments of all workspaces say.

Whoever may not list across workspaces sees those below root that they may enter; the others' are not told.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import places
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
        return bool(reports) and all(one and one["objects"] == one["applied"] == one["ready"] for one in reports)


async def on_target(session: Session, uid: str) -> list[Assigned]:
    """Return the namespaces that are on a SyncTarget in any state, in all workspaces the user can see."""
    from fairlead_cli.kinds import ASSIGNMENTS  # noqa: PLC0415 - only to talk

    try:
        found, _ = await session.top.at(names.WILDCARD).list(ASSIGNMENTS)
        return _of_target(uid, "", found)
    except (Forbidden, NotFound):
        start = places.top(session.place.path)
        paths = await _below(session.top, start, start, asyncio.Semaphore(_AT_ONCE))
        return await in_workspaces(session, uid, paths)


async def in_workspaces(session: Session, uid: str, paths: list[str]) -> list[Assigned]:
    """Return the namespaces of these workspaces that are on a SyncTarget."""
    limit = asyncio.Semaphore(_AT_ONCE)
    parts = await asyncio.gather(*(_in_workspace(session.top, uid, path, limit) for path in paths))
    return [one for part in parts for one in part]


async def _in_workspace(top: Client, uid: str, path: str, limit: asyncio.Semaphore) -> list[Assigned]:
    from fairlead_cli.kinds import ASSIGNMENTS  # noqa: PLC0415 - only to talk

    async with limit:
        try:
            found, _ = await top.at(path).list(ASSIGNMENTS)
        except (Forbidden, NotFound):
            return []
    return _of_target(uid, path, found)


def _of_target(uid: str, path: str, found: list[JsonObject]) -> list[Assigned]:
    return [
        Assigned(path or cluster_of(one), one["metadata"]["name"], uid, one)
        for one in found
        if any(target["uid"] == uid for target in (one.get("spec") or {}).get("targets") or ())
    ]


def cluster_of(obj: JsonObject) -> str:
    """Return the logical cluster an object is in; "" when it does not say."""
    return str((obj["metadata"].get("annotations") or {}).get(names.CLUSTER_ANNOTATION, ""))


async def _below(top: Client, where: str, path: str, limit: asyncio.Semaphore) -> list[str]:
    """Return the path of a workspace and of all below it."""
    from fairlead_cli.kinds import WORKSPACES  # noqa: PLC0415 - only to talk

    async with limit:
        try:
            found, _ = await top.at(where).list(WORKSPACES)
        except (Forbidden, NotFound):
            return [path]
    parts = await asyncio.gather(
        *(
            _below(top, str(one["spec"].get("cluster") or names.join(path, name)), names.join(path, name), limit)
            for one in found
            if (name := one["metadata"]["name"])
        )
    )
    return [path, *(one for part in parts for one in part)]
