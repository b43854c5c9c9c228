"""
Labels and annotations by which a tenant would steer controllers that serve the whole cluster.

A key is refused that names an address, a DNS name, an account, a network or another namespace to such a controller. The
list cannot be complete: the cluster's owner knows what runs there, and adds to it or takes from it.

Source: the documentation of each controller; CVE-2021-25742 (snippets of the ingress controller).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead_api import JsonObject

_STEERING = (
    # What the cluster's own controllers act on.
    "addonmanager.kubernetes.io/*", "kubernetes.io/cluster-service", "pv.kubernetes.io/*",
    "volume.kubernetes.io/selected-node",
    # Load balancers: addresses, names, certificates and buckets of the account.
    "service.beta.kubernetes.io/*", "service.alpha.kubernetes.io/*", "alb.ingress.kubernetes.io/*",
    "cloud.google.com/*", "networking.gke.io/*", "metallb.io/*", "metallb.universe.tf/*", "lbipam.cilium.io/*",
    "io.cilium/*", "kube-vip.io/*",
    # DNS names.
    "external-dns.alpha.kubernetes.io/*", "nginx.ingress.kubernetes.io/server-alias",
    "nginx.ingress.kubernetes.io/from-to-www-redirect",
    # Networks and identities of pods, and how a runtime holds them.
    "k8s.v1.cni.cncf.io/*", "v1.multus-cni.io/*", "cni.projectcalico.org/*", "k8s.ovn.org/*", "ipam.cilium.io/*",
    "iam.amazonaws.com/*", "io.katacontainers.*", "io.kubernetes.cri-o.*", "run.oci.handler",
    # Secrets of other namespaces.
    "reflector.v1.k8s.emberstack.com/*", "replicator.v1.mittwald.de/*", "kubed.appscode.com/*",
    "nginx.ingress.kubernetes.io/auth-tls-secret", "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.tls.options", "traefik.ingress.kubernetes.io/service.serverstransport",
)  # fmt: skip
_REFERRING = "nginx.ingress.kubernetes.io/"
"""Its annotations may say NAMESPACE/NAME where an object's name is meant."""
_REFERENCES = ("secret", "configmap", "headers")


def refused(metadata: JsonObject, *, more: Iterable[str], allowed: Iterable[str]) -> Iterator[tuple[str, str]]:
    """
    Yield (``labels`` or ``annotations``, key) of what may not be there.

    Args:
        metadata: Of an object or a pod template.
        more: What is refused too: keys, or beginnings of keys that end in ``*``.
        allowed: What is not refused after all, in the same form.
    """
    listed, free = (*_STEERING, *more), tuple(allowed)
    for field in ("labels", "annotations"):
        for key, value in sorted((metadata.get(field) or {}).items()):
            is_steering = matches(key, listed) or _is_snippet(key) or _is_of_another_namespace(key, str(value))
            if is_steering and not matches(key, free):
                yield field, key


def matches(key: str, patterns: Iterable[str]) -> bool:
    """Tell whether a key is one of those named, or begins with what stands before a ``*``."""
    return any(key == one or (one.endswith("*") and key.startswith(one[:-1])) for one in patterns)


def _is_snippet(key: str) -> bool:
    domain, slash, name = key.partition("/")
    return bool(slash) and "snippet" in name and "ingress" in domain


def _is_of_another_namespace(key: str, value: str) -> bool:
    is_reference = key.startswith(_REFERRING) and key.endswith(_REFERENCES)
    return is_reference and "/" in value
