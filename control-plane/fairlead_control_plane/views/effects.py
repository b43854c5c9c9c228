"""
Rows that change in the same transaction as what caused them.

A write to an object of an assigned namespace touches one row per target, guarded by compares on the Assignment and on
what each SyncTarget accepts, so that no object is ever left out by an assignment or an API that comes at the same
moment: what commits before it is filled in after it (:mod:`fairlead_control_plane.controllers.views`), what would
commit after it reads again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_api.kinds.assignment import RESTORED_FROM
from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Delete, Operation, Put, Row, Store
from fairlead_control_plane.views import progress, rows
from fairlead_control_plane.views.assignment import Assignment, Assignments, cause_of_leaving
from fairlead_control_plane.views.targets import (
    TargetIndex,
    accepted_by,
    accepted_key,
    fingerprint,
    never_travels,
    stays_upstream,
)
from fairlead_transforms.strip import travelling_body, travelling_metadata

_TO_AGENTS = "sync.fairlead.io/"
"""Annotations of users' objects that agents go by and do not carry down."""
REBOUND = "Rebound"
"""Cause of a tombstone whose object is not the workspace's any more: it has another provider's API of that name."""


@dataclass(frozen=True, slots=True)
class AcceptanceEffects:
    """
    Keeps, with each SyncTarget, a row that changes exactly when what it accepts does.

    Writes in flight compare that, and are not disturbed by each of its heartbeats.
    """

    targets: TargetIndex

    async def __call__(self, change: Change) -> Effect:
        """Return the row to write with a SyncTarget (see :data:`fairlead_control_plane.kinds.change.Effects`)."""
        own = self.targets.resource
        if (change.resource.group, change.resource.plural) != (own.group, own.plural):
            return Effect()
        if change.new is None:
            return Effect([Delete(accepted_key(change.old["metadata"]["uid"]))]) if change.old else Effect()
        uid, accepted = change.new["metadata"]["uid"], accepted_by(change.new)
        if change.old and accepted == accepted_by(change.old) and self.targets.has_acceptance(uid):
            return Effect()
        said = [[*api, *sorted(identities)] for api, identities in sorted(accepted.items())]
        return Effect([Put(accepted_key(uid), fingerprint(said).encode())])


class ViewEffects:
    """
    Computes the rows a change touches.

    Args:
        store: Where rows lie.
        targets: Live SyncTargets.
        assignments: Where namespaces run.
        now: Returns the time as RFC 3339 text, for tombstones.
    """

    def __init__(self, store: Store, targets: TargetIndex, assignments: Assignments, now: Callable[[], str]) -> None:
        self._store = store
        self._targets = targets
        self._assignments = assignments
        self._now = now

    async def __call__(self, change: Change) -> Effect:
        """Return the rows to write with a change (see :data:`fairlead_control_plane.kinds.change.Effects`)."""
        if not change.namespace or never_travels(change.resource):
            return Effect()
        assignment = await self._assignments.get(change.cluster, change.namespace)
        operations: list[Operation] = []
        compares: list[Compare] = [assignment.compare]
        for uid in assignment.states:
            is_target = self._targets.accepting(uid)
            compares += [] if is_target is None else [is_target]
            row = await self._store.get(self._key(uid, change))
            operation = self._decide(uid, change, assignment, row)
            if operation is not None:
                operations.append(operation)
                compares.append(Compare(operation.key, row.mod_revision if row else 0))
        return Effect(operations, compares)

    def _key(self, uid: str, change: Change) -> str:
        return rows.view_key(uid, keys.object_key(change.resource, change.cluster, change.namespace, change.name))

    def _decide(self, uid: str, change: Change, assignment: Assignment, row: Row | None) -> Put | None:
        before = None if row is None else rows.decode(row)
        if before is not None and change.old is not None and _is_of_another(before, change.resource, change.old):
            return None
        after = next_view(
            change.resource,
            change.new,
            before,
            assignment,
            uid,
            accepts=self._targets.accepts(uid, change.resource),
            now=self._now(),
            end=_end(change),
        )
        return None if after is None or after == before else Put(self._key(uid, change), after.encode())


def next_view(  # noqa: PLR0913 - one decision, all of its inputs
    resource: Resource,
    obj: JsonObject | None,
    before: rows.View | None,
    assignment: Assignment,
    uid: str,
    *,
    accepts: bool,
    now: str,
    end: str = "Deleted",
) -> rows.View | None:
    """
    Decide what a target's row must be; pure.

    Args:
        resource: Of the object.
        obj: The upstream object as it will be stored; None when it is gone.
        before: The row as it is.
        assignment: Where the namespace runs.
        uid: The target.
        accepts: Whether the target takes this resource.
        now: RFC 3339 time, for a new tombstone.
        end: Cause when the object is gone; see :func:`_end`.

    Returns:
        The row to store (equal to ``before`` when nothing is to do), or None when there is none and none is due.
        A row is never dropped here: that is the syncer's confirmation.
    """
    state = assignment.states.get(uid, "Leaving")
    if obj is None:
        return _tombstone(before, end, now)
    if state == "Leaving":
        return _tombstone(before, cause_of_leaving(assignment.reasons.get(uid, "")), now)
    if stays_upstream(resource, obj):
        return _tombstone(before, "Unassigned", now)
    if not accepts:
        # Hold what runs: an API that is away for a moment is no cause to delete. Another provider's is not away.
        return before if before is None or before.identity == resource.identity else _tombstone(before, REBOUND, now)
    share = assignment.share(resource, obj, uid, None if before is None else before.replicas)
    same = before is not None and before.uid == obj["metadata"]["uid"] and before.state == rows.SYNC
    old = before if same and before is not None else rows.View("", "", "")
    wanted = wanted_hash(resource, obj, share)
    if same and old.hash == wanted and old.identity == resource.identity:
        return before
    report = old.report if same or before is None else _taken_over(before, obj)
    return replace(
        old,
        uid=obj["metadata"]["uid"],
        api_version=obj["apiVersion"],
        kind=obj["kind"],
        generation=obj["metadata"].get("generation") or 0,
        hash=wanted,
        replicas=share,
        report=report,
        identity=resource.identity,
    )


def left_view(before: rows.View, resource: Resource | None, assignment: Assignment, uid: str, *, now: str) -> rows.View:
    """
    Decide what a row becomes for which the workspace shows no object; pure.

    Args:
        before: The row.
        resource: The API of that name as the workspace has it now; None when it has none, which may pass.
        assignment: Where the namespace runs.
        uid: The target.
        now: RFC 3339 time, for a new tombstone.

    Returns:
        A tombstone when the target is left or the API is another provider's now; else ``before``, as that an object
        was not seen is no cause.
    """
    if assignment.states.get(uid, "Leaving") == "Leaving":
        after = _tombstone(before, cause_of_leaving(assignment.reasons.get(uid, "")), now)
    elif resource is not None and before.identity != resource.identity:
        after = _tombstone(before, REBOUND, now)
    else:
        after = before
    return before if after is None else after


def orphan_view(before: rows.View, now: str) -> rows.View:
    """Return the tombstone of a row whose namespace has no Assignment any more; ``before`` when it is one."""
    return _tombstone(before, "WorkspaceDeleted", now) or before


def _end(change: Change) -> str:
    """
    Return the cause of the tombstone of an object that is gone.

    ``Deleted`` is a user's word about this one object, which the agent's brake lets pass; ``DeletedTogether`` is one
    about a collection; ``Collected`` is the control plane's own: its namespace went, or its owner.
    """
    if change.user == SYSTEM:
        return "Collected"
    return "DeletedTogether" if change.is_one_of_many else "Deleted"


def _is_of_another(view: rows.View, resource: Resource, obj: JsonObject) -> bool:
    """Tell whether a row stands for an object of the same name that another provider's API has."""
    return view.identity != resource.identity and view.uid != obj["metadata"]["uid"]


def wanted_hash(resource: Resource, obj: JsonObject, share: int | None) -> str:
    """Return the hash of what a target must run of an object: the travelling part, its share, what to do of drift."""
    body = travelling_body(resource.group, resource.plural, obj)
    wanted = [travelling_metadata(obj["metadata"]), body, share]
    annotations = obj["metadata"].get("annotations") or {}
    drift = {name: value for name, value in annotations.items() if name.startswith(_TO_AGENTS)}
    return fingerprint([*wanted, drift] if drift else wanted)


def _taken_over(before: rows.View, obj: JsonObject) -> JsonObject:
    """
    Return what is known of a row's earlier object to the one that comes under its name.

    The syncer sees another uid and replaces what it made, unless it is that object itself, which was not to run there
    for a time, or was restored from the bin: then what a cluster still runs of it runs on.
    """
    metadata = obj["metadata"]
    if before.uid in {metadata["uid"], (metadata.get("annotations") or {}).get(RESTORED_FROM)}:
        return _made(before, "replaces")
    return {"replaces": before.uid, **_made(before)}


def _made(before: rows.View, *more: str) -> JsonObject:
    return {name: before.report[name] for name in ("downstreamUID", "tokens", *more) if before.report.get(name)}


def _tombstone(before: rows.View | None, cause: str, now: str) -> rows.View | None:
    if before is None or before.state == rows.REMOVED:
        return before
    return replace(before, state=rows.REMOVED, cause=cause, since=now)


class AssignmentEffects:
    """
    Keeps an Assignment and the rows of its namespace true to each other.

    The namespace's own row comes and becomes a tombstone with the target's entry; the rows of its objects follow in
    slices (:mod:`fairlead_control_plane.controllers.views`). An entry cannot be dropped while rows remain, so that a
    target always knows what it still must remove; nor before it was Leaving: from then on no transaction adds rows,
    as all that do are decided by the Assignment and compare it, so what was read as empty is empty when this commits.
    """

    def __init__(self, store: Store, targets: TargetIndex, assignments: Assignments, now: Callable[[], str]) -> None:
        self._store = store
        self._targets = targets
        self._assignments = assignments
        self._now = now

    async def __call__(self, change: Change) -> Effect:
        """Return the namespace rows to write with an Assignment; refuse to forget what a target still holds."""
        own = self._assignments.resource
        if (change.resource.group, change.resource.plural) != (own.group, own.plural):
            return Effect()
        before = _entries(change.old, "state", "Sync")
        states, reasons = _entries(change.new, "state", "Sync"), _entries(change.new, "reason", "")
        operations: list[Operation] = []
        compares: list[Compare] = []
        for uid in {*before, *states}:
            row = await self._own_row(uid, change)
            if uid not in states:
                if change.new is not None and before[uid] != "Leaving" and self._targets.get(uid) is not None:
                    raise Conflict(f"target {uid} has to leave namespace {change.name} before it is forgotten")
                await self._refuse_if_held(uid, change, gone=change.new is None)
            if row is None and self._targets.get(uid) is None:
                continue  # a SyncTarget that is no more: nobody would ever confirm the row
            cause = "WorkspaceDeleted" if change.new is None else cause_of_leaving(reasons.get(uid, ""))
            after = self._namespace_view(change, states.get(uid), cause, None if row is None else rows.decode(row))
            if after is not None:
                operations.append(Put(rows.namespace_row_key(uid, change.cluster, change.name), after.encode()))
                compares.append(Compare(operations[-1].key, row.mod_revision if row else 0))
        return Effect(operations, compares)

    async def _own_row(self, uid: str, change: Change) -> Row | None:
        return await self._store.get(rows.namespace_row_key(uid, change.cluster, change.name))

    def _namespace_view(
        self, change: Change, state: str | None, cause: str, before: rows.View | None
    ) -> rows.View | None:
        """Return the namespace row to write, or None when it is as it must be; ``cause`` is of a new tombstone."""
        if state in {"Sync", "Draining"} and change.new is not None:
            uid = change.new["spec"].get("namespaceUID", "")
            if before is not None and before.state == rows.SYNC and before.uid == uid:
                return None
            report = {} if before is None else _made(before)
            return rows.View(uid, "v1", "Namespace", hash=uid, report=report)
        after = _tombstone(before, cause, self._now())
        return None if after == before else after

    async def _refuse_if_held(self, uid: str, change: Change, *, gone: bool) -> None:
        found = await progress.read(self._store, uid, change.cluster, change.name, self._targets.apis_of(uid))
        # With the whole Assignment gone (its workspace is) tombstones carry on alone; live rows would be orphans, and
        # one that comes between this and the commit is made a tombstone by the controller.
        held = [row for row in found.objects if not gone or rows.decode(row).state == rows.SYNC]
        if held or (found.own is not None and not gone):
            raise Conflict(f"target {uid} still holds {len(held)} objects of namespace {change.name}")


def _entries(obj: JsonObject | None, field: str, default: str) -> dict[str, str]:
    """Return a field of an Assignment's targets, by uid."""
    targets = ((obj or {}).get("spec") or {}).get("targets") or ()
    return {target["uid"]: target.get(field, default) for target in targets}
