"""
Validation of ``metadata``, the same for every kind.

Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

MAX_ANNOTATION_BYTES = 256 * 1024
IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"

_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
STANDARD_FINALIZERS = frozenset({"kubernetes", _ORPHAN, _FOREGROUND})
_IMMUTABLE_FIELDS = (
    "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
_MAX_MANAGER_BYTES = 128


def validate_metadata(
    obj: JsonObject,
    *,
    namespaced: bool,
    validate_name: Callable[[str], Sequence[str]] | None = None,
) -> list[Cause]:
    """
    Return what is wrong with the metadata of a new object, its name generated already.

    Args:
        obj: The whole object.
        namespaced: Scope of its resource.
        validate_name: The kind's rule for names; a DNS-1123 subdomain when None.
    """
    metadata: JsonObject = obj.get("metadata") or {}
    check_name = validate_name or validation.dns1123_subdomain
    causes = validate_stem(metadata, check_name)
    name = metadata.get("name") or ""
    if name:
        causes += [wrong.invalid("metadata.name", name, text) for text in check_name(name)]
    else:
        causes.append(wrong.required("metadata.name", "name or generateName is required"))
    causes += _namespace(metadata.get("namespace") or "", namespaced)
    if (metadata.get("generation") or 0) < 0:
        causes.append(wrong.invalid("metadata.generation", metadata["generation"], NEGATIVE))
    causes += _free_parts(metadata)
    causes += _finalizers(metadata.get("finalizers") or ())
    causes += _managed_fields(metadata.get("managedFields") or ())
    return causes


def validate_metadata_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with a change of metadata; ``new`` carries the resourceVersion it was made from."""
    metadata: JsonObject = new.get("metadata") or {}
    before: JsonObject = old.get("metadata") or {}
    causes: list[Cause] = []
    if before.get("deletionTimestamp"):
        added = sorted(set(metadata.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            shown = ", ".join(wrong.quoted(one) for one in added)
            text = "no new finalizers can be added if the object is being deleted, found new finalizers "
            causes.append(wrong.forbidden("metadata.finalizers", f"{text}[]string{{{shown}}}"))
    if not metadata.get("resourceVersion"):
        causes.append(wrong.invalid("metadata.resourceVersion", "", "must be specified for an update"))
    if (metadata.get("generation") or 0) < (before.get("generation") or 0):
        causes.append(wrong.invalid("metadata.generation", metadata.get("generation", 0), "must not be decremented"))
    for field in _IMMUTABLE_FIELDS:
        causes += immutable(metadata.get(field), before.get(field), f"metadata.{field}")
    return causes + _free_parts(metadata) + _managed_fields(metadata.get("managedFields") or ())


def immutable(new: Any, old: Any, path: str) -> list[Cause]:
    """Return the cause of a change where none is allowed."""
    return [] if new == old else [wrong.invalid(path, new, IMMUTABLE)]


def non_negative(value: int | None, path: str) -> list[Cause]:
    """Return the cause of a negative number; None counts as zero."""
    return [wrong.invalid(path, value, NEGATIVE)] if (value or 0) < 0 else []


def validate_labels(labels: Mapping[str, str] | None, path: str) -> list[Cause]:
    """Check keys and values of a label map."""
    causes: list[Cause] = []
    for key, value in (labels or {}).items():
        causes += [wrong.invalid(path, key, text) for text in validation.label_key(key)]
        causes += [wrong.invalid(path, value, text) for text in validation.label_value(value)]
    return causes


def validate_annotations(annotations: Mapping[str, str] | None, path: str) -> list[Cause]:
    """Check the keys of annotations and their size together, 256 KiB."""
    causes: list[Cause] = []
    total = 0
    for key, value in (annotations or {}).items():
        causes += [wrong.invalid(path, key, text) for text in validation.qualified_name(key.lower())]
        total += len(key.encode()) + len(value.encode())
    if total > MAX_ANNOTATION_BYTES:
        causes.append(wrong.too_long(path, MAX_ANNOTATION_BYTES))
    return causes


def validate_finalizer(name: str, path: str) -> list[Cause]:
    """Check the form of one finalizer."""
    return [wrong.invalid(path, name, text) for text in validation.qualified_name(name)]


def validate_builtin_finalizers(obj: JsonObject) -> list[Cause]:
    """Check that finalizers of a built-in kind are Kubernetes' own or carry a domain."""
    text = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        wrong.invalid(f"metadata.finalizers[{index}]", name, text)
        for index, name in enumerate(obj["metadata"].get("finalizers") or ())
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]


def validate_again(obj: JsonObject, check_name: Callable[[str], Sequence[str]] | None = None) -> list[Cause]:
    """
    Check of a changed object what most kinds have checked of new ones alone: the stem of its name, its finalizers.

    Args:
        check_name: The kind's rule for names; a DNS-1123 subdomain when None.
    """
    return validate_stem(obj["metadata"], check_name or validation.dns1123_subdomain) + validate_builtin_finalizers(obj)


def validate_stem(metadata: JsonObject, check_name: Callable[[str], Sequence[str]]) -> list[Cause]:
    """Check what a name is generated from, by the kind's rule for names."""
    generated = metadata.get("generateName") or ""
    # A prefix may end in a dash; the letters to come stand in for it.
    masked = generated[:-1] + "a" if generated.endswith("-") else generated
    return [wrong.invalid("metadata.generateName", generated, text) for text in check_name(masked) if generated]


def _namespace(namespace: str, namespaced: bool) -> list[Cause]:
    if not namespaced:
        return [wrong.forbidden("metadata.namespace", "not allowed on this type")] if namespace else []
    if not namespace:
        return [wrong.required("metadata.namespace")]
    return [wrong.invalid("metadata.namespace", namespace, text) for text in validation.namespace_name(namespace)]


def _free_parts(metadata: JsonObject) -> list[Cause]:
    causes = validate_labels(metadata.get("labels"), "metadata.labels")
    causes += validate_annotations(metadata.get("annotations"), "metadata.annotations")
    return causes + _owner_references(metadata.get("ownerReferences") or (), "metadata.ownerReferences")


def _owner_references(references: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    controller = ""
    for reference in references:
        causes += _owner_reference(reference, path)
        if reference.get("controller"):
            current = f"{reference.get('kind', '')}/{reference.get('name', '')}"
            if controller:
                text = 'Only one reference can have Controller set to true. Found "true" in references for'
                causes.append(wrong.invalid(path, list(references), f"{text} {controller} and {current}"))
            else:
                controller = current
    return causes


def _owner_reference(reference: JsonObject, path: str) -> list[Cause]:
    api_version = reference.get("apiVersion") or ""
    causes = []
    if not api_version.rpartition("/")[2]:
        causes.append(wrong.invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
    causes += [
        wrong.invalid(f"{path}.{field}", "", "must not be empty")
        for field in ("kind", "name", "uid")
        if not reference.get(field)
    ]
    if (api_version, reference.get("kind")) == ("v1", "Event"):
        causes.append(wrong.invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"))
    return causes


def _finalizers(finalizers: Sequence[str]) -> list[Cause]:
    causes = [cause for name in finalizers for cause in validate_finalizer(name, "metadata.finalizers")]
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        text = f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set"
        causes.append(wrong.invalid("metadata.finalizers", list(finalizers), text))
    return causes


def _managed_fields(entries: Sequence[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    for index, entry in enumerate(entries):
        path = f"metadata.managedFields[{index}]"
        if entry.get("operation") not in {"Apply", "Update"}:
            causes.append(wrong.invalid(f"{path}.operation", entry.get("operation", ""), "must be `Apply` or `Update`"))
        if entry.get("fieldsType", "FieldsV1") not in {"FieldsV1", ""}:
            causes.append(wrong.invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        if len((entry.get("manager") or "").encode()) > _MAX_MANAGER_BYTES:
            causes.append(wrong.too_long(f"{path}.manager", _MAX_MANAGER_BYTES))
    return causes
