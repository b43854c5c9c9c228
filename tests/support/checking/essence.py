"""
What is compared of an object: the part that must be the same on both sides, written down apart from the product.

The transformations themselves are not used here: a defect in them must not excuse itself.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from fairlead_api import JsonObject

_BOOKKEEPING = frozenset({"resourceVersion", "managedFields", "generation", "selfLink"})
_COUNTS = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
_OWN = ("kcp.io", "fairlead.io", "kubernetes.io", "k8s.io")


def digest(value: Any) -> str:
    """Return a short name of a JSON value; the order of keys does not matter."""
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def content(resource: str, obj: JsonObject) -> str:
    """Return the digest of what a user means by an object; replicas are left out, as targets may share them."""
    metadata = obj["metadata"]
    meant = {
        "labels": _users(metadata.get("labels")),
        "annotations": _users(metadata.get("annotations")),
        "data": obj.get("data") or {},
        "binaryData": obj.get("binaryData") or {},
        "type": obj.get("type", ""),
        "spec": _spec(resource, obj.get("spec") or {}),
    }
    return digest(meant)


def whole(obj: JsonObject) -> str:
    """Return the digest of an object less what any server writes into it by itself."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return digest({**obj, "metadata": metadata})


def status(obj: JsonObject) -> str:
    """Return the digest of an object's status: of a workload the counts; "" for no status."""
    found = obj.get("status") or {}
    if not found:
        return ""
    counts = {key: found[key] for key in _COUNTS if found.get(key)}
    if obj.get("kind") in {"Deployment", "ReplicaSet", "StatefulSet"}:
        return digest(counts) if counts else ""
    return digest({key: value for key, value in found.items() if key != "observedGeneration"})


def changed_parts(old: JsonObject, new: JsonObject) -> tuple[str, ...]:
    """Name the parts of an object that an update changed, bookkeeping left out."""
    top = [key for key in sorted({*old, *new} - {"metadata", "apiVersion", "kind"}) if (old.get(key) != new.get(key))]
    before, after = old["metadata"], new["metadata"]
    inside = [
        f"metadata.{key}" for key in sorted({*before, *after} - _BOOKKEEPING) if before.get(key) != after.get(key)
    ]
    return (*top, *inside)


def _users(values: JsonObject | None) -> JsonObject:
    """Return the labels or annotations that are the user's own."""
    return {
        key: value
        for key, value in (values or {}).items()
        if not any(key.partition("/")[0] == own or key.partition("/")[0].endswith("." + own) for own in _OWN)
    }


def _spec(resource: str, spec: JsonObject) -> Any:
    if resource == "services":
        ports = [{key: port.get(key) for key in ("name", "port", "protocol")} for port in spec.get("ports") or ()]
        return {"ports": ports, "selector": spec.get("selector") or {}}
    if resource in {"deployments.apps", "statefulsets.apps"}:
        template = spec.get("template") or {}
        pods = template.get("spec") or {}
        containers = [{key: one.get(key) for key in ("name", "image", "args")} for one in pods.get("containers") or ()]
        return {"selector": spec.get("selector"), "containers": containers, "paused": bool(spec.get("paused"))}
    return {}
