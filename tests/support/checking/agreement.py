"""In the end both sides agree, and status never goes back: I10, I13, I15."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fairlead_api.names import Locator, downstream_namespace
from tests.support.checking.causes import brought_back, takes_status_back
from tests.support.checking.history import Found, Owner, Reported, Written
from tests.support.checking.wanted import Limits, World

_UPSTREAM_ONLY = frozenset({("configmaps", "kube-root-ca.crt")})


def wanted_objects_run(world: World, limits: Limits) -> Iterator[str]:
    """I10: in the end every wanted object is in the cluster, as its user means it."""
    below = {(one.where, one.resource, one.owner.uid): one for one in _last(world) if one.where and one.owner}
    leftovers = brought_back(world)
    refused = {(one.view, one.resource, one.uid): one.reason for one in _last(world) if one.view}
    for one in _upstream_objects(world):
        if one.resource not in limits.synced or (one.resource, one.name) in _UPSTREAM_ONLY:
            continue
        for target in world.targets:
            if not world.is_wanted(target, Owner(one.cluster, one.namespace, one.name, one.uid)):
                continue
            world.look()
            key = (target, one.resource, one.uid)
            reason = refused.get(key, "")
            if reason and reason in limits.excused:
                continue
            there = below.get(key)
            if reason == "NameTaken" and there is not None and (target, there.uid) in leftovers:
                continue  # what a backup brought back has its name, and is an administrator's to remove
            if there is None:
                yield f"{_named(one)} is not on {target}" + (f": {reason}" if reason else "")
            elif there.content != one.content:
                yield f"{_named(one)} on {target} is not what its user wrote"


def reports_never_go_back(world: World, _: Limits) -> Iterator[str]:
    """I13: what a target was seen to have done is never older than what it was seen to have done before."""
    newest: dict[tuple[str, str], int] = {}
    for one in world.of(Reported):
        world.look()
        key = (one.target, one.uid)
        if one.generation < newest.get(key, 0):
            yield (
                f"{one.resource} {one.cluster}:{one.namespace}/{one.name}: {one.target} reported generation "
                f"{one.generation} at {one.at_s:.1f} after {newest[key]}"
            )
        newest[key] = max(one.generation, newest.get(key, 0))


def status_is_that_of_a_target(world: World, limits: Limits) -> Iterator[str]:
    """I13: status is written for assigned targets only, and in the end is the status there is in the cluster."""
    for record in world.of(Written):
        target = record.actor.removeprefix("agent:")
        if record.where or target == record.actor or "status" not in record.changed:
            continue
        world.look()
        since_s = world.since_working(target, record.at_s, limits.lag_s)
        owner = Owner(record.cluster, record.namespace, record.name, record.uid)
        is_synced = record.resource in limits.synced
        is_wanted = world.wanted_within(target, owner, since_s, record.at_s)
        if is_synced and not is_wanted and not takes_status_back(world, record, target):
            yield f"status of {record.resource} {record.namespace}/{record.name} comes from {target}, not assigned"
    below = {(one.where, one.resource, one.owner.uid): one for one in _last(world) if one.where and one.owner}
    for one in _upstream_objects(world):
        owner = Owner(one.cluster, one.namespace, one.name, one.uid)
        runs_on = [target for target in world.targets if world.is_wanted(target, owner)]
        if one.resource not in limits.synced or len(runs_on) != 1:
            continue
        world.look()
        there = below.get((runs_on[0], one.resource, one.uid))
        if there is not None and there.status != one.status:
            yield f"the status of {_named(one)} is not the one on {runs_on[0]}"


def namespaces_are_one_to_one(world: World, _: Limits) -> Iterator[str]:
    """I15: a namespace of ours has the name that follows from what it stands for, and stands for one only."""
    homes: defaultdict[tuple[str, Owner], set[str]] = defaultdict(set)
    seen: list[Found | Written] = [*_last(world), *world.of(Written)]
    for one in seen:
        if one.resource != "namespaces" or not one.where or one.owner is None:
            continue
        world.look()
        target = world.targets.get(one.where)
        if target is None:
            yield f"namespace {one.name} on {one.where}, which is no target"
            continue
        locator = Locator(target.cluster, target.name, target.uid, one.owner.cluster, one.owner.name)
        if downstream_namespace(locator) != one.name:
            yield f"namespace {one.name} on {one.where} does not follow from {one.owner.cluster}:{one.owner.name}"
        homes[one.where, one.owner].add(one.name)
    for (where, owner), names in homes.items():
        if len(names) > 1:
            yield f"{owner.cluster}:{owner.name} has {len(names)} namespaces on {where}: {', '.join(sorted(names))}"


def _last(world: World) -> list[Found]:
    return [one for one in world.of(Found) if one.phase == "last"]


def _upstream_objects(world: World) -> list[Found]:
    return [one for one in _last(world) if not one.where and not one.view]


def _named(one: Found) -> str:
    return f"{one.resource} {one.cluster}:{one.namespace}/{one.name}"
