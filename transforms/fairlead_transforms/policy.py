"""What the owner of a cluster lets tenants ask of it: ``podSecurity`` and ``tenantPolicy`` of the SyncTarget's spec."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead_api import JsonObject

LEVELS = ("privileged", "baseline", "restricted")
ANY = "*"
"""Among allowed classes: all of them."""
QUOTA_NAME = "fairlead-tenant"
"""Name of the ResourceQuota, the LimitRange and the NetworkPolicy that the agent keeps in each namespace."""
NETWORKING = "networking.k8s.io"
RULES = (("", "resourcequotas"), ("", "limitranges"), (NETWORKING, "networkpolicies"))
"""Group and plural of those."""
TENANT = "kcp.io/tenant-id"
"""Label of every namespace made for a workspace, whichever agent made it."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """
    Of a tenant's pods from those of others.

    Attributes:
        pod_networks: CIDRs of the cluster's pods, all of them. What comes from elsewhere outside, through a load
            balancer or from a node, is let in; empty when they are not known, and then nothing from outside is.
    """

    pod_networks: tuple[str, ...] = ()


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
        load_balancer_classes: Names that may be asked for, or ``*``.
        fixed_node_ports: Whether a Service may choose the ports of the nodes that lead to it.
        annotations, refused_annotations: Labels and annotations that may, and that may not, be used though they are, or
            are not, on our list; see :func:`fairlead_transforms.steering.refused`.
        isolation: Keeps the pods of other tenants from reaching a tenant's; None when the cluster's owner has not
            asked for it.
    """

    pod_security: str = "baseline"
    priority_classes: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    storage_classes: frozenset[str] = frozenset()
    ingress_classes: frozenset[str] = frozenset()
    service_types: frozenset[str] = frozenset({"ClusterIP", "LoadBalancer"})
    external_ips: bool = False
    quota: JsonObject = field(default_factory=dict)
    container_limits: JsonObject = field(default_factory=dict)
    load_balancer_classes: frozenset[str] = frozenset()
    fixed_node_ports: bool = False
    annotations: frozenset[str] = frozenset()
    refused_annotations: frozenset[str] = frozenset()
    isolation: Isolation | None = None


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
    return TenantPolicy(
        pod_security=level,
        priority_classes=_names(policy, "allowedPriorityClasses", default.priority_classes),
        runtime_classes=_names(policy, "allowedRuntimeClasses", default.runtime_classes),
        storage_classes=_names(policy, "allowedStorageClasses", default.storage_classes),
        ingress_classes=_names(policy, "allowedIngressClasses", default.ingress_classes),
        service_types=_names(policy, "allowedServiceTypes", default.service_types),
        external_ips=_flag(policy, "allowExternalIPs"),
        quota=_object(policy, "quota"),
        container_limits=_object(policy, "containerLimits"),
        load_balancer_classes=_names(policy, "allowedLoadBalancerClasses", default.load_balancer_classes),
        fixed_node_ports=_flag(policy, "allowFixedNodePorts"),
        annotations=_names(policy, "allowedAnnotations", default.annotations),
        refused_annotations=_names(policy, "refusedAnnotations", default.refused_annotations),
        isolation=_isolation(policy),
    )


def namespace_objects(policy: TenantPolicy, tenant: str) -> list[tuple[str, str, JsonObject]]:
    """
    Return group, plural and object of what stands in each namespace, whose tenants can neither change nor remove it.

    Args:
        policy: What the owner of the cluster asks for.
        tenant: Tenant id of the namespace's workspace, which its other namespaces bear too.
    """
    metadata = {"name": QUOTA_NAME}
    found: list[tuple[str, str, JsonObject]] = []
    if policy.quota:
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": policy.quota}}
        found.append(("", "resourcequotas", body))
    if policy.container_limits:
        limit = {"type": "Container", **policy.container_limits}
        body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [limit]}}
        found.append(("", "limitranges", body))
    if policy.isolation is not None:
        spec = _isolated(policy.isolation, tenant)
        body = {"apiVersion": f"{NETWORKING}/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
        found.append((NETWORKING, "networkpolicies", body))
    return found


def _isolated(isolation: Isolation, tenant: str) -> JsonObject:
    """Let in the workspace's own namespaces, those of no tenant (ingress controllers, DNS), and what is no pod."""
    peers: list[JsonObject] = [
        {"namespaceSelector": {"matchLabels": {TENANT: tenant}}},
        {"namespaceSelector": {"matchExpressions": [{"key": TENANT, "operator": "DoesNotExist"}]}},
    ]
    for everything, colons in (("0.0.0.0/0", False), ("::/0", True)):
        inside = [network for network in isolation.pod_networks if (":" in network) == colons]
        if inside:
            peers.append({"ipBlock": {"cidr": everything, "except": inside}})
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}


def _flag(policy: JsonObject, name: str) -> bool:
    value = policy.get(name)
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"tenantPolicy.{name} is neither true nor false")
    return bool(value)


def _isolation(policy: JsonObject) -> Isolation | None:
    value = policy.get("networkIsolation")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError("tenantPolicy.networkIsolation is not an object")
    networks = value.get("podNetworks")
    if networks is None:
        return Isolation()
    if not isinstance(networks, list) or not all(isinstance(one, str) for one in networks):
        raise TypeError("tenantPolicy.networkIsolation.podNetworks is not a list of networks")
    return Isolation(tuple(networks))


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
