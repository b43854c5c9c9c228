"""
What a plain Kubernetes API has from the start: its namespaces, the Service by which pods find it, what tells which
addresses Services get, and the priorities of its own pods.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists
from fairlead_control_plane.allocation.ranges import NETWORK
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVICE_ADDRESS = str(NETWORK[1])
"""The first address of the range from which Services get theirs."""
_DEFAULT_PORT = 443
_PRIORITIES = {
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
}
"""Source: k8s.io/kubernetes pkg/apis/scheduling/v1/helpers.go."""


async def make_first_objects(
    registry: Registry, cluster: str, kind_of: Callable[[str, str], Resource], url: str
) -> None:
    """
    Make what is not there yet.

    Args:
        registry: Where they are made.
        cluster: The logical cluster.
        kind_of: Finds a kind by its group and plural.
        url: Where the server answers; its port is the target of the Service.
    """
    for name in NAMESPACES:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await _make(registry, cluster, kind_of("", "namespaces"), namespace)
    await _make(registry, cluster, kind_of("", "services"), kubernetes_service(url))
    classes = kind_of("scheduling.k8s.io", "priorityclasses")
    for name, (value, about) in _PRIORITIES.items():
        body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        await _make(registry, cluster, classes, {**body, "value": value, "description": about})
    await _make_service_range(registry, cluster, kind_of("networking.k8s.io", "servicecidrs"))


async def _make(registry: Registry, cluster: str, kind: Resource, obj: JsonObject) -> bool:
    """Return whether it was not there before."""
    try:
        await registry.create(kind, cluster, obj)
    except AlreadyExists:
        return False
    return True


async def _make_service_range(registry: Registry, cluster: str, kind: Resource) -> None:
    """
    Make the ServiceCIDR of the range.

    Source: k8s.io/kubernetes pkg/controlplane/controller/defaultservicecidr.
    """
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "spec": {"cidrs": [str(NETWORK)]}}
    if not await _make(registry, cluster, kind, {**body, "metadata": {"name": "kubernetes"}}):
        return

    def ready(obj: JsonObject) -> JsonObject:
        condition = {
            "type": "Ready",
            "status": "True",
            "lastTransitionTime": obj["metadata"]["creationTimestamp"],
            "reason": "",
            "message": "Kubernetes default Service CIDR is ready",
        }
        return {**obj, "status": {"conditions": [condition]}}

    await registry.modify(kind, cluster, "", "kubernetes", ready, subresource="status")


def kubernetes_service(url: str) -> JsonObject:
    """Return the Service ``kubernetes`` (k8s.io/kubernetes pkg/controlplane/controller/kubernetesservice)."""
    port = {
        "name": "https",
        "port": 443,
        "protocol": "TCP",
        "targetPort": urlsplit(url).port or _DEFAULT_PORT,
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": SERVICE_ADDRESS,
            "clusterIPs": [SERVICE_ADDRESS],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [port],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
