"""
What a target said of an object, and what users see of it.

A report lands in the target's row; in the same transaction the upstream status becomes the sum over the targets that
count. Nothing is written when nothing changed (design section 6, number 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Conflict, NotFound
from fairlead_control_plane.kinds.keys import parse_key
from fairlead_control_plane.store.contract import Compare, Put, Row, Store
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.assignment import Assignment
from fairlead_transforms.summarize import Report, summarize

_MOST_DRIFTS, _LONGEST_TEXT = 10, 1024
_DRIFT_FIELDS = frozenset({"path", "manager", "since", "left"})
_SHOWN = frozenset({"reason", "message"})
"""What an Assignment repeats for up to twenty objects of each target; too long, all targets' progress would be lost."""
SYNCED = "Synced"
"""Type of the condition of an object that a cluster does not take, or not as it is now."""
_CONDITIONED = frozenset(
    {
        ("apps", "daemonsets"), ("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets"),
        ("batch", "jobs"),
    }
)  # fmt: skip
_REPORT_FIELDS = {
    "appliedGeneration": int,
    "appliedHash": str,
    "downstreamGeneration": int,
    "observedGeneration": int,
    "downstreamUID": str,
    "drift": list,
    "synced": bool,
    "reason": str,
    "message": str,
    "tokens": dict,
}
"""``tokens`` is said of a namespace: uids of the token Secrets in it, by name."""


def accept(row: Row | None, uid: str, status: JsonObject | None, report: JsonObject) -> rows.View:
    """
    Return the row's next value.

    Args:
        row: The target's row of that object.
        uid: Upstream uid the report speaks of.
        status: Raw downstream status, None when the kind has none or none is known.
        report: The syncer's report; fields of other versions are passed over.

    Raises:
        NotFound: The object is not assigned to this target.
        Conflict: The report speaks of another object of that name.
        BadRequest: A field has the wrong type.
    """
    if row is None:
        raise NotFound("this object is not assigned to the target")
    view = rows.decode(row)
    if view.uid != uid:
        raise Conflict(f"the view is of uid {view.uid}, not {uid}")
    report = {name: value for name, value in report.items() if name in _REPORT_FIELDS}
    for name, value in report.items():
        expected = _REPORT_FIELDS[name]
        is_wrong = type(value) is not expected
        if is_wrong or (expected is dict and not all(isinstance(uid, str) for uid in value.values())):
            raise BadRequest(f"report field {name!r} has the wrong type")
    if not _is_drift(report.get("drift", [])):
        raise BadRequest(
            f"report field 'drift' must be a list of at most {_MOST_DRIFTS} {{path, manager, since, left}}"
        )
    report |= {name: _cut(report[name]) for name in _SHOWN & report.keys()}
    observed = view.observed
    if report.get("observedGeneration", 0) >= report.get("downstreamGeneration", 0):
        # What an agent claims to have applied is never later than what it was told to.
        observed = max(observed, min(report.get("appliedGeneration", 0), view.generation))
    # What a report does not repeat still holds: a failed apply does not make the object downstream unmade.
    merged = view.report | report
    if merged.get("downstreamUID", "") != view.downstream_uid:
        merged.pop("replaces", None)  # what was made for another object is no more
    if not merged.get("drift"):
        merged.pop("drift", None)
    return replace(view, status=view.status if status is None else status, observed=observed, report=merged)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def _is_drift(entries: list[object]) -> bool:
    return len(entries) <= _MOST_DRIFTS and all(
        isinstance(entry, dict)
        and set(entry) == _DRIFT_FIELDS
        and type(entry["left"]) is bool
        and all(type(entry[name]) is str and len(entry[name]) <= _LONGEST_TEXT for name in _DRIFT_FIELDS - {"left"})
        for entry in entries
    )


async def others(store: Store, key: str, assignment: Assignment) -> Mapping[str, Row]:
    """Return the rows of an object's other targets that count, by target uid."""
    target, object_key = rows.split_key(key)
    found: dict[str, Row] = {}
    for uid, state in assignment.states.items():
        if uid != target and state != "Leaving":
            row = await store.get(rows.view_key(uid, object_key))
            if row is not None:
                found[uid] = row
    return found


def upstream_status(
    object_key: str, views: Mapping[str, rows.View], assignment: Assignment, generation: int
) -> JsonObject | None:
    """
    Return the status users see, or None when no target said anything.

    While a namespace moves, the target that still carries it counts until its replacement has reported in full;
    then only what stays counts, so that replicas are never shown twice.
    """
    key = parse_key(object_key)
    live = {uid: view for uid, view in views.items() if view.state == rows.SYNC}
    staying = {uid: view for uid, view in live.items() if assignment.states.get(uid) == "Sync"}
    draining = {uid: view for uid, view in live.items() if assignment.states.get(uid) == "Draining"}
    arrived = bool(staying) and all(_carries(view, generation) for view in staying.values())
    counted = staying if arrived or not draining else draining
    reports = [Report(assignment.keys[uid], view.status, view.observed or 0) for uid, view in counted.items()]
    status = summarize(key.group, key.plural, reports)
    refused = [view.report for _, view in sorted(live.items()) if view.report.get("synced") is False]
    if not refused or (key.group, key.plural) not in _CONDITIONED:
        return status
    return _with_refusal(status or {}, refused[0])


def _with_refusal(status: JsonObject, said: JsonObject) -> JsonObject:
    """Say among an object's conditions why a cluster does not have it as it is; without a time: it is made anew."""
    condition = {"type": SYNCED, "status": "False", "reason": said.get("reason") or "SyncFailed"}
    conditions = status.get("conditions")
    others = conditions if isinstance(conditions, list) else []
    return {**status, "conditions": [*others, {**condition, "message": said.get("message") or ""}]}


def _carries(view: rows.View, generation: int) -> bool:
    wanted = view.replicas if view.replicas is not None else 0
    return view.observed >= generation and ((view.status or {}).get("readyReplicas") or 0) >= wanted


def status_of_nobody(object_key: str, obj: JsonObject) -> JsonObject:
    """
    Return the status of an object that no target runs any more: what a cluster with nothing running shows.

    Counts of zero are left out, as Kubernetes does; kinds without counts have no status.
    """
    key = parse_key(object_key)
    if (key.group, key.plural) == ("", "services"):
        return {"loadBalancer": {}}
    if key.group != "apps":
        return {}
    wanted = (obj.get("spec") or {}).get("replicas", 0)
    status = {"observedGeneration": obj["metadata"].get("generation") or 0}
    if key.plural in {"replicasets", "statefulsets"}:
        status["replicas"] = 0
    if key.plural == "deployments" and wanted:
        status["unavailableReplicas"] = wanted
    return status


def row_write(row: Row, view: rows.View) -> tuple[Put, Compare]:
    """Return the write of a row's next value and the compare that guards it."""
    return Put(row.key, view.encode()), Compare(row.key, row.mod_revision)
