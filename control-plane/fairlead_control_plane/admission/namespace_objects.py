"""
What every namespace has from its first moment: the ConfigMap ``kube-root-ca.crt`` and the ServiceAccount ``default``.

Written in the transaction that creates the namespace, or a workspace with its first namespaces.

Source: k8s.io/kubernetes pkg/controller/certificates/rootcacertpublisher, pkg/controller/serviceaccount.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Operation, Put

ROOT_CA = "kube-root-ca.crt"
DEFAULT_ACCOUNT = "default"
_ABOUT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


@dataclass(frozen=True, slots=True)
class NamespaceObjects:
    """
    Makes the first objects of namespaces.

    Attributes:
        config_maps, service_accounts: The resources.
        ca_pem: The certificate authority's certificate as clients must trust it; asked each time, as it may rotate.
        new_uid, timestamp: For the objects' metadata.
        marks_cluster: Whether objects carry ``kcp.io/cluster``.
    """

    config_maps: Resource
    service_accounts: Resource
    ca_pem: Callable[[], str]
    new_uid: Callable[[], str]
    timestamp: Callable[[], str]
    marks_cluster: bool = True

    def root_ca(self, cluster: str, namespace: str) -> JsonObject:
        """Return a new ConfigMap ``kube-root-ca.crt``."""
        obj = self._object("ConfigMap", cluster, namespace, ROOT_CA)
        obj["metadata"].setdefault("annotations", {})["kubernetes.io/description"] = _ABOUT
        obj["data"] = {"ca.crt": self.ca_pem()}
        return obj

    def account(self, cluster: str, namespace: str) -> JsonObject:
        """Return a new ServiceAccount ``default``."""
        return self._object("ServiceAccount", cluster, namespace, DEFAULT_ACCOUNT)

    def operations(self, cluster: str, namespace: str) -> Sequence[Put]:
        """Return what writes both."""
        return (
            put(self.config_maps, cluster, self.root_ca(cluster, namespace)),
            put(self.service_accounts, cluster, self.account(cluster, namespace)),
        )

    async def effects(self, change: Change) -> Effect:
        """Add both to the creation of a namespace; nothing to any other write."""
        if change.old is not None or change.resource.plural != "namespaces" or change.resource.group:
            return Effect()
        operations = self.operations(change.cluster, change.name)
        return Effect(tuple[Operation, ...](operations), tuple(Compare(one.key, 0) for one in operations))

    def _object(self, kind: str, cluster: str, namespace: str, name: str) -> JsonObject:
        metadata: JsonObject = {
            "name": name,
            "namespace": namespace,
            "uid": self.new_uid(),
            "creationTimestamp": self.timestamp(),
        }
        if self.marks_cluster:
            metadata["annotations"] = {"kcp.io/cluster": cluster}
        return {"kind": kind, "apiVersion": "v1", "metadata": metadata}
