"""
Priority: what a pod's PriorityClass is worth, written into the pod.

Source: k8s.io/kubernetes plugin/pkg/admission/priority.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_COMPUTED = "must not be provided in pod spec; priority admission controller computed"


class Priority:
    """Resolves the classes of pods, and lets there be one default class only."""

    def __init__(self, store: Store, classes: Resource) -> None:
        self._reader = ObjectReader(store)
        self._classes = classes

    async def admit(self, attributes: Attributes) -> None:
        """Write priority and preemption policy into a pod."""
        resource, pod = attributes.resource, attributes.obj
        if pod is None or attributes.subresource or resource.group or resource.plural != "pods":
            return
        if attributes.operation == "CREATE":
            await self._resolve(attributes, pod["spec"])
        elif attributes.operation == "UPDATE" and attributes.old is not None:
            before = attributes.old["spec"]
            for field in ("priority", "preemptionPolicy"):
                if pod["spec"].get(field) is None and before.get(field) is not None:
                    pod["spec"][field] = before[field]

    async def validate(self, attributes: Attributes) -> None:
        """Refuse a second default class."""
        resource, obj = attributes.resource, attributes.obj
        is_class = (resource.group, resource.plural) == ("scheduling.k8s.io", "priorityclasses")
        if obj is None or attributes.subresource or not is_class or not obj.get("globalDefault"):
            return
        default = await self._default(attributes.cluster)
        if default is None:
            return
        name = default["metadata"]["name"]
        if attributes.operation == "CREATE" or name != obj["metadata"]["name"]:
            raise forbidden(
                attributes, f"PriorityClass {name} is already marked as default. Only one default can exist"
            )

    async def _resolve(self, attributes: Attributes, spec: JsonObject) -> None:
        name = spec.get("priorityClassName") or ""
        if name:
            found = await self._reader.get(self._classes, attributes.cluster, "", name)
            if found is None:
                raise forbidden(attributes, f"no PriorityClass with name {name} was found")
        else:
            found = await self._default(attributes.cluster)
            if found is None:
                found = {"value": 0, "preemptionPolicy": "PreemptLowerPriority"}
            else:
                spec["priorityClassName"] = found["metadata"]["name"]
        value, policy = found.get("value") or 0, found.get("preemptionPolicy")
        given = spec.get("priority")
        if given is not None and given != value:
            text = f"the integer value of priority ({given}) {_COMPUTED} {value} from the given PriorityClass name"
            raise forbidden(attributes, text)
        spec["priority"] = value
        if policy is None:
            return
        asked = spec.get("preemptionPolicy")
        if asked is not None and asked != policy:
            text = (
                f"the string value of PreemptionPolicy ({asked}) {_COMPUTED} {policy} from the given PriorityClass name"
            )
            raise forbidden(attributes, text)
        spec["preemptionPolicy"] = policy

    async def _default(self, cluster: str) -> JsonObject | None:
        """Return the default class; of several, the one that is worth least."""
        found = [one for one in await self._reader.list(self._classes, cluster) if one.get("globalDefault")]
        return min(found, key=lambda one: int(one.get("value") or 0), default=None)
