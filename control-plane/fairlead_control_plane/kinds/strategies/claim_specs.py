"""
Validation of what a PersistentVolumeClaim asks for, in templates of claims too.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaimSpec and below).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.metadata import validate_annotations, validate_labels
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of
from fairlead_control_plane.kinds.strategies.selectors import validate_selector

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_CLAIM = "PersistentVolumeClaim"
_ONLY = frozenset({"annotations", "labels"})


def validate_claim_template(template: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the template of an ephemeral volume's claim."""
    causes = validate_template_metadata(template.get("metadata") or {}, f"{path}.metadata")
    return causes + validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def validate_template_metadata(metadata: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the ``metadata`` of a claim's template, which has labels and annotations alone."""
    causes = validate_annotations(metadata.get("annotations"), f"{path}.annotations")
    causes += validate_labels(metadata.get("labels"), f"{path}.labels")
    return causes + [
        wrong.forbidden(f"{path}.{_field_of(name)}", "cannot be set")
        for name, value in metadata.items()
        if name not in _ONLY and value
    ]


def _field_of(name: str) -> str:
    """Return a field's name as Kubernetes makes it of the Go one, lowering its first letter alone."""
    return "uID" if name == "uid" else name


def validate_claim_spec(spec: JsonObject, path: str, *, checks_groups: bool = True) -> list[Cause]:
    """Return what is wrong with the ``spec`` of a claim; the groups of its sources are checked of new ones only."""
    modes = spec.get("accessModes") or ()
    causes = [] if modes else [wrong.required(f"{path}.accessModes", "at least 1 access mode is required")]
    causes += validate_selector(spec.get("selector"), f"{path}.selector")
    causes += validate_modes(modes, f"{path}.accessModes")
    causes += _storage((spec.get("resources") or {}).get("requests") or {}, f"{path}.resources[storage]")
    for field in ("storageClassName", "volumeAttributesClassName"):
        if name := spec.get(field):
            causes += [wrong.invalid(f"{path}.{field}", name, text) for text in validation.dns1123_subdomain(name)]
    mode = spec.get("volumeMode")
    if mode is not None and mode not in _VOLUME_MODES:
        causes.append(wrong.not_supported(f"{path}.volumeMode", mode, _VOLUME_MODES))
    return causes + _sources(spec, path, checks_groups)


def validate_modes(modes: Sequence[str], path: str) -> list[Cause]:
    """Check the access modes of a volume or claim."""
    causes = [wrong.not_supported(path, mode, _MODES) for mode in modes if mode not in _MODES]
    if "ReadWriteOncePod" in modes and any(mode in _MODES[:3] for mode in modes):
        causes.append(wrong.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return causes


def _storage(requests: JsonObject, path: str) -> list[Cause]:
    if "storage" not in requests:
        return [wrong.required(path)]
    amount = amount_of(requests["storage"])
    if amount is None or amount > ZERO:
        return []
    return [wrong.invalid(path, str(amount), "must be greater than zero")]


def _sources(spec: JsonObject, path: str, checks_groups: bool) -> list[Cause]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    causes = [] if source is None else _source(source, f"{path}.dataSource", checks_groups)
    if reference is None:
        return causes
    causes += _source(reference, f"{path}.dataSourceRef", checks_groups)
    if namespace := reference.get("namespace"):
        at = f"{path}.dataSourceRef.namespace"
        causes += [wrong.invalid(at, namespace, text) for text in validation.namespace_name(namespace)]
    if source is None:
        return causes
    same = all(source.get(key) == reference.get(key) for key in ("apiGroup", "kind", "name"))
    if namespace or not same:
        # Kubernetes takes the path of the field for the value that is wrong.
        text = (
            "may not be specified when dataSourceRef.namespace is specified"
            if namespace
            else "must match dataSourceRef"
        )
        causes.append(wrong.invalid(path, {}, text))
    return causes


def _source(source: JsonObject, path: str, checks_group: bool) -> list[Cause]:
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    causes = [wrong.required(f"{path}.{field}") for field in ("name", "kind") if not source.get(field)]
    if not group and kind != _CLAIM:
        text = f"must be '{_CLAIM}' when referencing the default apiGroup"
        causes.append(wrong.invalid(path, kind, text))
    if group and checks_group:
        causes += [wrong.invalid(f"{path}.apiGroup", group, text) for text in validation.dns1123_subdomain(group)]
    return causes
