"""
Which pods ask for nothing, and so are the first to go.

Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos (ComputePodQOS).
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_api import JsonObject
from fairlead_control_plane.admission.pod_resources import amounts

_CONSIDERED = ("cpu", "memory")


def is_best_effort(spec: JsonObject) -> bool:
    """Tell whether a pod's quality of service is BestEffort: neither CPU nor memory is asked for or limited."""
    if spec.get("resources") is not None:
        return not _asks(spec["resources"])
    return not any(_asks(container.get("resources") or {}) for container in _containers(spec))


def _containers(spec: JsonObject) -> Iterator[JsonObject]:
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def _asks(resources: JsonObject) -> bool:
    for field in ("requests", "limits"):
        found = amounts(resources.get(field))
        if any(found[name].digits > 0 for name in _CONSIDERED if name in found):
            return True
    return False
