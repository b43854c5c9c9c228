"""
Events have two names: ``events`` and ``events.events.k8s.io`` are one set of objects, stored as core's.

Source: k8s.io/kubernetes/pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Conversion

_TO_STORAGE = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_FROM_STORAGE = {stored: shown for shown, stored in _TO_STORAGE.items()}


def _renamed(obj: JsonObject, names: dict[str, str], api_version: str) -> JsonObject:
    renamed = {names.get(key, key): value for key, value in obj.items()}
    return {**renamed, "apiVersion": api_version, "kind": "Event"}


EVENTS_CONVERSION = Conversion(
    to_storage=lambda obj: _renamed(obj, _TO_STORAGE, "v1"),
    from_storage=lambda obj: _renamed(obj, _FROM_STORAGE, "events.k8s.io/v1"),
)
