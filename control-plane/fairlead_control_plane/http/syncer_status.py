"""Where an agent's report goes: into the target's row and, in the same transaction, into the status users see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Effect
from fairlead_control_plane.kinds.keys import ObjectKey, parse_key
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Compare, CompareFailed, Delete, Row, Store
from fairlead_control_plane.views import reports, rows
from fairlead_control_plane.views.assignment import Assignments

_TRIES = 5
Announce = Callable[[JsonObject, str, str, str], Awaitable[None]]
"""Writes an Event about an object: (object, type, reason, message)."""


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """Takes reports of all agents."""

    store: Store
    registry: Registry
    catalog: Catalog
    assignments: Assignments
    announce: Announce

    async def report(self, target: JsonObject, row: Row | None, body: JsonObject) -> JsonObject:
        """
        Store a report; return ``{"resourceVersion"}`` of the row as it is now.

        Args:
            target: The SyncTarget, found to be the caller's.
            row: The target's row of the object, as read just now.
            body: ``metadata.uid``, ``status`` (raw, or null), ``report``.

        Raises:
            NotFound, Conflict, BadRequest: See :func:`fairlead_control_plane.views.reports.accept`.
        """
        del target
        uid = (body.get("metadata") or {}).get("uid")
        status, report = body.get("status"), body.get("report") or {}
        if not isinstance(uid, str) or not isinstance(report, dict) or not isinstance(status, dict | None):
            raise BadRequest("a report needs metadata.uid, status (object or null) and report (object)")
        for _ in range(_TRIES):
            before = None if row is None else rows.decode(row)
            view = reports.accept(row, uid, status, report)
            if row is None or view == before:
                await self._renew(row, view)
                return {"resourceVersion": str(row.mod_revision if row else 0)}
            try:
                return await self._store_report(row, view, before)
            except (CompareFailed, Conflict):
                row = await self.store.get(row.key)
        raise Conflict("the view keeps changing; report again")

    async def drop(self, row: Row) -> None:
        """
        Drop a row for good, and let the status users see be that of the targets that are left.

        Raises:
            CompareFailed, Conflict: The row or what it stands for changed meanwhile.
        """
        view = rows.decode(row)
        key = parse_key(rows.object_key(row.key, view))
        effect = Effect([Delete(row.key)], [Compare(row.key, row.mod_revision)])
        obj = await self._upstream(key, view)
        resource = await self._resource(key)
        if obj is not None and resource is not None and obj.get("status"):
            status = await self._left(row, key, obj)
            if status is not None and status != obj["status"]:
                await self._write_status(resource, key, view.uid, status, effect)
                return
        await self.store.commit(effect.operations, effect.compares)

    async def _left(self, row: Row, key: ObjectKey, obj: JsonObject) -> JsonObject | None:
        """Return what users see without one target; None when those that are left have said nothing yet."""
        assignment = await self.assignments.get(key.cluster, key.namespace)
        object_key = rows.split_key(row.key)[1]
        found = await reports.others(self.store, row.key, assignment)
        views = {uid: rows.decode(other) for uid, other in found.items()}
        if any(view.state == rows.SYNC for view in views.values()):
            return reports.upstream_status(object_key, views, assignment, obj["metadata"].get("generation") or 0)
        return reports.status_of_nobody(object_key, obj)

    async def _resource(self, key: ObjectKey) -> Resource | None:
        """Return the resource a key is of; None when the workspace has bound another of that name since."""
        found = await self.catalog.lookup(key.cluster, key.group, key.plural)
        return found if found is not None and found.identity == key.identity else None

    async def _store_report(self, row: Row, view: rows.View, before: rows.View | None) -> JsonObject:
        key = parse_key(rows.object_key(row.key, view))
        put, compare = reports.row_write(row, view)
        effect = Effect([put], [compare])
        resource = await self._resource(key)
        obj = await self._upstream(key, view)
        status = None
        if obj is not None and resource is not None and view.state == rows.SYNC:
            status = await self._summary(row, view, key, obj)
        if status is None or resource is None or obj is None or status == obj.get("status"):
            revision = await self.store.commit(effect.operations, effect.compares)
        else:
            revision = await self._write_status(resource, key, view.uid, status, effect)
        subject = obj or await self._subject(key, view)
        if subject is not None:
            await self._tell(subject, view, before)
        return {"resourceVersion": str(revision)}

    async def _renew(self, row: Row | None, view: rows.View) -> None:
        """Say again what an agent says again: it still does not sync the object."""
        if row is not None and view.report.get("synced") is False:
            obj = await self._subject(parse_key(rows.object_key(row.key, view)), view)
            if obj is not None:
                await self._refused(obj, view.report)

    async def _upstream(self, key: ObjectKey, view: rows.View) -> JsonObject | None:
        """Read the object a view stands for; None when it is gone or another by now, or a namespace."""
        return None if (key.group, key.plural) == ("", "namespaces") else await self._subject(key, view)

    async def _subject(self, key: ObjectKey, view: rows.View) -> JsonObject | None:
        """Read the same, namespaces too: what is said of it is said on it."""
        stand_in = Resource(key.group, key.plural, "", (), namespaced=bool(key.namespace), identity=key.identity)
        row = await self.store.get(keys.object_key(stand_in, key.cluster, key.namespace, key.name))
        obj = None if row is None else encoding.decode(row)
        return obj if obj is not None and obj["metadata"]["uid"] == view.uid else None

    async def _summary(self, row: Row, view: rows.View, key: ObjectKey, obj: JsonObject) -> JsonObject | None:
        assignment = await self.assignments.get(key.cluster, key.namespace)
        target_uid, object_key = rows.split_key(row.key)
        found = await reports.others(self.store, row.key, assignment)
        views = {uid: rows.decode(other) for uid, other in found.items()}
        views[target_uid] = view
        generation = obj["metadata"].get("generation") or 0
        return reports.upstream_status(object_key, views, assignment, generation)

    async def _write_status(
        self, resource: Resource, key: ObjectKey, uid: str, status: JsonObject, effect: Effect
    ) -> int:
        """Write status and effect in one transaction; raises ``Conflict`` when that object is another by now."""

        def change(obj: JsonObject) -> JsonObject:
            if obj["metadata"]["uid"] != uid:
                raise Conflict(f"{key.plural} {key.name!r} was made again meanwhile and has another uid than {uid}")
            obj["status"] = status
            return obj

        written = await self.registry.modify(
            resource, key.cluster, key.namespace, key.name, change, subresource="status", effect=effect
        )
        stored = await self.store.get(effect.operations[0].key)
        if stored is not None and stored.mod_revision == effect.compares[0].mod_revision:
            # The object had this status by then, so the registry wrote nothing; the report itself is still news.
            return await self.store.commit(effect.operations, effect.compares)
        return int(written["metadata"]["resourceVersion"])

    async def _tell(self, obj: JsonObject, view: rows.View, before: rows.View | None) -> None:
        """Say on the user's object that it cannot be synced, once for each reason, and when it can again."""
        failed = view.report.get("synced") is False
        said = before.report if before is not None else {}
        await self._tell_drift(obj, view.report.get("drift") or [], said.get("drift") or [])
        if failed and (said.get("reason"), said.get("message")) != (
            view.report.get("reason"),
            view.report.get("message"),
        ):
            await self._refused(obj, view.report)
        elif not failed and said.get("synced") is False:
            await self.announce(obj, "Normal", "Synced", "applied to the cluster")

    async def _refused(self, obj: JsonObject, said: JsonObject) -> None:
        reason, message = said.get("reason") or "SyncFailed", said.get("message") or "it cannot be synced"
        await self.announce(obj, "Warning", str(reason), str(message))

    async def _tell_drift(self, obj: JsonObject, now: list[JsonObject], before: list[JsonObject]) -> None:
        """Say on the user's object who in the cluster has changed what of it, once for each field and manager."""
        known = {(one["path"], one["manager"], one["left"]) for one in before}
        for one in now:
            if (one["path"], one["manager"], one["left"]) not in known:
                done = "left as it is" if one["left"] else "put back"
                message = f"{one['path']} was changed in the cluster by {one['manager']}, and {done}"
                await self.announce(obj, "Normal" if one["left"] else "Warning", "Drifted", message)
