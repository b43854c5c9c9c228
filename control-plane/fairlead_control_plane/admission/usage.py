"""
What an object counts for against a ResourceQuota: one measure for pods, Services, claims, and everything else.

Source: k8s.io/kubernetes pkg/quota/v1/evaluator/core; k8s.io/apiserver pkg/quota/v1/generic/evaluator.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from fairlead_api import JsonObject, validation
from fairlead_api.quantity import Quantity
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.pod_resources import (
    Amounts,
    amounts,
    has_pod_level,
    limits_of,
    requests_of,
)
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.kinds.strategies.resources import quality_of_service

ONE = Quantity(1)
_STANDARD = ("cpu", "memory", "ephemeral-storage")
_POD_NAMES = frozenset(
    {"count/pods", "pods", *_STANDARD, *(f"{way}.{name}" for way in ("requests", "limits") for name in _STANDARD)}
)
_HUGE_PAGES = ("hugepages-", "requests.hugepages-")
_REQUESTS = "requests."
_DEVICE_CLASS = "requests.deviceclass.resource.kubernetes.io/"
_EACH_CONTAINER_SAYS = ("cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory")
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_ALL_DEVICES = 32
"""What a claim for all devices of a class counts for: the most it can be given (AllocationResultsMaxSize)."""
_CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_OLD_NAMES = frozenset({"configmaps", "resourcequotas", "replicationcontrollers", "secrets"})


class Measure(Protocol):
    """How objects of one resource count."""

    def handles(self, attributes: Attributes) -> bool:
        """Tell whether a write can change what is used."""

    def names(self, limited: Iterable[str]) -> list[str]:
        """Return those names of a quota that say something about this resource."""

    def in_scope(self, scope: JsonObject, obj: JsonObject) -> bool:
        """Tell whether an object is in a scope, given as a ``ScopedResourceSelectorRequirement``."""

    def missing(self, names: Sequence[str], obj: JsonObject) -> str:
        """Return what is wrong with an object that must say how much it wants of these; ``""`` when nothing is."""

    def usage(self, obj: JsonObject) -> Amounts:
        """Return what an object counts for."""


def measure_of(resource: Resource, now_s: Callable[[], float]) -> Measure:
    """Return how a resource counts; ``now_s`` gives seconds since the epoch."""
    if not resource.group and resource.plural == "pods":
        return PodMeasure(now_s)
    if not resource.group and resource.plural == "services":
        return ServiceMeasure()
    if not resource.group and resource.plural == "persistentvolumeclaims":
        return ClaimMeasure()
    names = [f"count/{resource.name}"]
    if (resource.group, resource.plural) == ("resource.k8s.io", "resourceclaims"):
        return DeviceMeasure(frozenset(names))
    if not resource.group and resource.plural in _OLD_NAMES:
        names.append(resource.plural)
    return CountMeasure(frozenset(names))


@dataclass(frozen=True, slots=True)
class CountMeasure:
    """Counts objects, under one or two names."""

    counted: frozenset[str]

    def handles(self, attributes: Attributes) -> bool:
        """See :class:`Measure`."""
        return attributes.operation == "CREATE" and not attributes.subresource

    def names(self, limited: Iterable[str]) -> list[str]:
        """See :class:`Measure`."""
        return sorted(self.counted.intersection(limited))

    def in_scope(self, scope: JsonObject, obj: JsonObject) -> bool:
        """See :class:`Measure`."""
        del scope, obj
        return False

    def missing(self, names: Sequence[str], obj: JsonObject) -> str:
        """See :class:`Measure`."""
        del names, obj
        return ""

    def usage(self, obj: JsonObject) -> Amounts:
        """See :class:`Measure`."""
        del obj
        return dict.fromkeys(self.counted, ONE)


class ServiceMeasure(CountMeasure):
    """Counts Services, their node ports and load balancers, by what they ask for."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(frozenset({"count/services", "services", "services.loadbalancers", "services.nodeports"}))

    def handles(self, attributes: Attributes) -> bool:
        """Say yes to updates too: a type can change."""
        return attributes.operation in {"CREATE", "UPDATE"} and not attributes.subresource

    def usage(self, obj: JsonObject) -> Amounts:
        """See :class:`Measure`."""
        spec = obj["spec"]
        kind, ports = spec.get("type"), spec.get("ports") or ()
        node_ports = len(ports) if kind in {"NodePort", "LoadBalancer"} else 0
        if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
            node_ports = sum(1 for port in ports if port.get("nodePort"))
        return {
            "count/services": ONE,
            "services": ONE,
            "services.loadbalancers": Quantity(int(kind == "LoadBalancer")),
            "services.nodeports": Quantity(node_ports),
        }


class ClaimMeasure:
    """Counts PersistentVolumeClaims and the storage they ask for, altogether and by storage class."""

    def handles(self, attributes: Attributes) -> bool:
        """Say yes to the status too: it tells what a claim has been given."""
        if attributes.subresource == "status":
            return attributes.operation == "UPDATE"
        return attributes.operation in {"CREATE", "UPDATE"} and not attributes.subresource

    def names(self, limited: Iterable[str]) -> list[str]:
        """See :class:`Measure`."""
        ends = tuple(_STORAGE_CLASS + name for name in _CLAIM_NAMES)
        known = {"count/persistentvolumeclaims", *_CLAIM_NAMES}
        return [name for name in limited if name in known or name.endswith(ends)]

    def in_scope(self, scope: JsonObject, obj: JsonObject) -> bool:
        """See :class:`Measure`."""
        if scope.get("scopeName") != "VolumeAttributesClass":
            return False
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        target = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
        listed = (spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target)
        found = {name for name in listed if name}
        if scope.get("operator") == "Exists":
            return bool(found)
        return any(_selects(scope, name) for name in found or {""})

    def missing(self, names: Sequence[str], obj: JsonObject) -> str:
        """See :class:`Measure`."""
        del names, obj
        return ""

    def usage(self, obj: JsonObject) -> Amounts:
        """See :class:`Measure`."""
        found = {"count/persistentvolumeclaims": ONE, "persistentvolumeclaims": ONE}
        asked = amounts((obj["spec"].get("resources") or {}).get("requests")).get("storage")
        given = amounts((obj.get("status") or {}).get("allocatedResources")).get("storage")
        if asked is not None:
            found["requests.storage"] = _whole(given if given is not None and asked < given else asked)
        storage_class = storage_class_of(obj)
        if storage_class:
            found |= {f"{storage_class}{_STORAGE_CLASS}{name}": found[name] for name in _CLAIM_NAMES if name in found}
        return found


class DeviceMeasure(CountMeasure):
    """
    Counts ResourceClaims and the devices they ask for by class; of alternatives, the most of each class.

    What stands for an extended resource of a pod (DeviceClass ``spec.extendedResourceName``) is counted with the pod.
    """

    __slots__ = ()

    def handles(self, attributes: Attributes) -> bool:
        """See :class:`Measure`."""
        return attributes.operation in {"CREATE", "UPDATE"} and not attributes.subresource

    def names(self, limited: Iterable[str]) -> list[str]:
        """See :class:`Measure`."""
        return sorted(name for name in limited if name in self.counted or name.endswith(_DEVICES))

    def usage(self, obj: JsonObject) -> Amounts:
        """See :class:`Measure`."""
        found: Amounts = dict.fromkeys(self.counted, ONE)
        totals: dict[str, int] = {}
        for request in (obj["spec"].get("devices") or {}).get("requests") or ():
            most: dict[str, int] = {}
            for asked in request.get("firstAvailable") or (request.get("exactly") or {},):
                name = asked.get("deviceClassName", "")
                most[name] = max(most.get(name, 0), _devices(asked))
            for name, count in most.items():
                totals[name] = totals.get(name, 0) + count
        return found | {f"{name}{_DEVICES}": Quantity(count) for name, count in totals.items() if name}


def _devices(asked: JsonObject) -> int:
    """Return how many devices a request may be given; none in a mode that is not known."""
    match asked.get("allocationMode"):
        case "ExactCount":
            return int(asked.get("count") or 0)
        case "All":
            return _ALL_DEVICES
        case _:
            return 0


@dataclass(frozen=True, slots=True)
class PodMeasure:
    """Counts pods, and what those ask for that have not ended."""

    now_s: Callable[[], float]

    def handles(self, attributes: Attributes) -> bool:
        """Say yes to creates, to resizing, and to a deadline that comes or goes: that changes the scope."""
        if attributes.subresource == "resize":
            return attributes.operation == "UPDATE"
        if attributes.subresource:
            return False
        if attributes.operation == "UPDATE" and attributes.obj is not None and attributes.old is not None:
            return _ends_by_itself(attributes.obj) != _ends_by_itself(attributes.old)
        return attributes.operation == "CREATE"

    def names(self, limited: Iterable[str]) -> list[str]:
        """See :class:`Measure`."""
        listed = sorted(limited)
        known = [name for name in listed if name in _POD_NAMES]
        return known + [name for name in listed if name.startswith(_HUGE_PAGES) or _is_extended_request(name)]

    def in_scope(self, scope: JsonObject, obj: JsonObject) -> bool:
        """See :class:`Measure`."""
        name = scope.get("scopeName")
        if name == "PriorityClass":
            return _selects(scope, obj["spec"].get("priorityClassName") or "")
        is_in = _POD_SCOPES.get(str(name))
        return is_in is not None and is_in(obj)

    def missing(self, names: Sequence[str], obj: JsonObject) -> str:
        """See :class:`Measure`."""
        spec = obj["spec"]
        if has_pod_level(spec):
            return ""
        required = [name for name in _EACH_CONTAINER_SAYS if name in names]
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        parts = []
        for name in required:
            silent = sorted({one["name"] for one in containers if name not in _container_usage(one)})
            if silent:
                parts.append(f"{name} for: {','.join(silent)}")
        return f"must specify {'; '.join(parts)}" if parts else ""

    def usage(self, obj: JsonObject) -> Amounts:
        """See :class:`Measure`."""
        found = {"count/pods": ONE}
        if self._counts(obj):
            found |= _named(requests_of(obj), limits_of(obj))
        return found

    def _counts(self, pod: JsonObject) -> bool:
        """Leave out pods that have ended, and those that should have long ago, as when their node is lost."""
        if (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}:
            return False
        data = pod["metadata"]
        deleted, grace_s = data.get("deletionTimestamp"), data.get("deletionGracePeriodSeconds")
        if not deleted or grace_s is None:
            return True
        until = datetime.strptime(deleted, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() + grace_s
        return self.now_s() <= float(until)


def storage_class_of(claim: JsonObject) -> str:
    """Return the name of a claim's storage class; ``""`` for none."""
    annotations = claim["metadata"].get("annotations") or {}
    if _CLASS_ANNOTATION in annotations:
        return str(annotations[_CLASS_ANNOTATION])
    return str(claim["spec"].get("storageClassName") or "")


def _whole(amount: Quantity) -> Quantity:
    return amount if amount.is_integer else Quantity(amount.rounded_up(), 0, amount.notation)


def _named(requests: Amounts, limits: Amounts) -> Amounts:
    """Name amounts as quotas do."""
    found = {"pods": ONE}
    for name in _STANDARD:
        if name in requests:
            found[name] = found[_REQUESTS + name] = requests[name]
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith("hugepages-"):
            found[name] = found[_REQUESTS + name] = amount
        elif _is_extended(name):
            found[_REQUESTS + name] = amount
    return found


def _container_usage(container: JsonObject) -> Amounts:
    resources = container.get("resources") or {}
    return _named(amounts(resources.get("requests")), amounts(resources.get("limits")))


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    if name.startswith("deviceclass.resource.kubernetes.io/"):
        return True
    if _is_native(name) or name.startswith(_REQUESTS):
        return False
    return not validation.qualified_name(_REQUESTS + name)


def _is_extended_request(name: str) -> bool:
    return name.startswith(_REQUESTS) and (not _is_native(name) or name.startswith(_DEVICE_CLASS))


def _ends_by_itself(pod: JsonObject) -> bool:
    return pod["spec"].get("activeDeadlineSeconds") is not None  # validation wants it to be positive


def _selects(scope: JsonObject, name: str) -> bool:
    """Judge one name (``""``: none) by a scope's operator and values."""
    values = scope.get("values") or ()
    match scope.get("operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name != "" and name in tuple(values)
        case "NotIn":
            return name not in tuple(values)
        case _:
            return False


def _looks_elsewhere(affinity: JsonObject) -> bool:
    """Tell whether a pod's place depends on pods of other namespaces."""
    terms: list[JsonObject] = []
    for field in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(field) or {}
        terms += rules.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        terms += [one.get("podAffinityTerm") or {} for one in preferred]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


def _is_best_effort(spec: JsonObject) -> bool:
    """Tell whether neither CPU nor memory is asked for: by the pod as a whole if it says so, else by its containers."""
    judged = spec if spec.get("resources") is None else {"containers": [spec]}
    return quality_of_service(judged) == "BestEffort"


_POD_SCOPES: Mapping[str, Callable[[JsonObject], bool]] = {
    "Terminating": _ends_by_itself,
    "NotTerminating": lambda pod: not _ends_by_itself(pod),
    "BestEffort": lambda pod: _is_best_effort(pod["spec"]),
    "NotBestEffort": lambda pod: not _is_best_effort(pod["spec"]),
    "CrossNamespacePodAffinity": lambda pod: _looks_elsewhere(pod["spec"].get("affinity") or {}),
}
