"""
Validation of a pod's volumes.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.claim_specs import validate_claim_template
from fairlead_control_plane.kinds.strategies.projections import (
    check_items,
    check_mode,
    downward_file,
    no_backsteps,
    relative_path,
    validate_projected,
)
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of

# In the order in which Kubernetes looks at them: the first one present counts, the others are refused.
_SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
# Where Kubernetes' messages call a source by another name than its field's: inside it, and as one too many.
_PATHS = {"gcePersistentDisk": "persistentDisk"}
_REFUSED_PATHS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
_ONE_TYPE = "may not specify more than 1 volume type"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_REQUIRED: Mapping[str, Sequence[str]] = {
    "persistentVolumeClaim": ("claimName",),
    "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"),
    "vsphereVolume": ("volumePath",),
    "portworxVolume": ("volumeID",),
    "photonPersistentDisk": ("pdID",),
    "glusterfs": ("endpoints", "path"),
    "rbd": ("monitors", "image"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "flexVolume": ("driver",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "gitRepo": ("repository",),
    "secret": ("secretName",),
    "configMap": ("name",),
    "nfs": ("server", "path"),
}
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$", re.ASCII)
_EUI = re.compile(r"eui.[A-Za-z0-9]{16}")
_NAA = re.compile(r"naa.[A-Za-z0-9]{32}")
_CACHING, _DISK_KINDS = ("None", "ReadOnly", "ReadWrite"), ("Dedicated", "Managed", "Shared")
_MANAGED_URI = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_URI = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def validate_volumes(
    volumes: Sequence[JsonObject], path: str, *, pod_name: str = "", is_pod: bool = False
) -> tuple[dict[str, JsonObject], list[Cause]]:
    """Return the sound volumes by name, and what is wrong with the others; templates have no ``pod_name``."""
    found: dict[str, JsonObject] = {}
    causes: list[Cause] = []
    made = {f"{pod_name}-{volume.get('name')}" for volume in volumes if pod_name and volume.get("ephemeral")}
    for index, volume in enumerate(volumes):
        at, name = f"{path}[{index}]", volume.get("name") or ""
        its_causes = _source(volume, at, pod_name=pod_name, is_pod=is_pod)
        if name:
            its_causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.dns1123_label(name)]
        else:
            its_causes.append(wrong.required(f"{at}.name"))
        if name in found:
            its_causes.append(wrong.duplicate(f"{at}.name", name))
        if not its_causes:
            found[name] = volume
        causes += its_causes
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in made:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            causes.append(wrong.invalid(f"{at}.persistentVolumeClaim.claimName", claim, text))
    return found, causes


def _source(volume: JsonObject, path: str, *, pod_name: str, is_pod: bool) -> list[Cause]:
    present = [kind for kind in _SOURCES if volume.get(kind) is not None]
    if not present:
        return [wrong.required(path, "must specify a volume type")]
    first, *others = present
    source, at = volume[first], f"{path}.{_PATHS.get(first, first)}"
    causes = validate_source(first, source, at)
    if first == "ephemeral" and pod_name and (name := volume.get("name")):
        claim = f"{pod_name}-{name}"
        texts = validation.dns1123_subdomain(claim)
        causes += [wrong.invalid(f"{path}.name", name, f"PVC name {wrong.quoted(claim)}: {text}") for text in texts]
    if first == "image" and is_pod and not source.get("reference"):
        causes.append(wrong.required(f"{at}.reference"))
    if "iscsi" in present:
        causes += _iscsi_name(volume, path)
    return causes + [wrong.forbidden(f"{path}.{_REFUSED_PATHS.get(kind, kind)}", _ONE_TYPE) for kind in others]


def validate_source(kind: str, source: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a source of volumes, ``kind`` being the name of its field."""
    causes = [wrong.required(f"{path}.{field}") for field in _REQUIRED.get(kind, ()) if not source.get(field)]
    check = _CHECKS.get(kind)
    return causes + check(source, path) if check else causes


def _empty_dir(source: JsonObject, path: str) -> list[Cause]:
    limit = amount_of(source.get("sizeLimit") or "0")
    text = "SizeLimit field must be a valid resource quantity"
    return [wrong.forbidden(f"{path}.sizeLimit", text)] if limit is not None and limit < ZERO else []


def _host_path(source: JsonObject, path: str) -> list[Cause]:
    if not source.get("path"):
        return [wrong.required(f"{path}.path")]
    causes = no_backsteps(source["path"], f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        causes.append(wrong.not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return causes


def _secret(source: JsonObject, path: str) -> list[Cause]:
    causes = check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return causes + check_items(source.get("items") or (), f"{path}.items")


def _downward(source: JsonObject, path: str) -> list[Cause]:
    causes = check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return causes + [cause for item in source.get("items") or () for cause in downward_file(item, path)]


def _nfs(source: JsonObject, path: str) -> list[Cause]:
    where = source.get("path") or ""
    return [] if where.startswith("/") else [wrong.invalid(f"{path}.path", where, "must be an absolute path")]


def _partition(source: JsonObject, path: str) -> list[Cause]:
    number = source.get("partition") or 0
    text = "must be between 1 and 255, inclusive"
    return [] if 0 <= number <= 255 else [wrong.invalid(f"{path}.partition", number, text)]


def check_lun(number: int, path: str) -> list[Cause]:
    """Check the number of a unit of the source at ``path``."""
    return [wrong.invalid(f"{path}.lun", number, text) for text in validation.in_range(number, 0, 255)]


def _iscsi(source: JsonObject, path: str) -> list[Cause]:
    causes = [wrong.required(f"{path}.{field}") for field in ("targetPortal", "iqn") if not source.get(field)]
    if iqn := source.get("iqn"):
        causes += check_initiator(iqn, f"{path}.iqn")
    causes += check_lun(source.get("lun") or 0, path)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        causes.append(wrong.required(f"{path}.secretRef"))
    name = source.get("initiatorName")
    return causes if name is None else causes + check_initiator(name, f"{path}.initiatorname")


def check_initiator(name: str, path: str) -> list[Cause]:
    """Check the name of an iSCSI node."""
    if not name.startswith(("iqn", "eui", "naa")):
        return [wrong.invalid(path, name, "must be valid format starting with iqn, eui, or naa")]
    whole = _EUI.fullmatch(name) or _NAA.fullmatch(name)
    is_valid = _IQN.search(name) if name.startswith("iqn") else whole
    return [] if is_valid else [wrong.invalid(path, name, "must be valid format")]


def _iscsi_name(volume: JsonObject, path: str) -> list[Cause]:
    source, name = volume["iscsi"], volume.get("name") or ""
    if source.get("initiatorName") is None or len(f"{name}:{source.get('targetPortal') or ''}".encode()) <= 64:
        return []
    text = (
        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
        "if iscsi.initiatorName is specified."
    )
    return [wrong.invalid(f"{path}.name", name, text)]


def _flocker(source: JsonObject, path: str) -> list[Cause]:
    name, uid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    causes: list[Cause] = []
    if not name and not uid:
        causes.append(wrong.required(path, "one of datasetName and datasetUUID is required"))
    if name and uid:
        text = "datasetName and datasetUUID can not be specified simultaneously"
        causes.append(wrong.invalid(path, "resource", text))
    return causes + ([wrong.invalid(f"{path}.datasetName", name, "must not contain '/'")] if "/" in name else [])


def _cinder(source: JsonObject, path: str) -> list[Cause]:
    secret = source.get("secretRef")
    return [wrong.required(f"{path}.secretRef.name")] if secret is not None and not secret.get("name") else []


def _quobyte(source: JsonObject, path: str) -> list[Cause]:
    registry, pairs = source.get("registry") or "", "must be a host:port pair or multiple pairs separated by commas"
    causes: list[Cause] = []
    if not registry:
        causes.append(wrong.required(f"{path}.registry", pairs))
    elif len((source.get("tenant") or "").encode()) >= 65:
        text = "must be a UUID and may not exceed a length of 64 characters"
        causes.append(wrong.required(f"{path}.tenant", text))
    else:
        bad = [pair for pair in registry.split(",") if not _is_host_and_port(pair)]
        causes += [wrong.invalid(f"{path}.registry", registry, pairs) for _ in bad]
    return causes if source.get("volume") else [*causes, wrong.required(f"{path}.volume")]


def _is_host_and_port(text: str) -> bool:
    host, colon, _ = text.rpartition(":")
    if not colon:
        return False
    if host.startswith("["):
        return host.endswith("]") and "[" not in host[1:] and "]" not in host[:-1]
    return not any(character in text for character in "[]") and ":" not in host


def _fc(source: JsonObject, path: str) -> list[Cause]:
    names, wwids = source.get("targetWWNs") or [], source.get("wwids") or []
    if not names and not wwids:
        return [wrong.required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")]
    causes: list[Cause] = []
    if names and wwids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        causes.append(wrong.invalid(f"{path}.targetWWNs", names, text))
    if not names:
        return causes
    if source.get("lun") is None:
        return [*causes, wrong.required(f"{path}.lun", "lun is required if targetWWNs is specified")]
    return causes + check_lun(source["lun"], path)


def _flex(source: JsonObject, path: str) -> list[Cause]:
    text = "kubernetes.io and k8s.io namespaces are reserved"
    return [
        wrong.invalid(f"{path}.options[{key}]", key, text)
        for key in source.get("options") or ()
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io"))
    ]


def _azure_disk(source: JsonObject, path: str) -> list[Cause]:
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    causes: list[Cause] = []
    if caching is not None and caching not in _CACHING:
        causes.append(wrong.not_supported(f"{path}.cachingMode", caching, _CACHING))
    if kind is None:
        return causes
    if kind not in _DISK_KINDS:
        causes.append(wrong.not_supported(f"{path}.kind", kind, _DISK_KINDS))
    start, known = ("/subscriptions/", _MANAGED_URI) if kind == "Managed" else ("https://", _BLOB_URI)
    return causes if uri.startswith(start) else [*causes, wrong.not_supported(f"{path}.diskURI", uri, [known])]


def _storage_os(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("volumeName") else [wrong.required(f"{path}.volumeName")]
    for field in ("volumeName", "volumeNamespace"):
        if value := source.get(field):
            causes += [wrong.invalid(f"{path}.{field}", value, text) for text in validation.dns1123_label(value)]
    return causes + _cinder(source, path)


def driver_name(name: str, path: str) -> list[Cause]:
    """Check the name of a CSI driver."""
    if not name:
        return [wrong.required(path)]
    causes = [wrong.too_long(path, 63)] if len(name.encode()) > 63 else []
    return causes + [wrong.invalid(path, name, text) for text in validation.dns1123_subdomain(name.lower())]


def _csi(source: JsonObject, path: str) -> list[Cause]:
    causes = driver_name(source.get("driver") or "", f"{path}.driver")
    secret = source.get("nodePublishSecretRef")
    if secret is None:
        return causes
    if not (name := secret.get("name") or ""):
        return [*causes, wrong.required(f"{path}.nodePublishSecretRef.name")]
    return causes + [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_subdomain(name)]


def _ephemeral(source: JsonObject, path: str) -> list[Cause]:
    template, at = source.get("volumeClaimTemplate"), f"{path}.volumeClaimTemplate"
    return [wrong.required(at)] if template is None else validate_claim_template(template, at)


def _image(source: JsonObject, path: str) -> list[Cause]:
    policy, at = source.get("pullPolicy"), f"{path}.pullPolicy"
    if not policy:
        return [wrong.required(at)]
    return [] if policy in _PULL_POLICIES else [wrong.not_supported(at, policy, _PULL_POLICIES)]


_CHECKS: Mapping[str, Callable[[JsonObject, str], list[Cause]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": lambda source, path: relative_path(source.get("directory") or "", f"{path}.directory"),
    "gcePersistentDisk": _partition,
    "awsElasticBlockStore": _partition,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "secret": _secret,
    "configMap": _secret,
    "flocker": _flocker,
    "cinder": _cinder,
    "quobyte": _quobyte,
    "downwardAPI": _downward,
    "fc": _fc,
    "flexVolume": _flex,
    "azureDisk": _azure_disk,
    "storageos": _storage_os,
    "projected": validate_projected,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
