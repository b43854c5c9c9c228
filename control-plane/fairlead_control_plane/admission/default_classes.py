"""
DefaultStorageClass and DefaultIngressClass: claims and Ingresses that name no class get the one marked as default.

Source: k8s.io/kubernetes plugin/pkg/admission/storage/storageclass/setdefault, network/defaultingressclass.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which annotations mark a default class, which field names a class, and which annotation did so before."""

    marks: tuple[str, ...]
    field: str
    annotation: str


_RULES = {
    ("", "persistentvolumeclaims"): _Rule(
        ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"),
        "storageClassName",
        "volume.beta.kubernetes.io/storage-class",
    ),
    ("networking.k8s.io", "ingresses"): _Rule(
        ("ingressclass.kubernetes.io/is-default-class",), "ingressClassName", "kubernetes.io/ingress.class"
    ),
}


class DefaultClasses:
    """
    Names the default class.

    Args:
        store: Where classes are looked up.
        storage_classes, ingress_classes: The resources.
    """

    def __init__(self, store: Store, storage_classes: Resource, ingress_classes: Resource) -> None:
        self._reader = ObjectReader(store)
        self._storage_classes = storage_classes
        self._ingress_classes = ingress_classes

    async def admit(self, attributes: Attributes) -> None:
        """Name the default class in what is created without one."""
        obj, rule = attributes.obj, _RULES.get((attributes.resource.group, attributes.resource.plural))
        if obj is None or rule is None or attributes.operation != "CREATE" or attributes.subresource:
            return
        if obj["spec"].get(rule.field) is not None:
            return
        if rule.annotation in (obj["metadata"].get("annotations") or {}):
            return
        classes = self._ingress_classes if attributes.resource.group else self._storage_classes
        found = newest_default(await self._reader.list(classes, attributes.cluster), rule.marks)
        if found:
            obj["spec"][rule.field] = found

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""


def newest_default(classes: list[JsonObject], marks: tuple[str, ...]) -> str:
    """Return the name of the class with one of the marks: the newest, then the first by name; ``""`` for none."""
    marked = [
        one["metadata"]
        for one in classes
        if any((one["metadata"].get("annotations") or {}).get(mark) == "true" for mark in marks)
    ]
    newest = max((data["creationTimestamp"] for data in marked), default="")
    return min((data["name"] for data in marked if data["creationTimestamp"] == newest), default="")
