"""
Keeps the :class:`~fairlead_scheduler.world.World` true to what is read, and says whom each change concerns.

A change of a SyncTarget concerns the workspaces that run something there and those that still look for a place, not
everybody: what is placed well does not move for another's sake. A heartbeat concerns nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairlead_api import JsonObject, conditions
from fairlead_scheduler.world import COMPUTE_ANNOTATION, TARGET_ANNOTATION, Name, World, held_of

SKIP_DEFAULT_OBJECTS = "workload.kcp.io/skip-default-object-creation"


@dataclass(slots=True)
class Touched:
    """
    Whom a change concerns.

    Attributes:
        workloads: Logical clusters whose namespaces are to be decided again.
        homes: Logical clusters whose Locations are to be counted again.
        targets: SyncTargets whose times may have changed.
    """

    workloads: set[str] = field(default_factory=set)
    homes: set[str] = field(default_factory=set)
    targets: set[Name] = field(default_factory=set)


class Picture:
    """The world and what is looked up in it backwards."""

    def __init__(self) -> None:
        self.world = World()
        self.skips: set[Name] = set()  # bindings that ask for no default objects
        self._holders: dict[str, dict[str, int]] = {}  # target uid -> workload cluster -> namespaces
        self._by_key: dict[str, dict[str, int]] = {}  # target key -> workload cluster -> Placements
        self._by_path: dict[str, dict[str, int]] = {}  # location workspace -> workload cluster -> Placements
        self._open: dict[str, set[tuple[str, str]]] = {}  # workload cluster -> what is not placed well

    def put(self, kind: str, key: Name, obj: JsonObject) -> Touched:
        """Take in an object as it is now; one that is older than what is known changes nothing."""
        old = self.world.table(kind).get(key)
        if old is not None and (is_older(obj, old) or _is_immaterial(kind, old, obj)):
            return Touched()
        if kind == "bindings" and not self._take_binding(key, obj):
            return Touched() if old is None else self._drop(kind, key)
        self._index(kind, key, old, -1)
        self.world.put(kind, key, obj)
        self._index(kind, key, obj, 1)
        return self._touched(kind, key, old, obj)

    def remove(self, kind: str, key: Name, last: JsonObject | None = None) -> Touched:
        """Take an object out; ``last`` is its state when it was deleted, older than one that was made since."""
        self.skips.discard(key) if kind == "bindings" else None
        old = self.world.table(kind).get(key)
        if old is None or (last is not None and is_older(last, old)):
            return Touched()
        return self._drop(kind, key)

    def _drop(self, kind: str, key: Name) -> Touched:
        old = self.world.table(kind)[key]
        self._index(kind, key, old, -1)
        self.world.remove(kind, key)
        return self._touched(kind, key, old, None)

    def _take_binding(self, key: Name, obj: JsonObject) -> bool:
        marks = obj["metadata"].get("annotations") or {}
        if marks.get(SKIP_DEFAULT_OBJECTS) == "true":
            self.skips.add(key)
        else:
            self.skips.discard(key)
        return marks.get(COMPUTE_ANNOTATION) == "true"

    def workloads(self) -> set[str]:
        """Return every logical cluster that has Placements or Assignments: these have to be looked at."""
        return {*self.world.placements.clusters(), *self.world.assignments.clusters()}

    def is_workload(self, cluster: str) -> bool:
        """Tell whether a logical cluster has Placements or Assignments."""
        return bool(self.world.placements.of(cluster) or self.world.assignments.of(cluster))

    def placed_into(self, home: str) -> set[str]:
        """Return the logical clusters with a Placement into the Locations of another, or of itself."""
        paths = [path for path, cluster in self.world.clusters.items() if cluster == home]
        found = {cluster for path in paths for cluster in self._by_path.get(path, ())}
        if home in self._by_path.get("", ()):
            found.add(home)
        return found

    def touched_by_target(self, key: Name, obj: JsonObject) -> set[str]:
        """Return whom a SyncTarget concerns: who runs there, and who of those that could is still looking."""
        label = (obj["metadata"].get("labels") or {}).get("internal.workload.kcp.io/key", "")
        here = {*self._holders.get(obj["metadata"]["uid"], ()), *self._by_key.get(label, ())}
        return here | (self.placed_into(key[0]) & self._open.keys())

    def _touched(self, kind: str, key: Name, old: JsonObject | None, new: JsonObject | None) -> Touched:
        if kind == "targets":
            seen = [obj for obj in (old, new) if obj is not None]
            concerned = {one for obj in seen for one in self.touched_by_target(key, obj)}
            return Touched(concerned, {key[0]}, {key})
        if kind == "locations":
            return Touched(self.placed_into(key[0]), {key[0]})
        if kind == "bindings":
            return Touched({key[0]} if self.is_workload(key[0]) else set())
        return Touched({key[0]})

    def _index(self, kind: str, key: Name, obj: JsonObject | None, by: int) -> None:
        if obj is None or kind not in {"assignments", "placements"}:
            return
        if kind == "assignments":
            for one in held_of(obj):
                _count(self._holders, one.uid, key[0], by)
        else:
            _count(self._by_path, obj["spec"].get("locationWorkspace") or "", key[0], by)
            _count(self._by_key, (obj["metadata"].get("annotations") or {}).get(TARGET_ANNOTATION, ""), key[0], by)
        is_open = by > 0 and not (_is_assigned(obj) if kind == "assignments" else _is_scheduled(obj))
        waiting = self._open.setdefault(key[0], set())
        (waiting.add if is_open else waiting.discard)((kind, key[1]))
        if not waiting:
            del self._open[key[0]]


def is_older(obj: JsonObject, than: JsonObject) -> bool:
    """Tell whether an object is an older state than another, by resourceVersion; what has none is never older."""
    new, known = (each["metadata"].get("resourceVersion", "") for each in (obj, than))
    return bool(new.isdecimal() and known.isdecimal() and int(new) < int(known))


def _count(index: dict[str, dict[str, int]], value: str, cluster: str, by: int) -> None:
    counts = index.setdefault(value, {})
    counts[cluster] = counts.get(cluster, 0) + by
    if not counts[cluster]:
        del counts[cluster]
    if not counts:
        del index[value]


def _is_assigned(obj: JsonObject) -> bool:
    """Tell whether a namespace runs where it is to run, with nothing on the way."""
    held = held_of(obj)
    decision = obj["spec"].get("decision") or {}
    return bool(held) and all(one.state == "Sync" for one in held) and decision.get("reason") == "Scheduled"


def _is_scheduled(obj: JsonObject) -> bool:
    return conditions.is_true((obj.get("status") or {}).get("conditions"), "Scheduled")


def _is_immaterial(kind: str, old: JsonObject, new: JsonObject) -> bool:
    """Tell whether nothing changed that anybody here looks at."""
    return kind == "targets" and _material(old) == _material(new)


def _material(target: JsonObject) -> Iterable[object]:
    """Return what decisions depend on: not the time of a heartbeat, nor capacities."""
    metadata, spec, status = target["metadata"], target.get("spec") or {}, target.get("status") or {}
    ready = conditions.get(status.get("conditions"), conditions.READY) or {}
    return (
        metadata["uid"],
        metadata.get("labels"),
        spec.get("unschedulable"),
        spec.get("evictAfter"),
        ready.get("status"),
        ready.get("lastTransitionTime"),
        status.get("syncedResources"),
    )
