"""
Where a namespace runs, and why: a pure function of a snapshot.

For every candidate the answer holds the filter that refused it, with its reason, or its score. The running scheduler,
``why``, ``drain --dry-run`` and what-if all call the same functions. A choice is kept while it stays valid (sticky); an
empty result holds what runs, it never prunes.

Source: kcp TMC's placement controllers with the corrections of its own documents (re-selection when the spec changes;
cordon refuses only what is new; drain has a time).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from fairlead_api.kinds.assignment import REPLACED
from fairlead_scheduler.snapshot import Api, Held, Labels, Location, Placement, Progress, Snapshot, Target


@dataclass(frozen=True, slots=True)
class Candidate:
    """One SyncTarget as a Placement sees it: ``filter`` names the rule that refused it, ``""`` when accepted."""

    target: Target
    filter: str = ""
    message: str = ""
    score: int = 0

    @property
    def accepted(self) -> bool:
        """True when no filter refused it."""
        return not self.filter


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What one Placement decided for one class of namespaces (same APIs, same current target).

    Attributes:
        location: The Location chosen, or None.
        target: The SyncTarget chosen, or None: then what runs is held.
        reason: ``Scheduled``, or as in kcp ``LocationNotFound``, ``LocationNoMatch``, ``ScheduleLocationNotFound``,
            ``NoValidTarget``, ``LocationForbidden``.
        message: For the user, with counts per refusing filter.
    """

    placement: str
    location: Location | None
    target: Target | None
    reason: str
    message: str
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a class of namespaces asks of a Placement.

    Attributes:
        apis: Every API the workspace has bound for compute; all must be accepted.
        current: uid of the target in use through this Placement, or "".
        load: Namespaces per target uid now, for balance.
        busiest: The most namespaces a target has; counted when not given.
    """

    apis: tuple[Api, ...]
    current: str
    load: Mapping[str, int]
    busiest: int = -1

    def __post_init__(self) -> None:
        """Count once what every score needs."""
        if self.busiest < 0:
            object.__setattr__(self, "busiest", max(self.load.values(), default=0))


_Pair = tuple[Location, Candidate]


@dataclass(frozen=True, slots=True)
class _Pool:
    """The candidates of some Locations for some APIs, by name; those accepted; and these by key."""

    candidates: Sequence[_Pair]
    accepted: Sequence[_Pair]
    by_key: Mapping[str, _Pair]


Filter = Callable[[Target, Request, Snapshot], str]


def _api_compatible(target: Target, request: Request, snapshot: Snapshot) -> str:
    del snapshot
    for api in request.apis:
        have = target.accepted.get((api.group, api.resource))
        if have is None:
            why = target.reasons.get((api.group, api.resource), "the cluster does not offer it")
            return f"does not support {api}: {why}"
        if have != api.identity:
            return f"offers {api} of another APIExport"
    return ""


def _evicting(target: Target, request: Request, snapshot: Snapshot) -> str:
    del request
    if target.evict_after_s is not None and target.evict_after_s <= snapshot.now_s:
        return "is being drained"
    return ""


def _schedulable(target: Target, request: Request, snapshot: Snapshot) -> str:
    del snapshot
    if target.unschedulable and target.uid != request.current:
        return "is cordoned and takes nothing new"
    return ""


def _ready(target: Target, request: Request, snapshot: Snapshot) -> str:
    if target.ready:
        return ""
    lost_for_s = None if target.lost_since_s is None else snapshot.now_s - target.lost_since_s
    if target.uid == request.current and lost_for_s is not None and lost_for_s < snapshot.grace_s:
        return ""  # merely slow: not left at once
    return f"is not ready: {target.message or 'no heartbeat yet'}"


FILTERS: tuple[tuple[str, Filter], ...] = (
    ("APICompatible", _api_compatible),
    ("NotEvicting", _evicting),
    ("Schedulable", _schedulable),
    ("Ready", _ready),
)
"""In the order they are asked; the first that refuses is the one reported."""

SHOWN_CANDIDATES = 50
"""How many candidates a record names; the message counts all of them."""


def choose(placement: Placement, request: Request, snapshot: Snapshot) -> Choice:
    """
    Choose Location and SyncTarget for one class of namespaces.

    Keeps the current target while every filter accepts it and it still lies in a matching Location, else takes the
    best accepted candidate: the target the Placement uses for its other namespaces, then one of the Location bound so
    far, then fewest namespaces, then name, so that equal inputs give equal answers.
    """
    locations, refusal = _locations(placement, snapshot)
    if refusal is not None:
        return refusal
    kept = _keep(placement, locations, request, snapshot)
    if kept is not None:
        return kept
    pool = _pool(locations, request, snapshot)
    candidates = pool.candidates
    if not candidates:
        message = f"no SyncTarget in Location {_names(locations)} of {placement.location_path}"
        return Choice(placement.name, locations[0], None, "NoValidTarget", message)
    if not pool.accepted:
        judged = (_again(candidate, request, snapshot) for _, candidate in candidates)
        shown = tuple(judged)
        return Choice(placement.name, locations[0], None, "NoValidTarget", explain(shown), shown[:SHOWN_CANDIDATES])
    location, best = _best(pool, placement, request)
    return _chosen(placement, location, best, candidates, request)


def _best(pool: _Pool, placement: Placement, request: Request) -> _Pair:
    """Return the accepted candidate to take: see :func:`choose` for the order."""
    together = pool.by_key.get(placement.target_key) if placement.target_key else None
    if together is not None:
        return together
    accepted: Sequence[_Pair] = (
        [pair for pair in pool.accepted if _is_kept(pair[0], placement)] if placement.selected else []
    )
    accepted = accepted or pool.accepted
    loads = [request.load.get(candidate.target.uid, 0) for _, candidate in accepted]
    return accepted[loads.index(min(loads))]  # the first of equals: they are in the order of their names


def _keep(placement: Placement, locations: Sequence[Location], request: Request, snapshot: Snapshot) -> Choice | None:
    """Return the choice of the current target when nothing speaks against it: then no other is looked at."""
    target = snapshot.targets.get(request.current)
    location = next((one for one in locations if request.current in snapshot.members(one)), None)
    if target is None or location is None:
        return None
    candidate = _judge(target, request, snapshot)
    if not candidate.accepted:
        return None
    return _chosen(placement, location, candidate, [(location, candidate)], request)


def _chosen(
    placement: Placement,
    location: Location,
    best: Candidate,
    candidates: Sequence[_Pair],
    request: Request,
) -> Choice:
    """Return a successful choice; of very many candidates the one taken and the first by name are shown."""
    message = f"SyncTarget {best.target.name} in Location {location.name}"
    first = [candidate for _, candidate in candidates[:SHOWN_CANDIDATES]]
    if all(one.target.uid != best.target.uid for one in first):
        first[-1] = best
    shown = tuple(replace(one, score=_score(one.target, request)) if one.accepted else one for one in first)
    return Choice(placement.name, location, best.target, "Scheduled", message, shown)


def selects(placement: Placement, labels: Labels) -> bool:
    """Tell whether a Placement takes namespaces with these labels; an absent selector takes none."""
    return placement.namespaces is not None and placement.namespaces(labels)


def explain(candidates: Sequence[Candidate]) -> str:
    """Return kube-scheduler's kind of sentence: ``0/3 SyncTargets are available: 2 ..., 1 ...``, names included."""
    refusals: dict[str, list[str]] = {}
    for candidate in candidates:
        if not candidate.accepted:
            refusals.setdefault(candidate.message, []).append(candidate.target.name)
    parts = [f"{', '.join(sorted(names))} {message}" for message, names in sorted(refusals.items())]
    accepted = sum(candidate.accepted for candidate in candidates)
    return f"{accepted}/{len(candidates)} SyncTargets are available: {'; '.join(parts)}."


def _locations(placement: Placement, snapshot: Snapshot) -> tuple[list[Location], Choice | None]:
    """Return the matching Locations, the one already selected first, or why there are none."""

    def refuse(reason: str, message: str) -> tuple[list[Location], Choice]:
        return [], Choice(placement.name, None, None, reason, message)

    where = placement.location_path
    there = snapshot.locations_of(placement.location_cluster)
    matching = [one for one in there if any(matches(one.labels) for matches in placement.location_selectors)]
    if not placement.location_cluster:
        return refuse("LocationNotFound", f"location workspace {where!r} does not exist or may not be read")
    if not placement.allowed:
        return refuse("LocationForbidden", f"this workspace may not use Locations of {where}: verb 'use' is missing")
    if not there:
        return refuse("LocationNoMatch", f"workspace {where} has no Location")
    if not matching:
        empty = "locationSelectors is empty, which matches no Location"
        none = f"none of the {len(there)} Locations of {where} matches locationSelectors"
        return refuse("LocationNoMatch", none if placement.location_selectors else empty)
    return sorted(matching, key=lambda one: (not _is_kept(one, placement), one.name)), None


def _is_kept(location: Location, placement: Placement) -> bool:
    return (location.cluster, location.name) == placement.selected


def _pool(locations: Sequence[Location], request: Request, snapshot: Snapshot) -> _Pool:
    """
    Return every target of the Locations as the filters see it, each once, under its first Location.

    Worked out once for all that ask the same of the same Locations. The target in use is among them as a stranger:
    it would have been kept if it were accepted.
    """
    key = ("pool", tuple((one.cluster, one.name) for one in locations), request.apis)
    if key not in snapshot.memo:
        stranger = replace(request, current="")
        found: dict[str, _Pair] = {}
        for location in locations:
            for uid, target in snapshot.members(location).items():
                if uid not in found:
                    found[uid] = (location, _judge(target, stranger, snapshot))
        pairs = sorted(found.values(), key=lambda pair: pair[1].target.name)
        accepted = [pair for pair in pairs if pair[1].accepted]
        snapshot.memo[key] = _Pool(pairs, accepted, {pair[1].target.key: pair for pair in accepted})
    return cast("_Pool", snapshot.memo[key])


def _again(candidate: Candidate, request: Request, snapshot: Snapshot) -> Candidate:
    """Judge the target in use by what it is, not as a stranger."""
    is_current = candidate.target.uid == request.current
    return _judge(candidate.target, request, snapshot) if is_current else candidate


def _judge(target: Target, request: Request, snapshot: Snapshot) -> Candidate:
    for name, refuses in FILTERS:
        message = refuses(target, request, snapshot)
        if message:
            return Candidate(target, name, message)
    return Candidate(target)


def _score(target: Target, request: Request) -> int:
    """Return 0 to 100: the emptier the better, and the target in use always first."""
    if target.uid == request.current:
        return 100
    busiest = request.busiest
    return 90 - (90 * request.load.get(target.uid, 0)) // busiest if busiest else 90


def _names(locations: Sequence[Location]) -> str:
    return ", ".join(location.name for location in locations)


def advance(
    held: Sequence[Held],
    choices: Sequence[Choice],
    progress: Mapping[str, Progress],
    *,
    now: str,
) -> tuple[Held, ...]:
    """
    Take one step of a namespace's move: new first, then Ready, then the old one goes (overlap).

    Args:
        held: What the namespace has now.
        choices: Of every Placement that selects the namespace; empty when none does.
        progress: By target uid.
        now: RFC 3339 time for new states.

    Returns:
        What it has next, in a stable order. Equal to ``held`` when nothing is to do. A target leaves the list only
        when it is Leaving and holds nothing any more; one that is chosen again before stays, with what it still holds.
        Invariant: while some choice found a target, a target that is not Leaving stays or another is complete.
    """
    wanted = {choice.target.uid: choice for choice in choices if choice.target is not None}
    unplaced = {choice.placement for choice in choices if choice.target is None}
    arrived = bool(wanted) and all(_is_complete(uid, held, progress) for uid in wanted)
    result: dict[str, Held] = {}
    for one in held:
        if one.state == "Leaving" and one.uid not in wanted:
            if one.uid not in progress or progress[one.uid].remaining:
                result[one.uid] = one
            continue
        result[one.uid] = _step(one, wanted, unplaced, arrived=arrived, selected=bool(choices), now=now)
    for uid, choice in wanted.items():
        if uid not in {one.uid for one in held} and choice.target is not None:
            target = choice.target
            result[uid] = Held(uid, target.key, target.cluster, target.name, choice.placement, "Sync", now, "Scheduled")
    return tuple(result.values())


def _is_complete(uid: str, held: Sequence[Held], progress: Mapping[str, Progress]) -> bool:
    in_use = any(one.uid == uid and one.state == "Sync" for one in held)
    return in_use and uid in progress and progress[uid].complete


def _step(
    one: Held, wanted: Mapping[str, Choice], unplaced: set[str], *, arrived: bool, selected: bool, now: str
) -> Held:
    """Return the next state of a target that is not Leaving, or is chosen again."""
    if one.uid in wanted:
        return _in_state(one, "Sync", "Scheduled", now)
    if not selected:  # the user took the namespace out of every Placement
        return _in_state(one, "Leaving", "No Placement selects this namespace", now)
    if not wanted or one.placement in unplaced:
        return _in_state(one, "Sync", "Held: no other target can take it", now)
    if arrived:
        return _in_state(one, "Leaving", REPLACED, now)
    return _in_state(one, "Draining", "Waiting for the replacement to be ready", now)


def _in_state(one: Held, state: str, reason: str, now: str) -> Held:
    """Return ``one`` in that state; its time changes only with the state."""
    return replace(one, state=state, reason=reason, since=one.since if one.state == state else now)
