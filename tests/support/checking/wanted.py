"""
Who wanted what where, and when: rebuilt from the history of the control plane alone.

An object is wanted on a target while it lives upstream and its namespace is assigned there (``Sync`` or ``Draining``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from tests.support.checking.history import Assigned, Found, Health, Owner, Record, Settled, Target, Written

T = TypeVar("T", bound=Record)
Span = tuple[float, float]
"""From (inclusive) and until (exclusive), in seconds."""
_RUNS = frozenset({"Sync", "Draining"})


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What counts as in time and as bounded.

    Attributes:
        lag_s: How long an agent may go on as if an old answer still held while everything works: requests under way,
            retries, a watch that died silently.
        delete_lag_s: The same for deletions, which are asked for right before: requests under way only.
        gc_s: Seconds of a working target within which what nobody wants is gone.
        quiet_after_s: Seconds after the end of all input from which on nothing is written.
        writes_free, writes_per_change: Writes an agent may make on one object: so many, and so many more for each
            change of it upstream or by others in the cluster.
        counted: Greatest value by name; names that are not here are not judged.
        synced: Resources that must be in the cluster; what is not here is not looked for.
        restless: Resources that are written though nothing happens: heartbeats, leases.
        asks: Whether the history tells of what agents have asked upstream.
        excused: Reasons, told upstream, for which an object need not be in the cluster.
    """

    lag_s: float = 180.0
    delete_lag_s: float = 90.0
    gc_s: float = 600.0
    quiet_after_s: float = 600.0
    writes_free: int = 20
    writes_per_change: int = 6
    counted: dict[str, float] = field(default_factory=dict)
    synced: frozenset[str] = frozenset({"configmaps", "secrets", "services", "deployments.apps"})
    restless: frozenset[str] = frozenset({"synctargets.workload.kcp.io", "leases.coordination.k8s.io", "events"})
    excused: frozenset[str] = frozenset()
    asks: bool = False


class World:
    """
    The history, by what the invariants ask.

    Attributes:
        judged: How many things each invariant has looked at, by its name.
        judging: The invariant that looks now.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)
        self.judged: Counter[str] = Counter()
        self.judging = ""
        self.targets: dict[str, Target] = {}
        self.end_s = 0.0
        self.settled_s = inf
        self._lives: dict[str, Span] = {}
        self._assigned: defaultdict[tuple[str, str, str], list[Span]] = defaultdict(list)
        self._sick: defaultdict[str, list[Span]] = defaultdict(list)
        for record in self.records:
            self._take(record)

    def _take(self, record: Record) -> None:
        if not isinstance(record, Found):
            self.end_s = max(self.end_s, record.at_s)
        match record:
            case Target():
                self.targets[record.uid] = record
            case Settled():
                self.settled_s = record.at_s
            case Written(where=""):
                born = self._lives.get(record.uid, (record.at_s, inf))[0]
                self._lives[record.uid] = (born, record.at_s if record.verb == "delete" else inf)
            case Found(phase="first", where="", view=""):
                self._lives[record.uid] = (-inf, inf)
            case Assigned():
                self._assign(record)
            case Health():
                _turn(self._sick[record.target], record.at_s, on=not record.healthy)

    def _assign(self, record: Assigned) -> None:
        place = (record.cluster, record.namespace)
        known = {target for target, *rest in self._assigned if tuple(rest) == place}
        for target in known | set(record.targets):
            _turn(self._assigned[target, *place], record.at_s, on=record.targets.get(target) in _RUNS)

    def look(self) -> None:
        """Take note that one thing is held against the invariant of now: one that judges nothing proves nothing."""
        self.judged[self.judging] += 1

    def of(self, kind: type[T]) -> list[T]:
        """Return the records of one kind, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def wanted(self, target: str, owner: Owner) -> list[Span]:
        """Return when an upstream object was wanted on a target."""
        whole_namespace = not owner.uid
        namespace = owner.namespace or owner.name
        assigned = self._assigned.get((target, owner.cluster, namespace), [])
        if whole_namespace:
            return assigned
        born, died = self._lives.get(owner.uid, (inf, inf))
        cut = [(max(start, born), min(end, died)) for start, end in assigned]
        return [(start, end) for start, end in cut if start < end]

    def is_wanted(self, target: str, owner: Owner) -> bool:
        """Tell whether an upstream object is wanted on a target at the end."""
        return any(end == inf for _, end in self.wanted(target, owner))

    def wanted_within(self, target: str, owner: Owner, start_s: float, end_s: float) -> bool:
        """Tell whether an object was wanted at any moment of a stretch of time, ends included."""
        return any(start <= end_s and end >= start_s for start, end in self.wanted(target, owner))

    def wanted_throughout(self, target: str, owner: Owner, start_s: float, end_s: float) -> bool:
        """Tell whether an object was wanted at every moment of a stretch of time."""
        return any(start <= start_s and end > end_s for start, end in self.wanted(target, owner))

    def working_s(self, target: str, start_s: float, end_s: float) -> float:
        """Return for how many seconds between two moments a target worked."""
        sick = sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in self._sick.get(target, ()))
        return max(0.0, end_s - start_s - sick)

    def since_working(self, target: str, at_s: float, lag_s: float) -> float:
        """Return the moment back to which an answer that a target still acts on may date: ``lag_s`` of working time."""
        moment = at_s - lag_s
        for start, end in reversed(self._sick.get(target, [])):
            if end >= moment and start <= at_s:
                moment = min(moment, start - lag_s)
        return moment

    def unwanted(self, target: str, owner: Owner, start_s: float, end_s: float) -> list[Span]:
        """Return the parts of a stretch of time in which an object was not wanted."""
        found, at_s = [], start_s
        for start, end in sorted(self.wanted(target, owner)):
            if start > at_s:
                found.append((at_s, min(start, end_s)))
            at_s = max(at_s, end)
            if at_s >= end_s:
                break
        if at_s < end_s:
            found.append((at_s, end_s))
        return [(start, end) for start, end in found if start < end]


def _turn(spans: list[Span], at_s: float, *, on: bool) -> None:
    """Open or close the last span, if that changes anything."""
    is_on = bool(spans) and spans[-1][1] == inf
    if on and not is_on:
        spans.append((at_s, inf))
    elif is_on and not on:
        spans[-1] = (spans[-1][0], at_s)
