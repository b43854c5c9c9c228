"""
TaintNodesByCondition: nothing runs on a new node before somebody says that it is ready.

Source: k8s.io/kubernetes plugin/pkg/admission/nodetaint.
"""

from __future__ import annotations

from fairlead_control_plane.admission.contract import Attributes

_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class NodeTaints:
    """Taints new nodes; the node lifecycle controller takes the taint off again."""

    async def admit(self, attributes: Attributes) -> None:
        """Taint a node that is created."""
        resource, node = attributes.resource, attributes.obj
        if node is None or attributes.operation != "CREATE" or attributes.subresource:
            return
        if resource.group or resource.plural != "nodes":
            return
        spec = node.setdefault("spec", {})
        taints = spec.get("taints") or []
        if all((one.get("key"), one.get("effect")) != (_TAINT["key"], _TAINT["effect"]) for one in taints):
            spec["taints"] = [*taints, dict(_TAINT)]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""
