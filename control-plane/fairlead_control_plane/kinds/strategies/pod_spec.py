"""
Defaults and validation of a pod spec, alone or in a template.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go and validation/validation.go (ValidatePodSpec).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.containers import validate_containers, validate_init_containers
from fairlead_control_plane.kinds.strategies.metadata import validate_annotations, validate_labels
from fairlead_control_plane.kinds.strategies.selectors import validate_selector
from fairlead_control_plane.kinds.strategies.volumes import validate_volumes

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("Equal", "Exists")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_MAX_INT32 = 2**31 - 1
NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def default_pod_spec(spec: JsonObject) -> None:
    """Fill in the defaults that follow from other fields of a pod spec, in place."""
    if spec.get("serviceAccount") or spec.get("serviceAccountName"):
        # Two names of one field; the old one gives way, and both are always shown.
        name = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            _default_container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _default_container(container: JsonObject, *, host_network: bool) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = "Always" if _tag(container.get("image") or "") == "latest" else "IfNotPresent"
    if host_network:
        for port in container.get("ports") or ():
            if not port.get("hostPort"):
                port["hostPort"] = port.get("containerPort")


def default_requests(spec: JsonObject) -> None:
    """Let a pod's containers request what they are limited to where they do not say; templates are left as they are."""
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            limits = resources.get("limits")
            if limits:
                requests = resources.setdefault("requests", {})
                for name, amount in limits.items():
                    requests.setdefault(name, amount)


def _tag(image: str) -> str:
    """Return an image's tag, ``latest`` when it has neither tag nor digest."""
    name = image.rpartition("/")[2]
    name, _, digest = name.partition("@")
    tag = name.partition(":")[2]
    return tag or ("" if digest else "latest")


def _default_volume(volume: JsonObject) -> None:
    if not any(key != "name" and value is not None for key, value in volume.items()):
        volume["emptyDir"] = {}
    image = volume.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = "Always" if _tag(image.get("reference") or "") == "latest" else "IfNotPresent"


def validate_template(template: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a pod template."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    causes = validate_labels(metadata.get("labels"), f"{path}.labels")
    causes += validate_annotations(metadata.get("annotations"), f"{path}.annotations")
    causes += validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        causes.append(wrong.forbidden(f"{path}.spec.ephemeralContainers", text))
    return causes


def validate_pod_spec(spec: JsonObject, path: str = "spec", *, is_pod: bool = False) -> list[Cause]:
    """Return what is wrong with a pod spec whose defaults are filled in."""
    grace_s = spec.get("terminationGracePeriodSeconds")
    causes = [] if grace_s is not None else [wrong.required(f"{path}.terminationGracePeriodSeconds")]
    volumes, volume_causes = validate_volumes(spec.get("volumes") or (), f"{path}.volumes")
    causes += volume_causes
    containers = spec.get("containers") or ()
    causes += validate_containers(containers, volumes, f"{path}.containers", grace_s=grace_s)
    causes += validate_init_containers(spec, volumes, f"{path}.initContainers", grace_s=grace_s)
    if spec.get("hostNetwork"):
        causes += _host_ports(containers, f"{path}.containers", is_pod=is_pod)
    causes += _enumerated(spec.get("restartPolicy"), _RESTART_POLICIES, f"{path}.restartPolicy")
    causes += _enumerated(spec.get("dnsPolicy"), _DNS_POLICIES, f"{path}.dnsPolicy")
    causes += validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    causes += _dns(spec, f"{path}.dnsConfig")
    causes += _spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    causes += _names(spec, path)
    causes += _deadline(spec.get("activeDeadlineSeconds"), f"{path}.activeDeadlineSeconds")
    causes += _tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    return causes + _host_aliases(spec.get("hostAliases") or (), f"{path}.hostAliases")


def _enumerated(value: str | None, allowed: Sequence[str], path: str) -> list[Cause]:
    if not value:
        return [wrong.required(path)]
    return [] if value in allowed else [wrong.not_supported(path, value, allowed)]


def _host_ports(containers: Sequence[JsonObject], path: str, *, is_pod: bool) -> list[Cause]:
    text = "must match `containerPort` when `hostNetwork` is true"
    return [
        wrong.invalid(f"{path}[{i}].ports[{j}].hostPort", port.get("hostPort", 0), text)
        for i, container in enumerate(containers)
        for j, port in enumerate(container.get("ports") or ())
        if (is_pod or port.get("hostPort")) and port.get("hostPort") != port.get("containerPort")
    ]


def _names(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("serviceAccountName", "nodeName"):
        causes += _checked(spec, field, path, subdomain=True)
    for field in ("hostname", "subdomain"):
        causes += _checked(spec, field, path, subdomain=False)
    for field in ("priorityClassName", "runtimeClassName"):
        causes += _checked(spec, field, path, subdomain=True)
    return causes


def _checked(spec: JsonObject, field: str, path: str, *, subdomain: bool) -> list[Cause]:
    value = spec.get(field)
    if not value:
        return []
    check = validation.dns1123_subdomain if subdomain else validation.dns1123_label
    return [wrong.invalid(f"{path}.{field}", value, text) for text in check(value)]


def _deadline(seconds: int | None, path: str) -> list[Cause]:
    if seconds is None:
        return []
    return [wrong.invalid(path, seconds, text) for text in validation.in_range(seconds, 1, _MAX_INT32)]


def _dns(spec: JsonObject, path: str) -> list[Cause]:
    if spec.get("dnsPolicy") == "None":
        servers = (spec.get("dnsConfig") or {}).get("nameservers")
        if not spec.get("dnsConfig"):
            return [wrong.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not servers:
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [wrong.required(f"{path}.nameservers", text)]
    return []


def _spread(constraints: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        if (constraint.get("maxSkew") or 0) <= 0:
            causes.append(wrong.invalid(f"{at}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        key = constraint.get("topologyKey") or ""
        if not key:
            causes.append(wrong.required(f"{at}.topologyKey", "can not be empty"))
        else:
            causes += [wrong.invalid(f"{at}.topologyKey", key, text) for text in validation.label_key(key)]
        action = constraint.get("whenUnsatisfiable", "")
        if action not in _UNSATISFIABLE:
            causes.append(wrong.not_supported(f"{at}.whenUnsatisfiable", action, _UNSATISFIABLE))
        pair = (key, action)
        if any(
            (other.get("topologyKey"), other.get("whenUnsatisfiable")) == pair for other in constraints[index + 1 :]
        ):
            causes.append(wrong.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        causes += validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return causes


def _tolerations(tolerations: Sequence[JsonObject], path: str) -> list[Cause]:
    return [cause for i, one in enumerate(tolerations) for cause in _toleration(one, f"{path}[{i}]")]


def _toleration(toleration: JsonObject, path: str) -> list[Cause]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    causes = [wrong.invalid(f"{path}.key", key, text) for text in validation.label_key(key)] if key else []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(wrong.invalid(f"{path}.operator", operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(wrong.invalid(f"{path}.effect", effect, text))
    if operator in {"Equal", ""}:
        messages = validation.label_value(value)
        causes += [wrong.invalid(f"{path}.operator", value, ";".join(messages))] if messages else []
    elif operator != "Exists":
        causes.append(wrong.not_supported(f"{path}.operator", operator, _OPERATORS))
    elif value:
        text = "value must be empty when `operator` is 'Exists'"
        causes.append(wrong.invalid(f"{path}.operator", value, text))
    if effect and effect not in _EFFECTS:
        causes.append(wrong.not_supported(f"{path}.effect", effect, _EFFECTS))
    return causes


def _host_aliases(aliases: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, alias in enumerate(aliases):
        causes += validate_ip(alias.get("ip") or "", f"{path}[{index}].ip")
        for position, name in enumerate(alias.get("hostnames") or ()):
            at = f"{path}[{index}].hostnames[{position}]"
            causes += [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name)]
    return causes


def validate_ip(text: str, path: str) -> list[Cause]:
    """Check an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return [wrong.invalid(path, text, NO_ADDRESS)]
    return []


def validate_network(text: str, path: str) -> list[Cause]:
    """Check an IP network in CIDR form."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return [wrong.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    return []
