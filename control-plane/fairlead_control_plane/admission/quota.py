"""
ResourceQuota: what a namespace may hold, counted as it is asked for.

The usage is written into the quotas' status before the object, as kube-apiserver does it: an object that is then not
stored stays counted until the quota controller counts again, never the other way round.

Source: k8s.io/apiserver pkg/admission/plugin/resourcequota (controller.go, CheckRequest).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from weakref import WeakValueDictionary

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_api.quantity import Quantity
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_resources import Amounts, added, amounts
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.admission.usage import Measure, measure_of
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Put, Row, Store, prefix_end

_TRIES = 4
_CHANGED = "the object has been modified; please apply your changes to the latest version and try again"
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
_UNCOUNTED = frozenset({"bindings", "componentstatuses", "events", "events.events.k8s.io"})


class ResourceQuotas:
    """
    Counts writes against the quotas of their namespace.

    Args:
        store: Where quotas are read and their status is written.
        quotas: The resource.
        now_s: Seconds since the epoch.
    """

    def __init__(self, store: Store, quotas: Resource, now_s: Callable[[], float] = time.time) -> None:
        self._store = store
        self._quotas = quotas
        self._now_s = now_s
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Refuse what exceeds a quota, and count what does not."""
        resource = attributes.resource
        if not attributes.namespace or not resource.namespaced or attributes.obj is None:
            return
        if resource.name in _UNCOUNTED or resource.group in _REVIEWS:
            return
        measure = measure_of(resource, self._now_s)
        if not measure.handles(attributes) or not await self._rows(attributes):
            return
        place = (attributes.cluster, attributes.namespace)
        lock = self._locks.setdefault(place, asyncio.Lock())
        async with lock:
            await self._charge(attributes, measure)

    async def _rows(self, attributes: Attributes) -> Sequence[Row]:
        prefix = keys.range_prefix(self._quotas, attributes.cluster, attributes.namespace)
        return (await self._store.range(prefix, prefix_end(prefix))).rows

    async def _charge(self, attributes: Attributes, measure: Measure) -> None:
        if attributes.operation == "CREATE" and await self._is_taken(attributes):
            return  # it will be refused, and must not stay counted
        changed: list[JsonObject] = []
        for _ in range(_TRIES):
            rows = await self._rows(attributes)
            changed = charged([encoding.decode(row) for row in rows], attributes, measure)
            if attributes.dry_run or not changed:
                return
            try:
                await self._write(rows, changed)
            except CompareFailed:
                continue
            return
        name = changed[0]["metadata"]["name"]
        raise Conflict(
            f'Operation cannot be fulfilled on resourcequotas "{name}": {_CHANGED}', kind="resourcequotas", name=name
        )

    async def _is_taken(self, attributes: Attributes) -> bool:
        key = keys.object_key(attributes.resource, attributes.cluster, attributes.namespace, attributes.name)
        return await self._store.get(key) is not None

    async def _write(self, rows: Sequence[Row], changed: Iterable[JsonObject]) -> None:
        by_version = {str(row.mod_revision): row for row in rows}
        operations, compares = [], []
        for quota in changed:
            row = by_version[quota["metadata"].pop("resourceVersion")]
            operations.append(Put(row.key, encoding.encode(quota)))
            compares.append(Compare(row.key, row.mod_revision))
        await self._store.commit(operations, compares)


def charged(quotas: Sequence[JsonObject], attributes: Attributes, measure: Measure) -> list[JsonObject]:
    """
    Return those quotas whose usage a write changes, with the new usage.

    Raises:
        Forbidden: A quota is exceeded, not counted yet, or wants to be told amounts that the object does not name.
    """
    obj = attributes.obj
    if obj is None:
        return []
    matching = [quota for quota in quotas if _matches(quota, measure, obj)]
    for quota in matching:
        _check_countable(quota, attributes, measure, obj)
    usage = measure.usage(obj)
    negative = sorted(name for name, amount in usage.items() if amount.digits < 0)
    if negative:
        raise forbidden(attributes, f"quota usage is negative for resource(s): {','.join(negative)}")
    found = []
    for quota in matching:
        delta = _delta(quota, usage, attributes, measure)
        if delta and (new := _with_usage(quota, delta, attributes)) is not None:
            found.append(new)
    return found


def _delta(quota: JsonObject, usage: Amounts, attributes: Attributes, measure: Measure) -> Amounts:
    """Return what a write adds; an object that the quota covered before counts only for what it has more."""
    old = attributes.old if attributes.operation == "UPDATE" else None
    if old is not None and _matches(quota, measure, old):
        before = measure.usage(old)
        usage = {name: amount - before[name] if name in before else amount for name, amount in usage.items()}
    return {name: amount for name, amount in usage.items() if amount.digits > 0}


def _with_usage(quota: JsonObject, delta: Amounts, attributes: Attributes) -> JsonObject | None:
    """Return the quota with more used, or None when it limits nothing of what is used."""
    status = quota["status"]
    hard, used = amounts(status.get("hard")), amounts(status.get("used"))
    requested = {name: amount for name, amount in delta.items() if name in hard}
    new = added(used, requested)
    exceeded = {name for name in requested if hard[name] < new[name]}
    if exceeded:
        asked, before, limit = (_listed(one, exceeded) for one in (requested, used, hard))
        name = quota["metadata"]["name"]
        raise forbidden(attributes, f"exceeded quota: {name}, requested: {asked}, used: {before}, limited: {limit}")
    if not requested:
        return None
    return {**quota, "status": {**status, "used": {name: str(new[name]) for name in sorted(new)}}}


def _check_countable(quota: JsonObject, attributes: Attributes, measure: Measure, obj: JsonObject) -> None:
    name, status = quota["metadata"]["name"], quota.get("status") or {}
    limited = measure.names(status.get("hard") or ())
    if wrong := measure.missing(limited, obj):
        raise forbidden(attributes, f"failed quota: {name}: {wrong}")
    used = status.get("used") or {}
    if any(one not in used for one in limited):
        raise forbidden(attributes, f"status unknown for quota: {name}, resources: {','.join(sorted(limited))}")


def _matches(quota: JsonObject, measure: Measure, obj: JsonObject) -> bool:
    if not measure.names((quota.get("status") or {}).get("hard") or ()):
        return False
    return all(measure.in_scope(scope, obj) for scope in _scopes(quota.get("spec") or {}))


def _scopes(spec: JsonObject) -> list[JsonObject]:
    listed = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return listed + list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def _listed(found: Mapping[str, Quantity], names: Iterable[str]) -> str:
    return ",".join(f"{name}={found[name]}" for name in sorted(names) if name in found)
