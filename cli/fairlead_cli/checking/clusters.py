"""Checks of what the control plane knows of each cluster that has joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from fairlead_api import JsonObject, conditions
from fairlead_api.errors import NotFound
from fairlead_cli import approving, cordoning, kinds
from fairlead_cli.checking import versions
from fairlead_cli.checking.asking import Kept, some
from fairlead_cli.checking.catalogue import CLUSTER, CLUSTERS, check
from fairlead_cli.checking.model import Category, Finding, Level, Work
from fairlead_cli.checking.plane import Plane
from fairlead_cli.registering import CLUSTER_UID

HEARTBEAT_S = 60.0
"""Agents speak every 20 s, and the time is written at least every 15 s after that."""


class Joined:
    """
    The SyncTargets of the workspace.

    Attributes:
        targets: As read last; read them with :meth:`read` first.
    """

    def __init__(self, plane: Plane, only: Sequence[str] = ()) -> None:
        self._plane = plane
        self._only = frozenset(only)
        self._all: Kept[list[JsonObject]] = Kept(self._list)

    async def _list(self) -> list[JsonObject]:
        found, _ = await self._plane.session.here.list(kinds.SYNC_TARGETS)
        return found

    async def all(self) -> list[JsonObject]:
        """Return the SyncTargets."""
        return await self._all()

    async def wanted(self) -> list[JsonObject]:
        """Return those that are to be checked."""
        return [one for one in await self.all() if not self._only or one["metadata"]["name"] in self._only]

    async def get(self, uid: str) -> JsonObject:
        """
        Return one.

        Raises:
            NotFound: It has gone meanwhile.
        """
        found = next((one for one in await self.all() if one["metadata"]["uid"] == uid), None)
        if found is None:
            raise NotFound("the SyncTarget has gone meanwhile")
        return found

    def forget(self) -> None:
        """Have them read anew."""
        self._all.forget()
        self._plane.forget()

    def category(self) -> Category:
        """Return the check that there are any."""

        async def any_joined() -> Finding | None:
            known = {one["metadata"]["name"] for one in await self.all()}
            if missing := self._only - known:
                text = f"there is no SyncTarget {some(sorted(missing))} in {self._plane.session.place.path}"
                return Finding(text, "kubectl fairlead cluster list", Level.ERROR)
            if known:
                return None
            text = f"no cluster has been joined in {self._plane.session.place.path}"
            return Finding(text, "kubectl fairlead cluster join NAME --context CONTEXT")

        return Category(CLUSTERS, "", [check("clusters-joined", any_joined)], self.forget)

    def category_of(self, target: JsonObject) -> Category:
        """Return the checks of one SyncTarget."""
        uid = target["metadata"]["uid"]

        def of(judge: Callable[[JsonObject], Finding | None]) -> Work:
            async def look() -> Finding | None:
                return judge(await self.get(uid))

            return look

        async def beat() -> Finding | None:
            return heartbeat(await self.get(uid), await self._plane.now())

        async def once() -> Finding | None:
            return joined_once(await self.get(uid), await self.all())

        async def same_version() -> Finding | None:
            found = await self.get(uid)
            return agent_version(found, versions.fairlead_of(await self._plane.version()))

        checks = [
            check("cluster-ready", of(ready)),
            check("cluster-heartbeat", beat),
            check("cluster-schedulable", of(schedulable)),
            check("cluster-deletions", of(deletions)),
            check("cluster-inventory", of(inventory)),
            check("cluster-kubernetes", of(kubernetes)),
            check("cluster-apis", of(apis)),
            check("cluster-once", once),
            check("agent-version", same_version),
            check("agent-authorized", of(authorized)),
        ]
        return Category(CLUSTER, target["metadata"]["name"], checks, self.forget)


def _status(target: JsonObject) -> JsonObject:
    return target.get("status") or {}


def _name(target: JsonObject) -> str:
    return str(target["metadata"]["name"])


def ready(target: JsonObject) -> Finding | None:
    """Judge the condition Ready."""
    found = conditions.get(_status(target).get("conditions"), conditions.READY) or {}
    if found.get("status") == conditions.TRUE:
        return None
    why = found.get("message") or found.get("reason") or "it does not say why"
    return Finding(f"not Ready: {why}", f"kubectl fairlead cluster describe {_name(target)}")


def heartbeat(target: JsonObject, now: datetime) -> Finding | None:
    """Judge when the agent was last heard of, by the control plane's clock."""
    fix = "is the agent running, and can it reach the control plane?"
    last = _status(target).get("lastSyncerHeartbeatTime")
    if not last:
        return Finding("its agent has never been heard of", fix)
    age_s = (now - datetime.fromisoformat(last)).total_seconds()
    return None if age_s <= HEARTBEAT_S else Finding(f"its agent was last heard of {age_s:.0f} s ago", fix)


def schedulable(target: JsonObject) -> Finding | None:
    """Name a cluster that is cordoned or drained."""
    fix = f"when that is over: kubectl fairlead cluster uncordon {_name(target)}"
    if at := cordoning.evict_after(target):
        return Finding(f"it is being drained (from {at} on)", fix)
    return (
        Finding("it is cordoned: what runs there stays, nothing new comes", fix)
        if cordoning.is_cordoned(target)
        else None
    )


def deletions(target: JsonObject) -> Finding | None:
    """Name deletions that came in a burst and wait for approval."""
    held = approving.held_by(target)
    if not held:
        return None
    text = f"{held['count']} deletions came in a burst and are held (set {held['digest']})"
    examples = f", among them {', '.join(held['examples'])}" if held.get("examples") else ""
    fix = f"if they are meant: kubectl fairlead cluster approve {_name(target)} --set {held['digest']}"
    return Finding(text + examples, fix)


def inventory(target: JsonObject) -> Finding | None:
    """Judge what the agent says of objects with its marks that nothing explains; agents of before do not say."""
    found = conditions.get(_status(target).get("conditions"), "InventoryConsistent")
    if found is None or found.get("status") == conditions.TRUE:
        return None
    fix = f"look at them: kubectl fairlead leftovers {_name(target)}"
    return Finding(str(found.get("message") or found.get("reason")), fix)


def kubernetes(target: JsonObject) -> Finding | None:
    """Judge the cluster's version as its agent reported it."""
    return versions.kubernetes(str((_status(target).get("properties") or {}).get("kubernetesVersion", "")))


def apis(target: JsonObject) -> Finding | None:
    """Name what is exported and not synced there, and why."""
    synced = _status(target).get("syncedResources")
    if not synced:
        return Finding("its agent has not said what the cluster offers")
    refused = [one for one in synced if one.get("state") != "Accepted"]
    return missing_apis(
        ".".join(part for part in (one["resource"], one.get("group", "")) if part)
        + f" ({one.get('message') or one.get('state', 'Pending')})"
        for one in refused
    )


def missing_apis(told: Iterable[str]) -> Finding | None:
    """Name resources that are not synced, each with its reason."""
    found = list(told)
    if not found:
        return None
    return Finding(f"not synced there: {some(found)}", "workspaces that bind these are not scheduled there")


def joined_once(target: JsonObject, others: Sequence[JsonObject]) -> Finding | None:
    """Name other SyncTargets of the same physical cluster."""
    uid = _cluster_uid(target)
    same = [_name(one) for one in others if one is not target and uid and _cluster_uid(one) == uid]
    if not same:
        return None
    fix = f"kubectl fairlead cluster remove {same[0]}"
    return Finding(f"the same cluster is joined as {some(same)}, too: its room counts twice", fix)


def _cluster_uid(target: JsonObject) -> str:
    return str((target["metadata"].get("annotations") or {}).get(CLUSTER_UID, ""))


def agent_version(target: JsonObject, server: str) -> Finding | None:
    """Compare the agent's version with the control plane's."""
    its = str(_status(target).get("syncerVersion") or "")
    fix = f"join it again with this version: kubectl fairlead cluster join {_name(target)}"
    return versions.skew("the agent", its, server, fix)


def authorized(target: JsonObject) -> Finding | None:
    """Judge what the agent says of its rights."""
    found = conditions.get(_status(target).get("conditions"), "SyncerAuthorized")
    if found is None:
        return Finding("the agent has not said what it may do", level=Level.WARNING)
    if found.get("status") == conditions.TRUE:
        return None
    fix = f"join it again, which renews its rights: kubectl fairlead cluster join {_name(target)}"
    return Finding(str(found.get("message") or found.get("reason")), fix)
