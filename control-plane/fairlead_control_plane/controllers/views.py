"""
Fills and empties a target's rows when a namespace's Assignment changes, and says how far it is.

Level-triggered: an Assignment whose ``status.observedGeneration`` is behind is worked on until its rows are what it
says, also after a restart. Rows are written in slices, each guarded by the Assignment and by the object it stands for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_control_plane.controllers.departed import departed, purge
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.objects import BINDINGS
from fairlead_control_plane.store.contract import Compare, Event, Put, Row, Store, prefix_end
from fairlead_control_plane.views import adoption, progress, rows
from fairlead_control_plane.views.assignment import Assignment, Assignments, parse
from fairlead_control_plane.views.effects import left_view, next_view, orphan_view
from fairlead_control_plane.views.targets import Api, TargetIndex

_SLICE = 40
_TURN = 50
"""Objects decided on in one turn of the event loop: some milliseconds."""
_PAUSE_S = 0.1
"""Least time between two looks at a namespace: a burst of reports is counted once."""
_PAUSE_FACTOR = 10.0
"""How many times as long as a look took it is not looked again."""
_MOST_PAUSES = 1000
"""So many pauses are kept before those that are over are forgotten."""
_NAMESPACE, _TARGET, _WORKSPACE, _ORPHANS = "namespace", "target", "workspace", "orphans"


_Write = tuple[Put, Sequence[Compare]]


class ViewController:
    """
    Keeps rows and Assignments true to each other (see :class:`fairlead_control_plane.controllers.runner.Controller`).

    Args:
        drop: Drops a row and lets the status users see follow.
        now: RFC 3339 time, for tombstones.
        clock_s: Monotonic seconds, to pause between looks at one namespace.
    """

    name = "views"

    def __init__(  # noqa: PLR0913 - its surroundings
        self,
        store: Store,
        registry: Registry,
        catalog: Catalog,
        targets: TargetIndex,
        assignments: Assignments,
        *,
        drop: Callable[[Row], Awaitable[None]],
        now: Callable[[], str],
        clock_s: Callable[[], float],
    ) -> None:
        self._store = store
        self._drop = drop
        self._registry = registry
        self._catalog = catalog
        self._targets = targets
        self._assignments = assignments
        self._now = now
        self._clock_s = clock_s
        self._prefix = keys.range_prefix(assignments.resource)
        self._bindings = keys.range_prefix(Resource(*BINDINGS, "APIBinding", ()))
        self._again_s: dict[Key, float] = {}  # earliest time of the next look

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the namespace an event concerns, or the target or workspace whose APIs it changes."""
        if event.key.startswith(rows.PREFIX):
            key = keys.parse_key(rows.split_key(event.key)[1])
            return [(_NAMESPACE, key.cluster, key.namespace or key.name)]
        if event.key.startswith(self._prefix):
            key = keys.parse_key(event.key)
            if event.row is None and event.previous is not None:
                return [(_ORPHANS, key.cluster, key.name, uid) for uid in _states(event.previous)]
            return [(_NAMESPACE, key.cluster, key.name)]
        if event.key.startswith(self._bindings) and _bound(event.row) != _bound(event.previous):
            return [(_WORKSPACE, keys.parse_key(event.key).cluster)]
        if event.key.startswith(self._targets.prefix) and (
            event.row is None or _apis(event.row) != _apis(event.previous)
        ):
            row = event.row or event.previous
            return [] if row is None else [(_TARGET, encoding.decode(row)["metadata"]["uid"])]
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every assigned namespace, and the targets that went while nobody looked."""
        found = await self._store.range(self._prefix, prefix_end(self._prefix))
        for row in found.rows:
            key = keys.parse_key(row.key)
            yield (_NAMESPACE, key.cluster, key.name)
        for uid in await departed(self._store, self._targets):
            yield (_TARGET, uid)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one namespace, or all namespaces of one target or workspace, up to date."""
        if key[0] == _TARGET:
            await self._reconcile_target(key[1])
            return None
        if key[0] == _WORKSPACE:
            await self._fill_all(f"{self._prefix}{key[1]}/")
            return None
        if key[0] == _ORPHANS:
            await self._bury(*key[1:])
            return None
        started_s = self._clock_s()
        wait_s = self._again_s.get(key, 0.0) - started_s
        if wait_s > 0:
            return wait_s
        if await self._reconcile_namespace(key[1], key[2]):
            # Counting a big namespace takes its time; all of them together must not take the server's.
            now_s = self._clock_s()
            if len(self._again_s) >= _MOST_PAUSES:  # what is over is no news
                self._again_s = {one: again_s for one, again_s in self._again_s.items() if again_s > now_s}
            self._again_s[key] = started_s + max(_PAUSE_S, (now_s - started_s) * _PAUSE_FACTOR)
        else:
            self._again_s.pop(key, None)
        return None

    async def _reconcile_target(self, uid: str) -> None:
        """Fill all namespaces of a target whose APIs changed; forget one that is gone."""
        if self._targets.get(uid) is None:
            await purge(self._store, self._catalog, uid, self._drop)
            await adoption.drop(self._store, uid)
            await self._free(uid)
            await self._targets.forget_empty(uid)
            return
        await self._fill_all(self._prefix, uid)
        await self._targets.forget_empty(uid)

    async def _fill_all(self, prefix: str, uid: str = "") -> None:
        """Bring the namespaces of the Assignments below a prefix up to date, or those of them that a target has."""
        for row in (await self._store.range(prefix, prefix_end(prefix))).rows:
            obj = encoding.decode(row)
            assignment = parse(obj, Compare(row.key, row.mod_revision))
            if not uid or uid in assignment.states:
                cluster, namespace = keys.parse_key(row.key).cluster, obj["metadata"]["name"]
                await self._fill_namespace(cluster, namespace, assignment)
                await self._write_status(cluster, namespace, obj, assignment)

    async def _bury(self, cluster: str, namespace: str, uid: str) -> None:
        """Make tombstones of the rows that came while the Assignment they were made by was being deleted."""
        gone = await self._assignments.get(cluster, namespace)
        if gone.compare.mod_revision:
            return
        found = await self._read(uid, cluster, namespace)
        left = ((row, rows.decode(row)) for row in found.objects)
        await self._commit(gone, [_turned(row, view, orphan_view(view, self._now())) for row, view in left])

    async def _free(self, uid: str) -> None:
        """Take a target that is no more out of every Assignment, so that nothing waits for its word."""

        def without(obj: JsonObject) -> JsonObject | None:
            targets = obj["spec"].get("targets") or []
            obj["spec"]["targets"] = [target for target in targets if target["uid"] != uid]
            return obj if len(obj["spec"]["targets"]) != len(targets) else None

        found = await self._store.range(self._prefix, prefix_end(self._prefix))
        for row in found.rows:
            obj = encoding.decode(row)
            if uid in parse(obj, Compare(row.key, row.mod_revision)).states:
                key = keys.parse_key(row.key)
                with suppress(NotFound):
                    await self._registry.modify(self._assignments.resource, key.cluster, "", key.name, without)

    async def _reconcile_namespace(self, cluster: str, namespace: str) -> bool:
        """Make the rows of a namespace what its Assignment says, then write its status; False when it has none."""
        key = keys.object_key(self._assignments.resource, cluster, "", namespace)
        row = await self._store.get(key)
        if row is None:
            return False
        obj = encoding.decode(row)
        assignment = parse(obj, Compare(key, row.mod_revision))
        if (obj.get("status") or {}).get("observedGeneration") != obj["metadata"].get("generation"):
            await self._fill_namespace(cluster, namespace, assignment)
        await self._write_status(cluster, namespace, obj, assignment)
        return True

    async def _fill_namespace(self, cluster: str, namespace: str, assignment: Assignment) -> None:
        for uid in assignment.states:
            for api in self._targets.apis_of(uid):
                await self._fill(uid, api, cluster, namespace, assignment)

    async def _fill(self, uid: str, api: Api, cluster: str, namespace: str, assignment: Assignment) -> None:
        """Bring one target's rows of one API up to date: those of objects there are, and those that are left over."""
        resource = await self._catalog.lookup(cluster, *api)
        objects: Sequence[Row] = ()
        if resource is not None:
            prefix = keys.range_prefix(resource, cluster, namespace)
            objects = (await self._store.range(prefix, prefix_end(prefix))).rows
        below = rows.namespace_prefix(uid, *api, cluster, namespace)
        known = {row.key: row for row in (await self._store.range(below, prefix_end(below))).rows}
        writes: list[_Write | None] = []
        if resource is not None:
            accepts = self._targets.accepts(uid, resource)
            for number, row in enumerate(objects, start=1):
                if not number % _TURN:
                    await asyncio.sleep(0)  # others have their turn; what is written meanwhile is compared
                view_key = rows.view_key(uid, row.key)
                view_row = known.pop(view_key, None)
                before = None if view_row is None else rows.decode(view_row)
                obj = encoding.decode(row)
                after = next_view(resource, obj, before, assignment, uid, accepts=accepts, now=self._now())
                if after is not None and after != before:
                    stays = [Compare(row.key, row.mod_revision), _compare(view_key, view_row)]
                    writes.append((Put(view_key, after.encode()), stays))
        left = ((row, rows.decode(row)) for row in known.values())
        now = self._now()
        writes += [_turned(row, view, left_view(view, resource, assignment, uid, now=now)) for row, view in left]
        await self._commit(assignment, writes)

    async def _commit(self, assignment: Assignment, writes: Iterable[_Write | None]) -> None:
        """Write in slices, as long as the Assignment stays; a failed compare brings us back with fresh reads."""
        due = [write for write in writes if write is not None]
        for start in range(0, len(due), _SLICE):
            part = due[start : start + _SLICE]
            compares = [compare for _, stays in part for compare in stays]
            await self._store.commit([put for put, _ in part], [assignment.compare, *compares])

    async def _write_status(self, cluster: str, namespace: str, obj: JsonObject, assignment: Assignment) -> None:
        generation = obj["metadata"].get("generation")
        found = {uid: await self._read(uid, cluster, namespace) for uid in assignment.states}
        left = [found[uid] for uid, state in assignment.states.items() if state == "Draining"]
        entries = [await self._count(uid, cluster, namespace, found[uid]) for uid in assignment.states]
        for entry in entries:
            if assignment.states[entry["uid"]] == "Sync" and (waived := progress.waived(found[entry["uid"]], left)):
                entry["waived"] = waived
        status = {"observedGeneration": generation, "targets": entries}
        if (obj.get("status") or {}) == status:
            return

        def change(current: JsonObject) -> JsonObject | None:
            if current["metadata"].get("generation") != generation:
                return None  # the Assignment moved on; its own event brings us back
            current["status"] = status
            return current

        await self._registry.modify(self._assignments.resource, cluster, "", namespace, change, subresource="status")

    async def _read(self, uid: str, cluster: str, namespace: str) -> progress.NamespaceRows:
        return await progress.read(self._store, uid, cluster, namespace, self._targets.apis_of(uid))

    async def _count(self, uid: str, cluster: str, namespace: str, found: progress.NamespaceRows) -> JsonObject:
        counted = progress.count(uid, found, self._targets.accepted(uid))
        given = await adoption.read(self._store, uid, cluster, namespace)
        return counted if given is None else {**counted, "namespace": given.home}


def _turned(row: Row, before: rows.View, after: rows.View) -> _Write | None:
    """Return the write that makes a row what it must be; None when it is."""
    return None if after == before else (Put(row.key, after.encode()), [Compare(row.key, row.mod_revision)])


def _compare(key: str, row: Row | None) -> Compare:
    return Compare(key, 0 if row is None else row.mod_revision)


def _states(row: Row) -> Iterable[str]:
    """Return the targets of an Assignment, by uid."""
    return parse(encoding.decode(row), Compare(row.key, row.mod_revision)).states


def _bound(row: Row | None) -> object:
    """Return what an APIBinding binds; None when there is none."""
    return None if row is None else (encoding.decode(row).get("status") or {}).get("boundResources")


def _apis(row: Row | None) -> object:
    """Return what a SyncTarget accepts; None when there is none."""
    return None if row is None else (encoding.decode(row).get("status") or {}).get("syncedResources")
