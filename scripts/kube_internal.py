"""
Read Kubernetes' internal Go structs: names and order of their fields, which messages show as JSON.

An internal struct has the Go names of the versioned one; what the versioned field is called in JSON is looked up there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) (?:= )?([\w.\[\]*]+)(?: *//.*)?$", re.MULTILINE)
_FIELD = re.compile(r"^\t(?:(\w+)[ \t]+)?([*\[\]\w.]+)(?:[ \t]+`([^`]*)`)?(?:[ \t]*//.*)?$", re.MULTILINE)
_SCALARS = {"string": "string", "bool": "bool", "int32": "int", "int64": "int", "int": "int"}
_SPECIAL = {
    "metav1.Time": "time", "resource.Quantity": "quantity", "intstr.IntOrString": "intstr", "types.UID": "string",
    "metav1.FieldsV1": "raw", "runtime.RawExtension": "raw", "metav1.Condition": "raw",
}  # fmt: skip
# The internal pod keeps these in its security context.
_MOVED = frozenset({"HostNetwork", "HostPID", "HostIPC", "ShareProcessNamespace", "HostUsers"})
_METADATA = "metav1.ObjectMeta"
_PACKAGES = ("core", "batch", "policy", "resource", "storage")
ROOTS = (
    "core.PodTemplateSpec", "core.EphemeralContainer", "core.SecurityContext", "core.SeccompProfile",
    "core.PersistentVolumeSource", "core.VolumeNodeAffinity", "batch.PodFailurePolicy", "batch.SuccessPolicy",
    "policy.PodDisruptionBudgetSpec", "resource.AllocationResult", "resource.DeviceAttribute",
    "resource.ResourceClaimSpec", "resource.ResourceClaimTemplateSpec", "storage.CSINodeDriver",
    "storage.VolumeAttachmentSpec",
)  # fmt: skip


class InternalTypes:
    """The structs of some internal packages and of ``metav1``."""

    def __init__(self, module: Path, version: str) -> None:
        """Take the folder of the module ``k8s.io/kubernetes`` and the version of the staging modules beside it."""
        staging = module.parent
        self._structs: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._own_names: dict[str, Mapping[str, str]] = {}
        for package in _PACKAGES:
            self._read(package, (module / f"pkg/apis/{package}/types.go").read_text())
            self._read_versioned(package, (staging / f"api@{version}/{package}/v1/types.go").read_text())
        self._read("metav1", (staging / f"apimachinery@{version}/pkg/apis/meta/v1/types.go").read_text())

    def _read(self, package: str, source: str) -> None:
        for match in _STRUCT.finditer(source):
            self._structs[f"{package}.{match[1]}"] = match[2]
        for match in _ALIAS.finditer(source):
            self._aliases[f"{package}.{match[1]}"] = match[2]

    def _read_versioned(self, package: str, source: str) -> None:
        for match in _STRUCT.finditer(source):
            names = {field[1]: _json_name(field[3])[0] for field in _FIELD.finditer(match[2]) if field[1] and field[3]}
            self._own_names[f"{package}.{match[1]}"] = names

    def table(self, names: Iterable[str]) -> dict[str, list[list[Any]]]:
        """Return ``[shown name, own name, type, form, may be left out]`` of each field of the types and their parts."""
        todo, done = list(names), dict[str, list[list[Any]]]()
        while todo:
            name = todo.pop()
            if name in done or name not in self._structs:
                continue
            done[name] = self._fields(name)
            todo += [field[2] for field in done[name]]
        return dict(sorted(done.items()))

    def _fields(self, name: str) -> list[list[Any]]:
        package = name.partition(".")[0]
        own_names = self._own_names.get(name, {})
        found: list[list[Any]] = []
        for match in _FIELD.finditer(self._structs[name]):
            kind, form = self._resolve(match[2], package)
            json_name, options = _json_name(match[3] or "")
            if not match[1] or (match[3] and not json_name):
                # What is inlined is the same object's, but for metadata.
                found.append(["", "metadata" if kind == _METADATA else "", kind, "inline", False])
                continue
            moved = match[1][0].lower() + match[1][1:] if match[1] in _MOVED else ""
            own = json_name or own_names.get(match[1]) or moved
            if not own:
                raise ValueError(f"{name}.{match[1]} has no versioned name")
            found.append([json_name or match[1], own, kind, form, "omitempty" in options or "omitzero" in options])
        return found

    def _resolve(self, text: str, package: str) -> tuple[str, str]:  # noqa: PLR0911 - one return a form of type
        if text in _SCALARS:
            return _SCALARS[text], "one"
        if text.startswith("*"):
            return self._resolve(text[1:], package)[0], "pointer"
        if text.startswith("[]"):
            return self._resolve(text[2:], package)[0], "list"
        if text.startswith("map["):
            return self._resolve(text[text.index("]") + 1 :], package)[0], "map"
        full = text.replace("api.", "core.") if "." in text else f"{package}.{text}"
        if full in _SPECIAL:
            return _SPECIAL[full], "one"
        if full in self._aliases:
            return self._resolve(self._aliases[full], full.partition(".")[0])
        if full in self._structs:
            return full, "one"
        raise ValueError(f"no Go type {text} ({full})")


def _json_name(tags: str) -> tuple[str, str]:
    match = re.search(r'json:"([^",]*),?([^"]*)"', tags)
    return (match[1], match[2]) if match else ("", "")
