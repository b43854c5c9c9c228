"""
What Kubernetes accepts in a pod's volumes and warns of: kinds that are gone, files that lie over each other.

Source: k8s.io/kubernetes/pkg/api/pod/warnings.go, pkg/api/persistentvolumeclaim/util.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject
from fairlead_api.field_errors import quoted
from fairlead_control_plane.kinds.strategies.resources import amount_of, is_fractional

# By field: the name that warnings call it by, and what they say.
_GONE = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_File = tuple[str, str]
"""A path, and where it comes from as warnings name that; empty in volumes with one source."""


def volume_warnings(volumes: Sequence[JsonObject], path: str) -> list[str]:
    """Warn of each volume by itself."""
    found: list[str] = []
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        found += [f"{at}.{name}: {text}" for field, (name, text) in _GONE.items() if volume.get(field) is not None]
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is not None:
            found += claim_warnings(template.get("spec") or {}, f"{at}.ephemeral.volumeClaimTemplate.spec")
    return found


def claim_warnings(spec: JsonObject, path: str) -> list[str]:
    """Warn of a claim's amounts of bytes that have a fraction."""
    resources = spec.get("resources") or {}
    return [
        f"{path}.resources.{part}[storage]: fractional byte value {quoted(str(amount_of(text)))} is invalid, "
        "must be an integer"
        for part in ("requests", "limits")
        if is_fractional(text := (resources.get(part) or {}).get("storage", "0"))
    ]


def overlap_warnings(volumes: Sequence[JsonObject]) -> list[str]:
    """Warn of files of one volume that lie over each other."""
    found: list[str] = []
    for volume in volumes:
        name = quoted(volume.get("name") or "")
        for kind, what in _kinds(volume):
            found += [f"volume {name} ({what}): overlapping paths: {text}" for text in _overlaps(_items(kind))]
        if (projected := volume.get("projected")) is not None:
            found += _projected(projected, name)
    return found


def _kinds(volume: JsonObject) -> Iterable[tuple[JsonObject, str]]:
    for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        if source := volume.get(field):
            yield source, f"{kind} {quoted(source.get(key) or '')}"
    if source := volume.get("downwardAPI"):
        yield source, "DownwardAPI"


def _items(source: JsonObject, origin: str = "") -> list[_File]:
    return [(item.get("path") or "", origin) for item in source.get("items") or ()]


def _projected(projected: JsonObject, name: str) -> list[str]:
    found: list[str] = []
    known: list[_File] = []
    for source in projected.get("sources") or ():
        if not any(value is not None for value in source.values()):
            found.append(f"volume {name} (Projected) has no sources provided")
            continue
        for path, origin in _sources(source):
            file = (path.rstrip("/"), origin)
            texts = _collisions(file, known)
            found += [f"volume {name} (Projected): overlapping paths: {text}" for text in texts]
            known.append(file)
    return found


def _sources(source: JsonObject) -> list[_File]:
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if (part := source.get(field)) and part.get("items"):
            return _items(part, f"{kind} {quoted(part.get('name') or '')}")
    if (part := source.get("downwardAPI")) and part.get("items"):
        return _items(part, "DownwardAPI")
    token = source.get("serviceAccountToken")
    return [(token.get("path") or "", "ServiceAccountToken")] if token is not None else []


def _overlaps(files: Iterable[_File]) -> list[str]:
    found: list[str] = []
    known: list[_File] = []
    for path, origin in files:
        file = (path.rstrip("/"), origin)
        found += _collisions(file, known)
        known.append(file)
    return found


def _collisions(file: _File, known: Iterable[_File]) -> list[str]:
    path = file[0]
    if not path:
        return []
    return [
        f"{_shown(file)} with {_shown(other)}"
        for other in known
        if other[0] and (f"{other[0]}/".startswith(f"{path}/") or f"{path}/".startswith(f"{other[0]}/"))
    ]


def _shown(file: _File) -> str:
    path, origin = file
    return f"{quoted(path)} ({origin})" if origin else quoted(path)
