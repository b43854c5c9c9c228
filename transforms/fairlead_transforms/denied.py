"""
What no tenant may ask of a cluster they share with others, whatever the cluster itself would let the agent do.

Pod security at the namespace's level is judged here too (see :mod:`podsecurity`), so that it is the user's own object
that is refused, and not its pods, one by one, where only the cluster's owner would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fairlead_api import JsonObject
from fairlead_transforms import podsecurity
from fairlead_transforms.podtemplate import pod_template
from fairlead_transforms.policy import ANY, TenantPolicy

_OWNER = "the cluster's owner can allow it in spec.tenantPolicy.{field} of the SyncTarget"
_RESERVED_PRIORITY = "system-"
_NODE_ROLE = "node-role.kubernetes.io/"
_TOKEN_TYPES = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})
_INGRESS_CLASS = "kubernetes.io/ingress.class"


class PolicyDenied(ValueError):
    """The object asks for what would reach beyond its workspace; it is not synced, and its user hears why."""


def check(group: str, resource: str, obj: JsonObject, policy: TenantPolicy) -> None:
    """
    Refuse what reaches beyond a workspace.

    Args:
        group, resource: The kind.
        obj: As its user wrote it.
        policy: What the owner of the cluster allows.

    Raises:
        PolicyDenied: With all that is wrong, in one sentence for the user.
    """
    try:
        wrong = list(_wrong(group, resource, obj, policy))
    except (AttributeError, KeyError, TypeError) as error:
        # A workspace may have an API of that name from another provider, with another schema.
        raise PolicyDenied(f"it has not the shape of {resource}, so it cannot be judged") from error
    if wrong:
        raise PolicyDenied("; ".join(wrong))


def _wrong(group: str, resource: str, obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    rule = _RULES.get((group, resource))
    if rule is not None:
        yield from rule(obj, policy)
    template = pod_template(group, resource, obj)
    if template is not None:
        yield from _pods(template, policy, is_pod=(group, resource) == ("", "pods"))


def _pods(template: JsonObject, policy: TenantPolicy, *, is_pod: bool) -> Iterator[str]:
    spec = template.get("spec") or {}
    found = podsecurity.violations(policy.pod_security, template.get("metadata") or {}, spec)
    if found:
        yield f'violates PodSecurity "{policy.pod_security}:latest": ' + ", ".join(found)
    if spec.get("nodeName") and not is_pod:  # a Pod's own was set by a scheduler, and stays behind
        yield "nodeName is not allowed in a pod template: the cluster chooses its nodes"
    yield from _priority(spec.get("priorityClassName") or "", policy)
    yield from _class("runtimeClassName", spec.get("runtimeClassName"), policy.runtime_classes, "RuntimeClasses")
    for toleration in spec.get("tolerations") or ():
        yield from _toleration(toleration)
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("podCertificate") is not None:
                yield f"volume {volume.get('name')!r} asks for a certificate of the cluster and not of the workspace"
        claim = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
        yield from _class("storageClassName", claim.get("storageClassName"), policy.storage_classes, "StorageClasses")


def _priority(name: str, policy: TenantPolicy) -> Iterator[str]:
    if name.startswith(_RESERVED_PRIORITY):
        yield f"priorityClassName {name!r} is not allowed: it is for the cluster's own pods"
    else:
        yield from _class("priorityClassName", name, policy.priority_classes, "PriorityClasses")


def _toleration(toleration: JsonObject) -> Iterator[str]:
    """Refuse to stand what keeps workloads off the nodes of the control plane; without a key all is stood."""
    key = toleration.get("key") or ""
    if not key and toleration.get("operator") == "Exists":
        yield "a toleration without a key is not allowed: it stands the taints of control plane nodes too"
    elif key.startswith(_NODE_ROLE) or key == "CriticalAddonsOnly":
        yield f"the toleration of {key!r} is not allowed: those nodes are for the cluster's own pods"


def _class(field: str, name: str | None, allowed: frozenset[str], plural: str) -> Iterator[str]:
    if name and name not in allowed and ANY not in allowed:
        yield f"{field} {name!r} is not allowed: {_OWNER.format(field=f'allowed{plural}')}"


def _service(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    spec = obj.get("spec") or {}
    for field in ("externalIPs", "loadBalancerIP"):
        if spec.get(field) and not policy.external_ips:
            hint = _OWNER.format(field="allowExternalIPs")
            yield f"spec.{field} is not allowed: it would draw traffic of others in the cluster; {hint}"
    kind = spec.get("type") or "ClusterIP"
    if kind not in policy.service_types and ANY not in policy.service_types:
        yield f"Services of type {kind!r} are not allowed: {_OWNER.format(field='allowedServiceTypes')}"


def _ingress(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    annotations = obj["metadata"].get("annotations") or {}
    names = {(obj.get("spec") or {}).get("ingressClassName"), annotations.get(_INGRESS_CLASS)}
    for name in sorted(name for name in names if name):
        yield from _class("ingressClassName", name, policy.ingress_classes, "IngressClasses")
    for key in sorted(annotations):
        if "snippet" in key.rpartition("/")[2]:
            yield f"the annotation {key} is not allowed: it is configuration of a controller that serves others too"


def _endpoints(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    del obj, policy
    yield "endpoints are not synced: they could lead to addresses of others in the cluster"


def _secret(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    del policy
    if obj.get("type") in _TOKEN_TYPES:
        yield f"Secrets of type {obj['type']!r} are not synced: the cluster would put a token of its own into it"


def _claim(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    name = (obj.get("spec") or {}).get("storageClassName")
    yield from _class("storageClassName", name, policy.storage_classes, "StorageClasses")


def _stateful_set(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    for claim in (obj.get("spec") or {}).get("volumeClaimTemplates") or ():
        yield from _claim(claim, policy)


_RULES: Mapping[tuple[str, str], Callable[[JsonObject, TenantPolicy], Iterator[str]]] = {
    ("", "services"): _service,
    ("", "endpoints"): _endpoints,
    ("discovery.k8s.io", "endpointslices"): _endpoints,
    ("", "secrets"): _secret,
    ("", "persistentvolumeclaims"): _claim,
    ("apps", "statefulsets"): _stateful_set,
    ("networking.k8s.io", "ingresses"): _ingress,
}
