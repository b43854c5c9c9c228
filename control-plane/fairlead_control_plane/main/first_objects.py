"""What a plain Kubernetes API has from the start: its namespaces, and the Service by which pods find it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVICE_ADDRESS = "10.96.0.1"
"""The first address of the range from which Services get theirs, as kubeadm has it."""
_DEFAULT_PORT = 443


async def make_first_objects(registry: Registry, cluster: str, kind_of: Callable[[str], Resource], url: str) -> None:
    """
    Make what is not there yet.

    Args:
        registry: Where they are made.
        cluster: The logical cluster.
        kind_of: Finds a kind of the core group by its plural.
        url: Where the server answers; its port is the target of the Service.
    """
    for name in NAMESPACES:
        await _make(registry, cluster, kind_of("namespaces"), {"kind": "Namespace", "metadata": {"name": name}})
    await _make(registry, cluster, kind_of("services"), kubernetes_service(url))


async def _make(registry: Registry, cluster: str, kind: Resource, obj: JsonObject) -> None:
    try:
        await registry.create(kind, cluster, {"apiVersion": "v1", **obj})
    except AlreadyExists:
        return


def kubernetes_service(url: str) -> JsonObject:
    """Return the Service ``kubernetes`` (k8s.io/kubernetes pkg/controlplane/controller/kubernetesservice)."""
    port = {
        "name": "https",
        "port": 443,
        "protocol": "TCP",
        "targetPort": urlsplit(url).port or _DEFAULT_PORT,
    }
    return {
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
