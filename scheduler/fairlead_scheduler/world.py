"""
The scheduler's picture of the control plane: raw objects in, a :class:`~fairlead_scheduler.snapshot.Snapshot` out.

Holds bounded sets only: SyncTargets, Locations, Placements, compute bindings, Assignments, and the namespaces of
workspaces that have a Placement. Pure; the program around it feeds it from watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead_api import JsonObject, conditions
from fairlead_api.selectors import SelectorError, from_object
from fairlead_scheduler.snapshot import (
    Api,
    Held,
    Labels,
    Location,
    Matches,
    Placement,
    Progress,
    Snapshot,
    Target,
)

Name = tuple[str, str]
"""Logical cluster and name."""

TARGET_ANNOTATION = "internal.workload.kcp.io/synctarget"
COMPUTE_ANNOTATION = "extra.apis.kcp.io/compute.workload.kcp.io"
NEVER_SCHEDULED = frozenset({"kube-system", "kube-public", "kube-node-lease", "kcp-system"})
# A cluster never runs the user's Pods from above: they come up from it.
_NOT_REQUIRED = frozenset({("", "pods")})


class ByCluster(dict[Name, JsonObject]):
    """Raw objects by (logical cluster, name), also found by logical cluster alone."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[str, dict[str, JsonObject]] = {}

    def __setitem__(self, key: Name, obj: JsonObject) -> None:
        super().__setitem__(key, obj)
        self._of.setdefault(key[0], {})[key[1]] = obj

    def __delitem__(self, key: Name) -> None:
        super().__delitem__(key)
        rest = self._of[key[0]]
        del rest[key[1]]
        if not rest:
            del self._of[key[0]]

    def of(self, cluster: str) -> Mapping[str, JsonObject]:
        """Return the objects of a logical cluster, by name."""
        return self._of.get(cluster, {})

    def clusters(self) -> list[str]:
        """Return the logical clusters that have any."""
        return list(self._of)


KINDS = ("targets", "locations", "placements", "namespaces", "assignments", "bindings")


@dataclass(slots=True)
class World:
    """
    Raw objects by (logical cluster, name); changed by :meth:`put` and :meth:`remove` alone, never in place.

    Attributes:
        paths: Path of a logical cluster, for messages.
        clusters: Logical cluster of each location workspace path; "" for one that does not resolve.
        refused: (workload cluster, name) of Placements whose author may not use Locations of their location workspace.
    """

    targets: ByCluster = field(default_factory=ByCluster)
    locations: ByCluster = field(default_factory=ByCluster)
    placements: ByCluster = field(default_factory=ByCluster)
    namespaces: ByCluster = field(default_factory=ByCluster)
    assignments: ByCluster = field(default_factory=ByCluster)
    bindings: ByCluster = field(default_factory=ByCluster)
    paths: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    refused: set[Name] = field(default_factory=set)
    _load: dict[str, int] = field(default_factory=dict)
    _parsed: dict[Name, Target] = field(default_factory=dict)
    _snapshot: tuple[Snapshot, float | None] | None = None

    def put(self, kind: str, key: Name, obj: JsonObject) -> None:
        """Add or replace an object; ``kind`` is one of :data:`KINDS`."""
        table = self.table(kind)
        if kind == "assignments":
            self._count(table.get(key), -1)
            self._count(obj, 1)
        table[key] = obj
        self._forget(kind, key)

    def remove(self, kind: str, key: Name) -> None:
        """Take an object out, if it is there."""
        table = self.table(kind)
        if key not in table:
            return
        if kind == "assignments":
            self._count(table[key], -1)
        del table[key]
        self._forget(kind, key)

    def table(self, kind: str) -> ByCluster:
        """Return all objects of a kind."""
        table: ByCluster = getattr(self, kind)
        return table

    def _forget(self, kind: str, key: Name) -> None:
        if kind == "targets":
            self._parsed.pop(key, None)
        if kind in {"targets", "locations"}:
            self._snapshot = None

    def snapshot(self, now_s: float, grace_s: float) -> Snapshot:
        """
        Return what the policy sees at a moment (seconds since the epoch).

        The same one is returned, with what was worked out from it, until an object or time itself changes an answer.
        """
        if self._snapshot is not None:
            made, ends_s = self._snapshot
            if made.grace_s == grace_s and made.now_s <= now_s and (ends_s is None or now_s < ends_s):
                return made
        targets = [self.target(key) for key in sorted(self.targets)]
        locations = tuple(_location(cluster, obj) for (cluster, _), obj in sorted(self.locations.items()))
        made = Snapshot({target.uid: target for target in targets}, locations, now_s, grace_s)
        self._snapshot = made, made.changes_at_s()
        return made

    def target(self, key: Name) -> Target:
        """Return a SyncTarget as the policy sees it."""
        if key not in self._parsed:
            self._parsed[key] = _target(key[0], self.targets[key])
        return self._parsed[key]

    def placements_of(self, cluster: str) -> list[Placement]:
        """Return a workspace's Placements, by name; those on their way out take no part any more."""
        found = sorted(self.placements.of(cluster).items())
        return [
            self._placement(cluster, name, obj) for name, obj in found if not obj["metadata"].get("deletionTimestamp")
        ]

    def namespaces_of(self, cluster: str) -> dict[str, JsonObject]:
        """Return the namespaces of a workspace that may be scheduled."""
        return {name: obj for name, obj in self.namespaces.of(cluster).items() if name not in NEVER_SCHEDULED}

    def required_apis(self, cluster: str) -> tuple[Api, ...]:
        """Return every API a workspace has bound for compute."""
        found = set()
        for binding in self.bindings.of(cluster).values():
            marks = binding["metadata"].get("annotations") or {}
            if marks.get(COMPUTE_ANNOTATION) != "true":
                continue
            for bound in (binding.get("status") or {}).get("boundResources") or ():
                name = (bound.get("group", ""), bound["resource"])
                if name not in _NOT_REQUIRED:
                    found.add((*name, (bound.get("schema") or {}).get("identityHash", "")))
        return tuple(Api(*each) for each in sorted(found))

    def load(self) -> Mapping[str, int]:
        """Return how many namespaces each target has or is getting, by uid; kept up to date, not to be changed."""
        return self._load

    def _count(self, assignment: JsonObject | None, by: int) -> None:
        for one in held_of(assignment):
            if one.state == "Sync":
                count = self._load.get(one.uid, 0) + by
                if count:
                    self._load[one.uid] = count
                else:
                    del self._load[one.uid]

    def _placement(self, cluster: str, name: str, obj: JsonObject) -> Placement:
        spec, status = obj["spec"], obj.get("status") or {}
        workspace = spec.get("locationWorkspace") or ""
        where = self.clusters.get(workspace, "") if workspace else cluster
        selected, marks = status.get("selectedLocation"), obj["metadata"].get("annotations") or {}
        namespace_selector = spec.get("namespaceSelector")
        return Placement(
            cluster=cluster,
            name=name,
            location_cluster=where,
            location_path=workspace or self.paths.get(cluster, cluster),
            location_selectors=tuple(matcher(one) for one in spec.get("locationSelectors") or ()),
            namespaces=None if namespace_selector is None else matcher(namespace_selector),
            allowed=(cluster, name) not in self.refused,
            selected=(selected["path"], selected["locationName"]) if selected else None,
            target_key=marks.get(TARGET_ANNOTATION, ""),
        )


def _target(cluster: str, obj: JsonObject) -> Target:
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    ready = conditions.get(status.get("conditions"), conditions.READY) or {}
    synced = status.get("syncedResources") or ()
    name = {(one.get("group", ""), one["resource"]): one for one in synced}
    accepted = {key: one.get("identityHash", "") for key, one in name.items() if one.get("state") == "Accepted"}
    refused = {key: f"its API is {one.get('state', 'Pending')}" for key, one in name.items() if key not in accepted}
    evict_after, is_ready = spec.get("evictAfter"), ready.get("status") == conditions.TRUE
    changed = ready.get("lastTransitionTime")
    return Target(
        uid=metadata["uid"],
        key=(metadata.get("labels") or {}).get("internal.workload.kcp.io/key", ""),
        cluster=cluster,
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        unschedulable=bool(spec.get("unschedulable")),
        evict_after_s=parse_time(evict_after) if evict_after else None,
        ready=is_ready,
        lost_since_s=parse_time(changed) if changed and not is_ready else None,
        message=ready.get("message", ""),
        accepted=accepted,
        reasons=refused,
    )


def _location(cluster: str, obj: JsonObject) -> Location:
    metadata = obj["metadata"]
    selector = obj["spec"].get("instanceSelector")
    return Location(cluster, metadata["name"], metadata.get("labels") or {}, matcher(selector or {}))


def matcher(selector: JsonObject) -> Matches:
    """Return a LabelSelector as a predicate; an invalid one selects nothing (admission refuses new ones)."""
    try:
        return from_object(selector).matches
    except SelectorError:
        return _nothing


def _nothing(labels: Labels) -> bool:
    del labels
    return False


def held_of(assignment: JsonObject | None) -> tuple[Held, ...]:
    """Return the targets an Assignment names."""
    targets: Iterable[JsonObject] = ((assignment or {}).get("spec") or {}).get("targets") or ()
    return tuple(
        Held(
            uid=one["uid"],
            key=one["key"],
            cluster=one["cluster"],
            name=one["name"],
            placement=one.get("placement", ""),
            state=one.get("state", "Sync"),
            since=one.get("since") or "",
            reason=one.get("reason", ""),
        )
        for one in targets
    )


def progress_of(assignment: JsonObject | None, live: Mapping[str, object]) -> dict[str, Progress]:
    """
    Return the progress an Assignment reports, by target uid.

    What is ``waived`` no target takes, neither this one nor those being left: it holds up nothing.

    Nothing is taken from a status that speaks of an older spec. A target whose SyncTarget is gone holds nothing: its
    rows went with it.
    """
    if assignment is None:
        return {}
    status = assignment.get("status") or {}
    gone = {one.uid: Progress(False, 0) for one in held_of(assignment) if one.uid not in live}
    if status.get("observedGeneration") != assignment["metadata"].get("generation"):
        return gone
    reported = {
        one["uid"]: Progress(
            complete=min(one.get("ready", 0), one.get("applied", 0)) + one.get("waived", 0) >= one.get("objects", 0),
            remaining=one.get("remaining", 0),
        )
        for one in status.get("targets") or ()
    }
    return {**reported, **gone}


_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def parse_time(text: str) -> float:
    """
    Return seconds since the epoch of an RFC 3339 time in UTC or with an offset.

    Raises:
        ValueError: It is none.
    """
    date, _, clock = text.partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    offset_s = 0.0
    if clock.endswith(("Z", "z")):
        clock = clock[:-1]
    else:
        sign = -1 if "-" in clock else 1
        clock, _, offset = clock.partition("-" if sign < 0 else "+")
        hours, minutes = (int(part) for part in offset.split(":"))
        offset_s = sign * (hours * 3600 + minutes * 60)
    hour, minute, second = clock.split(":")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    years = year - 1
    days = years * 365 + years // 4 - years // 100 + years // 400 - 719162
    days += _DAYS_BEFORE_MONTH[month - 1] + (leap and month > 2) + day - 1
    return days * 86400.0 + int(hour) * 3600 + int(minute) * 60 + float(second) - offset_s
