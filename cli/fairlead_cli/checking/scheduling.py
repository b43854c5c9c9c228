"""Checks of the scheduler: that it works, and that nothing waits for it or in vain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fairlead_api import JsonObject, names
from fairlead_api.errors import NotFound
from fairlead_api.selectors import SelectorError, from_object
from fairlead_cli import kinds
from fairlead_cli.assignments import cluster_of
from fairlead_cli.checking.asking import Kept, count, some
from fairlead_cli.checking.catalogue import SCHEDULER, check
from fairlead_cli.checking.model import Category, Finding, not_verified
from fairlead_cli.checking.plane import Plane
from fairlead_cli.checking.spaces import everywhere
from fairlead_machinery.lease import LEASES

LEASE_NAMESPACE, LEASE_NAME = "kcp-system", "fairlead-scheduler"
"""In ``root``; see :mod:`fairlead_scheduler.living`."""
PENDING_S = 30.0
"""How long a namespace may wait for a decision: the scheduler takes milliseconds, and longer only when it is busy."""
MOST_WORKSPACES = 500
_AT_ONCE = 16
_NEVER_SCHEDULED = frozenset({"kube-system", "kube-public", "kube-node-lease", "kcp-system"})
_RESTART = "read the control plane's log; a scheduler of its own is started with: fairlead start --scheduler"


@dataclass(frozen=True, slots=True)
class Spaces:
    """
    What is to be scheduled.

    Attributes:
        namespaces: Those that a Placement selects and that are not on their way out.
        left_out: How many workspaces were not looked at.
    """

    namespaces: tuple[JsonObject, ...]
    left_out: int


def category(plane: Plane) -> Category:
    """Return the checks."""
    spaces = Kept(lambda: read(plane))

    def forget() -> None:
        plane.forget()
        spaces.forget()

    async def alive() -> Finding | None:
        try:
            lease = await plane.session.top.at(names.ROOT).get(LEASES, LEASE_NAME, namespace=LEASE_NAMESPACE)
        except NotFound:
            return Finding("no scheduler has been heard of", _RESTART)
        return alive_finding(lease, await plane.now())

    async def decided() -> Finding | None:
        return decided_finding(await spaces(), await plane.now())

    async def schedulable() -> Finding | None:
        return schedulable_finding(await spaces())

    work = {"scheduler-alive": alive, "namespaces-decided": decided, "namespaces-schedulable": schedulable}
    return Category(SCHEDULER, "", [check(id_, one) for id_, one in work.items()], forget)


def alive_finding(lease: JsonObject, now: datetime) -> Finding | None:
    """Judge the scheduler's Lease by the control plane's clock."""
    spec = lease.get("spec") or {}
    if not spec.get("renewTime"):
        return Finding("the scheduler's Lease does not say when it was renewed", _RESTART)
    age_s = (now - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    if age_s <= float(spec.get("leaseDurationSeconds") or 0):
        return None
    return Finding(f"it was last heard of {age_s:.0f} s ago ({spec.get('holderIdentity', '')})", _RESTART)


def decided_finding(spaces: Spaces, now: datetime) -> Finding | None:
    """Name namespaces that have waited too long for a decision."""
    waiting = [one for one in spaces.namespaces if _condition(one) is None and _age_s(one, now) > PENDING_S]
    if waiting:
        what = f"{count(len(waiting), 'namespace')} without a decision for more than {PENDING_S:g} s"
        return Finding(f"{what}: {some(map(_called, waiting))}", _RESTART)
    return _all_seen(spaces)


def schedulable_finding(spaces: Spaces) -> Finding | None:
    """Count namespaces that have no cluster, by reason."""
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for one in spaces.namespaces:
        condition = _condition(one)
        if condition is not None and condition.get("status") == "False":
            reason = str(condition.get("message") or condition.get("reason"))
            reasons[reason] += 1
            examples.setdefault(reason, _called(one))
    if not reasons:
        return _all_seen(spaces)
    told = (f"{count(number, 'namespace')} (such as {examples[why]}): {why}" for why, number in reasons.most_common())
    return Finding(some(told, most=3), "kubectl fairlead why TYPE/NAME says more; join or uncordon a cluster")


def _all_seen(spaces: Spaces) -> Finding | None:
    if not spaces.left_out:
        return None
    what = f"{count(spaces.left_out, 'workspace')} could not be looked into, or came after the first {MOST_WORKSPACES}"
    return not_verified(what, "run the check as a user who may look into all workspaces")


def _condition(namespace: JsonObject) -> JsonObject | None:
    conditions = (namespace.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == "NamespaceScheduled"), None)


def _age_s(namespace: JsonObject, now: datetime) -> float:
    return (now - datetime.fromisoformat(namespace["metadata"]["creationTimestamp"])).total_seconds()


def _called(namespace: JsonObject) -> str:
    return f"{namespace['metadata']['name']} ({cluster_of(namespace)})"


async def read(plane: Plane) -> Spaces:
    """Read the namespaces of workspaces that have a Placement."""
    top = plane.session.top
    found = await everywhere(plane.session, kinds.PLACEMENTS)
    placements = found.objects
    clusters = sorted(placements)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def of(cluster: str) -> list[JsonObject]:
        async with limit:
            try:
                listed, _ = await top.at(cluster).list(kinds.NAMESPACES)
            except NotFound:
                return []  # the workspace went meanwhile
        return [one for one in listed if is_wanted(one, placements[cluster])]

    parts = await asyncio.gather(*(of(cluster) for cluster in clusters[:MOST_WORKSPACES]))
    return Spaces(tuple(one for part in parts for one in part), found.unseen + max(len(clusters) - MOST_WORKSPACES, 0))


def is_wanted(namespace: JsonObject, placements: Sequence[JsonObject]) -> bool:
    """Tell whether one of its workspace's Placements selects a namespace."""
    metadata = namespace["metadata"]
    if metadata.get("deletionTimestamp") or metadata["name"] in _NEVER_SCHEDULED:
        return False
    return any(_selects(one, metadata.get("labels") or {}) for one in _living(placements))


def _living(placements: Iterable[JsonObject]) -> list[JsonObject]:
    return [one for one in placements if not one["metadata"].get("deletionTimestamp")]


def _selects(placement: JsonObject, labels: dict[str, str]) -> bool:
    selector = (placement.get("spec") or {}).get("namespaceSelector")
    if selector is None:
        return False
    try:
        return from_object(selector).matches(labels)
    except SelectorError:
        return False
