"""
Validation of containers: names, images, ports, variables, mounts, probes, resources.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateContainers and below).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.probes import validate_lifecycle, validate_probe
from fairlead_control_plane.kinds.strategies.resources import validate_resources
from fairlead_control_plane.kinds.strategies.volumes import relative_path

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELD_PATHS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
_KNOWN_FIELDS = {*_FIELD_PATHS, *_SUBSCRIPTED}
_ONE_SOURCE = "may not have more than one field specified at a time"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"


def validate_containers(
    containers: Sequence[JsonObject], volumes: Mapping[str, JsonObject], path: str, *, grace_s: int | None
) -> list[Cause]:
    """Return what is wrong with ``spec.containers``; ``volumes`` are the pod's by name."""
    if not containers:
        return [wrong.required(path)]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _container(container, volumes, at)
        name = container.get("name") or ""
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        names.add(name)
        if container.get("lifecycle"):
            causes += validate_lifecycle(container["lifecycle"], f"{at}.lifecycle", grace_s)
        causes += [cause for kind in _PROBES for cause in validate_probe(container.get(kind), kind, at, grace_s)]
        policy = container.get("restartPolicy")
        if policy is not None and policy not in _RESTART_POLICIES:
            causes.append(wrong.not_supported(f"{at}.restartPolicy", policy, _RESTART_POLICIES))
    return causes + _host_port_conflicts(containers, path)


def validate_init_containers(
    spec: JsonObject, volumes: Mapping[str, JsonObject], path: str, *, grace_s: int | None
) -> list[Cause]:
    """Return what is wrong with ``initContainers`` of a pod spec."""
    causes: list[Cause] = []
    names = {container.get("name") or "" for container in spec.get("containers") or ()}
    for index, container in enumerate(spec.get("initContainers") or ()):
        at = f"{path}[{index}]"
        causes += _container(container, volumes, at)
        name = container.get("name") or ""
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        policy = container.get("restartPolicy")
        if policy is not None and policy not in _RESTART_POLICIES:
            causes.append(wrong.not_supported(f"{at}.restartPolicy", policy, _RESTART_POLICIES))
        causes += _host_port_conflicts([container], path)
        if policy == "Always":
            if container.get("lifecycle"):
                causes += validate_lifecycle(container["lifecycle"], f"{at}.lifecycle", grace_s)
            causes += [cause for kind in _PROBES for cause in validate_probe(container.get(kind), kind, at, grace_s)]
        else:
            present = (field for field in ("lifecycle", *_PROBES) if container.get(field))
            causes += [wrong.forbidden(f"{at}.{field}", _NOT_FOR_INIT) for field in present]
    return causes


def _container(container: JsonObject, volumes: Mapping[str, JsonObject], path: str) -> list[Cause]:
    name = container.get("name") or ""
    causes: list[Cause] = []
    if name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_label(name)]
    else:
        causes.append(wrong.required(f"{path}.name"))
    if not container.get("image"):
        causes.append(wrong.required(f"{path}.image"))
    causes += _one_of(container.get("terminationMessagePolicy"), _MESSAGE_POLICIES, f"{path}.terminationMessagePolicy")
    causes += _ports(container.get("ports") or (), f"{path}.ports")
    causes += _env(container.get("env") or (), f"{path}.env")
    causes += _env_from(container.get("envFrom") or (), f"{path}.envFrom")
    causes += _mounts(container, volumes, f"{path}.volumeMounts")
    causes += _one_of(container.get("imagePullPolicy"), _PULL_POLICIES, f"{path}.imagePullPolicy")
    return causes + validate_resources(container.get("resources"), f"{path}.resources")


def _one_of(value: str | None, allowed: Sequence[str], path: str) -> list[Cause]:
    if not value:
        return [wrong.required(path)]
    return [] if value in allowed else [wrong.not_supported(path, value, allowed)]


def _ports(ports: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name = port.get("name")
        if name:
            messages = validation.port_name(name)
            causes += [wrong.invalid(f"{at}.name", name, text) for text in messages]
            if not messages and name in names:
                causes.append(wrong.duplicate(f"{at}.name", name))
            names.add(name)
        number = port.get("containerPort") or 0
        if number:
            causes += [wrong.invalid(f"{at}.containerPort", number, text) for text in validation.port_number(number)]
        else:
            causes.append(wrong.required(f"{at}.containerPort"))
        if host := port.get("hostPort"):
            causes += [wrong.invalid(f"{at}.hostPort", host, text) for text in validation.port_number(host)]
        causes += _one_of(port.get("protocol"), PROTOCOLS, f"{at}.protocol")
    return causes


def _host_port_conflicts(containers: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[tuple[Any, ...]] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = (port.get("protocol"), port.get("hostIP", ""), port["hostPort"])
            if key in taken:
                text = f"{key[0]}/{key[1]}/{key[2]}"
                causes.append(wrong.duplicate(f"{path}[{index}].ports[{position}].hostPort", text))
            taken.add(key)
    return causes


def _env(variables: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        name = variable.get("name") or ""
        if name:
            causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.relaxed_env_var_name(name)]
        else:
            causes.append(wrong.required(f"{at}.name"))
        if variable.get("valueFrom") is not None:
            causes += _value_from(variable, f"{at}.valueFrom")
    return causes


def _value_from(variable: JsonObject, path: str) -> list[Cause]:
    source = variable["valueFrom"]
    present = [field for field in _ENV_SOURCES if source.get(field) is not None]
    causes: list[Cause] = []
    if "fieldRef" in present:
        causes += validate_field_reference(source["fieldRef"], f"{path}.fieldRef")
    if "resourceFieldRef" in present and not source["resourceFieldRef"].get("resource"):
        causes.append(wrong.required(f"{path}.resourceFieldRef.resource"))
    for field in ("configMapKeyRef", "secretKeyRef"):
        if field in present:
            causes += _key_reference(source[field], f"{path}.{field}")
    if not present:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        causes.append(wrong.invalid(path, "", f"must specify one of: {listed}"))
    elif variable.get("value"):
        causes.append(wrong.invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(present) > 1:
        causes.append(wrong.invalid(path, "", _ONE_SOURCE))
    return causes


def validate_field_reference(reference: JsonObject, path: str) -> list[Cause]:
    """Check an ``ObjectFieldSelector`` of a variable."""
    for field in ("apiVersion", "fieldPath"):
        if not reference.get(field):
            return [wrong.required(f"{path}.{field}")]
    field_path = reference["fieldPath"]
    base, bracket, rest = field_path.partition("[")
    if bracket and base in _SUBSCRIPTED and len(rest) > 3 and rest[0] in "'\"" and rest.endswith(rest[0] + "]"):
        key = rest[1:-2]
        shown = key.lower() if base == "metadata.annotations" else key
        return [wrong.invalid(path, shown, text) for text in validation.qualified_name(shown)]
    if reference["apiVersion"] != "v1":
        text = f"error converting fieldPath: unsupported pod version: {reference['apiVersion']}"
        return [wrong.invalid(f"{path}.fieldPath", field_path, text)]
    if field_path not in _KNOWN_FIELDS:
        text = f"error converting fieldPath: field label not supported: {field_path}"
        return [wrong.invalid(f"{path}.fieldPath", field_path, text)]
    if field_path not in _FIELD_PATHS:
        return [wrong.not_supported(f"{path}.fieldPath", field_path, _FIELD_PATHS)]
    return []


def _key_reference(reference: JsonObject, path: str) -> list[Cause]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    causes = [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_subdomain(name)]
    if not key:
        return [*causes, wrong.required(f"{path}.key")]
    return causes + [wrong.invalid(f"{path}.key", key, text) for text in validation.config_map_key(key)]


def _env_from(sources: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += [wrong.invalid(f"{at}.prefix", prefix, text) for text in validation.relaxed_env_var_name(prefix)]
        present = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in present:
            name = source[field].get("name") or ""
            causes += [wrong.invalid(f"{at}.{field}.name", name, text) for text in validation.dns1123_subdomain(name)]
        if not present:
            causes.append(wrong.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(present) > 1:
            causes.append(wrong.invalid(path, "", _ONE_SOURCE))
    return causes


def _mounts(container: JsonObject, volumes: Mapping[str, JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    points: set[str] = set()
    devices = container.get("volumeDevices") or ()
    device_names = {device.get("name") for device in devices}
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        at = f"{path}[{index}]"
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            causes.append(wrong.required(f"{at}.name"))
        if name not in volumes:
            causes.append(wrong.not_found(f"{at}.name", name))
        if not point:
            causes.append(wrong.required(f"{at}.mountPath"))
        if point in points:
            causes.append(wrong.invalid(f"{at}.mountPath", point, "must be unique"))
        points.add(point)
        if name in device_names:
            causes.append(wrong.invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        causes += _mount_paths(mount, at, path)
        causes += _propagation(mount.get("mountPropagation"), container, f"{path}.mountPropagation")
    return causes


def _mount_paths(mount: JsonObject, at: str, path: str) -> list[Cause]:
    causes: list[Cause] = []
    sub_path, expression = mount.get("subPath"), mount.get("subPathExpr")
    if sub_path:
        causes += relative_path(sub_path, f"{path}.subPath")
    if expression:
        if sub_path:
            text = "subPathExpr and subPath are mutually exclusive"
            causes.append(wrong.invalid(f"{at}.subPathExpr", expression, text))
        causes += relative_path(expression, f"{path}.subPathExpr")
    return causes


def _propagation(mode: str | None, container: JsonObject, path: str) -> list[Cause]:
    if mode is None:
        return []
    causes = [] if mode in _PROPAGATIONS else [wrong.not_supported(path, mode, _PROPAGATIONS)]
    if mode == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        text = "Bidirectional mount propagation is available only to privileged containers"
        causes.append(wrong.forbidden(path, text))
    return causes
