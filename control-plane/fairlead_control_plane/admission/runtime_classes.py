"""
RuntimeClass: a pod that names one gets its overhead, node selector and tolerations.

Source: k8s.io/kubernetes plugin/pkg/admission/runtimeclass, pkg/util/tolerations.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_resources import amounts
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_OTHER = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_UNFOUNDED = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClasses:
    """Applies the RuntimeClass that a new pod names."""

    def __init__(self, store: Store, classes: Resource) -> None:
        self._reader = ObjectReader(store)
        self._classes = classes

    async def admit(self, attributes: Attributes) -> None:
        """Set overhead and scheduling."""
        pod = attributes.obj
        if pod is None or not _is_new_pod(attributes):
            return
        found = await self._class_of(attributes, pod)
        if found is None:
            return
        spec = pod["spec"]
        if found.get("overhead") is not None:
            fixed = found["overhead"].get("podFixed") or {}
            if spec.get("overhead") and amounts(fixed) != amounts(spec["overhead"]):
                raise forbidden(attributes, _OTHER)
            if fixed:
                spec["overhead"] = dict(fixed)
        if found.get("scheduling") is not None:
            _schedule(attributes, spec, found["scheduling"])

    async def validate(self, attributes: Attributes) -> None:
        """Refuse an overhead of the pod's own."""
        pod = attributes.obj
        if pod is None or not _is_new_pod(attributes):
            return
        found = await self._class_of(attributes, pod)
        overhead = pod["spec"].get("overhead")
        if found is not None and found.get("overhead") is not None:
            if amounts(found["overhead"].get("podFixed")) != amounts(overhead):
                raise forbidden(attributes, _OTHER)
        elif overhead is not None:
            raise forbidden(attributes, _UNFOUNDED)

    async def _class_of(self, attributes: Attributes, pod: JsonObject) -> JsonObject | None:
        name = pod["spec"].get("runtimeClassName")
        if name is None:
            return None
        found = await self._reader.get(self._classes, attributes.cluster, "", name) if name else None
        if found is None:
            raise forbidden(attributes, f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _is_new_pod(attributes: Attributes) -> bool:
    resource = attributes.resource
    is_pod = not resource.group and resource.plural == "pods" and not attributes.subresource
    return is_pod and attributes.operation == "CREATE"


def _schedule(attributes: Attributes, spec: JsonObject, scheduling: JsonObject) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.get(key, value) != value:
            ours = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            text = f"conflict: {ours}; pod.spec.nodeSelector[{key}] = {selector[key]}"
            raise forbidden(attributes, text)
        selector[key] = value
    if selector:
        spec["nodeSelector"] = selector
    tolerations = merged([*(spec.get("tolerations") or ()), *(scheduling.get("tolerations") or ())])
    if tolerations:
        spec["tolerations"] = tolerations


def merged(tolerations: Sequence[JsonObject]) -> list[JsonObject]:
    """Leave out tolerations that others cover."""
    kept: list[JsonObject] = []
    for index, one in enumerate(tolerations):
        later = (other for other in tolerations[index + 1 :] if other != one)
        if not any(_covers(other, one) for other in kept) and not any(_covers(other, one) for other in later):
            kept.append(one)
    return kept


def _covers(wide: JsonObject, one: JsonObject) -> bool:
    if wide == one:
        return True
    operator = wide.get("operator") or ""
    if (one.get("key") or "") != (wide.get("key") or "") and (wide.get("key") or operator != "Exists"):
        return False
    if wide.get("effect") and one.get("effect") != wide["effect"]:
        return False
    if wide.get("effect") == "NoExecute" and wide.get("tolerationSeconds") is not None:
        seconds = one.get("tolerationSeconds")
        if seconds is None or seconds > wide["tolerationSeconds"]:
            return False
    if operator == "Exists":
        return True
    is_equal = one.get("operator") == "Equal" and (one.get("value") or "") == (wide.get("value") or "")
    return operator in {"", "Equal"} and is_equal
