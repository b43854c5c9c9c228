"""
LimitRanges: amounts for containers that name none, and bounds for containers, pods and claims.

Source: k8s.io/kubernetes plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fairlead_api import JsonObject
from fairlead_api.quantity import Quantity, parse
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_resources import Amounts, amounts, limits_of, requests_of
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_ANNOTATION = "kubernetes.io/limit-ranger"
_CONTAINERS = (("containers", "container"), ("initContainers", "init container"))
_CLAIMS = "persistentvolumeclaims"


class LimitRanges:
    """Applies the LimitRanges of a namespace to its pods and claims."""

    def __init__(self, store: Store, ranges: Resource) -> None:
        self._reader = ObjectReader(store)
        self._ranges = ranges

    async def admit(self, attributes: Attributes) -> None:
        """Fill in what containers of a new pod do not say."""
        if attributes.obj is None or attributes.operation != "CREATE" or not _is(attributes, "pods"):
            return
        for one in await self._of(attributes):
            fill_in(attributes.obj, one["spec"].get("limits") or ())

    async def validate(self, attributes: Attributes) -> None:
        """Refuse what is out of bounds."""
        obj, old = attributes.obj, attributes.old
        if obj is None or not _is_bounded(attributes) or (old and old["metadata"].get("deletionTimestamp")):
            return
        find = pod_faults if attributes.resource.plural == "pods" else claim_faults
        for one in await self._of(attributes):
            faults = [text for limit in one["spec"].get("limits") or () for text in find(obj, limit)]
            if faults:
                listed = list(dict.fromkeys(faults))
                raise forbidden(attributes, listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]")

    async def _of(self, attributes: Attributes) -> list[JsonObject]:
        return await self._reader.list(self._ranges, attributes.cluster, attributes.namespace)


def _is(attributes: Attributes, plural: str) -> bool:
    resource = attributes.resource
    return not resource.group and resource.plural == plural and not attributes.subresource


def _is_bounded(attributes: Attributes) -> bool:
    if attributes.operation not in {"CREATE", "UPDATE"} or attributes.resource.group:
        return False
    if attributes.subresource == "resize":
        return attributes.resource.plural == "pods" and attributes.operation == "UPDATE"
    if attributes.resource.plural == "pods":
        return attributes.operation == "CREATE" and not attributes.subresource
    return _is(attributes, _CLAIMS)


def fill_in(pod: JsonObject, limits: Sequence[JsonObject]) -> None:
    """Give each container the defaults that it lacks, in place, and note which."""
    requests: dict[str, str] = {}
    most: dict[str, str] = {}
    for limit in limits:
        if limit.get("type") == "Container":
            requests |= limit.get("defaultRequest") or {}
            most |= limit.get("default") or {}
    notes: list[str] = []
    for field, title in _CONTAINERS:
        for container in pod["spec"].get(field) or ():
            for name, defaults, what in (("requests", requests, "request"), ("limits", most, "limit")):
                added = _merged(container, name, defaults)
                if added:
                    notes.append(f"{', '.join(sorted(added))} {what} for {title} {container['name']}")
    if notes:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = {**annotations, _ANNOTATION: f"LimitRanger plugin set: {'; '.join(notes)}"}


def _merged(container: JsonObject, field: str, defaults: Mapping[str, str]) -> list[str]:
    resources = container.get("resources") or {}
    known = resources.get(field) or {}
    added = [name for name in defaults if name not in known]
    if added:
        container["resources"] = {**resources, field: {**known, **{name: defaults[name] for name in added}}}
    return added


def claim_faults(claim: JsonObject, limit: JsonObject) -> Iterator[str]:
    """Say what is out of bounds of a claim."""
    kind = "PersistentVolumeClaim"
    if limit.get("type") != kind:
        return
    requests = amounts((claim["spec"].get("resources") or {}).get("requests"))
    for name, bound in _bounds(limit, "min"):
        yield from _below(kind, name, bound, requests, {})
    for name, bound in _bounds(limit, "max"):
        asked = requests.get(name)
        if asked is None:
            yield f"maximum {name} usage per {kind} is {bound}.  No request is specified"
        elif bound < asked:
            yield f"maximum {name} usage per {kind} is {bound}, but request is {asked}"


def pod_faults(pod: JsonObject, limit: JsonObject) -> Iterator[str]:
    """Say what is out of bounds of a pod, or of its containers one by one."""
    kind = limit.get("type")
    if kind == "Pod":
        bare = {**pod, "status": {}, "spec": {**pod["spec"], "overhead": None}}
        yield from _faults(kind, limit, requests_of(bare), limits_of(bare))
    elif kind == "Container":
        for field, _ in _CONTAINERS:
            for container in pod["spec"].get(field) or ():
                resources = container.get("resources") or {}
                yield from _faults(kind, limit, amounts(resources.get("requests")), amounts(resources.get("limits")))


def _faults(kind: str, limit: JsonObject, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, bound in _bounds(limit, "min"):
        yield from _below(kind, name, bound, requests, limits)
    for name, bound in _bounds(limit, "max"):
        yield from _above(kind, name, bound, requests, limits)
    for name, bound in _bounds(limit, "maxLimitRequestRatio"):
        yield from _disproportionate(kind, name, bound, requests, limits)


def _bounds(limit: JsonObject, field: str) -> list[tuple[str, Quantity]]:
    return [(name, parse(text)) for name, text in sorted((limit.get(field) or {}).items())]


def _below(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, most = requests.get(name), limits.get(name)
    if asked is None:
        yield f"minimum {name} usage per {kind} is {bound}.  No request is specified"
    elif asked < bound:
        yield f"minimum {name} usage per {kind} is {bound}, but request is {asked}"
    elif most is not None and most < bound:
        yield f"minimum {name} usage per {kind} is {bound}, but limit is {most}"


def _above(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, most = requests.get(name), limits.get(name)
    if most is None:
        yield f"maximum {name} usage per {kind} is {bound}.  No limit is specified"
    elif bound < most:
        yield f"maximum {name} usage per {kind} is {bound}, but limit is {most}"
    elif asked is not None and bound < asked:
        yield f"maximum {name} usage per {kind} is {bound}, but request is {asked}"


def _disproportionate(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    asked, most = requests.get(name), limits.get(name)
    title = f"{name} max limit to request ratio per {kind} is {bound}, but"
    if asked is None or not asked.digits:
        yield f"{title} no request is specified or request is 0"
    elif most is None or not most.digits:
        yield f"{title} no limit is specified or limit is 0"
    else:
        ratio = most.rounded_up(-3) / asked.rounded_up(-3)
        if ratio * 1000 > bound.rounded_up(-3):
            yield f"{title} provided ratio is {ratio:f}"
