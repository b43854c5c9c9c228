"""Nothing happens in a cluster without a cause above: I9, I14, I16, I17."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from tests.support.checking.history import Asked, Assigned, Found, Owner, Written
from tests.support.checking.wanted import Limits, Span, World

_MAY_CHANGE = ("status", "metadata.annotations", "metadata.finalizers")
_SHOWN = frozenset({"pods", "events"})
"""What an agent makes upstream."""
BACKUP = "backup"
"""The actor of what a restored backup changes."""
_CLUSTERS_OWN = frozenset({("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")})


def no_delete_without_cause(world: World, limits: Limits) -> Iterator[str]:
    """I9: an agent deletes what was unwanted when it asked, never what was wanted all the time."""
    for record in _of_agents(world):
        if record.verb != "delete" or record.owner is None:
            continue
        world.look()
        asked_s = record.at_s - limits.delete_lag_s
        if world.wanted_throughout(record.where, record.owner, asked_s, record.at_s):
            yield f"{_name(record)} was deleted at {record.at_s:.1f} though upstream wanted it since {asked_s:.1f}"


def every_delete_is_asked_for(world: World, limits: Limits) -> Iterator[str]:
    """I9: right before an agent deletes anything, upstream has said that it must go; of a token, that its home must."""
    asked: defaultdict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for one in world.of(Asked):
        asked[one.target, one.cluster, one.namespace, one.name].append(one.at_s)
    for record in _of_agents(world) if limits.asks else ():
        owner = record.owner
        if record.verb != "delete" or owner is None:
            continue
        world.look()
        is_minted = bool(owner.namespace) and not owner.uid
        place = ("", owner.namespace) if is_minted else (owner.namespace, owner.name)
        since_s = record.at_s - limits.delete_lag_s
        if not any(since_s <= at_s <= record.at_s for at_s in asked[record.where, owner.cluster, *place]):
            yield f"{_name(record)} was deleted at {record.at_s:.1f} without a word from upstream since {since_s:.1f}"


def nothing_stays_unwanted(world: World, limits: Limits) -> Iterator[str]:
    """I9: what nobody wants any more goes within ``gc_s`` of a working target; at the end nothing of it is left."""
    foreign, leftovers = _foreign_spans(world), brought_back(world)
    for where, found in _marked_lives(world):
        if found.resource == "secrets" or (where, found.uid) in leftovers:
            continue  # I17 speaks of Secrets
        world.look()
        guests = foreign.get((where, found.name), []) if found.resource == "namespaces" else []
        yield from _overstays(world, limits, where, found, guests)
    yield from _orphans(world, secrets=False)


def no_secret_where_it_is_not_assigned(world: World, limits: Limits) -> Iterator[str]:
    """I17: a Secret gets only where its namespace is assigned, and goes with the assignment."""
    for record in _of_agents(world):
        if record.resource != "secrets" or record.owner is None or record.verb == "delete":
            continue
        world.look()
        since_s = world.since_working(record.where, record.at_s, limits.lag_s)
        place = Owner(record.owner.cluster, record.owner.namespace, record.owner.name)
        if not world.wanted_within(record.where, place, since_s, record.at_s):
            yield f"{_name(record)} was written at {record.at_s:.1f} where its namespace was not assigned"
    leftovers = brought_back(world)
    for where, found in _marked_lives(world):
        if found.resource == "secrets" and (where, found.uid) not in leftovers:
            world.look()
            yield from _overstays(world, limits, where, found)
    yield from _orphans(world, secrets=True)


def agents_write_only_what_is_assigned(world: World, limits: Limits) -> Iterator[str]:
    """I14: an agent writes on its own target only what is wanted there, and upstream only status of such objects."""
    for record in _of_agents(world, upstream=True):
        world.look()
        target = record.actor.removeprefix("agent:")
        since_s = world.since_working(target, record.at_s, limits.lag_s)
        if record.where == "":
            yield from _upstream_write(world, record, target, since_s)
        elif record.where != target:
            yield f"{_name(record)} was written by the agent of another target, {target}"
        elif record.owner is None or record.verb == "delete":
            continue  # I16 and I9 speak of these
        elif not world.wanted_within(target, record.owner, since_s, record.at_s):
            yield f"{_name(record)} was written at {record.at_s:.1f} though not wanted since {since_s:.1f}"


_SERVERS_OWN = frozenset({"ipaddresses.networking.k8s.io"})
"""What an API server itself writes with a Service, in the name of who writes that."""


def foreign_objects_stay_as_they_are(world: World, _: Limits) -> Iterator[str]:
    """I16: what carries no marks of ours is the same before and after, but for what others did to it."""
    expected = {(one.where, one.uid): one for one in _dump(world, "first") if one.owner is None}
    due: dict[tuple[str, str], str] = {key: one.whole for key, one in expected.items()}
    for record in world.of(Written):
        if record.where == "" or record.owner is not None:
            continue
        world.look()
        if record.actor.startswith("agent:") and record.resource not in _SERVERS_OWN:
            yield f"{_name(record)} carries no mark and was touched by an agent ({record.verb} at {record.at_s:.1f})"
        elif (record.where, record.uid) in due:
            due[record.where, record.uid] = "" if record.verb == "delete" else record.whole
    left = {(one.where, one.uid): one for one in _dump(world, "last")}
    for key, whole in due.items():
        world.look()
        one = expected[key]
        named = f"{one.resource} {one.namespace}/{one.name} on {one.where}"
        if whole and key not in left:
            yield f"{named} is not of ours and has vanished"
        elif whole and left[key].whole != whole:
            yield f"{named} is not of ours and is not what it was"


@dataclass(frozen=True, slots=True)
class _Life:
    """One object of ours in a cluster, from its making to its end."""

    resource: str
    namespace: str
    name: str
    uid: str
    owner: Owner
    born_s: float
    died_s: float


def _marked_lives(world: World) -> list[tuple[str, _Life]]:
    """Return every life of every marked object, with its target; what is left lives until the history ends."""
    open_: dict[tuple[str, str], _Life] = {}
    found: list[tuple[str, _Life]] = []
    for record in world.of(Written):
        key = (record.where, record.uid)
        if not record.where:
            continue
        life = open_.get(key)
        if life is None and record.owner is not None and record.verb != "delete":
            is_namespace = record.resource == "namespaces"
            name = record.name if is_namespace else f"{record.resource} {record.namespace}/{record.name}"
            open_[key] = _Life(
                record.resource, record.namespace, name, record.uid, record.owner, record.at_s, world.end_s
            )
        elif life is not None and record.verb == "delete":
            found.append((record.where, replace(open_.pop(key), died_s=record.at_s)))
    return [*found, *((where, life) for (where, _), life in open_.items())]


def brought_back(world: World) -> set[tuple[str, str]]:
    """
    Return what a restored backup brought back into a cluster and no agent has touched since.

    It has no cause above and no row, so that no agent may take it for its own: it is an administrator's to look for.
    """
    found: set[tuple[str, str]] = set()
    for record in world.of(Written):
        key = (record.where, record.uid)
        if record.actor == BACKUP and record.verb == "create":
            found.add(key)
        elif record.actor.startswith("agent:") and record.verb != "delete":
            found.discard(key)
    return found


def _foreign_spans(world: World) -> dict[tuple[str, str], list[Span]]:
    """Return when somebody's objects, or what a backup brought back, were in a namespace, by target and namespace."""
    leftovers = brought_back(world)
    begun: dict[tuple[str, str], tuple[str, float]] = {}
    found: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for record in world.of(Written):
        is_ours = record.owner is not None and (record.where, record.uid) not in leftovers
        if not record.where or is_ours or (record.resource, record.name) in _CLUSTERS_OWN:
            continue
        if record.verb != "delete":
            begun.setdefault((record.where, record.uid), (record.namespace, record.at_s))
        elif (record.where, record.uid) in begun:
            namespace, since_s = begun.pop((record.where, record.uid))
            found[record.where, namespace].append((since_s, record.at_s))
    for (where, _), (namespace, since_s) in begun.items():
        found[where, namespace].append((since_s, inf))
    return found


def _upstream_write(world: World, record: Written, target: str, since_s: float) -> Iterator[str]:
    if record.resource == "synctargets.workload.kcp.io":
        return  # its own heartbeat
    own = world.targets.get(target)
    if own and (record.resource, record.cluster) == ("events", own.cluster) and record.name.startswith(own.name + "."):
        return  # what the control plane tells of the agent itself: that another one is at work now, say
    place = Owner(record.cluster, record.namespace, record.name)
    if not (
        world.wanted_within(target, place, since_s, record.at_s)
        or _tells_of_leaving(world, record, target)
        or takes_status_back(world, record, target)
    ):
        yield f"{_name(record)} was written upstream by the agent of {target}, to which it is not assigned"
    if record.resource in _SHOWN:
        return
    beyond = [part for part in record.changed if part not in _MAY_CHANGE]
    if record.verb != "update" or beyond:
        yield f"the agent of {target} may not {record.verb} {', '.join(beyond) or 'whole'} of {_name(record)}"


def takes_status_back(world: World, record: Written, target: str) -> bool:
    """Tell whether an agent writes a status just because its copy is gone: what is left is no word of its target's."""
    copies = [
        one
        for one in world.of(Written)
        if one.where == target and one.owner and one.owner.uid == record.uid and one.at_s <= record.at_s
    ]
    return record.changed == ("status",) and bool(copies) and copies[-1].verb == "delete"


def _tells_of_leaving(world: World, record: Written, target: str) -> bool:
    """Tell whether an Event is of a namespace that its target still has to leave: what stands in the way of that."""
    told = (record.cluster, record.name.rpartition(".")[0])
    known = [one for one in world.of(Assigned) if one.at_s <= record.at_s and (one.cluster, one.namespace) == told]
    return record.resource == "events" and bool(known) and known[-1].targets.get(target) == "Leaving"


def _overstays(world: World, limits: Limits, where: str, found: _Life, guests: Sequence[Span] = ()) -> Iterator[str]:
    """Say when something was not wanted for too long; time in which a namespace holds somebody's does not count."""
    for start, end in world.unwanted(where, found.owner, found.born_s, found.died_s):
        since_s = max([start, *(min(last, end) for first, last in guests if first < end)])
        stayed_s = world.working_s(where, since_s, end)
        if stayed_s > limits.gc_s:
            yield f"{found.name} on {where} stayed for {stayed_s:.0f} s of working time after {start:.1f}, unwanted"


def _orphans(world: World, *, secrets: bool) -> Iterator[str]:
    leftovers, foreign = brought_back(world), _foreign_spans(world)
    for one in _dump(world, "last"):
        home = one.name if one.resource == "namespaces" else one.namespace
        goes_with_namespace = one.resource == "namespaces"
        has_guests = any(end == inf for _, end in foreign.get((one.where, home), []))
        if (one.where, one.uid) in leftovers or (goes_with_namespace and has_guests):
            continue
        if one.owner is None or (one.resource == "secrets") != secrets:
            continue
        world.look()
        if world.is_wanted(one.where, one.owner):
            continue
        yield f"{one.resource} {one.namespace}/{one.name} is left on {one.where}; upstream wants no {one.owner}"


def _dump(world: World, phase: str) -> list[Found]:
    """Return the downstream part of a dump."""
    return [one for one in world.of(Found) if one.phase == phase and one.where]


def _of_agents(world: World, *, upstream: bool = False) -> list[Written]:
    return [one for one in world.of(Written) if one.actor.startswith("agent:") and (upstream or one.where)]


def _name(record: Written) -> str:
    return f"{record.resource} {record.namespace}/{record.name} on {record.where or 'the control plane'}"
