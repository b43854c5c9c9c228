"""What differs between any two API servers that were asked the same: patterns, and what depends on chance."""

from __future__ import annotations

from typing import Any

UID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
TIME = r"\b20(?!24)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
"""Of today; what a request says itself is in 2024."""
_MANAGER = ("manager", "operation", "subresource", "apiVersion")


def without_repetition(value: Any) -> Any:
    """
    Bring what comes in no order into one, in place, and return it.

    A cause is named once (Kubernetes checks metadata twice and says so twice), and managers are sorted by name, not by
    time: two requests may fall into one second here and into two there.
    """
    metadata = value.get("metadata") if isinstance(value, dict) else None
    entries = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if isinstance(entries, list) and all(isinstance(each, dict) for each in entries):
        entries.sort(key=lambda each: [str(each.get(part, "")) for part in _MANAGER])
    details = value.get("details") if isinstance(value, dict) else None
    causes = details.get("causes") if isinstance(details, dict) else None
    if isinstance(details, dict) and isinstance(causes, list):
        details["causes"] = [each for index, each in enumerate(causes) if each not in causes[:index]]
    return value
