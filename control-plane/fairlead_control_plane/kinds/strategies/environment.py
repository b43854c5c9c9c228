"""
Validation of containers' variables and where their values come from.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateEnv, ValidateEnvFrom and below).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.projections import no_backsteps
from fairlead_control_plane.kinds.strategies.references import validate_field_reference, validate_resource_reference

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_ONE_SOURCE = "may not have more than one field specified at a time"


def validate_env(variables: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with ``env``."""
    causes: list[Cause] = []
    for index, variable in enumerate(variables):
        at, name = f"{path}[{index}]", variable.get("name") or ""
        if name:
            causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.relaxed_env_var_name(name)]
        else:
            causes.append(wrong.required(f"{at}.name"))
        if variable.get("valueFrom") is not None:
            causes += _value_from(variable, f"{at}.valueFrom")
    return causes


def _value_from(variable: JsonObject, path: str) -> list[Cause]:
    source = variable["valueFrom"]
    present = [field for field in _SOURCES if source.get(field) is not None]
    causes = [cause for field in present for cause in _of_source(field, source[field], f"{path}.{field}")]
    if not present:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        causes.append(wrong.invalid(path, "", f"must specify one of: {listed}"))
    elif variable.get("value"):
        causes.append(wrong.invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(present) > 1:
        causes.append(wrong.invalid(path, "", _ONE_SOURCE))
    return causes


def _of_source(kind: str, reference: JsonObject, path: str) -> list[Cause]:
    if kind == "fieldRef":
        return validate_field_reference(reference, path, _FIELDS)
    if kind == "resourceFieldRef":
        return validate_resource_reference(reference, path, needs_container=False)
    return _file_key(reference, path) if kind == "fileKeyRef" else _key(reference, path)


def _key(reference: JsonObject, path: str) -> list[Cause]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    causes = [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_subdomain(name)]
    if not key:
        return [*causes, wrong.required(f"{path}.key")]
    return causes + [wrong.invalid(f"{path}.key", key, text) for text in validation.config_map_key(key)]


def _file_key(reference: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, check in (("key", validation.relaxed_env_var_name), ("volumeName", validation.dns1123_label)):
        if not (value := reference.get(field) or ""):
            causes.append(wrong.required(f"{path}.{field}"))
        else:
            causes += [wrong.invalid(f"{path}.{field}", value, text) for text in check(value)]
    if not reference.get("path"):
        return [*causes, wrong.required(f"{path}.path")]
    return causes + no_backsteps(reference["path"], f"{path}.path")


def validate_env_from(sources: Sequence[JsonObject], path: str) -> list[Cause]:
    """Return what is wrong with ``envFrom``."""
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += [wrong.invalid(f"{at}.prefix", prefix, text) for text in validation.relaxed_env_var_name(prefix)]
        present = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in present:
            if not (name := source[field].get("name") or ""):
                causes.append(wrong.required(f"{at}.{field}.name"))
                continue
            # As the start of a name it may end in a dash.
            masked = f"{name[:-1]}a" if name.endswith("-") else name
            texts = validation.dns1123_subdomain(masked)
            causes += [wrong.invalid(f"{at}.{field}.name", name, text) for text in texts]
        if not present:
            causes.append(wrong.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(present) > 1:
            causes.append(wrong.invalid(path, "", _ONE_SOURCE))
    return causes


def validate_key_files(spec: JsonObject, containers: Sequence[tuple[str, JsonObject]]) -> list[Cause]:
    """Check that the files which variables come from are in empty directories of the pod."""
    causes: list[Cause] = []
    volumes: Mapping[str, JsonObject] | None = None
    for path, container in containers:
        for index, variable in enumerate(container.get("env") or ()):
            reference = (variable.get("valueFrom") or {}).get("fileKeyRef")
            if reference is None:
                continue
            volumes = volumes or {volume.get("name") or "": volume for volume in spec.get("volumes") or ()}
            name, at = reference.get("volumeName") or "", f"{path}.env[{index}].valueFrom.fileKeyRef.volumeName"
            if name not in volumes:
                causes.append(wrong.not_found(at, name))
            elif volumes[name].get("emptyDir") is None:
                causes.append(wrong.invalid(at, name, "referenced volume must be of type emptyDir"))
    return causes
