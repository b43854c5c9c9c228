"""
From the world to the writes that make it as the policy decides: pure.

Everything is derived for one workspace at a time; what comes out equal to what is stored is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fairlead_api import JsonObject, conditions
from fairlead_api.kinds.assignment import GONE, REPLACED, RESTORED_FROM
from fairlead_scheduler.policy import Candidate, Choice, Request, advance, choose, selects
from fairlead_scheduler.snapshot import Api, Held, Placement, Snapshot
from fairlead_scheduler.world import TARGET_ANNOTATION, World, held_of, progress_of

PLACEMENT_ANNOTATION = "scheduling.kcp.io/placement"
STATE_LABEL = "state.workload.kcp.io/"
NAMESPACE_SCHEDULED = "NamespaceScheduled"


@dataclass(frozen=True, slots=True)
class NamespaceWrite:
    """
    What a namespace shows of its placement; all of it derived.

    Attributes:
        labels, annotations: To merge; None values remove.
        condition: NamespaceScheduled, in Kubernetes' style.
        event: (type, reason, message) to write on the namespace, or None when nothing changed for the user.
    """

    labels: dict[str, str | None]
    annotations: dict[str, str | None]
    condition: JsonObject
    event: tuple[str, str, str] | None


@dataclass(slots=True)
class Writes:
    """
    What one workspace needs, by name.

    ``assignments`` maps a namespace to its new spec, or to None when the Assignment goes.
    """

    assignments: dict[str, JsonObject | None] = field(default_factory=dict)
    namespaces: dict[str, NamespaceWrite] = field(default_factory=dict)
    placement_status: dict[str, JsonObject] = field(default_factory=dict)
    placement_target: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Turn:
    """The inputs all of a workspace's decisions share."""

    world: World
    cluster: str
    snapshot: Snapshot
    placements: Sequence[Placement]
    now: str
    apis: tuple[Api, ...]
    load: Mapping[str, int]
    busiest: int
    memo: dict[tuple[str, str], Choice] = field(default_factory=dict)
    decisions: dict[tuple[int, ...], JsonObject] = field(default_factory=dict)

    def choice(self, placement: Placement, current: str) -> Choice:
        """Decide once per class of equal questions: the Placement and the target in use."""
        key = (placement.name, current)
        if key not in self.memo:
            request = Request(self.apis, current, self.load, self.busiest)
            self.memo[key] = choose(placement, request, self.snapshot)
        return self.memo[key]

    def decision(self, choices: Sequence[Choice]) -> JsonObject:
        """Return the record of choices, which namespaces that were decided alike share."""
        key = tuple(id(choice) for choice in choices)  # all of them live in the memo as long as this does
        if key not in self.decisions:
            self.decisions[key] = _decision(choices)
        return self.decisions[key]


def decide(world: World, cluster: str, snapshot: Snapshot, now: str) -> Writes:
    """
    Return the writes one workspace needs now.

    Args:
        world: The picture; not changed.
        cluster: The workspace's logical cluster.
        snapshot: :meth:`World.snapshot` of the same moment.
        now: RFC 3339 time of that moment.
    """
    load = world.load()
    turn = _Turn(
        world,
        cluster,
        snapshot,
        world.placements_of(cluster),
        now,
        apis=world.required_apis(cluster),
        load=load,
        busiest=max(load.values(), default=0),
    )
    writes = Writes()
    used: dict[str, list[Choice]] = {placement.name: [] for placement in turn.placements}
    namespaces = world.namespaces_of(cluster)
    for name in sorted({*namespaces, *world.assignments.of(cluster)}):
        choices = _place(turn, name, namespaces.get(name), writes)
        for choice in choices:
            used[choice.placement].append(choice)
    for placement in turn.placements:
        _show_placement(turn, placement, used[placement.name], writes)
    return writes


def _place(turn: _Turn, name: str, namespace: JsonObject | None, writes: Writes) -> list[Choice]:
    """Decide one namespace; record what must be written; return the choices made for it."""
    stored = turn.world.assignments.of(turn.cluster).get(name)
    is_going = namespace is not None and bool(namespace["metadata"].get("deletionTimestamp"))
    if stored is None and is_going:
        return []
    labels = {} if namespace is None else namespace["metadata"].get("labels") or {}
    selecting = [one for one in turn.placements if namespace is not None and selects(one, labels)]
    held = held_of(stored)
    is_same = namespace is not None and (
        _uid_of(stored) == namespace["metadata"]["uid"] or _is_restored(namespace, stored)
    )
    if is_same and selecting:
        held = _taken_back(held, turn.now)
    held = _adopted(held, selecting)
    choices = [_choose(turn, placement, held) for placement in selecting]
    progress = progress_of(stored, turn.snapshot.targets)
    if held and not is_same:
        after = advance(_all_leaving(held, turn.now), (), progress, now=turn.now)
    else:
        after = advance(held, choices, progress, now=turn.now)
    _record_assignment(turn, name, stored, after, choices, writes)
    if namespace is not None and not is_going:
        _record_namespace(turn.now, name, namespace, after, choices, writes)
    return choices


def _adopted(held: Sequence[Held], selecting: Sequence[Placement]) -> tuple[Held, ...]:
    """Give what a Placement chose that no longer selects the namespace to one that does: it need not move for that."""
    names = {placement.name for placement in selecting}
    return tuple(
        replace(one, placement=selecting[0].name)
        if selecting and one.state != "Leaving" and one.placement not in names
        else one
        for one in held
    )


def _choose(turn: _Turn, placement: Placement, held: Sequence[Held]) -> Choice:
    """
    Choose for one namespace: of what it has the first that may stay, else any.

    In this order: the target that must run, the one still draining, then those it leaves, as they may still hold what
    would be made anew elsewhere.
    """
    own = [one for one in held if one.placement == placement.name and one.state != "Leaving"]
    own.sort(key=lambda one: one.state != "Sync")
    left = [one for one in held if one.state == "Leaving"]
    left.sort(key=lambda one: one.since, reverse=True)
    for one in (*own, *left):
        choice = turn.choice(placement, one.uid)
        if choice.target is not None and choice.target.uid == one.uid:
            return choice
    return turn.choice(placement, own[0].uid if own else "")


def _all_leaving(held: Sequence[Held], now: str) -> list[Held]:
    """Send everything away: the namespace is gone, or another of its name has come."""
    return [one if one.state == "Leaving" else replace(one, state="Leaving", since=now, reason=GONE) for one in held]


def _taken_back(held: Sequence[Held], now: str) -> tuple[Held, ...]:
    """
    Have the targets stay that were left though nothing replaced them: what was to end there must run after all.

    The namespace was restored from the bin, or a Placement selects it again. Where one of them may not stay it moves
    as any other, with overlap.
    """
    if any(one.state != "Leaving" for one in held):
        return tuple(held)
    return tuple(
        one if one.reason == REPLACED else replace(one, state="Sync", since=now, reason="TakenBack") for one in held
    )


def _is_restored(namespace: JsonObject, stored: JsonObject | None) -> bool:
    """Tell whether a namespace is the one an Assignment is of, restored from the bin."""
    restored_from = (namespace["metadata"].get("annotations") or {}).get(RESTORED_FROM)
    return bool(restored_from) and restored_from == _uid_of(stored)


def _uid_of(stored: JsonObject | None) -> str:
    """Return the uid of the namespace that an Assignment is of; "" for none."""
    return ((stored or {}).get("spec") or {}).get("namespaceUID") or ""


def _record_assignment(
    turn: _Turn,
    name: str,
    stored: JsonObject | None,
    after: Sequence[Held],
    choices: Sequence[Choice],
    writes: Writes,
) -> None:
    if not after and not choices:
        if stored is not None:
            writes.assignments[name] = None
        return
    namespace = turn.world.namespaces.of(turn.cluster).get(name)
    uid = "" if namespace is None else namespace["metadata"]["uid"]
    if held_of(stored) and after and not (namespace is not None and _is_restored(namespace, stored)):
        uid = _uid_of(stored) or uid  # what still leaves belongs to the namespace of that uid
    decision = turn.decision(choices)
    if stored is not None and held_of(stored) == tuple(after) and stored["spec"].get("namespaceUID", "") == uid:
        same = _same(stored["spec"], decision)
        if same:
            return
    writes.assignments[name] = {
        "namespaceUID": uid,
        "targets": [_target_json(one) for one in after],
        "decision": decision,
    }


def _same(spec: JsonObject, decision: JsonObject) -> bool:
    """
    Tell whether a stored decision still says why.

    Of a namespace that is placed it is the record of the moment of placing; scores move with every other namespace
    and are no reason to write. Of one that is not placed the message must be of now.
    """
    old = spec.get("decision") or {}
    return bool(old.get("reason") == decision["reason"]) and (
        decision["reason"] == "Scheduled" or bool(old.get("message") == decision["message"])
    )


def _target_json(one: Held) -> JsonObject:
    body = {"uid": one.uid, "key": one.key, "cluster": one.cluster, "name": one.name, "state": one.state}
    extra = {"placement": one.placement, "since": one.since, "reason": one.reason}
    return {**body, **{key: value for key, value in extra.items() if value}}


def _decision(choices: Sequence[Choice]) -> JsonObject:
    found = [choice for choice in choices if choice.target is not None]
    if not choices:
        return {"reason": "NoPlacement", "message": "No Placement selects this namespace", "placements": []}
    reason = "Scheduled" if found else choices[0].reason
    message = "; ".join(choice.message for choice in (found or choices))
    return {"reason": reason, "message": message, "placements": [_choice_json(choice) for choice in choices]}


def _choice_json(choice: Choice) -> JsonObject:
    body: JsonObject = {"name": choice.placement, "message": choice.message}
    if choice.location is not None:
        body["location"] = {"path": choice.location.cluster, "name": choice.location.name}
    body["candidates"] = [_candidate_json(candidate) for candidate in choice.candidates]
    return body


def _candidate_json(candidate: Candidate) -> JsonObject:
    target = candidate.target
    body: JsonObject = {
        "name": target.name,
        "cluster": target.cluster,
        "uid": target.uid,
        "accepted": candidate.accepted,
        "score": candidate.score,
    }
    if not candidate.accepted:
        body |= {"filter": candidate.filter, "message": candidate.message}
    return body


def _record_namespace(
    now: str, name: str, namespace: JsonObject, after: Sequence[Held], choices: Sequence[Choice], writes: Writes
) -> None:
    """Show on the namespace where it runs, in kcp's labels and in a condition with the reason."""
    metadata = namespace["metadata"]
    wanted = {STATE_LABEL + one.key: "Sync" for one in after if one.state != "Leaving"}
    shown = {key: value for key, value in (metadata.get("labels") or {}).items() if key.startswith(STATE_LABEL)}
    labels: dict[str, str | None] = {key: None for key in shown if key not in wanted}
    labels |= {key: value for key, value in wanted.items() if shown.get(key) != value}
    placed = (metadata.get("annotations") or {}).get(PLACEMENT_ANNOTATION) is not None
    annotations: dict[str, str | None] = {}
    if bool(choices) != placed:
        annotations[PLACEMENT_ANNOTATION] = "" if choices else None
    condition = _condition(after, choices)
    old = conditions.get((namespace.get("status") or {}).get("conditions"), NAMESPACE_SCHEDULED)
    same = old is not None and all(
        old.get(key, "") == condition.get(key, "") for key in ("status", "reason", "message")
    )
    if old is None and not choices and not after:
        return  # a namespace that nobody ever placed shows nothing
    if labels or annotations or not same:
        kind = "Normal" if condition["status"] == conditions.TRUE else "Warning"
        unmoved = old is not None and old.get("status") == condition["status"]
        condition["lastTransitionTime"] = (old or {}).get("lastTransitionTime") or now if unmoved else now
        event = None if same else (kind, condition["reason"], condition["message"])
        writes.namespaces[name] = NamespaceWrite(labels, annotations, condition, event)


def _condition(after: Sequence[Held], choices: Sequence[Choice]) -> JsonObject:
    running = [one for one in after if one.state != "Leaving"]
    if running:
        names = ", ".join(sorted(one.name for one in running))
        moving = ", ".join(sorted(one.name for one in running if one.state == "Draining"))
        message = f"Runs in {names}" + (f"; leaving {moving}" if moving else "")
        return {"type": NAMESPACE_SCHEDULED, "status": "True", "reason": "Scheduled", "message": message}
    if not choices:
        message = "No available placements"
    else:
        message = "No available sync targets: " + "; ".join(choice.message for choice in choices)
    return {"type": NAMESPACE_SCHEDULED, "status": "False", "reason": "Unschedulable", "message": message}


def _show_placement(turn: _Turn, placement: Placement, choices: Sequence[Choice], writes: Writes) -> None:
    """Show phase, Location and conditions as kcp does."""
    stored = turn.world.placements.of(turn.cluster)[placement.name]
    probe = choices[0] if choices else turn.choice(placement, "")
    status: JsonObject = {"phase": "Pending"}
    if probe.location is not None:
        status["phase"] = "Bound" if choices else "Unbound"
        status["selectedLocation"] = {"path": probe.location.cluster, "locationName": probe.location.name}
    old = (stored.get("status") or {}).get("conditions") or []
    scheduled = conditions.true("Scheduled")
    if probe.target is None:
        scheduled = conditions.false("Scheduled", _scheduled_reason(probe), conditions.WARNING, probe.message)
    ready = conditions.true(conditions.READY)
    if probe.location is None:
        ready = conditions.false(conditions.READY, probe.reason, conditions.ERROR, probe.message)
    status["conditions"] = conditions.set_condition(conditions.set_condition(old, scheduled, turn.now), ready, turn.now)
    shown = stored.get("status") or {}
    if any(status.get(key) != shown.get(key) for key in ("phase", "selectedLocation", "conditions")):
        writes.placement_status[placement.name] = status
    key = probe.target.key if probe.target is not None else None
    marks = stored["metadata"].get("annotations") or {}
    if marks.get(TARGET_ANNOTATION) != key:
        writes.placement_target[placement.name] = key


def _scheduled_reason(choice: Choice) -> str:
    return "ScheduleLocationNotFound" if choice.location is None else "NoValidTarget"
