"""Making complete objects: what the control plane writes beside a user's write, in the same transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fairlead_api import JsonObject
from fairlead_api.names import CLUSTER_ANNOTATION
from fairlead_control_plane.admission.namespace_objects import NamespaceObjects
from fairlead_control_plane.kinds import reader
from fairlead_control_plane.kinds.keys import object_key
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Put

Records = Mapping[tuple[str, str], Resource]
"""Built-in kinds and ours by (group, plural), whatever a single workspace serves."""


def by_name(resources: Iterable[Resource]) -> Records:
    """Return the resources by (group, plural)."""
    return {(resource.group, resource.plural): resource for resource in resources}


def _random_uid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Maker:
    """
    Completes objects as the registry would: apiVersion, kind, uid, creationTimestamp, generation, cluster annotation.

    Attributes:
        records: The kinds that can be made.
        now_s: Seconds since the epoch.
        new_uid: A fresh uid each time.
    """

    records: Records
    now_s: Callable[[], float] = time.time
    new_uid: Callable[[], str] = _random_uid

    def now(self) -> str:
        """Return the time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
        return datetime.fromtimestamp(self.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def complete(self, kind: tuple[str, str], cluster: str, obj: JsonObject) -> JsonObject:
        """
        Return a complete copy of ``obj`` (``metadata.name`` set; the rest as the kind has it) for a cluster.

        Raises:
            KeyError: No such kind among the records: a defect of the caller.
        """
        resource = self.records[kind]
        metadata: JsonObject = {
            **obj["metadata"],
            "uid": self.new_uid(),
            "creationTimestamp": self.now(),
            "annotations": {**obj["metadata"].get("annotations", {}), CLUSTER_ANNOTATION: cluster},
        }
        if resource.strategy.generation_of is not None:
            metadata["generation"] = 1
        body = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind", "metadata"}}
        version = resource.storage_version.name
        return {"apiVersion": resource.api_version(version), "kind": resource.kind, "metadata": metadata, **body}

    def put(self, kind: tuple[str, str], cluster: str, obj: JsonObject) -> Put:
        """Return the write of a complete object (see :meth:`complete`)."""
        return reader.put(self.records[kind], cluster, obj)

    def create(self, kind: tuple[str, str], cluster: str, obj: JsonObject) -> Put:
        """Complete an object and return its write."""
        return self.put(kind, cluster, self.complete(kind, cluster, obj))

    def key(self, kind: tuple[str, str], cluster: str, name: str, namespace: str = "") -> str:
        """Return where an object of that kind lies."""
        return object_key(self.records[kind], cluster, namespace, name)


NAMESPACES = ("", "namespaces")
SECRETS = ("", "secrets")
SERVICE_ACCOUNTS = ("", "serviceaccounts")
CONFIG_MAPS = ("", "configmaps")
CLUSTER_ROLES = ("rbac.authorization.k8s.io", "clusterroles")
CLUSTER_ROLE_BINDINGS = ("rbac.authorization.k8s.io", "clusterrolebindings")
CRDS = ("apiextensions.k8s.io", "customresourcedefinitions")
SCHEMAS = ("apis.kcp.io", "apiresourceschemas")
EXPORTS = ("apis.kcp.io", "apiexports")
BINDINGS = ("apis.kcp.io", "apibindings")
LOGICAL_CLUSTERS = ("core.kcp.io", "logicalclusters")
SHARDS = ("core.kcp.io", "shards")
WORKSPACES = ("tenancy.kcp.io", "workspaces")
WORKSPACE_TYPES = ("tenancy.kcp.io", "workspacetypes")


def namespace_with_content(maker: Maker, cluster: str, name: str, root_ca: str) -> list[Put]:
    """Return the writes of a namespace with its default service account and the server's CA certificate."""
    labels = {"kubernetes.io/metadata.name": name}
    records = maker.records
    first = NamespaceObjects(records[CONFIG_MAPS], records[SERVICE_ACCOUNTS], lambda: root_ca, maker.new_uid, maker.now)
    return [
        maker.create(
            NAMESPACES,
            cluster,
            {
                "metadata": {"name": name, "labels": labels},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            },
        ),
        *first.operations(cluster, name),
    ]
