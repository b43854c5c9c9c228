"""
``pods/eviction``: a delete that asks the pod's disruption budget first, where budgets are served.

Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_api.conditions import set_meta_condition
from fairlead_api.errors import BadRequest, Cause, Conflict, InternalError, TooManyRequests
from fairlead_api.selectors import SelectorError, from_object
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry import body, deleting, managing, messages, writing
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.committing import commit
from fairlead_control_plane.registry.options import WriteOptions, delete_options
from fairlead_control_plane.store.contract import CompareFailed, Row, prefix_end

_UNGUARDED_PHASES = frozenset({"Succeeded", "Failed", "Pending"})
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_TRIES = 16
_RETRY_S = 10
_MAX_DISRUPTED = 2000


async def evict(parts: Parts, target: Target, eviction: JsonObject) -> JsonObject:
    """
    Evict the pod in the path; returns the ``Status`` of success.

    Raises:
        BadRequest: The body names another pod or is no Eviction.
        NotFound, Conflict: There is no such pod, or a precondition does not hold.
        TooManyRequests: The pod's budget allows no disruption now.
    """
    _check(target, eviction)
    options = delete_options({}, eviction.get("deleteOptions") or {})
    dry_run = target.dry_run or options.dry_run
    pod_target = Target(target.resource, target.version, target.cluster, target.namespace, target.name, "", target.user)
    row = await parts.store.get(pod_target.key)
    if row is None:
        raise messages.not_found(target.resource, target.name)
    pod = encoding.decode(row)
    deleting.check_preconditions(pod_target, pod, options)
    await _ask(parts, target, eviction, dry_run=dry_run)
    if not _is_unguarded(pod):
        await _take_from_budget(parts, target, pod, dry_run=dry_run)
    if not dry_run:
        await _note(parts, pod_target)
        await deleting.delete(parts, pod_target, options)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def _ask(parts: Parts, target: Target, eviction: JsonObject, *, dry_run: bool) -> None:
    """Ask admission about the eviction itself; about the delete it is asked as ever."""
    attributes = Attributes(
        operation="CREATE",
        resource=target.resource,
        version=target.version.name,
        cluster=target.cluster,
        namespace=target.namespace,
        name=target.name,
        subresource=target.subresource,
        user=target.user,
        obj=eviction,
        old=None,
        dry_run=dry_run,
        warnings=target.warnings,
    )
    await parts.admission.admit(attributes)
    await parts.admission.validate(attributes)


def _check(target: Target, eviction: JsonObject) -> None:
    kind, version = eviction.get("kind") or "Eviction", eviction.get("apiVersion") or "policy/v1"
    if (kind, version) != ("Eviction", "policy/v1"):
        short, why = str(version).rpartition("/")[2], body.no_conversion(str(kind), str(version), "policy.Eviction")
        raise BadRequest(f'{kind} in version "{short}" cannot be handled as a Eviction: {why}')
    if ((eviction.get("metadata") or {}).get("name") or target.name) != target.name:
        raise BadRequest("name in URL does not match name in Eviction object")


def _is_unguarded(pod: JsonObject) -> bool:
    """Tell whether a pod is on its way out or not up yet, so that no budget counts it."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in _UNGUARDED_PHASES or bool(pod["metadata"].get("deletionTimestamp"))


async def _note(parts: Parts, target: Target) -> None:
    """Say in the pod's conditions why it goes."""

    async def change(pod: JsonObject | None) -> JsonObject:
        if pod is None:
            raise messages.not_found(target.resource, target.name)
        status = pod.setdefault("status", {})
        condition: JsonObject = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        status["conditions"] = set_meta_condition(status.get("conditions"), condition, parts.timestamp())
        return pod

    status = Target(
        target.resource, target.version, target.cluster, target.namespace, target.name, "status", target.user
    )
    await writing.update(parts, status, change, WriteOptions(), managing.already)


async def _take_from_budget(parts: Parts, target: Target, pod: JsonObject, *, dry_run: bool) -> None:
    """Count the eviction against the pod's budget, when it has one; tried again when the budget changed meanwhile."""
    budgets = await parts.catalog.lookup(target.cluster, "policy", "poddisruptionbudgets")
    if budgets is None:
        return
    for _ in range(_TRIES):
        rows = await _budgets_of(parts, target, budgets, pod)
        if not rows:
            return
        if len(rows) > 1:
            text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise InternalError(text)
        if _may_go_unhealthy(pod, encoding.decode(rows[0])):
            return
        try:
            await _decrement(parts, target, budgets, rows[0], dry_run=dry_run)
        except CompareFailed:
            continue
        return
    raise Conflict(f"the disruption budget of {target.name} is being changed by too many at once")


async def _budgets_of(parts: Parts, target: Target, budgets: Resource, pod: JsonObject) -> list[Row]:
    prefix = keys.range_prefix(budgets, target.cluster, target.namespace)
    found = await parts.store.range(prefix, prefix_end(prefix))
    labels = pod["metadata"].get("labels") or {}
    return [row for row in found.rows if _selects(encoding.decode(row), labels)]


def _selects(budget: JsonObject, labels: dict[str, str]) -> bool:
    selector: Any = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    try:
        return from_object(selector).matches(labels)
    except SelectorError:
        return False


def _may_go_unhealthy(pod: JsonObject, budget: JsonObject) -> bool:
    """Tell whether a pod that is not Ready may go uncounted: always, or as long as enough others are."""
    status = pod.get("status") or {}
    if any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or ()):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    counts = budget.get("status") or {}
    needed = counts.get("desiredHealthy") or 0
    return 0 < needed <= (counts.get("currentHealthy") or 0)


async def _decrement(parts: Parts, target: Target, budgets: Resource, row: Row, *, dry_run: bool) -> None:
    old = encoding.decode(row)
    metadata, status = old["metadata"], old.get("status") or {}
    name, allowed = metadata["name"], status.get("disruptionsAllowed") or 0
    if (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0):
        raise _refusal(f"The disruption budget {name} is still being processed by the server.", _RETRY_S)
    disrupted = status.get("disruptedPods") or {}
    if allowed < 0:
        raise messages.forbidden(budgets, name, "pdb disruptions allowed is negative")
    if len(disrupted) > _MAX_DISRUPTED:
        raise messages.forbidden(budgets, name, "DisruptedPods map too big - too many evictions not confirmed by PDB")
    if not allowed:
        needed, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _refusal(f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently")
    changed = {"disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, target.name: parts.timestamp()}}
    place = Target(budgets, budgets.storage_version, target.cluster, target.namespace, name)
    new = {**old, "status": {**status, **changed}}
    new["metadata"] = {key: value for key, value in metadata.items() if key != "resourceVersion"}
    await commit(parts, place, row, new, old=old, dry_run=dry_run)


def _refusal(why: str, retry_s: int = 0) -> TooManyRequests:
    return TooManyRequests(_VIOLATES, causes=[Cause("DisruptionBudget", why)], retry_after_s=retry_s)
