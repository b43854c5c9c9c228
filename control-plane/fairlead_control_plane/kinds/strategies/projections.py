"""
Validation of projected volumes and of what other volumes share with them: paths, modes, fields of the pod.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateProjectionSources and below).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.references import validate_field_reference, validate_resource_reference

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_CONFLICT = "conflicting duplicate paths"


def relative_path(text: str, path: str) -> list[Cause]:
    """Check a path that must stay below where it starts."""
    causes = [wrong.invalid(path, text, "must be a relative path")] if text.startswith("/") else []
    return causes + no_backsteps(text, path)


def no_backsteps(text: str, path: str) -> list[Cause]:
    """Check that a path has no ``..`` in it."""
    return [wrong.invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else []


def file_path(text: str, path: str) -> list[Cause]:
    """Check where a file of a volume is put: names that start with two dots belong to whoever swaps the files."""
    causes = relative_path(text, path)
    if text.startswith("..") and not text.startswith("../"):
        causes.append(wrong.invalid(path, text, "must not start with '..'"))
    return causes


def check_mode(mode: int | None, path: str) -> list[Cause]:
    """Check the permission bits of a file."""
    return [] if mode is None or 0 <= mode <= 0o777 else [wrong.invalid(path, mode, _MODE)]


def check_items(items: Sequence[JsonObject], path: str) -> list[Cause]:
    """Check which keys of a ConfigMap or Secret become which files."""
    causes: list[Cause] = []
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        causes += [wrong.required(f"{at}.{name}") for name in ("key", "path") if not item.get(name)]
        causes += file_path(item.get("path") or "", f"{at}.path")
        causes += check_mode(item.get("mode"), f"{at}.mode")
    return causes


def downward_file(item: JsonObject, path: str) -> list[Cause]:
    """Check a file with a field of the pod; its place in the list is not told, as in Kubernetes."""
    causes = [] if item.get("path") else [wrong.required(f"{path}.path")]
    causes += file_path(item.get("path") or "", f"{path}.path")
    of_pod, of_resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if of_pod is not None:
        causes += validate_field_reference(of_pod, f"{path}.fieldRef", _FIELDS)
        if of_resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(wrong.invalid(path, "resource", text))
    elif of_resource is not None:
        causes += validate_resource_reference(of_resource, f"{path}.resourceFieldRef", needs_container=True)
    else:
        causes.append(wrong.required(path, "one of fieldRef and resourceFieldRef is required"))
    return causes + check_mode(item.get("mode"), f"{path}.mode")


@dataclass(slots=True)
class _Places:
    """The files of one projected volume so far, and where clashes are told of."""

    path: str
    taken: set[str] = field(default_factory=set)

    def take(self, file: str, shown: str | None = None) -> list[Cause]:
        if not file:
            return []
        if file in self.taken:
            return [wrong.invalid(self.path, file if shown is None else shown, _CONFLICT)]
        self.taken.add(file)
        return []


def validate_projected(source: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a projected volume."""
    causes = check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    places = _Places(path)
    for index, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        kinds = [kind for kind in _PROJECTIONS if projection.get(kind) is not None]
        for kind in kinds:
            causes += _PROJECTIONS[kind](projection[kind], f"{at}.{kind}", places)
        if len(kinds) > 1:
            causes.append(wrong.forbidden(at, "may not specify more than 1 volume type per source"))
    return causes


def _keys(part: JsonObject, path: str, places: _Places) -> list[Cause]:
    name = part.get("name") or ""
    causes = [] if name else [wrong.required(f"{path}.name")]
    causes += check_items(part.get("items") or (), f"{path}.items")
    return causes + [cause for item in part.get("items") or () for cause in places.take(item.get("path") or "", name)]


def _downward(part: JsonObject, path: str, places: _Places) -> list[Cause]:
    causes: list[Cause] = []
    for item in part.get("items") or ():
        causes += downward_file(item, path) + places.take(item.get("path") or "")
    return causes


def _token(part: JsonObject, path: str, places: _Places) -> list[Cause]:
    at, seconds = f"{path}.expirationSeconds", part.get("expirationSeconds") or 0
    causes: list[Cause] = []
    if seconds < 600:
        causes.append(wrong.invalid(at, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > 1 << 32:
        causes.append(wrong.invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    if not part.get("path"):
        return [*causes, wrong.required(f"{places.path}.path")]
    return causes + file_path(part["path"], f"{places.path}.path")


_PROJECTIONS: dict[str, Callable[[JsonObject, str, _Places], list[Cause]]] = {
    "secret": _keys,
    "configMap": _keys,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
}
