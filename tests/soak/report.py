"""What there was to count, and the deletions above that nobody asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from tests.soak.evidence import Evidence, Place
from tests.soak.measuring import Sample
from tests.soak.telling import Asking, askings
from tests.support.checking.history import Asked, Found, Health, Record, Written
from tests.support.checking.wanted import World

_KINDS = frozenset({"configmaps", "secrets", "services", "deployments.apps"})
_OWN = frozenset({"kube-root-ca.crt"})
_LATE_S = 5.0
"""By how much what is seen in the store and what users have noted may differ."""


def causeless_above(
    history: Iterable[Record], asked: Mapping[Place, Sequence[float]], workspaces: Mapping[str, str]
) -> list[str]:
    """Say what was deleted in workspaces though no user had asked for it, or for the end of its namespace."""
    problems, born_s = [], dict[str, float]()
    for one in history:
        if not isinstance(one, Written) or one.where or one.resource not in _KINDS:
            continue
        if one.verb != "delete":
            born_s.setdefault(one.uid, one.at_s)
            continue
        workspace = workspaces.get(one.cluster, "")
        moments = [
            *asked.get((workspace, one.resource.partition(".")[0], one.namespace, one.name), ()),
            *asked.get((workspace, "namespaces", one.namespace, one.namespace), ()),
        ]
        since_s = born_s.get(one.uid, 0.0) - _LATE_S
        if workspace and not any(since_s <= at_s <= one.at_s + _LATE_S for at_s in moments):
            problems.append(f"{one.resource} {workspace}:{one.namespace}/{one.name} was deleted; nobody had asked")
    return problems


def report(evidence: Evidence, history: Sequence[Record]) -> str:
    """Return the table."""
    deletes = Counter(one.actor.partition(":")[0] for one in _written(history) if one.where and one.verb == "delete")
    faults = evidence.faults
    kills = {what: count for what, count in faults.items() if what.startswith("kill")}
    ways = [count for what, count in faults.items() if not what.startswith(("kill", "pause"))]
    lists = Counter(one.agent for one in askings(evidence) if _is_resync(one))
    lines = [
        ("seed, minutes", f"{evidence.seed}, {evidence.size.minutes:g}"),
        ("objects above at the end", str(_objects(history))),
        (
            "deeds of users",
            f"{sum(evidence.done.values())} done, {sum(evidence.refused.values())} refused or not answered",
        ),
        ("by sort", _counts(evidence.done)),
        ("faults", f"{sum(faults.values())}, of them {sum(ways)} of links"),
        ("by sort", _counts(faults)),
        ("kills", f"{sum(kills.values())}: {_counts(kills)}"),
        (
            "writes in clusters by agents",
            str(sum(one.actor.startswith("agent:") for one in _written(history) if one.where)),
        ),
        ("deletes in clusters by actor", _counts(deletes)),
        ("deletions asked for upstream before", str(sum(isinstance(one, Asked) for one in history))),
        ("held deletions approved", str(evidence.approved)),
        ("resyncs (full lists of ConfigMaps above) by agent", ", ".join(map(str, lists.values())) or "0"),
        ("edit above to cluster, whole run", _latency(history, healthy=False)),
        ("edit above to cluster, nothing broken", _latency(history, healthy=True)),
        ("from the last fault to agreement", f"{evidence.rest.took_s:.0f} s"),
        *_processes(evidence.samples),
    ]
    wide = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{wide}}  {value}" for name, value in lines)


def latencies(history: Sequence[Record], *, healthy: bool, since_s: float = 0.0) -> list[float]:
    """
    Return seconds from each edit above to the first write in a cluster that brought it there.

    An edit that another one overtook is not counted, nor one before ``since_s``. With ``healthy`` only those during
    which nothing was broken for the target, by what the history says.
    """
    world = World(history)
    open_: dict[tuple[str, str], float] = {}
    contents: dict[str, str] = {}
    found = []
    for one in _written(history):
        if one.resource not in _KINDS or one.verb == "delete":
            continue
        if not one.where:
            open_ = {key: at_s for key, at_s in open_.items() if key[0] != one.uid or key[1] == one.content}
            if contents.get(one.uid) != one.content and one.at_s >= since_s:
                open_.setdefault((one.uid, one.content), one.at_s)
            contents[one.uid] = one.content
        elif one.owner is not None and (one.owner.uid, one.content) in open_:
            since_s = open_.pop((one.owner.uid, one.content))
            took_s = one.at_s - since_s
            if not healthy or world.working_s(one.where, since_s, one.at_s) >= took_s:
                found.append(max(0.0, took_s))
    return sorted(found)


def _latency(history: Sequence[Record], *, healthy: bool) -> str:
    broken_s = min((one.at_s for one in history if isinstance(one, Health)), default=0.0)
    found = latencies(history, healthy=healthy, since_s=broken_s)  # what is made all at once before that is no edit
    if not found:
        return "none"
    p50, p99 = found[len(found) // 2], found[min(len(found) - 1, len(found) * 99 // 100)]
    return f"p50 {p50:.2f} s, p99 {p99:.2f} s ({len(found)} edits)"


def _processes(all_samples: Iterable[Sample]) -> Iterable[tuple[str, str]]:
    by_role = defaultdict(list)
    for sample in all_samples:
        by_role[sample.role].append(sample)
    for role, samples in by_role.items():
        lives = len({sample.pid for sample in samples})
        rss, fds = [one.rss_mib for one in samples], [one.fds for one in samples]
        told = f"{rss[0]:.0f} at first, {max(rss):.0f} at most, {rss[-1]:.0f} MiB at last"
        yield role, f"{told}; {fds[0]}, {max(fds)}, {fds[-1]} open files; {lives} lives"


def _is_resync(one: Asking) -> bool:
    parts = urlsplit(one.target)
    is_list = one.method == "GET" and "watch=" not in parts.query and "continue=" not in parts.query
    return bool(one.agent) and is_list and parts.path.endswith("/api/v1/configmaps")


def _objects(history: Sequence[Record]) -> int:
    last = (one for one in history if isinstance(one, Found) and one.phase == "last" and not one.where and not one.view)
    return sum(one.resource in _KINDS and one.name not in _OWN for one in last)


def _written(history: Sequence[Record]) -> list[Written]:
    return [one for one in history if isinstance(one, Written)]


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items())) or "none"
