"""Conditions of built-in kinds, as their controllers write them."""

from __future__ import annotations

from fairlead_api import JsonObject


def set_condition(obj: JsonObject, new: JsonObject, timestamp: str) -> bool:
    """
    Set one of ``status.conditions`` in place; tell whether that changed anything.

    Args:
        new: ``type``, ``status``, ``reason``, ``message``.
        timestamp: For ``lastTransitionTime``, set when ``status`` changes.
    """
    conditions = obj.setdefault("status", {}).setdefault("conditions", None) or []
    obj["status"]["conditions"] = conditions
    old = next((one for one in conditions if one.get("type") == new["type"]), None)
    if old is None:
        conditions.append({**new, "lastTransitionTime": timestamp})
        return True
    if all(old.get(key) == value for key, value in new.items()):
        return False
    moment = old.get("lastTransitionTime", timestamp) if old.get("status") == new["status"] else timestamp
    old.update({**new, "lastTransitionTime": moment})
    return True


def is_true(obj: JsonObject, kind: str) -> bool:
    """Tell whether a condition is there and true."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)
