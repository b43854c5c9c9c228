"""
PersistentVolumeClaimResize: a claim grows only where its storage class can make volumes grow.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/persistentvolume/resize.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.quantity import Quantity
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_resources import amounts
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.admission.usage import storage_class_of
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_FIXED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


class ClaimResize:
    """Refuses growth that nothing can bring about."""

    def __init__(self, store: Store, storage_classes: Resource) -> None:
        self._reader = ObjectReader(store)
        self._storage_classes = storage_classes

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Look at claims that ask for more than before."""
        resource, new, old = attributes.resource, attributes.obj, attributes.old
        if new is None or old is None or attributes.subresource or attributes.operation != "UPDATE":
            return
        if resource.group or resource.plural != "persistentvolumeclaims" or not _size(old) < _size(new):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise forbidden(attributes, "Only bound persistent volume claims can be expanded")
        if not await self._may_grow(attributes.cluster, storage_class_of(new), storage_class_of(old)):
            raise forbidden(attributes, _FIXED)

    async def _may_grow(self, cluster: str, name: str, before: str) -> bool:
        if not name or name != before:
            return False
        found = await self._reader.get(self._storage_classes, cluster, "", name)
        return found is not None and found.get("allowVolumeExpansion") is True


def _size(claim: JsonObject) -> Quantity:
    return amounts((claim["spec"].get("resources") or {}).get("requests")).get("storage", Quantity(0))
