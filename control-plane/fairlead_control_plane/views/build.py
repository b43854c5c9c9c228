"""The object a target is shown: the user's object as this target must run it, or a tombstone."""

from __future__ import annotations

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import parse_key
from fairlead_control_plane.store.contract import Row, Store
from fairlead_control_plane.views import adoption, rows

CAUSE = "internal.workload.kcp.io/cause"
DOWNSTREAM_UID = "internal.workload.kcp.io/downstream-uid"
HASH = "internal.workload.kcp.io/spec-hash"
ROW = "internal.workload.kcp.io/row"
"""Names the row a view stands for: its first revision. One that was confirmed and made again has another."""
REASON = "internal.workload.kcp.io/reason"
"""On a tombstone, why the agent has not removed the object yet; on a namespace, why it is not as it must be."""
REPLACES = "internal.workload.kcp.io/replaces"
"""The uid of the object of the same name for which the target made what is there, until it has made another."""
TOKENS = "internal.workload.kcp.io/token-uids"
"""On a namespace: JSON of the uids of the token Secrets that the agent made in it, by name."""
STATE_LABEL = "state.workload.kcp.io/"


async def view_object(store: Store, row: Row, target_key: str) -> JsonObject | None:
    """
    Return what the syncer sees for a row; its resourceVersion is the row's revision.

    None when the row says Sync but the object is not there any more: the row is about to become a tombstone by a
    later revision, and absence is never a cause.
    """
    view = rows.decode(row)
    object_key = rows.object_key(row.key, view)
    if view.state == rows.REMOVED:
        return await _with_adoption(store, row, tombstone(view, row, object_key))
    found = await store.get(object_key)
    if found is None:
        return None
    obj = encoding.decode(found)
    if obj["metadata"]["uid"] != view.uid:
        return None
    return await _with_adoption(store, row, assigned(obj, view, row, target_key))


async def _with_adoption(store: Store, row: Row, shown: JsonObject) -> JsonObject:
    """Say on the view of a namespace what in the cluster the agent was given, and what it says stands in the way."""
    if rows.api_of(row.key) == ("", "namespaces"):
        report = rows.decode(row).report
        if report.get("synced") is False and report.get("reason"):
            shown["metadata"]["annotations"][REASON] = str(report["reason"])
        key = parse_key(rows.split_key(row.key)[1])
        given = await adoption.read(store, rows.split_key(row.key)[0], key.cluster, key.name)
        if given is not None:
            shown["metadata"]["annotations"][adoption.ANNOTATION] = given.encode().decode()
    return shown


def assigned(obj: JsonObject, view: rows.View, row: Row, target_key: str) -> JsonObject:
    """Return an upstream object as its target must run it; ``obj`` is changed and returned."""
    metadata = obj["metadata"]
    metadata["resourceVersion"] = str(row.mod_revision)
    for field in ("finalizers", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "ownerReferences"):
        metadata.pop(field, None)
    metadata["labels"] = {**metadata.get("labels", {}), STATE_LABEL + target_key: "Sync"}
    metadata["annotations"] = {**metadata.get("annotations", {}), **_marks(view, row)}
    if view.replicas is not None:
        obj["spec"]["replicas"] = view.replicas
    obj["status"] = view.status or {}
    if not obj["status"]:
        del obj["status"]
    return obj


def tombstone(view: rows.View, row: Row, object_key: str) -> JsonObject:
    """Return the little that is left of an object that must go."""
    key = parse_key(object_key)
    metadata: JsonObject = {
        "name": key.name,
        "uid": view.uid,
        "resourceVersion": str(row.mod_revision),
        "deletionTimestamp": view.since,
        "annotations": {"kcp.io/cluster": key.cluster, CAUSE: view.cause, **_marks(view, row)},
    }
    if view.report.get("synced") is False and view.report.get("reason"):
        metadata["annotations"][REASON] = str(view.report["reason"])
    if key.namespace:
        metadata["namespace"] = key.namespace
    return {"apiVersion": view.api_version, "kind": view.kind, "metadata": metadata}


def _marks(view: rows.View, row: Row) -> dict[str, str]:
    marks = {HASH: view.hash, ROW: str(row.create_revision)}
    if view.downstream_uid:
        marks[DOWNSTREAM_UID] = view.downstream_uid
    if view.report.get("replaces"):
        marks[REPLACES] = view.report["replaces"]
    if view.report.get("tokens"):
        marks[TOKENS] = orjson.dumps(view.report["tokens"]).decode()
    return marks
