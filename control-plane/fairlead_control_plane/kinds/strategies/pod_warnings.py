"""
What Kubernetes accepts in pods and warns of.

Source: k8s.io/kubernetes/pkg/api/pod/warnings.go, pkg/api/node/util.go, pkg/api/persistentvolumeclaim/util.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fairlead_api import JsonObject, validation
from fairlead_api.field_errors import quoted
from fairlead_control_plane.kinds.strategies.ip_fields import ip_warnings
from fairlead_control_plane.kinds.strategies.node_labels import DEPRECATED
from fairlead_control_plane.kinds.strategies.pod_annotations import (
    APP_ARMOR,
    SECCOMP_CONTAINER,
    SECCOMP_POD,
    app_armor_field,
)
from fairlead_control_plane.kinds.strategies.resources import amount_of, is_fractional
from fairlead_control_plane.kinds.strategies.security_contexts import containers_of
from fairlead_control_plane.kinds.strategies.volume_warnings import overlap_warnings, volume_warnings

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_BYTES = ("memory", "ephemeral-storage")
_NO_SELECTOR = "a null labelSelector results in matching no pod"


def name_warnings(obj: JsonObject, use: str = "Pod names and hostnames") -> list[str]:
    """Warn of a name that is no DNS label where it becomes one."""
    messages = validation.dns1123_label(obj["metadata"].get("name") or "")
    text = "which can result in surprising behavior; a DNS label is recommended"
    return [f"metadata.name: this is used in {use}, {text}: [{' '.join(messages)}]"] if messages else []


def template_warnings(template: JsonObject, path: str) -> list[str]:
    """Warn of what is in a pod template."""
    return pod_warnings(template.get("spec") or {}, template.get("metadata") or {}, f"{path}.")


def pod_warnings(spec: JsonObject, metadata: JsonObject, prefix: str = "") -> list[str]:
    """Warn of what is in a pod; ``prefix`` is the path of its template with a dot, empty for a pod itself."""
    at = f"{prefix}spec"
    found = [
        f"{at}.nodeSelector[{key}]: {DEPRECATED[key]}" for key in spec.get("nodeSelector") or () if key in DEPRECATED
    ]
    if affinity := spec.get("affinity"):
        found += _node_affinity(affinity, f"{at}.affinity.nodeAffinity")
    found += _spread(spec.get("topologySpreadConstraints") or (), f"{at}.topologySpreadConstraints")
    annotations = metadata.get("annotations") or {}
    for key, text in _ANNOTATIONS.items() if annotations else ():
        if key in annotations:
            found.append(f"{prefix}metadata.annotations[{key}]: {text}")
    if volumes := spec.get("volumes"):
        found += volume_warnings(volumes, f"{at}.volumes") + overlap_warnings(volumes)
    found += _doubles(spec.get("hostAliases") or (), "ip", f"{at}.hostAliases")
    secrets = spec.get("imagePullSecrets") or ()
    found += _doubles(secrets, "name", f"{at}.imagePullSecrets")
    for index, secret in enumerate(secrets):
        if not secret.get("name"):
            found.append(f'{at}.imagePullSecrets[{index}].name: invalid empty name ""')
    found += fractions(spec.get("overhead") or {}, f"{at}.overhead")
    found += _containers(spec, annotations, prefix)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{at}.terminationGracePeriodSeconds: {text}")
    if affinity:
        found += _pod_affinity(affinity, f"{at}.affinity")
    return found + _addresses(spec, at)


def _addresses(spec: JsonObject, path: str) -> list[str]:
    servers = (spec.get("dnsConfig") or {}).get("nameservers") or ()
    found = [text for i, one in enumerate(servers) for text in ip_warnings(one, f"{path}.dnsConfig.nameservers[{i}]")]
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        found += ip_warnings(alias.get("ip") or "", f"{path}.hostAliases[{index}].ip")
    return found


def _node_affinity(affinity: JsonObject, path: str) -> list[str]:
    nodes = affinity.get("nodeAffinity") or {}
    terms = (nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()
    found: list[str] = []
    for index, term in enumerate(terms):
        found += _node_term(term, f"{path}.{_REQUIRED}.nodeSelectorTerms[{index}]", checks_values=False)
    for index, weighted in enumerate(nodes.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{index}].preference"
        found += _node_term(weighted.get("preference") or {}, at, checks_values=True)
    return found


def _node_term(term: JsonObject, path: str, *, checks_values: bool) -> list[str]:
    found: list[str] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at, key = f"{path}.matchExpressions[{index}]", expression.get("key") or ""
        if key in DEPRECATED:
            found.append(f"{at}.key: {key} is {DEPRECATED[key]}")
        for place, value in enumerate(expression.get("values") or () if checks_values else ()):
            texts = validation.label_value(value)
            found += [f"{at}.values[{place}]: {value} is invalid, {text}" for text in texts]
    return found


def _spread(constraints: Sequence[JsonObject], path: str) -> list[str]:
    found: list[str] = []
    for index, constraint in enumerate(constraints):
        key = constraint.get("topologyKey") or ""
        if key in DEPRECATED:
            found.append(f"{path}[{index}].topologyKey: {key} is {DEPRECATED[key]}")
        if constraint.get("labelSelector") is None:
            found.append(f"{path}[{index}].labelSelector: {_NO_SELECTOR}")
    return found


def _pod_affinity(affinity: JsonObject, path: str) -> list[str]:
    found: list[str] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        for index, term in enumerate(pods.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                found.append(f"{path}.{kind}.{_REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}")
        for index, weighted in enumerate(pods.get(_PREFERRED) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                at = f"{path}.{kind}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector"
                found.append(f"{at}: {_NO_SELECTOR}")
    return found


def _doubles(items: Sequence[JsonObject], field: str, path: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        value = item.get(field) or ""
        if value in seen:
            found.append(f"{path}[{index}].{field}: duplicate {field} {quoted(value)}")
        seen.add(value)
    return found


def fractions(amounts: Mapping[str, str], path: str, names: Iterable[str] = _BYTES) -> list[str]:
    """Warn of amounts of bytes that have a fraction."""
    return [
        f"{path}[{name}]: fractional byte value {quoted(str(amount_of(amounts[name])))} is invalid, must be an integer"
        for name in names
        if name in amounts and is_fractional(amounts[name])
    ]


def _containers(spec: JsonObject, annotations: Mapping[str, str], prefix: str) -> list[str]:
    containers = list(containers_of(spec, f"{prefix}spec"))
    found: list[str] = []
    if SECCOMP_POD in annotations and not (spec.get("securityContext") or {}).get("seccompProfile"):
        found.append(f"{prefix}metadata.annotations[{SECCOMP_POD}]: {_SECCOMP}")
    for path, container in containers:
        if annotations:
            found += _profiles(container, spec, annotations, prefix)
        if resources := container.get("resources"):
            for name in _BYTES:
                for part in ("limits", "requests"):
                    found += fractions(resources.get(part) or {}, f"{path}.resources.{part}", (name,))
        found += _hidden(container.get("env") or (), f"{path}.env")
    ports = [
        (f"{path}.ports[{index}]", port)
        for path, container in containers
        for index, port in enumerate(container.get("ports") or ())
    ]
    return found + _ports(ports) + _port_names(ports)


def _profiles(container: JsonObject, spec: JsonObject, annotations: Mapping[str, str], prefix: str) -> list[str]:
    own, name = container.get("securityContext") or {}, container.get("name") or ""
    found: list[str] = []
    key = SECCOMP_CONTAINER + name
    if key in annotations and not own.get("seccompProfile"):
        found.append(f"{prefix}metadata.annotations[{key}]: {_SECCOMP}")
    key = APP_ARMOR + name
    if key in annotations and not own.get("appArmorProfile"):
        whole = (spec.get("securityContext") or {}).get("appArmorProfile")
        if whole is None or whole != app_armor_field(annotations[key]):
            found.append(f"{prefix}metadata.annotations[{key}]: {_APP_ARMOR}")
    return found


def _hidden(variables: Sequence[JsonObject], path: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name, value = variable.get("name") or "", variable.get("value") or ""
        reference = f"$({name})"
        if name not in seen:
            seen.add(name)
        elif variable.get("valueFrom") is not None or value == reference or reference not in value:
            text = f"hides previous definition of {quoted(name)}, which may be dropped when using apply"
            found.append(f"{path}[{index}]: {text}")
    return found


_Port = tuple[str, JsonObject]


def _ports(ports: Sequence[_Port]) -> list[str]:
    found: list[str] = []
    seen: dict[tuple[object, object], list[_Port]] = {}
    for path, port in ports:
        if port.get("hostIP") and not port.get("hostPort"):
            shown = (
                f"{{Name:{port.get('name', '')} HostPort:0 ContainerPort:{port.get('containerPort', 0)} "
                f"Protocol:{port.get('protocol', '')} HostIP:{port['hostIP']}}}"
            )
            found.append(f"{path}: hostIP set without hostPort: {shown}")
        others = seen.setdefault((port.get("containerPort"), port.get("protocol")), [])
        found += [f"{path}: {how} port definition with {at}" for at, other in others if (how := _clash(port, other))]
        others.append((path, port))
    return found


def _clash(port: JsonObject, other: JsonObject) -> str:
    own, its = port.get("hostPort") or 0, other.get("hostPort") or 0
    address, its_address = port.get("hostIP") or "", other.get("hostIP") or ""
    if (address, own) == (its_address, its):
        return "duplicate"
    if not own or not its:
        return "overlapping"
    return "dangerously ambiguous" if own == its and bool(address) != bool(its_address) else ""


def _port_names(ports: Sequence[_Port]) -> list[str]:
    found: list[str] = []
    first: dict[str, str] = {}
    for path, port in ports:
        name = port.get("name") or ""
        if name and name in first:
            text = f"duplicate port name {quoted(name)} with {first[name]}"
            use = f"services and probes that select ports by name will use {first[name]}"
            found.append(f"{path}: {text}, {use}")
        elif name:
            first[name] = path
    return found
