"""
The Pod a workspace shows for a Pod that runs in a cluster.

What the injections added is taken out again, so that the user sees what they wrote; names stay, owners become the
workspace's own objects.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_transforms.podtemplate import VOLUME
from fairlead_transforms.strip import travelling_metadata

_ADDRESS = frozenset({"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"})


def to_upstream_pod(pod: JsonObject, namespace: str) -> JsonObject:
    """
    Return the Pod to show upstream.

    Args:
        pod: As the cluster has it; not changed.
        namespace: The upstream namespace.

    Returns:
        apiVersion, kind, metadata (name, namespace, the user's labels and annotations, creation and deletion times as
        annotations are not kept), spec and status. Owner references are the caller's to add: see :func:`owner`.
    """
    metadata = travelling_metadata(pod["metadata"])
    metadata["namespace"] = namespace
    spec = dict(pod.get("spec") or {})
    for field in ("serviceAccount", "serviceAccountName", "automountServiceAccountToken"):
        spec.pop(field, None)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        if field in spec:
            spec[field] = [_container(container) for container in spec[field]]
    if "volumes" in spec:
        spec["volumes"] = [volume for volume in spec["volumes"] if volume.get("name") != VOLUME]
        if not spec["volumes"]:
            del spec["volumes"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": pod.get("status") or {}}


def owner(pod: JsonObject) -> tuple[str, str, str] | None:
    """
    Return (group, resource, name) of the synced object a downstream Pod belongs to, or None.

    A Deployment's Pods name their ReplicaSet, whose name is the Deployment's plus the Pod's own template hash.
    """
    for reference in pod["metadata"].get("ownerReferences") or ():
        if not reference.get("controller"):
            continue
        kind, name = reference.get("kind"), reference.get("name", "")
        template_hash = (pod["metadata"].get("labels") or {}).get("pod-template-hash", "")
        if kind == "ReplicaSet" and template_hash and name.endswith(f"-{template_hash}"):
            return "apps", "deployments", name[: -len(template_hash) - 1]
        plural = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}.get(str(kind))
        if plural:
            return "apps", plural, name
        if kind == "Job":
            return "batch", "jobs", name
    return None


def _container(container: JsonObject) -> JsonObject:
    new = dict(container)
    env = [variable for variable in container.get("env") or [] if variable["name"] not in _ADDRESS]
    mounts = [mount for mount in container.get("volumeMounts") or [] if mount.get("name") != VOLUME]
    for field, values in (("env", env), ("volumeMounts", mounts)):
        new.pop(field, None)
        if values:
            new[field] = values
    return new
