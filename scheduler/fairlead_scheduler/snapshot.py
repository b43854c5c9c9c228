"""
What the policy sees: plain values read from the control plane, nothing else.

Selectors arrive as predicates over labels so that the policy need not parse; two predicates made from equal selectors
are told apart by nothing but their results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]


@dataclass(frozen=True, slots=True)
class Api:
    """One resource a workload workspace uses: it must be accepted, under this identity, by a target."""

    group: str
    resource: str
    identity: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class Target:
    """
    One SyncTarget.

    Attributes:
        uid, key, cluster, name: Identity; ``cluster`` is the logical cluster it is registered in.
        unschedulable: Cordoned: keeps what runs, takes nothing new.
        evict_after_s: Seconds since the epoch from which it is drained; None for never.
        ready: Its heartbeat is fresh.
        lost_since_s: Since when it is not ready; None while it is.
        accepted: Identity hash by (group, resource) of the APIs it can serve.
        reasons: Why an API is not accepted, by (group, resource).
    """

    uid: str
    key: str
    cluster: str
    name: str
    labels: Labels = field(default_factory=dict)
    unschedulable: bool = False
    evict_after_s: float | None = None
    ready: bool = True
    lost_since_s: float | None = None
    message: str = ""
    accepted: Mapping[tuple[str, str], str] = field(default_factory=dict)
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Location:
    """A group of the SyncTargets of its own logical cluster; ``labels`` are what Placements select on."""

    cluster: str
    name: str
    labels: Labels
    selects: Matches


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Which namespaces of a workspace go where.

    Attributes:
        cluster: The workload workspace's logical cluster.
        location_cluster: Logical cluster whose Locations are meant; ``""`` when its path does not resolve.
        location_path: What the user wrote, for messages; the own workspace's path when empty.
        location_selectors: ORed; empty matches no Location.
        namespaces: None when ``namespaceSelector`` is absent, which selects nothing.
        allowed: Whether the workspace may use Locations of that workspace.
        selected: (cluster, name) of the Location bound so far; kept while it matches and has a target that fits.
        target_key: Key of the SyncTarget chosen so far: as in kcp, namespaces of one Placement stay together.
    """

    cluster: str
    name: str
    location_cluster: str
    location_path: str
    location_selectors: tuple[Matches, ...]
    namespaces: Matches | None
    allowed: bool = True
    selected: tuple[str, str] | None = None
    target_key: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A target a namespace has now, as recorded in its Assignment; ``state`` is Sync, Draining or Leaving."""

    uid: str
    key: str
    cluster: str
    name: str
    placement: str
    state: str
    since: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a target is with a namespace's objects, from the views.

    Attributes:
        complete: All objects applied and, where the kind has readiness, ready in full; but for those that the targets
            being left do not take either.
        remaining: Rows the target still has, tombstones included; 0 means that the target holds nothing any more.
    """

    complete: bool
    remaining: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The whole input of a decision.

    Attributes:
        targets: By uid.
        locations: All of them.
        now_s: Seconds since the epoch.
        grace_s: How long a lost target keeps what runs there.
        memo: What the policy worked out once for many questions; belongs to this snapshot alone.
    """

    targets: Mapping[str, Target]
    locations: tuple[Location, ...]
    now_s: float
    grace_s: float = 300.0
    memo: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)

    def locations_of(self, cluster: str) -> Sequence[Location]:
        """Return the Locations of a logical cluster."""
        found = self.memo.get("locations")
        if found is None:
            found = self.memo["locations"] = {}
            for one in self.locations:
                found.setdefault(one.cluster, []).append(one)
        return cast("Sequence[Location]", found.get(cluster, ()))

    def members(self, location: Location) -> Mapping[str, Target]:
        """Return the SyncTargets a Location selects, by uid."""
        key = ("members", location.cluster, location.name)
        if key not in self.memo:
            there = (one for one in self.targets.values() if one.cluster == location.cluster)
            self.memo[key] = {one.uid: one for one in there if location.selects(one.labels)}
        return cast("Mapping[str, Target]", self.memo[key])

    def changes_at_s(self) -> float | None:
        """Return when time alone next changes an answer: a drain begins or a grace ends; None for never."""
        moments = [moment for target in self.targets.values() for moment in changes_of(target, self.grace_s)]
        return min((moment for moment in moments if moment > self.now_s), default=None)


def changes_of(target: Target, grace_s: float) -> tuple[float, ...]:
    """Return the moments (seconds since the epoch) from which a target is judged otherwise."""
    lost = None if target.lost_since_s is None else target.lost_since_s + grace_s
    return tuple(moment for moment in (target.evict_after_s, lost) if moment is not None)
