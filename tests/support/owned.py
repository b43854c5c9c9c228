"""Objects of a cluster as its API server gives them back after a create."""

from __future__ import annotations

from fairlead_api import JsonObject

MADE_AT = "2025-06-01T00:00:00Z"


def created(body: JsonObject, uid: str, manager: str = "syncer") -> JsonObject:
    """Return what a POST of ``body`` by a field manager makes: whoever creates an object owns what it bears."""
    metadata = body["metadata"]
    fields: JsonObject = {f"f:{name}": {} for name in metadata.get("annotations") or {}}
    entry = {
        "manager": manager,
        "operation": "Update",
        "time": MADE_AT,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, **fields}}},
    }
    given = {"uid": uid, "resourceVersion": "1", "creationTimestamp": MADE_AT, "managedFields": [entry]}
    return {**body, "metadata": {**metadata, **given}}
