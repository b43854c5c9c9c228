"""
Validation of a pod spec, alone or in a template.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePodSpec).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.containers import (
    Around,
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from fairlead_control_plane.kinds.strategies.environment import validate_key_files
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip
from fairlead_control_plane.kinds.strategies.metadata import validate_annotations, validate_labels
from fairlead_control_plane.kinds.strategies.pod_annotations import validate_pod_annotations, validate_profiles_match
from fairlead_control_plane.kinds.strategies.resources import (
    HUGE_PAGES,
    amount_of,
    total_of,
    validate_pod_resources,
    validate_resources,
)
from fairlead_control_plane.kinds.strategies.scheduling import (
    validate_affinity,
    validate_gates,
    validate_spread,
    validate_tolerations,
)
from fairlead_control_plane.kinds.strategies.security_contexts import (
    containers_of,
    validate_host_process,
    validate_host_users,
    validate_pod_context,
    validate_system,
)
from fairlead_control_plane.kinds.strategies.volumes import validate_volumes

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_MAX_INT32 = 2**31 - 1
_MAX_SERVERS, _MAX_SEARCHES, _MAX_SEARCH_BYTES = 3, 32, 2048
_MAX_HOSTNAME = 64


def validate_template(template: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with a pod template."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    causes = validate_labels(metadata.get("labels"), f"{path}.labels")
    if annotations := metadata.get("annotations"):
        causes += validate_annotations(annotations, f"{path}.annotations")
        causes += validate_pod_annotations(annotations, spec, f"{path}.annotations")
        causes += validate_profiles_match(annotations, spec, f"{path}.spec")
    causes += validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        causes.append(wrong.forbidden(f"{path}.spec.ephemeralContainers", text))
    return causes


def validate_pod_spec(spec: JsonObject, path: str = "spec", *, metadata: JsonObject | None = None) -> list[Cause]:
    """Return what is wrong with a pod spec that has its defaults; ``metadata`` is the pod's, None in templates."""
    grace_s = spec.get("terminationGracePeriodSeconds")
    causes = [] if grace_s is not None else [wrong.required(f"{path}.terminationGracePeriodSeconds")]
    is_pod, pod_name = metadata is not None, (metadata or {}).get("name") or ""
    volumes, wrong_volumes = validate_volumes(
        spec.get("volumes") or (), f"{path}.volumes", pod_name=pod_name, is_pod=is_pod
    )
    causes += wrong_volumes
    claims = [claim["name"] for claim in spec.get("resourceClaims") or () if claim.get("name")]
    causes += _resource_claims(spec.get("resourceClaims") or (), f"{path}.resourceClaims")
    host_users = spec.get("hostUsers") is not False
    around = Around(volumes, claims, grace_s, spec.get("restartPolicy") or "", host_users)
    containers = spec.get("containers") or ()
    causes += validate_containers(containers, around, f"{path}.containers")
    if spec.get("initContainers"):
        causes += validate_init_containers(spec, around, f"{path}.initContainers")
    if spec.get("ephemeralContainers"):
        causes += validate_ephemeral_containers(spec, around, f"{path}.ephemeralContainers")
    if (resources := spec.get("resources")) is not None:
        causes += _whole_pod(resources, spec, claims, path)
    if spec.get("hostNetwork"):
        causes += _host_ports(containers, f"{path}.containers", is_pod=is_pod)
    causes += _enumerated(spec.get("restartPolicy"), _RESTART_POLICIES, f"{path}.restartPolicy")
    causes += _enumerated(spec.get("dnsPolicy"), _DNS_POLICIES, f"{path}.dnsPolicy")
    causes += validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    return causes + _where(spec, path) + _rest(spec, path)


def _where(spec: JsonObject, path: str) -> list[Cause]:
    """Check where a pod runs and under whom."""
    causes: list[Cause] = []
    if context := spec.get("securityContext"):
        causes += validate_pod_context(context, spec, f"{path}.securityContext")
    if affinity := spec.get("affinity"):
        causes += validate_affinity(affinity, f"{path}.affinity")
    causes += _dns(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        name, at = gate.get("conditionType") or "", f"{path}.readinessGates[{index}].conditionType"
        causes += [wrong.invalid(at, name, text) for text in validation.qualified_name(name)]
    if gates := spec.get("schedulingGates"):
        causes += validate_gates(gates, f"{path}.schedulingGates")
    if constraints := spec.get("topologySpreadConstraints"):
        causes += validate_spread(constraints, f"{path}.topologySpreadConstraints")
    causes += validate_host_process(spec, path)
    causes += validate_host_users(spec, path)
    causes += _host_name(spec, path) + _names(spec, path)
    if tolerations := spec.get("tolerations"):
        causes += validate_tolerations(tolerations, f"{path}.tolerations")
    return causes


def _rest(spec: JsonObject, path: str) -> list[Cause]:
    seconds = spec.get("activeDeadlineSeconds")
    causes: list[Cause] = []
    if seconds is not None:
        texts = validation.in_range(seconds, 1, _MAX_INT32)
        causes += [wrong.invalid(f"{path}.activeDeadlineSeconds", seconds, text) for text in texts]
    causes += _host_aliases(spec.get("hostAliases") or (), f"{path}.hostAliases")
    if (policy := spec.get("preemptionPolicy")) is not None:
        causes += _enumerated(policy, _PREEMPTION, f"{path}.preemptionPolicy")
    if overhead := spec.get("overhead"):
        at = f"{path}.overhead"
        causes += validate_resources({"limits": overhead}, at)
    if (system := spec.get("os")) is not None:
        causes += validate_system(system, spec, path)
    return causes + validate_key_files(spec, list(containers_of(spec, path)))


def _enumerated(value: str | None, allowed: Sequence[str], path: str) -> list[Cause]:
    if value in allowed:
        return []
    return [wrong.not_supported(path, value, allowed)] if value else [wrong.required(path)]


def _resource_claims(claims: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, claim in enumerate(claims):
        at, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            causes.append(wrong.required(f"{at}.name"))
        elif name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        else:
            causes += [wrong.invalid(f"{at}.name", name, text) for text in validation.dns1123_label(name)]
            names.add(name)
        sources = [
            field for field in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(field) is not None
        ]
        if len(sources) != 1:
            text = (
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
                if sources
                else "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            )
            shown = {
                "Name": name,
                "ResourceClaimName": claim.get("resourceClaimName"),
                "ResourceClaimTemplateName": claim.get("resourceClaimTemplateName"),
            }
            causes.append(wrong.invalid(at, shown, text))
        for field in sources:
            texts = validation.dns1123_subdomain(claim[field])
            causes += [wrong.invalid(f"{at}.{field}", claim[field], text) for text in texts]
    return causes


def _whole_pod(resources: JsonObject, spec: JsonObject, claims: Sequence[str], path: str) -> list[Cause]:
    """Check the resources of a whole pod against those of its containers."""
    at = f"{path}.resources"
    if (spec.get("os") or {}).get("name") == "windows":
        return [wrong.forbidden(at, "may not be set for a windows pod")]
    causes = validate_pod_resources(resources, at, claims)
    for part, of_all in (("requests", total_of(spec, "requests")), ("limits", total_of(spec, "limits"))):
        for name, total in of_all.items():
            text = (resources.get(part) or {}).get(name)
            whole = None if text is None else amount_of(text)
            if whole is None or total <= whole or (part == "limits" and not name.startswith(HUGE_PAGES)):
                continue
            detail = f"must be greater than or equal to aggregate container {part} of {total}"
            causes.append(wrong.invalid(f"{at}.{part}[{name}]", str(whole), detail))
    limits = resources.get("limits") or {}
    for index, container in enumerate(spec.get("containers") or ()):
        for name, text in ((container.get("resources") or {}).get("limits") or {}).items():
            own, whole = amount_of(text), amount_of(limits.get(name, text))
            if own is not None and whole is not None and own > whole:
                detail = f"must be less than or equal to pod limits of {whole}"
                causes.append(wrong.invalid(f"{at}.containers[{index}][{name}].limits", str(own), detail))
    return causes


def _host_ports(containers: Sequence[JsonObject], path: str, *, is_pod: bool) -> list[Cause]:
    text = "must match `containerPort` when `hostNetwork` is true"
    return [
        wrong.invalid(f"{path}[{i}].ports[{j}].hostPort", port.get("hostPort", 0), text)
        for i, container in enumerate(containers)
        for j, port in enumerate(container.get("ports") or ())
        if (is_pod or port.get("hostPort")) and port.get("hostPort", 0) != port.get("containerPort", 0)
    ]


def _host_name(spec: JsonObject, path: str) -> list[Cause]:
    name, at = spec.get("hostnameOverride"), f"{path}.hostnameOverride"
    if name is None:
        return []
    causes = [
        wrong.forbidden(at, f"may not be specified when {field} is true")
        for field in ("setHostnameAsFQDN", "hostNetwork")
        if spec.get(field)
    ]
    if len(name.encode()) > _MAX_HOSTNAME:
        causes.append(wrong.too_long(at, _MAX_HOSTNAME))
    return causes + [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name)]


def _names(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        value = spec.get(field)
        if value or (value is not None and field == "runtimeClassName"):
            causes += [wrong.invalid(f"{path}.{field}", value, text) for text in validation.dns1123_subdomain(value)]
    for field in ("hostname", "subdomain"):
        if value := spec.get(field):
            causes += [wrong.invalid(f"{path}.{field}", value, text) for text in validation.dns1123_label(value)]
    return causes


def _dns(spec: JsonObject, path: str) -> list[Cause]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [wrong.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [wrong.required(f"{path}.nameservers", text)]
    if config is None:
        return []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    causes: list[Cause] = []
    if len(servers) > _MAX_SERVERS:
        text = f"must not have more than {_MAX_SERVERS} nameservers"
        causes.append(wrong.invalid(f"{path}.nameservers", servers, text))
    causes += [cause for i, one in enumerate(servers) for cause in check_ip(one, f"{path}.nameservers[{i}]")]
    causes += _searches(searches, f"{path}.searches")
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(wrong.required(f"{path}.options[{index}]", "must not be empty"))
    return causes


def _searches(searches: list[str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    if len(searches) > _MAX_SEARCHES:
        causes.append(wrong.invalid(path, searches, f"must not have more than {_MAX_SEARCHES} search paths"))
    if len(" ".join(searches).encode()) > _MAX_SEARCH_BYTES:
        text = f"must not have more than {_MAX_SEARCH_BYTES} characters (including spaces) in the search list"
        causes.append(wrong.invalid(path, searches, text))
    for index, search in enumerate(searches):
        if search == ".":
            continue
        plain = search.removesuffix(".")
        texts = validation.dns1123_subdomain_with_underscore(plain)
        causes += [wrong.invalid(f"{path}[{index}]", plain, text) for text in texts]
    return causes


def _host_aliases(aliases: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, alias in enumerate(aliases):
        causes += check_ip(alias.get("ip") or "", f"{path}[{index}].ip")
        for position, name in enumerate(alias.get("hostnames") or ()):
            at = f"{path}[{index}].hostnames[{position}]"
            causes += [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name)]
    return causes


def validate_network(text: str, path: str) -> list[Cause]:
    """Check an IP network in CIDR form."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return [wrong.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    return []
