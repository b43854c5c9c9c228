"""
``pods/binding``: a scheduler gives a pod its node, once.

Source: k8s.io/kubernetes pkg/registry/core/pod/storage/storage.go (BindingREST), pkg/apis/core/validation
(ValidatePodBinding).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.conditions import set_meta_condition
from fairlead_api.errors import Cause, Conflict, Unclassified
from fairlead_api.field_errors import not_supported, required
from fairlead_control_plane.registry import managing, messages, writing
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.options import WriteOptions


async def bind(parts: Parts, target: Target, binding: JsonObject) -> JsonObject:
    """
    Assign the pod in the path to the node in ``binding.target`` and note that it is scheduled.

    Raises:
        Unclassified: The target is no node.
        Conflict: The pod has a node, is held by a gate, is going, or is another one of that name.
        NotFound: There is no such pod.
    """
    _check(binding)
    wanted = binding.get("metadata") or {}

    async def change(pod: JsonObject | None) -> JsonObject:
        if pod is None:
            raise messages.not_found(target.resource, target.name)
        problem = _problem(pod, wanted)
        if problem:
            text = f'Operation cannot be fulfilled on pods/binding "{target.name}": {problem}'
            raise Conflict(text, kind="pods/binding", name=target.name)
        pod["spec"]["nodeName"] = binding["target"]["name"]
        if wanted.get("annotations"):
            pod["metadata"].setdefault("annotations", {}).update(wanted["annotations"])
        status = pod.setdefault("status", {})
        scheduled: JsonObject = {"type": "PodScheduled", "status": "True"}
        status["conditions"] = set_meta_condition(status.get("conditions"), scheduled, parts.timestamp())
        return pod

    options = WriteOptions(manager="kube-scheduler", dry_run=target.dry_run)
    await writing.update(parts, target, change, options, managing.already)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _check(binding: JsonObject) -> None:
    node = binding.get("target") or {}
    causes: list[Cause] = []
    if node.get("kind") not in (None, "", "Node"):
        causes.append(not_supported("target.kind", node["kind"], ["Node", "<empty>"]))
    if not node.get("name"):
        causes.append(required("target.name"))
    if causes:
        # Kubernetes hands these on as they are, and so says no more of them than that (500).
        texts = [f"{cause.field}: {cause.message}" for cause in causes]
        raise Unclassified(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")


def _problem(pod: JsonObject, wanted: JsonObject) -> str:
    """Return why a pod cannot be bound, ``""`` when it can."""
    metadata, spec = pod["metadata"], pod["spec"]
    if wanted.get("uid") and wanted["uid"] != metadata["uid"]:
        return f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {metadata['uid']}"
    if metadata.get("deletionTimestamp"):
        return f"pod {metadata['name']} is being deleted, cannot be assigned to a host"
    if spec.get("nodeName"):
        return f'pod {metadata["name"]} is already assigned to node "{spec["nodeName"]}"'
    if spec.get("schedulingGates"):
        return f"pod {metadata['name']} has non-empty .spec.schedulingGates"
    return ""
