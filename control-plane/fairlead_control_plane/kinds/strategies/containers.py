"""
Validation of containers: names, images, ports, mounts, devices, restarts.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateContainers and below).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.environment import validate_env, validate_env_from
from fairlead_control_plane.kinds.strategies.probes import validate_lifecycle, validate_probe
from fairlead_control_plane.kinds.strategies.projections import no_backsteps, relative_path
from fairlead_control_plane.kinds.strategies.resources import validate_resources
from fairlead_control_plane.kinds.strategies.security_contexts import validate_context

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_EXIT_OPERATORS = ("In", "NotIn")
_MAX_RULES, _MAX_CODES = 20, 255
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_READ_ONLY = ("Disabled", "Enabled", "IfPossible")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"
_RESIZED, _RESIZES = ("cpu", "memory"), ("NotRequired", "RestartContainer")
_NOT_EPHEMERAL = (
    "ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe",
    "startupProbe", "lifecycle",
)  # fmt: skip
_EPHEMERAL = "cannot be set for an Ephemeral Container"


@dataclass(frozen=True, slots=True)
class Around:
    """
    What containers are checked against: the pod they are in.

    Attributes:
        volumes: The pod's sound volumes by name.
        claims: Names of its resource claims.
        grace_s: How long it is given to end, if that is said.
        restart_policy: The pod's own.
        host_users: Whether it shares its users with the node.
    """

    volumes: Mapping[str, JsonObject]
    claims: Collection[str] = ()
    grace_s: int | None = None
    restart_policy: str = ""
    host_users: bool = True


def validate_containers(containers: Sequence[JsonObject], around: Around, path: str) -> list[Cause]:
    """Return what is wrong with ``spec.containers``."""
    if not containers:
        return [wrong.required(path)]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        causes += _container(container, around, at)
        name = container.get("name") or ""
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        names.add(name)
        causes += _life(container, around, at)
        causes += _restarts(container, at)
    return causes + _host_port_conflicts(containers, path)


def validate_init_containers(spec: JsonObject, around: Around, path: str) -> list[Cause]:
    """Return what is wrong with ``initContainers`` of a pod spec."""
    causes: list[Cause] = []
    names = {container.get("name") or "" for container in spec.get("containers") or ()}
    for index, container in enumerate(spec.get("initContainers") or ()):
        at = f"{path}[{index}]"
        causes += _container(container, around, at)
        causes += _restarts(container, at)
        name = container.get("name") or ""
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        causes += _host_port_conflicts([container], path)
        if container.get("restartPolicy") == "Always":
            causes += _life(container, around, at)
            continue
        present = (field for field in ("lifecycle", *_PROBES) if container.get(field) is not None)
        causes += [wrong.forbidden(f"{at}.{field}", _NOT_FOR_INIT) for field in present]
        text = "must not be set to 'RestartContainer' for non-sidecar initContainers"
        causes += [
            wrong.invalid(f"{at}.resizePolicy[{i}].restartPolicy", "RestartContainer", text)
            for i, policy in enumerate(container.get("resizePolicy") or ())
            if policy.get("restartPolicy") == "RestartContainer"
        ]
    return causes


def validate_ephemeral_containers(spec: JsonObject, around: Around, path: str) -> list[Cause]:
    """Return what is wrong with ``ephemeralContainers`` of a pod spec."""
    causes: list[Cause] = []
    lists = (spec.get("containers") or (), spec.get("initContainers") or ())
    others = {container.get("name") or "" for containers in lists for container in containers}
    names = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        at, name = f"{path}[{index}]", container.get("name") or ""
        causes += _container(container, around, at) + untrimmed_image(container, at)
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            causes.append(wrong.not_found(f"{at}.targetContainerName", target))
        causes += [wrong.forbidden(f"{at}.{field}", _EPHEMERAL) for field in _NOT_EPHEMERAL if container.get(field)]
        for place, mount in enumerate(container.get("volumeMounts") or ()):
            present = (field for field in ("subPath", "subPathExpr") if mount.get(field))
            causes += [wrong.forbidden(f"{at}.volumeMounts[{place}].{field}", _EPHEMERAL) for field in present]
    return causes


def untrimmed_image(container: JsonObject, path: str) -> list[Cause]:
    """Check that an image has no space around it; templates may."""
    image = container.get("image") or ""
    text = "must not have leading or trailing whitespace"
    return [wrong.invalid(f"{path}.image", image, text)] if image != image.strip() else []


def _life(container: JsonObject, around: Around, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if container.get("lifecycle"):
        causes += validate_lifecycle(container["lifecycle"], f"{path}.lifecycle", around.grace_s)
    for kind in _PROBES:
        if kind in container:
            causes += validate_probe(container[kind], kind, path)
    return causes


def _restarts(container: JsonObject, path: str) -> list[Cause]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    causes: list[Cause] = []
    if policy is None:
        if not rules:
            return []
        text = "must specify restartPolicy when restart rules are used"
        causes.append(wrong.required(f"{path}.restartPolicy", text))
    elif policy not in _RESTART_POLICIES:
        causes.append(wrong.not_supported(f"{path}.restartPolicy", policy, _RESTART_POLICIES))
    if len(rules) > _MAX_RULES:
        causes.append(wrong.too_many(f"{path}.restartPolicyRules", len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        causes += _restart_rule(rule, f"{path}.restartPolicyRules[{index}]")
    return causes


def _restart_rule(rule: JsonObject, path: str) -> list[Cause]:
    action, codes = rule.get("action") or "", rule.get("exitCodes")
    causes = [] if action in _RESTART_ACTIONS else [wrong.not_supported(f"{path}.action", action, _RESTART_ACTIONS)]
    if codes is None:
        return [*causes, wrong.required(f"{path}.exitCodes", "must be specified")]
    operator, values = codes.get("operator") or "", codes.get("values") or ()
    if operator not in _EXIT_OPERATORS:
        causes.append(wrong.not_supported(f"{path}.exitCodes.operator", operator, _EXIT_OPERATORS))
    if len(values) > _MAX_CODES:
        causes.append(wrong.too_many(f"{path}.exitCodes.values", len(values), _MAX_CODES))
    return causes


def _container(container: JsonObject, around: Around, path: str) -> list[Cause]:
    name = container.get("name") or ""
    causes: list[Cause] = []
    if name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_label(name)]
    else:
        causes.append(wrong.required(f"{path}.name"))
    if not container.get("image"):
        causes.append(wrong.required(f"{path}.image"))
    causes += _one_of(container, "terminationMessagePolicy", _MESSAGE_POLICIES, path)
    for field, check in _PARTS:
        if container.get(field):
            causes += check(container, around, f"{path}.{field}")
    return causes + _one_of(container, "imagePullPolicy", _PULL_POLICIES, path)


def _one_of(obj: JsonObject, field: str, allowed: Sequence[str], path: str) -> list[Cause]:
    value = obj.get(field)
    if value in allowed:
        return []
    return [wrong.not_supported(f"{path}.{field}", value, allowed)] if value else [wrong.required(f"{path}.{field}")]


def _ports(ports: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if name := port.get("name"):
            messages = validation.port_name(name)
            causes += [wrong.invalid(f"{at}.name", name, text) for text in messages]
            if not messages and name in names:
                causes.append(wrong.duplicate(f"{at}.name", name))
            elif not messages:
                names.add(name)
        number = port.get("containerPort") or 0
        if number:
            causes += [wrong.invalid(f"{at}.containerPort", number, text) for text in validation.port_number(number)]
        else:
            causes.append(wrong.required(f"{at}.containerPort"))
        if host := port.get("hostPort"):
            causes += [wrong.invalid(f"{at}.hostPort", host, text) for text in validation.port_number(host)]
        causes += _one_of(port, "protocol", PROTOCOLS, at)
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


def _mounts(container: JsonObject, around: Around, path: str) -> list[Cause]:
    causes: list[Cause] = []
    points: set[str] = set()
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices") or ()}
    for index, mount in enumerate(container["volumeMounts"]):
        at = f"{path}[{index}]"
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            causes.append(wrong.required(f"{at}.name"))
        if name not in around.volumes:
            causes.append(wrong.not_found(f"{at}.name", name))
        if not point:
            causes.append(wrong.required(f"{at}.mountPath"))
        if point in points:
            causes.append(wrong.invalid(f"{at}.mountPath", point, "must be unique"))
        points.add(point)
        if name in devices:
            causes.append(wrong.invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        if point in devices.values():
            text = "must not already exist as a path in volumeDevices"
            causes.append(wrong.invalid(f"{at}.mountPath", point, text))
        causes += _mount_paths(mount, at, path)
        causes += _propagation(mount.get("mountPropagation"), container, f"{path}.mountPropagation")
        causes += _recursive(mount, f"{path}.recursiveReadOnly")
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


def _recursive(mount: JsonObject, path: str) -> list[Cause]:
    mode = mount.get("recursiveReadOnly")
    if mode is None or mode == "Disabled":
        return []
    if mode not in _READ_ONLY:
        return [wrong.not_supported(path, mode, _READ_ONLY)]
    causes = [] if mount.get("readOnly") else [wrong.forbidden(path, "may only be specified when readOnly is true")]
    if mount.get("mountPropagation", "None") != "None":
        text = "may only be specified when mountPropagation is None or not specified"
        causes.append(wrong.forbidden(path, text))
    return causes


def _devices(container: JsonObject, around: Around, path: str) -> list[Cause]:
    causes: list[Cause] = []
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    names: set[str] = set()
    places: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        at, name, place = f"{path}[{index}]", device.get("name") or "", device.get("devicePath") or ""
        causes += _device_volume(name, around.volumes, f"{at}.name", is_known=name in names)
        if not place:
            causes.append(wrong.required(f"{at}.devicePath"))
        if place in places:
            causes.append(wrong.invalid(f"{at}.devicePath", place, "must be unique"))
        if place and no_backsteps(place, ""):
            causes.append(wrong.invalid(f"{at}.devicePath", place, "can not contain backsteps ('..')"))
        else:
            places.add(place)
        if name in mounts:
            causes.append(wrong.invalid(f"{at}.name", name, "must not already exist in volumeMounts"))
        if place in mounts.values():
            text = "must not already exist as a path in volumeMounts"
            causes.append(wrong.invalid(f"{at}.devicePath", place, text))
        if name:
            names.add(name)
    return causes


def _device_volume(name: str, volumes: Mapping[str, JsonObject], path: str, *, is_known: bool) -> list[Cause]:
    causes = [] if name else [wrong.required(path)]
    if is_known:
        causes.append(wrong.invalid(path, name, "must be unique"))
    volume = volumes.get(name)
    if volume is None:
        return [*causes, wrong.not_found(path, name)]
    if volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
        text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        causes.append(wrong.invalid(path, name, text))
    return causes


def _resizes(container: JsonObject, around: Around, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, policy in enumerate(container["resizePolicy"]):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            causes.append(wrong.duplicate(f"{path}[{index}]", name))
        seen.add(name)
        for value, allowed in ((name, _RESIZED), (restart, _RESIZES)):
            if not value:
                causes.append(wrong.required(path))
            elif value not in allowed:
                causes.append(wrong.not_supported(path, value, allowed))
        if around.restart_policy == "Never" and restart != "NotRequired":
            text = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            causes.append(wrong.invalid(path, restart, text))
    return causes


_PARTS: Sequence[tuple[str, Callable[[JsonObject, Around, str], list[Cause]]]] = (
    ("ports", lambda container, around, path: _ports(container["ports"], path)),
    ("env", lambda container, around, path: validate_env(container["env"], path)),
    ("envFrom", lambda container, around, path: validate_env_from(container["envFrom"], path)),
    ("volumeMounts", _mounts),
    ("volumeDevices", _devices),
    ("resources", lambda container, around, path: validate_resources(container["resources"], path, around.claims)),
    ("resizePolicy", _resizes),
    (
        "securityContext",
        lambda container, around, path: validate_context(
            container["securityContext"], path, host_users=around.host_users
        ),
    ),
)
"""What is checked of a container where it has it."""
