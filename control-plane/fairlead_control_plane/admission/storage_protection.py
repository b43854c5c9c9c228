"""
StorageObjectInUseProtection: volumes, claims and volume attributes classes stay while somebody uses them.

A controller takes the finalizer off when nobody does.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/storageobjectinuseprotection.
"""

from __future__ import annotations

from fairlead_control_plane.admission.contract import Attributes

_FINALIZERS = {
    ("", "persistentvolumes"): "kubernetes.io/pv-protection",
    ("", "persistentvolumeclaims"): "kubernetes.io/pvc-protection",
    ("storage.k8s.io", "volumeattributesclasses"): "kubernetes.io/vac-protection",
}


class StorageProtection:
    """Adds the finalizers."""

    async def admit(self, attributes: Attributes) -> None:
        """Add one to what is created."""
        finalizer = _FINALIZERS.get((attributes.resource.group, attributes.resource.plural))
        if finalizer is None or attributes.obj is None or attributes.operation != "CREATE" or attributes.subresource:
            return
        data = attributes.obj["metadata"]
        if finalizer not in (data.get("finalizers") or ()):
            data["finalizers"] = [*(data.get("finalizers") or ()), finalizer]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""
