"""
Pod templates that believe they run in their workspace.

A pod's in-cluster client finds token, CA and API address where Kubernetes puts them, and they are the workspace's. All
values are stable for the life of a (workspace, target): rotation changes the Secret's contents, never a template, so
nothing restarts.

Source: kcp TMC, Deployment mutator; design section 6, "Injected values".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_transforms.names import downstream_name, token_secret
from fairlead_transforms.strip import is_internal

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME = "kcp-api-access"
TARGET_LABEL = "internal.workload.kcp.io/cluster"
_TEMPLATE_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("", "podtemplates"): ("template",),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_LOADED_NAMES = {"configMapRef": "configmaps", "secretRef": "secrets"}


@dataclass(frozen=True, slots=True)
class PodContext:
    """
    What a pod is told of the world.

    Attributes:
        api_host, api_port: Where the workspace's API answers, as the cluster reaches it; no path.
        namespace: The upstream namespace, which the downward API and the token's mount must show.
        target_key: SyncTargetKey; labels pods so that the agent sees them come up.
    """

    api_host: str
    api_port: str
    namespace: str
    target_key: str


def template_path(group: str, resource: str) -> tuple[str, ...] | None:
    """Return where a kind keeps its pod template; ``()`` for a Pod itself; None for kinds without one."""
    return () if (group, resource) == ("", "pods") else _TEMPLATE_PATHS.get((group, resource))


def rewrite(group: str, resource: str, obj: JsonObject, context: PodContext) -> JsonObject:
    """Return the object with its pod template rewritten; kinds without one come back as they are. Never in place."""
    path = template_path(group, resource)
    if path is None:
        return obj
    return _replace(obj, path, lambda template: _template(template, context))


def pod_template(group: str, resource: str, obj: JsonObject) -> JsonObject | None:
    """Return metadata and spec of an object's pods, as they stand; a Pod is its own; None for kinds without pods."""
    path = template_path(group, resource)
    if path is None:
        return None
    for key in path:
        obj = obj.get(key) or {}
    return obj


def pod_spec(group: str, resource: str, obj: JsonObject) -> JsonObject:
    """Return the spec of an object's pods, as it stands; empty for kinds without pods."""
    spec: JsonObject = (pod_template(group, resource, obj) or {}).get("spec") or {}
    return spec


def service_account(group: str, resource: str, obj: JsonObject) -> str | None:
    """Return the name of the service account an object's pods run as; None for kinds without pods."""
    if template_path(group, resource) is None:
        return None
    spec = pod_spec(group, resource, obj)
    return spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"


def _replace(obj: JsonObject, path: tuple[str, ...], change: Any) -> JsonObject:
    if not path:
        changed: JsonObject = change(obj)
        return changed
    head, *rest = path
    return {**obj, head: _replace(obj.get(head) or {}, tuple(rest), change)}


def _template(template: JsonObject, context: PodContext) -> JsonObject:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if not is_internal(key)}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if not is_internal(key)}
    metadata = {key: value for key, value in metadata.items() if key not in {"annotations", "creationTimestamp"}}
    metadata["labels"] = {**labels, TARGET_LABEL: context.target_key}
    if annotations:
        metadata["annotations"] = annotations
    return {**template, "metadata": metadata, "spec": _pod_spec(template.get("spec") or {}, context)}


def _pod_spec(spec: JsonObject, context: PodContext) -> JsonObject:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    wants_token = spec.get("automountServiceAccountToken") is not False
    # The cluster's own service accounts mean nothing to the workspace; their tokens must not reach a tenant (S61).
    new = {key: value for key, value in spec.items() if key not in {"serviceAccountName", "serviceAccount"}}
    new["automountServiceAccountToken"] = False
    for field in _CONTAINERS:
        if field in spec:
            new[field] = [_container(container, context, wants_token) for container in spec[field] or []]
    volumes = [_volume(volume, account) for volume in spec.get("volumes") or [] if volume.get("name") != VOLUME]
    if wants_token:
        volumes.append({"name": VOLUME, "projected": _api_access(account)})
    if volumes:
        new["volumes"] = volumes
    return new


def _container(container: JsonObject, context: PodContext, wants_token: bool) -> JsonObject:
    address = {
        "KUBERNETES_SERVICE_HOST": context.api_host,
        "KUBERNETES_SERVICE_PORT": context.api_port,
        "KUBERNETES_SERVICE_PORT_HTTPS": context.api_port,
    }
    env = [_variable(variable, context) for variable in container.get("env") or [] if variable["name"] not in address]
    env += [{"name": name, "value": value} for name, value in address.items()]
    mounts = [
        mount
        for mount in container.get("volumeMounts") or []
        if mount.get("name") != VOLUME and not (wants_token and mount.get("mountPath") == MOUNT_PATH)
    ]
    if wants_token:
        mounts.append({"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True})
    new = {**container, "env": env}
    new.pop("volumeMounts", None)
    if mounts:
        new["volumeMounts"] = mounts
    if container.get("envFrom"):
        new["envFrom"] = [_renamed_reference(source) for source in container["envFrom"]]
    return new


def _variable(variable: JsonObject, context: PodContext) -> JsonObject:
    source = variable.get("valueFrom") or {}
    if (source.get("fieldRef") or {}).get("fieldPath") == "metadata.namespace":
        return {"name": variable["name"], "value": context.namespace}
    key_ref = source.get("configMapKeyRef")
    if key_ref:
        renamed = {**key_ref, "name": downstream_name("", "configmaps", key_ref.get("name", ""))}
        return {**variable, "valueFrom": {**source, "configMapKeyRef": renamed}}
    return variable


def _renamed_reference(source: JsonObject) -> JsonObject:
    new = dict(source)
    for field, resource in _LOADED_NAMES.items():
        if field in source:
            new[field] = {**source[field], "name": downstream_name("", resource, source[field].get("name", ""))}
    return new


def _volume(volume: JsonObject, account: str) -> JsonObject:
    if volume.get("configMap"):
        return {**volume, "configMap": _renamed_config_map(volume["configMap"])}
    if volume.get("projected"):
        sources = [_projection(source, account) for source in volume["projected"].get("sources") or []]
        return {**volume, "projected": {**volume["projected"], "sources": sources}}
    return volume


def _renamed_config_map(source: JsonObject) -> JsonObject:
    return {**source, "name": downstream_name("", "configmaps", source.get("name", ""))}


def _projection(source: JsonObject, account: str) -> JsonObject:
    """Point a projected source at the workspace's objects: its token instead of the cluster's, its CA by our name."""
    if source.get("serviceAccountToken"):
        path = source["serviceAccountToken"].get("path", "token")
        return {"secret": {"name": token_secret(account), "items": [{"key": "token", "path": path}]}}
    if source.get("configMap"):
        return {"configMap": _renamed_config_map(source["configMap"])}
    return source


def _api_access(account: str) -> JsonObject:
    return {
        "defaultMode": 0o644,
        "sources": [
            {
                "secret": {
                    "name": token_secret(account),
                    "items": [{"key": "token", "path": "token"}, {"key": "namespace", "path": "namespace"}],
                }
            },
            {
                "configMap": {
                    "name": downstream_name("", "configmaps", "kube-root-ca.crt"),
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
        ],
    }
