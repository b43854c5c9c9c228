"""
The ``spec`` of PersistentVolumes, which VolumeAttachments may hold too.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidatePersistentVolumeSpec and below).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.claim_specs import validate_modes
from fairlead_control_plane.kinds.strategies.projections import no_backsteps
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of
from fairlead_control_plane.kinds.strategies.scheduling import validate_node_selector
from fairlead_control_plane.kinds.strategies.volumes import (
    check_initiator,
    check_lun,
    driver_name,
    validate_source,
)

# In the order in which Kubernetes looks at them.
SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_PATHS = {"gcePersistentDisk": "persistentDisk"}
_REFUSED_PATHS = {"cephfs": "cephFS"}
_ONE_TYPE = "may not specify more than 1 volume type"
_POLICIES = ("Delete", "Recycle", "Retain")
_VOLUME_MODES = ("Block", "Filesystem")
_INLINE = "in the context of inline volumes"
_CSI_SECRETS = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
)  # fmt: skip


def validate_volume_spec(spec: JsonObject, path: str, *, name: str = "", is_inline: bool = False) -> list[Cause]:
    """
    Return what is wrong with the ``spec`` of a PersistentVolume.

    Args:
        name: The volume's, which some sources make names of.
        is_inline: It stands in a VolumeAttachment, where little of it is allowed.
    """
    causes = _inline_only(spec, path) if is_inline else []
    modes = spec.get("accessModes") or ()
    causes += [] if modes else [wrong.required(f"{path}.accessModes")]
    causes += validate_modes(modes, f"{path}.accessModes")
    if not is_inline:
        causes += _capacity(spec.get("capacity") or {}, f"{path}.capacity")
    causes += _policy(
        spec.get("persistentVolumeReclaimPolicy") or "", f"{path}.persistentVolumeReclaimPolicy", is_inline
    )
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        causes += _affinity(affinity, f"{path}.nodeAffinity", is_inline)
    causes += _source(spec, path, name)
    where = (spec.get("hostPath") or {}).get("path") or ""
    if where and posixpath.normpath(where).strip("/") == "" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        causes.append(wrong.forbidden(f"{path}.persistentVolumeReclaimPolicy", text))
    return causes + _classes(spec, path, is_inline) + _mode(spec.get("volumeMode"), f"{path}.volumeMode", is_inline)


def _inline_only(spec: JsonObject, path: str) -> list[Cause]:
    causes = []
    if spec.get("claimRef") is not None:
        causes.append(wrong.forbidden(f"{path}.claimRef", f"may not be specified {_INLINE}"))
    if spec.get("capacity"):
        causes.append(wrong.forbidden(f"{path}.capacity", f"may not be specified {_INLINE}"))
    if spec.get("csi") is None:
        causes.append(wrong.required(f"{path}.csi", f"has to be specified {_INLINE}"))
    return causes


def _capacity(capacity: Mapping[str, str], path: str) -> list[Cause]:
    causes = [] if capacity else [wrong.required(path)]
    if set(capacity) != {"storage"}:
        causes.append(wrong.not_supported(path, capacity or None, ["storage"]))
    for name, text in capacity.items():
        amount = amount_of(text)
        if amount is not None and amount < ZERO:
            causes.append(wrong.invalid(f"{path}[{name}]", amount.rounded_up(), "must be a valid resource quantity"))
        if amount is not None and amount <= ZERO:
            causes.append(wrong.invalid(f"{path}[{name}]", str(amount), "must be greater than zero"))
    return causes


def _policy(policy: str, path: str, is_inline: bool) -> list[Cause]:
    if is_inline:
        return [] if policy in {"", "Retain"} else [wrong.forbidden(path, f"may only be Retain {_INLINE}")]
    return [wrong.not_supported(path, policy, _POLICIES)] if policy and policy not in _POLICIES else []


def _affinity(affinity: JsonObject, path: str, is_inline: bool) -> list[Cause]:
    if is_inline:
        return [wrong.forbidden(path, f"may not be specified {_INLINE}")]
    required = affinity.get("required")
    if required is None:
        return [wrong.required(f"{path}.required", "must specify required node constraints")]
    return validate_node_selector(required, f"{path}.required")


def _source(spec: JsonObject, path: str, name: str) -> list[Cause]:
    present = [kind for kind in SOURCES if spec.get(kind) is not None]
    if not present:
        return [wrong.required(path, "must specify a volume type")]
    causes: list[Cause] = []
    for index, kind in enumerate(present):
        if index and kind != "flexVolume":
            causes.append(wrong.forbidden(f"{path}.{_REFUSED_PATHS.get(kind, kind)}", _ONE_TYPE))
            continue
        at, check = f"{path}.{_PATHS.get(kind, kind)}", _CHECKS.get(kind)
        causes += check(spec[kind], at) if check else validate_source(kind, spec[kind], at)
        if kind == "iscsi":
            causes += _iscsi_name(spec[kind], at, name)
        if kind == "local" and spec.get("nodeAffinity") is None:
            causes.append(wrong.required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    return causes


def _classes(spec: JsonObject, path: str, is_inline: bool) -> list[Cause]:
    name, attributes = spec.get("storageClassName") or "", spec.get("volumeAttributesClassName")
    causes: list[Cause] = []
    if name and is_inline:
        causes.append(wrong.forbidden(f"{path}.storageClassName", f"may not be specified {_INLINE}"))
    elif name:
        causes += [wrong.invalid(f"{path}.storageClassName", name, text) for text in validation.dns1123_subdomain(name)]
    if attributes is None or is_inline:
        return causes
    at = f"{path}.volumeAttributesClassName"
    if not attributes:
        causes.append(wrong.required(at, "an empty string is disallowed"))
    else:
        causes += [wrong.invalid(at, attributes, text) for text in validation.dns1123_subdomain(attributes)]
    if spec.get("csi") is None:
        causes.append(wrong.required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return causes


def _mode(mode: str | None, path: str, is_inline: bool) -> list[Cause]:
    if mode is None:
        return []
    if is_inline:
        text = f"may not specify volumeMode other than Filesystem {_INLINE}"
        return [] if mode == "Filesystem" else [wrong.forbidden(path, text)]
    return [] if mode in _VOLUME_MODES else [wrong.not_supported(path, mode, _VOLUME_MODES)]


def _glusterfs(source: JsonObject, path: str) -> list[Cause]:
    causes, namespace = validate_source("glusterfs", source, path), source.get("endpointsNamespace")
    if namespace is None:
        return causes
    at, none = f"{path}.endpointsNamespace", "if the endpointnamespace is set, it must be a valid namespace name"
    texts = validation.dns1123_label(namespace) if namespace else [none]
    return causes + [wrong.invalid(at, namespace, text) for text in texts]


def _iscsi(source: JsonObject, path: str) -> list[Cause]:
    causes = [wrong.required(f"{path}.{field}") for field in ("targetPortal", "iqn") if not source.get(field)]
    iqn, name, secret = source.get("iqn"), source.get("initiatorName"), source.get("secretRef")
    if iqn and check_initiator(iqn, path):
        causes.append(wrong.invalid(f"{path}.iqn", iqn, "must be valid format"))
    causes += check_lun(source.get("lun") or 0, path)
    if secret is None:
        if source.get("chapAuthDiscovery") or source.get("chapAuthSession"):
            causes.append(wrong.required(f"{path}.secretRef"))
    elif not secret.get("name"):
        causes.append(wrong.required(f"{path}.secretRef.name"))
    if name is not None and check_initiator(name, path):
        causes.append(wrong.invalid(f"{path}.initiatorname", name, "must be valid format"))
    return causes


def _iscsi_name(source: JsonObject, path: str, name: str) -> list[Cause]:
    portal = source.get("targetPortal") or ""
    if source.get("initiatorName") is None or len(f"{name}:{portal}".encode()) <= 64:
        return []
    text = (
        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
        "if iscsi.initiatorName is specified."
    )
    return [wrong.invalid(f"{path}.targetportal", portal, text)]


def _secret(source: JsonObject, path: str) -> list[Cause]:
    secret = source.get("secretRef")
    if secret is None:
        return []
    return [wrong.required(f"{path}.secretRef.{field}") for field in ("name", "namespace") if not secret.get(field)]


def _cinder(source: JsonObject, path: str) -> list[Cause]:
    return ([] if source.get("volumeID") else [wrong.required(f"{path}.volumeID")]) + _secret(source, path)


def _azure_file(source: JsonObject, path: str) -> list[Cause]:
    causes = validate_source("azureFile", source, path)
    return [*causes, wrong.required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else causes


def _local(source: JsonObject, path: str) -> list[Cause]:
    where = source.get("path") or ""
    return no_backsteps(where, f"{path}.path") if where else [wrong.required(f"{path}.path")]


def _storage_os(source: JsonObject, path: str) -> list[Cause]:
    return validate_source("storageos", {**source, "secretRef": None}, path) + _secret(source, path)


def _csi(source: JsonObject, path: str) -> list[Cause]:
    causes = driver_name(source.get("driver") or "", f"{path}.driver")
    causes += [] if source.get("volumeHandle") else [wrong.required(f"{path}.volumeHandle")]
    for field in _CSI_SECRETS:
        secret = source.get(field)
        if secret is not None:
            causes += _named(secret.get("name") or "", f"{path}.{field}.name", validation.dns1123_subdomain)
            causes += _named(secret.get("namespace") or "", f"{path}.{field}.namespace", validation.dns1123_label)
    return causes


def _named(name: str, path: str, check: Callable[[str], Sequence[str]]) -> list[Cause]:
    return [wrong.invalid(path, name, text) for text in check(name)] if name else [wrong.required(path)]


_CHECKS: Mapping[str, Callable[[JsonObject, str], list[Cause]]] = {
    "glusterfs": _glusterfs,
    "iscsi": _iscsi,
    "cinder": _cinder,
    "azureFile": _azure_file,
    "local": _local,
    "storageos": _storage_os,
    "csi": _csi,
}
