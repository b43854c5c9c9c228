"""
PersistentVolumes: what of them may change, and since when they are in their phase.

Source: k8s.io/kubernetes pkg/registry/core/persistentvolume/strategy.go, pkg/api/persistentvolume/util.go,
pkg/apis/core/validation/validation.go (ValidatePersistentVolumeUpdate), pkg/volume/validation.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import difference, shown_as
from fairlead_control_plane.kinds.record import Subresource, Writer
from fairlead_control_plane.kinds.strategies.generic import generic_strategy, with_default
from fairlead_control_plane.kinds.strategies.metadata import immutable, validate_again
from fairlead_control_plane.kinds.strategies.node_labels import warn_of_expressions
from fairlead_control_plane.kinds.strategies.volume_specs import SOURCES, validate_volume_spec

_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_WITH_MOUNT_OPTIONS = frozenset(
    {
        "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder", "cephfs",
        "azureFile", "vsphereVolume", "azureDisk", "photonPersistentDisk",
    }
)  # fmt: skip
_GONE = {
    "cephfs": "cephfs: deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "scaleIO: deprecated in v1.16, non-functional in v1.22+",
    "storageos": "storageOS: deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "glusterfs: deprecated in v1.25, non-functional in v1.26+",
    "rbd": "rbd: deprecated in v1.28, non-functional in v1.31+",
}
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
_OLD_ANNOTATIONS = {
    "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
    _MOUNT_OPTIONS: 'deprecated since v1.31; use "mountOptions" attribute instead',
}


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_volume_spec(spec, "spec", name=obj["metadata"].get("name") or "")
    has_options = _MOUNT_OPTIONS in (obj["metadata"].get("annotations") or {})
    if has_options and not any(spec.get(kind) is not None for kind in _WITH_MOUNT_OPTIONS):
        text = "may not specify mount options for this volume type"
        causes.append(wrong.forbidden(f"metadata.annotations.{_MOUNT_OPTIONS}", text))
    return causes


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = [*validate_again(new), *_validate(new)]
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    source, source_before = ({kind: one[kind] for kind in SOURCES if kind in one} for one in (spec, before))
    if (before.get("csi") or {}).get("controllerExpandSecretRef") is None and before.get("csi") and spec.get("csi"):
        source["csi"] = {key: value for key, value in spec["csi"].items() if key != "controllerExpandSecretRef"}
    if source != source_before:
        shown = difference("core.PersistentVolumeSource", source_before, source)
        text = f"spec.persistentvolumesource is immutable after creation\n{shown}"
        causes.append(wrong.forbidden("spec.persistentvolumesource", text))
    causes += immutable(spec.get("volumeMode"), before.get("volumeMode"), "volumeMode")
    affinity, affinity_before = spec.get("nodeAffinity"), before.get("nodeAffinity")
    if affinity_before is not None and not _is_renamed(affinity, affinity_before):
        text = "field is immutable, except for updating from beta label to GA"
        shown = shown_as("core.VolumeNodeAffinity", affinity)
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {text}", "nodeAffinity"))
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        text = "update from non-nil value to nil is forbidden"
        causes.append(wrong.forbidden("spec.volumeAttributesClassName", text))
    return causes


_NEW_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}


def _is_renamed(new: object, old: object) -> bool:
    """Tell whether two node affinities differ in nothing but old names of labels that became new ones."""
    if isinstance(new, dict) and isinstance(old, dict):
        key = old.get("key")
        if isinstance(key, str) and _NEW_LABELS.get(key) == new.get("key"):
            old = {**old, "key": new["key"]}
        return new.keys() == old.keys() and all(_is_renamed(new[name], old[name]) for name in new)
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(_is_renamed(*pair) for pair in zip(new, old, strict=True))
    return new == old


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    spec, annotations = new.get("spec") or {}, new["metadata"].get("annotations") or {}
    warnings = [f"metadata.annotations[{key}]: {text}" for key, text in _OLD_ANNOTATIONS.items() if key in annotations]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        warnings.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    for index, term in enumerate(terms):
        at = f"spec.nodeAffinity.required.nodeSelectorTerms[{index}].matchExpressions"
        warnings += warn_of_expressions(term.get("matchExpressions"), at)
    return warnings + [f"spec.{text}" for kind, text in _GONE.items() if spec.get(kind) is not None]


def _sign(obj: JsonObject, writer: Writer) -> None:
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": writer.now}


def _settle_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    status, before = new.setdefault("status", {}), old.get("status") or {}
    status.setdefault("phase", "Pending")
    is_same, since = status["phase"] == before.get("phase"), before.get("lastPhaseTransitionTime")
    given = status.get("lastPhaseTransitionTime")
    if is_same and given is None and since is not None:
        status["lastPhaseTransitionTime"] = since
    elif not is_same and given in (None, since):
        status["lastPhaseTransitionTime"] = writer.now


def _default(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"


PERSISTENT_VOLUME = replace(
    with_default(generic_strategy("", "persistentvolumes", has_status=True), _default),
    sign=_sign,
    validate=_validate,
    validate_change=_validate_change,
    warn=_warn,
    subresources={"status": Subresource(validate=lambda new, old: [], settle=_settle_status)},
)
