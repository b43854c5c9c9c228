"""
What no tenant may ask of a cluster they share with others, whatever the cluster itself would let the agent do.

Pod security at the namespace's level is judged here too (see :mod:`pod_standards`), so that it is the user's own object
that is refused, and not its pods, one by one, where only the cluster's owner would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fairlead_api import JsonObject
from fairlead_transforms import pod_standards, steering
from fairlead_transforms.podtemplate import pod_template, template_path
from fairlead_transforms.policy import ANY, TenantPolicy

_OWNER = "the cluster's owner can allow it in spec.tenantPolicy.{field} of the SyncTarget"
_RESERVED_PRIORITY = "system-"
_NODE_ROLE = "node-role.kubernetes.io/"
_TOKEN_TYPES = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
_ACCOUNT_DISKS = (
    "awsElasticBlockStore", "azureDisk", "cinder", "fc", "flexVolume", "gcePersistentDisk", "photonPersistentDisk",
    "portworxVolume", "vsphereVolume",
)  # fmt: skip
"""Volumes that a cluster attaches with its own account or hardware, to whoever names them."""


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
    yield from _marks("metadata", obj["metadata"], policy)
    rule = _RULES.get((group, resource))
    if rule is not None:
        yield from rule(obj, policy)
    path, template = template_path(group, resource), pod_template(group, resource, obj)
    if path is not None and template is not None:
        if path:
            yield from _marks(".".join((*path, "metadata")), template.get("metadata") or {}, policy)
        yield from _pods(".".join((*path, "spec")), template, policy, is_pod=not path)


def _marks(path: str, metadata: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    for field, key in steering.refused(metadata, more=policy.refused_annotations, allowed=policy.annotations):
        yield (
            f"{path}.{field}[{key}] is not allowed: it steers controllers that serve the whole cluster; "
            + _OWNER.format(field="allowedAnnotations")
        )


def _pods(path: str, template: JsonObject, policy: TenantPolicy, *, is_pod: bool) -> Iterator[str]:
    spec = template.get("spec") or {}
    broken = pod_standards.faults(policy.pod_security, pod_standards.LATEST, template.get("metadata") or {}, spec)
    if broken:
        yield f'{path} violates PodSecurity "{policy.pod_security}:latest": {pod_standards.told(broken)}'
    if spec.get("nodeName") and not is_pod:  # a Pod's own was set by a scheduler, and stays behind
        yield f"{path}.nodeName is not allowed in a pod template: the cluster chooses its nodes"
    yield from _priority(f"{path}.priorityClassName", spec.get("priorityClassName") or "", policy)
    runtime = spec.get("runtimeClassName")
    yield from _class(f"{path}.runtimeClassName", runtime, policy.runtime_classes, "RuntimeClasses")
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        yield from _toleration(f"{path}.tolerations[{index}]", toleration)
    for volume in spec.get("volumes") or ():
        yield from _volume(f"{path}.volumes[{volume.get('name')}]", volume, policy)


def _volume(path: str, volume: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("podCertificate") is not None:
            yield f"{path} asks for a certificate of the cluster and not of the workspace"
    for source in _ACCOUNT_DISKS:
        if volume.get(source) is not None:
            yield f"{path}.{source} is not allowed: the cluster would attach it with an account of its own"
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if claim is not None:
        yield from _claim_template(f"{path}.ephemeral.volumeClaimTemplate", claim, policy)


def _priority(path: str, name: str, policy: TenantPolicy) -> Iterator[str]:
    if name.startswith(_RESERVED_PRIORITY):
        yield f"{path} {name!r} is not allowed: it is for the cluster's own pods"
    else:
        yield from _class(path, name, policy.priority_classes, "PriorityClasses")


def _toleration(path: str, toleration: JsonObject) -> Iterator[str]:
    """Refuse to stand what keeps workloads off the nodes of the control plane; without a key all is stood."""
    key = toleration.get("key") or ""
    if not key and toleration.get("operator") == "Exists":
        yield f"{path}: a toleration without a key is not allowed: it stands the taints of control plane nodes too"
    elif key.startswith(_NODE_ROLE) or key == "CriticalAddonsOnly":
        yield f"{path}: the toleration of {key!r} is not allowed: those nodes are for the cluster's own pods"


def _class(path: str, name: str | None, allowed: frozenset[str], plural: str) -> Iterator[str]:
    if name and name not in allowed and ANY not in allowed:
        yield f"{path} {name!r} is not allowed: {_OWNER.format(field=f'allowed{plural}')}"


def _service(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    spec = obj.get("spec") or {}
    for field in ("externalIPs", "loadBalancerIP"):
        if spec.get(field) and not policy.external_ips:
            hint = _OWNER.format(field="allowExternalIPs")
            yield f"spec.{field} is not allowed: it would draw traffic of others in the cluster; {hint}"
    kind = spec.get("type") or "ClusterIP"
    if kind not in policy.service_types and ANY not in policy.service_types:
        yield f"spec.type: Services of type {kind!r} are not allowed: {_OWNER.format(field='allowedServiceTypes')}"
    chosen = spec.get("loadBalancerClass")
    yield from _class("spec.loadBalancerClass", chosen, policy.load_balancer_classes, "LoadBalancerClasses")
    for index, port in enumerate(spec.get("ports") or ()):
        if port.get("nodePort") and not policy.fixed_node_ports:
            hint = _OWNER.format(field="allowFixedNodePorts")
            yield (
                f"spec.ports[{index}].nodePort {port['nodePort']} is not allowed: ports of the nodes are shared by all "
                f"tenants, so the cluster chooses; {hint}"
            )


def _ingress(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    annotations = obj["metadata"].get("annotations") or {}
    names = {(obj.get("spec") or {}).get("ingressClassName"), annotations.get(_INGRESS_CLASS)}
    for name in sorted(name for name in names if name):
        yield from _class("spec.ingressClassName", name, policy.ingress_classes, "IngressClasses")


def _endpoints(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    del obj, policy
    yield "endpoints are not synced: they could lead to addresses of others in the cluster"


def _secret(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    del policy
    if obj.get("type") in _TOKEN_TYPES:
        yield f"Secrets of type {obj['type']!r} are not synced: the cluster would put a token of its own into it"


def _claim(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    yield from _claimed("spec", obj, policy)


def _claim_template(path: str, claim: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    yield from _marks(f"{path}.metadata", claim.get("metadata") or {}, policy)
    yield from _claimed(f"{path}.spec", claim, policy)


def _claimed(path: str, claim: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    """Judge a claim: volumes come of a class, and are never chosen among those that the cluster has."""
    spec, annotations = claim.get("spec") or {}, (claim.get("metadata") or {}).get("annotations") or {}
    for name in sorted({spec.get("storageClassName") or "", annotations.get(_STORAGE_CLASS) or ""}):
        yield from _class(f"{path}.storageClassName", name, policy.storage_classes, "StorageClasses")
    if spec.get("storageClassName") == "" or annotations.get(_STORAGE_CLASS) == "":
        yield f'{path}.storageClassName "" is not allowed: it asks for a volume that the cluster has already'
    for field in ("volumeName", "selector"):
        if spec.get(field):
            yield f"{path}.{field} is not allowed: it asks for a volume that the cluster has already"
    if (spec.get("dataSourceRef") or {}).get("namespace"):
        yield f"{path}.dataSourceRef.namespace is not allowed: namespaces of the cluster are not the workspace's"
    attributes = spec.get("volumeAttributesClassName")
    yield from _class(f"{path}.volumeAttributesClassName", attributes, policy.storage_classes, "StorageClasses")


def _stateful_set(obj: JsonObject, policy: TenantPolicy) -> Iterator[str]:
    for index, claim in enumerate((obj.get("spec") or {}).get("volumeClaimTemplates") or ()):
        yield from _claim_template(f"spec.volumeClaimTemplates[{index}]", claim, policy)


_RULES: Mapping[tuple[str, str], Callable[[JsonObject, TenantPolicy], Iterator[str]]] = {
    ("", "services"): _service,
    ("", "endpoints"): _endpoints,
    ("discovery.k8s.io", "endpointslices"): _endpoints,
    ("", "secrets"): _secret,
    ("", "persistentvolumeclaims"): _claim,
    ("apps", "statefulsets"): _stateful_set,
    ("networking.k8s.io", "ingresses"): _ingress,
}
