"""
The object a cluster must run, made from a view of the user's object.

Order: strip what a server fills in, override name and namespace, rewrite the pod template, mark as ours. Pure: the same
view always makes the same object, so an apply that changes nothing is seen to change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_transforms import denied, names, podtemplate, strip
from fairlead_transforms import policy as policies
from fairlead_transforms.policy import TenantPolicy

UPSTREAM_UID = "internal.workload.kcp.io/upstream-uid"
LOCATOR = "kcp.io/namespace-locator"
TENANT = policies.TENANT


@dataclass(frozen=True, slots=True)
class DownstreamContext:
    """
    Where an object goes.

    Attributes:
        namespace: Downstream namespace.
        pods: What the object's pods are told (holds the target's key and the upstream namespace too).
        policy: What tenants may ask of the cluster.
    """

    namespace: str
    pods: podtemplate.PodContext
    policy: TenantPolicy = field(default_factory=TenantPolicy)


def to_downstream(group: str, resource: str, view: JsonObject, context: DownstreamContext) -> JsonObject:
    """
    Return the object to apply in the cluster; the view is not changed.

    Args:
        group: API group of the resource, ``""`` for core.
        resource: Plural name.
        view: An object of the syncer's virtual workspace, with ``metadata.uid`` of the user's object.
        context: Where it goes.

    Raises:
        names.ReservedName: The name cannot be used downstream.
        denied.PolicyDenied: It asks for what would reach beyond its workspace.
    """
    if not context.pods.namespace:
        raise denied.PolicyDenied("objects without a namespace are not synced: they would be all tenants'")
    denied.check(group, resource, view, context.policy)
    metadata = strip.travelling_metadata(view["metadata"])
    metadata["name"] = names.downstream_name(group, resource, metadata["name"])
    metadata["namespace"] = context.namespace
    body = strip.travelling_body(group, resource, view)
    made = podtemplate.rewrite(group, resource, {"metadata": metadata, **body}, context.pods)
    metadata = {**made["metadata"]}
    metadata["labels"] = {**metadata.get("labels", {}), podtemplate.TARGET_LABEL: context.pods.target_key}
    metadata["annotations"] = {**metadata.get("annotations", {}), UPSTREAM_UID: view["metadata"]["uid"]}
    return {**made, "metadata": metadata}
