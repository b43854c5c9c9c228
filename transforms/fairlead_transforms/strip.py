"""
What a server fills in, and so must not travel to another.

Carried down, such a field would be refused (an address of another network), pin a value that the cluster must choose,
or make every apply fight a controller (design section 6, "Strip lists per kind").
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_METADATA = ("name", "namespace", "labels", "annotations")

_SPEC: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "services"): ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"),
    ("", "pods"): ("nodeName", "priority", "preemptionPolicy"),
    ("", "persistentvolumeclaims"): ("volumeName",),
    ("batch", "jobs"): ("selector", "manualSelector"),
}

# A Deployment's own controller writes its revision here; the cluster's and the workspace's count differently.
_ANNOTATIONS = frozenset({LAST_APPLIED, "deployment.kubernetes.io/revision"})


def is_internal(key: str) -> bool:
    """
    Tell whether a label or annotation belongs to us or to kcp, and so stays on its side.

    The domain is what stands before ``/``; matching whole domains by suffix after a dot keeps ``notkcp.io`` out and
    ``state.workload.kcp.io/<key>`` in (kcp matched the whole key's end and let that one through).
    """
    domain, slash, _ = key.partition("/")
    return bool(slash) and any(domain == own or domain.endswith("." + own) for own in ("kcp.io", "fairlead.io"))


def travelling_metadata(metadata: JsonObject) -> JsonObject:
    """Return the part of ``metadata`` that a user owns: name, namespace, their labels and annotations; a copy."""
    kept: JsonObject = {key: metadata[key] for key in _METADATA if key in metadata}
    for field in ("labels", "annotations"):
        values = {
            key: value
            for key, value in (metadata.get(field) or {}).items()
            if not is_internal(key) and key not in _ANNOTATIONS
        }
        kept.pop(field, None)
        if values:
            kept[field] = values
    return kept


def travelling_body(group: str, resource: str, obj: JsonObject) -> JsonObject:
    """
    Return all of an object but its metadata and status, less what a server fills in; nested values are shared.

    Args:
        group: API group, ``""`` for core.
        resource: Plural name.
        obj: The upstream object; not changed.
    """
    body = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
    dropped = _SPEC.get((group, resource))
    if dropped and isinstance(body.get("spec"), dict):
        body["spec"] = {key: value for key, value in body["spec"].items() if key not in dropped}
    # A headless Service says so with clusterIP None, which is the user's choice and not an allocation.
    if (group, resource) == ("", "services") and (obj.get("spec") or {}).get("clusterIP") == "None":
        body["spec"]["clusterIP"] = "None"
    if (group, resource) == ("batch", "jobs"):
        body["spec"] = _without_job_labels(body["spec"])
    return body


def _without_job_labels(spec: JsonObject) -> JsonObject:
    """Drop the labels by which a Job controller finds its pods; the cluster's own sets its own."""
    names = {"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"}
    template = spec.get("template") or {}
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in names}
    metadata = {key: value for key, value in metadata.items() if key != "labels"}
    if labels:
        metadata["labels"] = labels
    return {**spec, "template": {**template, "metadata": metadata}}
