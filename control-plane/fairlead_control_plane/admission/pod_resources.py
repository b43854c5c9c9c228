"""
What a pod asks for as a whole.

Source: k8s.io/component-helpers resource/helpers.go (PodRequests, PodLimits).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairlead_api import JsonObject
from fairlead_api.quantity import Quantity, parse

Amounts = dict[str, Quantity]
"""Amounts by the name of what they are amounts of."""

_POD_LEVEL = frozenset({"cpu", "memory"})
_HUGE_PAGES = "hugepages-"


def amounts(listed: Mapping[str, str] | None) -> Amounts:
    """Read a ``ResourceList``."""
    return {name: parse(text) for name, text in (listed or {}).items()}


def added(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    """Add amounts by name."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def most(*several: Mapping[str, Quantity]) -> Amounts:
    """Return the largest amount of each name."""
    found: Amounts = {}
    for one in several:
        for name, amount in one.items():
            if name not in found or found[name] < amount:
                found[name] = amount
    return found


def requests_of(pod: JsonObject) -> Amounts:
    """Return what a pod requests: its containers together, or what it says for itself, and its overhead."""
    spec = pod["spec"]
    total = _aggregated(pod, "requests")
    total |= _of_pod(spec, "requests")
    return added(total, amounts(spec.get("overhead")))


def limits_of(pod: JsonObject) -> Amounts:
    """Return a pod's limits; overhead is added to those there are."""
    spec = pod["spec"]
    total = _aggregated(pod, "limits")
    total |= _of_pod(spec, "limits")
    overhead = {name: amount for name, amount in amounts(spec.get("overhead")).items() if name in total}
    return added(total, {name: amount for name, amount in overhead.items() if total[name].digits})


def has_pod_level(spec: JsonObject) -> bool:
    """Tell whether a pod says itself what it needs."""
    return bool(_of_pod(spec, "requests") or _of_pod(spec, "limits"))


def is_pod_level(name: str) -> bool:
    """Tell whether a pod, not only a container, can ask for an amount of that name."""
    return name in _POD_LEVEL or name.startswith(_HUGE_PAGES)


def _of_pod(spec: JsonObject, field: str) -> Amounts:
    listed = (spec.get("resources") or {}).get(field)
    return {name: amount for name, amount in amounts(listed).items() if is_pod_level(name)}


def _aggregated(pod: JsonObject, field: str) -> Amounts:
    """Sum containers, or take what an init container needs beside the sidecars before it, where that is more."""
    spec, status = pod["spec"], pod.get("status") or {}
    known = _resized((*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())))
    is_infeasible = _is_infeasible(status)
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = added(total, _effective(container, known, field, is_infeasible=is_infeasible))
    sidecars: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            asked = _effective(container, known, field, is_infeasible=is_infeasible)
            total, sidecars = added(total, asked), added(sidecars, asked)
            largest = most(largest, sidecars)
        else:
            largest = most(largest, added(_asked(container, field), sidecars))
    return most(total, largest)


def _asked(container: JsonObject, field: str) -> Amounts:
    return amounts((container.get("resources") or {}).get(field))


def _effective(container: JsonObject, known: Mapping[str, JsonObject], field: str, *, is_infeasible: bool) -> Amounts:
    """While a running container is resized, return the largest of what is asked for, given and set."""
    asked, status = _asked(container, field), known.get(container["name"])
    if status is None:
        return asked
    actuated = amounts(status["resources"].get(field))
    if field == "limits":
        return actuated if is_infeasible else most(asked, actuated)
    allocated = amounts(status.get("allocatedResources"))
    return most(actuated, allocated) if is_infeasible else most(asked, actuated, allocated)


def _resized(statuses: Iterable[JsonObject]) -> dict[str, JsonObject]:
    return {status["name"]: status for status in statuses if status.get("resources") is not None}


def _is_infeasible(status: JsonObject) -> bool:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodResizePending":
            return bool(condition.get("reason") == "Infeasible")
    return False
