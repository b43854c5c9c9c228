"""
What no tenant may ask of a cluster they share with others, whatever the cluster itself would let the agent do.

Pod security at the namespace's level keeps out host paths, privileges and the like; here is what it does not look at.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_transforms.podtemplate import pod_spec


class PolicyDenied(ValueError):
    """The object asks for what would reach beyond its workspace; it is not synced, and its user hears why."""


def check(group: str, resource: str, obj: JsonObject) -> None:
    """
    Refuse what reaches beyond a workspace.

    Raises:
        PolicyDenied: External addresses draw other tenants' traffic (CVE-2020-8554); a node chosen by name is one the
            cluster's scheduler, with its taints, was not asked about; system priorities evict other tenants' pods.
    """
    if (group, resource) == ("", "services") and (obj.get("spec") or {}).get("externalIPs"):
        raise PolicyDenied("spec.externalIPs is not allowed: it would draw traffic of others in the cluster")
    spec = pod_spec(group, resource, obj)
    if (group, resource) != ("", "pods") and spec.get("nodeName"):
        raise PolicyDenied("nodeName is not allowed in a pod template: the cluster chooses its nodes")
    priority = spec.get("priorityClassName") or ""
    if priority.startswith("system-"):
        raise PolicyDenied(f"priorityClassName {priority!r} is not allowed: it is for the cluster's own pods")
