"""Specs of pods that keep the Pod Security Standards, or do not."""

from __future__ import annotations

from fairlead_api import JsonObject

RESTRICTED: JsonObject = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
    ]
}
"""What the level ``restricted`` lets in."""


def bare(context: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return the spec of a pod of one container."""
    return {"containers": [{"name": "c", "image": "i", "securityContext": context or {}}], **spec}
