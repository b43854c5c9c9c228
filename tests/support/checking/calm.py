"""It comes to rest, and costs what it may: I18, I19."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf

from tests.support.checking.history import Counted, Written
from tests.support.checking.wanted import Limits, World


def it_comes_to_rest(world: World, limits: Limits) -> Iterator[str]:
    """I18: without input, nothing is written any more after a while, but a token that was about to end, once."""
    if world.settled_s == inf:
        return
    quiet_s = world.settled_s + limits.quiet_after_s
    if world.end_s > quiet_s:
        world.look()
    renewed = set()
    for one in world.of(Written):
        if one.at_s > quiet_s and one.resource not in limits.restless:
            if _renews_token(one) and (one.where, one.namespace, one.name) not in renewed:
                renewed.add((one.where, one.namespace, one.name))
                continue
            where = one.where or "the control plane"
            what = f"{one.verb} of {', '.join(one.changed) or 'all'}"
            yield f"{one.resource} {one.namespace}/{one.name} on {where}: {what} by {one.actor} at {one.at_s:.1f}"


def _renews_token(one: Written) -> bool:
    is_token = one.resource == "secrets" and one.name.startswith("kcp-token-")
    return is_token and one.verb == "update" and set(one.changed) <= {"data", "metadata.annotations"}


def writes_are_in_proportion(world: World, limits: Limits) -> Iterator[str]:
    """I19: an agent writes an object about as often as somebody else changes it."""
    changes: Counter[tuple[str, str, str]] = Counter()
    writes: Counter[tuple[str, str, str, str, str]] = Counter()
    for one in world.of(Written):
        if one.where and one.actor.startswith("agent:"):
            owner = one.owner
            if owner is not None:
                writes[one.where, one.resource, owner.cluster, owner.namespace, owner.name] += 1
        elif one.where and one.owner is not None:
            changes[one.owner.cluster, one.owner.namespace, one.owner.name] += 1
        elif not one.where:
            changes[one.cluster, one.namespace, one.name] += 1
    for (where, resource, *place), count in writes.items():
        world.look()
        cluster, namespace, name = place
        may = limits.writes_free + limits.writes_per_change * changes[cluster, namespace, name]
        if count > may:
            named = f"{resource} {cluster}:{namespace}/{name}"
            yield f"{named} was written {count} times on {where}; {may} are in proportion"


def what_is_counted_is_bounded(world: World, limits: Limits) -> Iterator[str]:
    """I19: queues, retries and connections stay within their bounds."""
    worst: dict[tuple[str, str], Counted] = {}
    for one in world.of(Counted):
        world.look()
        if one.value > limits.counted.get(one.what, inf):
            key = (one.where, one.what)
            if key not in worst or worst[key].value < one.value:
                worst[key] = one
    for (where, what), one in worst.items():
        bound = limits.counted[what]
        yield f"{what} of {where or 'the control plane'} was {one.value:g} at {one.at_s:.1f}; {bound:g} is the bound"
