"""What the owner of a cluster lets tenants ask of it: ``podSecurity`` and ``tenantPolicy`` of the SyncTarget's spec."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead_api import JsonObject

LEVELS = ("privileged", "baseline", "restricted")
ANY = "*"
"""Among allowed classes: all of them."""
QUOTA_NAME = "fairlead-tenant"
"""Name of the ResourceQuota and the LimitRange that the agent keeps in each namespace."""


@dataclass(frozen=True, slots=True)
class TenantPolicy:
    """
    What is let through; the defaults are what a cluster shared by strangers can stand.

    Attributes:
        pod_security: Level of the Pod Security Standards.
        priority_classes, runtime_classes, storage_classes, ingress_classes: Names that may be asked for, or ``*``; the
            cluster's default, for which nothing is asked, always may be had.
        service_types: Of Services.
        external_ips: Whether a Service may name addresses of its own choice.
        quota: ``spec.hard`` of the ResourceQuota in each namespace; empty for none.
        container_limits: ``default``, ``defaultRequest``, ``max`` of containers in each namespace; empty for none.
    """

    pod_security: str = "baseline"
    priority_classes: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    storage_classes: frozenset[str] = frozenset()
    ingress_classes: frozenset[str] = frozenset()
    service_types: frozenset[str] = frozenset({"ClusterIP"})
    external_ips: bool = False
    quota: JsonObject = field(default_factory=dict)
    container_limits: JsonObject = field(default_factory=dict)


def parse(level: str, policy: JsonObject) -> TenantPolicy:
    """
    Return a policy from ``spec.podSecurity`` and ``spec.tenantPolicy``; what they do not name is as by default.

    Raises:
        ValueError: The level is unknown.
        TypeError: A field has the wrong type: nothing may be taken for allowed then.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown pod security level {level!r}")
    default = TenantPolicy()
    external_ips = policy.get("allowExternalIPs", default.external_ips)
    if not isinstance(external_ips, bool):
        raise TypeError("tenantPolicy.allowExternalIPs is neither true nor false")
    return TenantPolicy(
        pod_security=level,
        priority_classes=_names(policy, "allowedPriorityClasses", default.priority_classes),
        runtime_classes=_names(policy, "allowedRuntimeClasses", default.runtime_classes),
        storage_classes=_names(policy, "allowedStorageClasses", default.storage_classes),
        ingress_classes=_names(policy, "allowedIngressClasses", default.ingress_classes),
        service_types=_names(policy, "allowedServiceTypes", default.service_types),
        external_ips=external_ips,
        quota=_object(policy, "quota"),
        container_limits=_object(policy, "containerLimits"),
    )


def namespace_objects(policy: TenantPolicy) -> list[tuple[str, JsonObject]]:
    """Return plural and object of what stands in each namespace, whose tenants can neither change nor remove it."""
    metadata = {"name": QUOTA_NAME}
    found: list[tuple[str, JsonObject]] = []
    if policy.quota:
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": policy.quota}}
        found.append(("resourcequotas", body))
    if policy.container_limits:
        limit = {"type": "Container", **policy.container_limits}
        body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [limit]}}
        found.append(("limitranges", body))
    return found


def _names(policy: JsonObject, name: str, default: frozenset[str]) -> frozenset[str]:
    value = policy.get(name)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"tenantPolicy.{name} is not a list of names")
    return frozenset(value)


def _object(policy: JsonObject, name: str) -> JsonObject:
    value = policy.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"tenantPolicy.{name} is not an object")
    return value
