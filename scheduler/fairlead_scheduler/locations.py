"""
What Locations show, and the Location every workspace with clusters begins with: pure.

Source: kcp-workload 2.1 and 2.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_scheduler.snapshot import Target
from fairlead_scheduler.world import matcher

LABELS_ANNOTATION = "scheduling.kcp.io/labels"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Shown:
    """What one Location should show and does not: its annotation (None when it does) and its status."""

    annotation: str | None
    status: JsonObject | None


def shown(location: JsonObject, targets: Mapping[str, Target]) -> Shown:
    """Return what to write on a Location, given the SyncTargets of its workspace by name."""
    metadata, status = location["metadata"], location.get("status") or {}
    labels = " ".join(f"{key}={value}" for key, value in sorted((metadata.get("labels") or {}).items()))
    selects = matcher((location.get("spec") or {}).get("instanceSelector") or {})
    instances = [target for target in targets.values() if selects(target.labels)]
    available = sum(target.ready and not target.unschedulable for target in instances)
    wanted = {"instances": len(instances), "availableInstances": available}
    is_current = all(status.get(key) == value for key, value in wanted.items())
    is_marked = (metadata.get("annotations") or {}).get(LABELS_ANNOTATION, "") == labels
    return Shown(None if is_marked else labels, None if is_current else wanted)


def default_location() -> JsonObject:
    """Return the Location ``default``, which selects every SyncTarget of its workspace."""
    resource = {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"}
    return {
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": DEFAULT},
        "spec": {"resource": resource, "instanceSelector": {}},
    }
