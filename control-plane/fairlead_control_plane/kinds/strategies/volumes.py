"""
Validation of a pod's volumes.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

# In the order in which Kubernetes looks at them: the first one present counts, the others are refused.
_SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_ONE_TYPE = "may not specify more than 1 volume type"
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_REQUIRED: Mapping[str, Sequence[str]] = {
    "persistentVolumeClaim": ("claimName",),
    "csi": ("driver",),
    "gitRepo": ("repository",),
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
    "image": ("reference",),
}


def validate_volumes(volumes: Sequence[JsonObject], path: str) -> tuple[dict[str, JsonObject], list[Cause]]:
    """Return the sound volumes by name, and what is wrong with the others."""
    found: dict[str, JsonObject] = {}
    causes: list[Cause] = []
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        name = volume.get("name") or ""
        its_causes = _source(volume, at)
        if name:
            its_causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.dns1123_label(name)]
        else:
            its_causes.append(wrong.required(f"{at}.name"))
        if name in found:
            its_causes.append(wrong.duplicate(f"{at}.name", name))
        if not its_causes:
            found[name] = volume
        causes += its_causes
    return found, causes


def relative_path(text: str, path: str) -> list[Cause]:
    """Check a path that must stay below where it starts."""
    causes = [wrong.invalid(path, text, "must be a relative path")] if text.startswith("/") else []
    return causes + _no_backsteps(text, path)


def _no_backsteps(text: str, path: str) -> list[Cause]:
    return [wrong.invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else []


def _source(volume: JsonObject, path: str) -> list[Cause]:
    present = [kind for kind in _SOURCES if volume.get(kind) is not None]
    if not present:
        return [wrong.required(path, "must specify a volume type")]
    first, *others = present
    source, at = volume[first], f"{path}.{first}"
    check = _CHECKS.get(first)
    causes = check(source, at) if check else []
    causes += [wrong.required(f"{at}.{field}") for field in _REQUIRED.get(first, ()) if not source.get(field)]
    return causes + [wrong.forbidden(f"{path}.{kind}", _ONE_TYPE) for kind in others]


def _host_path(source: JsonObject, path: str) -> list[Cause]:
    if not source.get("path"):
        return [wrong.required(f"{path}.path")]
    causes = _no_backsteps(source["path"], f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        causes.append(wrong.not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return causes


def _mode(mode: int | None, path: str) -> list[Cause]:
    return [] if mode is None or 0 <= mode <= 0o777 else [wrong.invalid(path, mode, _MODE)]


def _items(items: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        causes += [wrong.required(f"{at}.{field}") for field in ("key", "path") if not item.get(field)]
        causes += _file_path(item.get("path") or "", f"{at}.path")
        causes += _mode(item.get("mode"), f"{at}.mode")
    return causes


def _file_path(text: str, path: str) -> list[Cause]:
    causes = relative_path(text, path)
    # Names that start with two dots belong to whoever swaps the files atomically.
    if text.startswith("..") and ".." not in text.split("/"):
        causes.append(wrong.invalid(path, text, "must not start with '..'"))
    return causes


def _secret(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("secretName") else [wrong.required(f"{path}.secretName")]
    causes += _mode(source.get("defaultMode"), f"{path}.defaultMode")
    return causes + _items(source.get("items") or (), f"{path}.items")


def _config_map(source: JsonObject, path: str) -> list[Cause]:
    causes = [] if source.get("name") else [wrong.required(f"{path}.name")]
    causes += _mode(source.get("defaultMode"), f"{path}.defaultMode")
    return causes + _items(source.get("items") or (), f"{path}.items")


def _downward(source: JsonObject, path: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        at = path  # Kubernetes leaves the item's place out
        if not item.get("path"):
            causes.append(wrong.required(f"{at}.path"))
        causes += _file_path(item.get("path") or "", f"{at}.path")
        references = [field for field in ("fieldRef", "resourceFieldRef") if item.get(field) is not None]
        if not references:
            causes.append(wrong.required(at, "one of fieldRef and resourceFieldRef is required"))
        elif len(references) > 1:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(wrong.invalid(at, "resource", text))
        causes += _mode(item.get("mode"), f"{at}.mode")
    return causes


def _projected(source: JsonObject, path: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            part = projection.get(kind)
            if part is not None:
                causes += [] if part.get("name") else [wrong.required(f"{at}.{kind}.name")]
                causes += _items(part.get("items") or (), f"{at}.{kind}.items")
        token = projection.get("serviceAccountToken")
        if token is not None:
            causes += _token(token, f"{at}.serviceAccountToken")
            causes += [] if token.get("path") else [wrong.required(f"{path}.path")]
    return causes


def _token(token: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seconds = token.get("expirationSeconds") or 0
    if seconds < 600:
        causes.append(
            wrong.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        )
    if seconds > 1 << 32:
        causes.append(
            wrong.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    return causes + _file_path(token.get("path") or "", f"{path}.path")


def _nfs(source: JsonObject, path: str) -> list[Cause]:
    causes = [wrong.required(f"{path}.{field}") for field in ("server", "path") if not source.get(field)]
    if not (source.get("path") or "").startswith("/"):
        causes.append(wrong.invalid(f"{path}.path", source.get("path") or "", "must be an absolute path"))
    return causes


_CHECKS: Mapping[str, Callable[[JsonObject, str], list[Cause]]] = {
    "hostPath": _host_path,
    "nfs": _nfs,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
}
