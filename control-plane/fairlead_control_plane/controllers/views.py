"""
Fills and empties a target's rows when a namespace's Assignment changes, and says how far it is.

Level-triggered: an Assignment whose ``status.observedGeneration`` is behind is worked on until its rows are what it
says, also after a restart. Rows are written in slices, each guarded by the Assignment and by the object it stands for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.rest import Registry
from fairlead_control_plane.store.contract import Compare, CompareFailed, Event, Operation, Put, Row, Store, prefix_end
from fairlead_control_plane.views import progress, rows
from fairlead_control_plane.views.assignment import Assignment, Assignments, parse
from fairlead_control_plane.views.effects import next_view
from fairlead_control_plane.views.targets import TargetIndex

_log = structlog.get_logger()
_SLICE = 40
_SETTLE_S = 0.05
"""How long changes of a namespace are gathered before it is looked at."""
_RETRY_S = 1.0

Name = tuple[str, str]
"""Logical cluster and namespace."""


class ViewController:
    """One worker over namespaces; keeps only their names in memory."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        catalog: Catalog,
        targets: TargetIndex,
        assignments: Assignments,
        now: Callable[[], str],
    ) -> None:
        self._store = store
        self._registry = registry
        self._catalog = catalog
        self._targets = targets
        self._assignments = assignments
        self._now = now
        self._prefix = keys.range_prefix(assignments.resource)
        self._due: dict[Name, float] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Work for ever; the caller owns the task."""
        forget = self._store.listen(self._on_events)
        try:
            await self._enqueue_unfinished()
            while True:
                await self._work()
        finally:
            forget()

    async def _enqueue_unfinished(self) -> None:
        found = await self._store.range(self._prefix, prefix_end(self._prefix))
        for row in found.rows:
            obj = encoding.decode(row)
            if (obj.get("status") or {}).get("observedGeneration") != obj["metadata"].get("generation"):
                self._add((keys.parse_key(row.key).cluster, obj["metadata"]["name"]), 0)

    def _on_events(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            if event.key.startswith(rows.PREFIX):
                key = keys.parse_key(rows.split_key(event.key)[1])
                self._add((key.cluster, key.namespace or key.name), _SETTLE_S)
            elif event.key.startswith(self._prefix):
                self._add((keys.parse_key(event.key).cluster, keys.parse_key(event.key).name), _SETTLE_S)

    def _add(self, name: Name, delay_s: float) -> None:
        if name not in self._due:
            self._due[name] = asyncio.get_running_loop().time() + delay_s
            self._woken.set()

    async def _work(self) -> None:
        """Wait for the next namespace that is due and reconcile it."""
        now = asyncio.get_running_loop().time()
        due = [name for name, when in self._due.items() if when <= now]
        if not due:
            self._woken.clear()
            wait_s = min(self._due.values()) - now if self._due else None
            try:
                await asyncio.wait_for(self._woken.wait(), wait_s)
            except TimeoutError:
                return
            return
        for name in due:
            del self._due[name]
            try:
                await self.reconcile(*name)
            except CompareFailed:
                self._add(name, 0)
            except ApiError as error:
                _log.warning("namespace's views could not be brought up to date", name=name, error=error.message)
                self._add(name, _RETRY_S)
            except Exception:  # noqa: BLE001 - a worker outlives whatever one namespace does to it
                _log.exception("namespace's views could not be brought up to date", name=name)
                self._add(name, _RETRY_S)

    async def reconcile(self, cluster: str, namespace: str) -> None:
        """Make the rows of a namespace what its Assignment says, then write its status if that changed."""
        resource = self._assignments.resource
        key = keys.object_key(resource, cluster, "", namespace)
        row = await self._store.get(key)
        if row is None:
            return
        obj = encoding.decode(row)
        assignment = parse(obj, Compare(key, row.mod_revision))
        for uid in assignment.states:
            for group, plural, identity in self._targets.resources_of(uid):
                found = await self._catalog.lookup(cluster, group, plural)
                if found is not None and found.identity == identity:
                    await self._fill(uid, found, cluster, namespace, assignment)
        await self._write_status(cluster, namespace, obj, assignment)

    async def _fill(self, uid: str, resource: Resource, cluster: str, namespace: str, assignment: Assignment) -> None:
        """Bring one target's rows of one resource up to date."""
        prefix = keys.range_prefix(resource, cluster, namespace)
        objects = {row.key: row for row in (await self._store.range(prefix, prefix_end(prefix))).rows}
        below = rows.view_key(uid, prefix)
        known = {row.key: row for row in (await self._store.range(below, prefix_end(below))).rows}
        accepts = self._targets.accepts(uid, resource)
        operations: list[Operation] = []
        compares: list[Compare] = [assignment.compare]
        for object_key, row in objects.items():
            view_key = rows.view_key(uid, object_key)
            view_row = known.get(view_key)
            before = None if view_row is None else rows.decode(view_row)
            obj = encoding.decode(row)
            after = next_view(resource, obj, before, assignment, uid, accepts=accepts, now=self._now())
            if after is not None and after != before:
                operations.append(Put(view_key, after.encode()))
                compares += [Compare(object_key, row.mod_revision), _compare(view_key, view_row)]
            if len(operations) >= _SLICE:
                await self._store.commit(operations, compares)
                operations, compares = [], [assignment.compare]
        if operations:
            await self._store.commit(operations, compares)

    async def _write_status(self, cluster: str, namespace: str, obj: JsonObject, assignment: Assignment) -> None:
        generation = obj["metadata"].get("generation")
        entries = [await self._count(uid, cluster, namespace) for uid in assignment.states]
        status = {"observedGeneration": generation, "targets": entries}
        if (obj.get("status") or {}) == status:
            return

        def change(current: JsonObject) -> JsonObject | None:
            if current["metadata"].get("generation") != generation:
                return None  # the Assignment moved on; its own event brings us back
            current["status"] = status
            return current

        await self._registry.modify(self._assignments.resource, cluster, "", namespace, change, subresource="status")

    async def _count(self, uid: str, cluster: str, namespace: str) -> JsonObject:
        resources: Iterable[tuple[str, str, str]] = self._targets.resources_of(uid)
        return progress.count(uid, await progress.read(self._store, uid, cluster, namespace, resources))


def _compare(key: str, row: Row | None) -> Compare:
    return Compare(key, 0 if row is None else row.mod_revision)
