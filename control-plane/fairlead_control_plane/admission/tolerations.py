"""
DefaultTolerationSeconds: pods bear a node that is not ready, or not reachable, for five minutes.

Source: k8s.io/kubernetes plugin/pkg/admission/defaulttolerationseconds.
"""

from __future__ import annotations

from fairlead_control_plane.admission.contract import Attributes

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EFFECT = "NoExecute"
_SECONDS = 300


class DefaultTolerations:
    """Adds the tolerations that a pod does not have in any form."""

    async def admit(self, attributes: Attributes) -> None:
        """Add them to a pod that is created or changed."""
        resource, pod = attributes.resource, attributes.obj
        if pod is None or attributes.subresource or resource.group or resource.plural != "pods":
            return
        known = pod["spec"].get("tolerations") or []
        covering = {one.get("key") or "" for one in known if one.get("effect") in {None, "", _EFFECT}}
        missing = [] if "" in covering else [key for key in _TAINTS if key not in covering]
        if missing:
            added = [
                {"key": key, "operator": "Exists", "effect": _EFFECT, "tolerationSeconds": _SECONDS} for key in missing
            ]
            pod["spec"]["tolerations"] = [*known, *added]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""
