"""
The rules of ``metadata`` that hold for every kind.

Source: k8s.io/apimachinery pkg/api/validation/objectmeta.go, k8s.io/apiserver
pkg/registry/rest/{create,update,meta}.go, v0.36.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api.errors import BadRequest, Cause
from fairlead_api.field_errors import forbidden, invalid, required, too_long
from fairlead_control_plane.kinds.record import Resource

CLUSTER_ANNOTATION = "kcp.io/cluster"
_ANNOTATIONS_BYTES = 256 << 10
_GENERATED_ROOM = 58  # 63 less the five characters that are appended
_FIELDS = frozenset(
    {
        "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
        "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
        "managedFields",
    }
)  # fmt: skip
_SERVER_SET = ("creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def name_of(obj: JsonObject) -> str:
    """Return ``metadata.name``, ``""`` when absent."""
    return str(obj["metadata"].get("name") or "")


def check_place(obj: JsonObject, resource: Resource, namespace: str, name: str = "") -> None:
    """
    Compare an object's name and namespace with the URL's; a missing namespace is filled in.

    Args:
        name: From the URL; ``""`` for a create.

    Raises:
        BadRequest: They differ, or the object has no name where the URL has one.
    """
    metadata = obj["metadata"]
    if name:
        given = name_of(obj)
        if not given:
            raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
        if given != name:
            raise BadRequest(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if not resource.namespaced:
        # Kubernetes clears it; tools that set a namespace on everything rely on that.
        metadata.pop("namespace", None)
        return
    given = metadata.get("namespace") or namespace
    if given != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = namespace


def wipe(metadata: JsonObject) -> None:
    """Drop what only the server sets, as every create begins."""
    for key in (*_SERVER_SET, "selfLink"):
        metadata.pop(key, None)


def prepare_create(obj: JsonObject, *, uid: str, timestamp: str) -> None:
    """Set what the server sets on a new object and drop what only it may set."""
    metadata = obj["metadata"]
    wipe(metadata)
    metadata.pop("resourceVersion", None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = timestamp
    drop_empty(metadata)


def prepare_update(new: JsonObject, old: JsonObject) -> None:
    """Carry over what clients may leave out of an update; what the server owns wins over what they sent."""
    metadata, before = new["metadata"], old["metadata"]
    for key in _SERVER_SET:
        if not metadata.get(key) and before.get(key) is not None:
            metadata[key] = before[key]
    if "creationTimestamp" in before:
        metadata["creationTimestamp"] = before["creationTimestamp"]
    if "generation" in before:
        metadata["generation"] = before["generation"]
    else:
        metadata.pop("generation", None)
    metadata.pop("selfLink", None)
    if before.get("generateName"):
        metadata.setdefault("generateName", before["generateName"])
    drop_empty(metadata)


def drop_empty(metadata: JsonObject) -> None:
    """Drop nulls and empty values, and fields ObjectMeta does not have."""
    for key in [key for key, value in metadata.items() if value in (None, "", [], {}) or key not in _FIELDS]:
        del metadata[key]


def place(obj: JsonObject, cluster: str) -> None:
    """Note in the object which logical cluster it is in (kcp: on every object, always)."""
    annotations = obj["metadata"].setdefault("annotations", {})
    if annotations.get(CLUSTER_ANNOTATION) != cluster:
        annotations[CLUSTER_ANNOTATION] = cluster


def validate(obj: JsonObject, resource: Resource) -> list[Cause]:
    """Return what is wrong with an object's metadata."""
    metadata = obj["metadata"]
    causes = _name_causes(metadata, resource)
    causes += _label_causes(metadata.get("labels") or {})
    causes += _annotation_causes(metadata.get("annotations") or {})
    causes += _owner_causes(metadata.get("ownerReferences") or [])
    causes += _finalizer_causes(metadata.get("finalizers") or [])
    return causes


def _name_causes(metadata: JsonObject, resource: Resource) -> list[Cause]:
    check = resource.strategy.validate_name or validation.dns1123_subdomain
    causes = []
    generate = metadata.get("generateName")
    if generate:
        # What is appended makes a trailing dash or dot good.
        stem = generate[:-1] + "a" if generate[-1] in "-." else generate
        causes += [invalid("metadata.generateName", generate, message) for message in check(stem)]
    name = metadata.get("name")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        causes += [invalid("metadata.name", name, message) for message in check(name)]
    namespace = metadata.get("namespace", "")
    if resource.namespaced:
        causes += [invalid("metadata.namespace", namespace, text) for text in validation.dns1123_label(namespace)]
    return causes


def _label_causes(labels: JsonObject) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        causes += [invalid("metadata.labels", key, message) for message in validation.label_key(key)]
        causes += [invalid("metadata.labels", value, message) for message in validation.label_value(value)]
    return causes


def _annotation_causes(annotations: JsonObject) -> list[Cause]:
    causes = []
    size = 0
    for key, value in annotations.items():
        size += len(key.encode()) + len(value.encode("utf-8", "surrogatepass"))
        causes += [invalid("metadata.annotations", key, text) for text in validation.qualified_name(key.lower())]
    if size > _ANNOTATIONS_BYTES:
        causes.append(too_long("metadata.annotations", _ANNOTATIONS_BYTES))
    return causes


def _owner_causes(owners: list[JsonObject]) -> list[Cause]:
    causes = []
    controller = ""
    for owner in owners:
        path = "metadata.ownerReferences"
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                detail = "must not be empty" if field != "apiVersion" else "version must not be empty"
                causes.append(invalid(f"{path}.{field}", owner.get(field, ""), detail))
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            causes.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            if controller:
                text = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {owner.get("name")}'
                )
                causes.append(invalid(path, "", text))
            controller = str(owner.get("name"))
    return causes


def _finalizer_causes(finalizers: list[str]) -> list[Cause]:
    causes = []
    for finalizer in finalizers:
        causes += [invalid("metadata.finalizers", finalizer, text) for text in validation.qualified_name(finalizer)]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(invalid("metadata.finalizers", finalizers, text))
    return causes


def validate_update(new: JsonObject, old: JsonObject, resource: Resource) -> list[Cause]:
    """Return what an update may not change, beside what is wrong in itself."""
    metadata, before = new["metadata"], old["metadata"]
    causes = _label_causes(metadata.get("labels") or {})
    causes += _annotation_causes(metadata.get("annotations") or {})
    if metadata.get("ownerReferences") != before.get("ownerReferences"):
        causes += _owner_causes(metadata.get("ownerReferences") or [])
    if metadata.get("finalizers") != before.get("finalizers"):
        causes += _finalizer_causes(metadata.get("finalizers") or [])
    causes += _new_finalizers(metadata, before)
    for key in _IMMUTABLE:
        if metadata.get(key) != before.get(key):
            causes.append(invalid(f"metadata.{key}", metadata.get(key), "field is immutable"))
    return causes


def _new_finalizers(metadata: JsonObject, before: JsonObject) -> Iterable[Cause]:
    if not before.get("deletionTimestamp"):
        return []
    added = [one for one in metadata.get("finalizers") or [] if one not in (before.get("finalizers") or [])]
    if not added:
        return []
    shown = ", ".join(f'"{one}"' for one in sorted(added))
    text = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
    return [forbidden("metadata.finalizers", text)]


def generated(stem: str, suffix: str) -> str:
    """Return a name made from ``generateName``, short enough for a label."""
    return stem[:_GENERATED_ROOM] + suffix


def owners(obj: JsonObject | None) -> list[dict[str, Any]]:
    """Return ``metadata.ownerReferences`` of an object or of nothing."""
    return [] if obj is None else obj["metadata"].get("ownerReferences") or []
