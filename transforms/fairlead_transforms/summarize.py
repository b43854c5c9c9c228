"""
One status from what one or many clusters report: what a single cluster would show.

``observedGeneration`` is never copied: downstream generations count differently and start again at 1 after a move.
Upstream observes a generation once every active target has applied it and its controller has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject

_COUNTS = (
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "currentReplicas",
    "fullyLabeledReplicas",
)


@dataclass(frozen=True, slots=True)
class Report:
    """
    What one target said of one object.

    Attributes:
        target: SyncTargetKey, for a stable order.
        status: The raw downstream status, or None when there is none yet.
        observed: The upstream generation that the target has applied and its controller has observed; 0 for none.
    """

    target: str
    status: JsonObject | None
    observed: int


def summarize(group: str, resource: str, reports: Sequence[Report]) -> JsonObject | None:
    """
    Return the upstream status, or None when no target has said anything (then the old one stays).

    Args:
        group: API group.
        resource: Plural name.
        reports: Of the targets that count (assigned, not leaving); order does not matter.
    """
    known = sorted((report for report in reports if report.status is not None), key=lambda report: report.target)
    if not known:
        return None
    merge = _SUMMARIZERS.get((group, resource), _first)
    statuses = [report.status for report in known if report.status is not None]
    status = dict(statuses[0]) if len(statuses) == 1 else merge(statuses)
    if any("observedGeneration" in one for one in statuses):
        status.pop("observedGeneration", None)
        observed = min(report.observed for report in reports)
        if observed:
            status["observedGeneration"] = observed
    return status


def _first(statuses: Sequence[JsonObject]) -> JsonObject:
    """Kinds without a rule of their own show the first target's status, by key, so that it never flaps."""
    return dict(statuses[0])


def _sum_counts(statuses: Sequence[JsonObject]) -> JsonObject:
    """Add up replica counts; merge conditions (False beats Unknown beats True: nothing is hidden)."""
    status: JsonObject = {}
    for field in _COUNTS:
        if any(field in one for one in statuses):
            status[field] = sum(_number(one.get(field)) for one in statuses)
    conditions = _merge_conditions(statuses)
    if conditions:
        status["conditions"] = conditions
    collisions = [_number(one["collisionCount"]) for one in statuses if "collisionCount" in one]
    if collisions:
        status["collisionCount"] = max(collisions)
    return status


def _number(value: object) -> int:
    """Return a count; nonsense from one cluster is nothing, so that it cannot spoil what the others say (S72)."""
    return value if type(value) is int else 0


def _merge_conditions(statuses: Sequence[JsonObject]) -> list[JsonObject]:
    order = {"False": 0, "Unknown": 1, "True": 2}
    worst: dict[str, JsonObject] = {}
    for status in statuses:
        conditions = status.get("conditions")
        for condition in conditions if isinstance(conditions, list) else ():
            if not isinstance(condition, dict) or not all(
                isinstance(condition.get(field), str) for field in ("type", "status")
            ):
                continue
            seen = worst.get(condition["type"])
            if seen is None or order.get(condition["status"], 1) < order.get(seen["status"], 1):
                worst[condition["type"]] = condition
    return [worst[name] for name in sorted(worst)]


def _load_balancers(statuses: Sequence[JsonObject]) -> JsonObject:
    """A Service or Ingress is reachable at every target's addresses."""
    seen: list[JsonObject] = []
    for status in statuses:
        balancer = status.get("loadBalancer")
        addresses = balancer.get("ingress") if isinstance(balancer, dict) else None
        for address in addresses if isinstance(addresses, list) else ():
            if address not in seen:
                seen.append(address)
    return {"loadBalancer": {"ingress": seen} if seen else {}}


_SUMMARIZERS: Mapping[tuple[str, str], Callable[[Sequence[JsonObject]], JsonObject]] = {
    ("apps", "deployments"): _sum_counts,
    ("apps", "replicasets"): _sum_counts,
    ("apps", "statefulsets"): _sum_counts,
    ("", "services"): _load_balancers,
    ("networking.k8s.io", "ingresses"): _load_balancers,
}


def is_ready(group: str, resource: str, spec: JsonObject, report: Report, *, generation: int) -> bool:
    """
    Tell whether a target runs the object in full: what a move waits for before the old copy goes.

    Kinds without readiness of their own (ConfigMap, Secret, Service) are ready once applied, which the caller knows.

    Args:
        group, resource: The kind.
        spec: The spec this target was given (its share of replicas).
        report: What it said.
        generation: The upstream generation that must have been observed.
    """
    if (group, resource) not in {("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets")}:
        return True
    status = report.status or {}
    wanted = spec.get("replicas", 1)
    return (
        report.observed >= generation
        and _number(status.get("readyReplicas")) >= wanted
        and _number(status.get("updatedReplicas") or status.get("replicas")) >= wanted
        and _number(status.get("availableReplicas")) >= wanted
    )
