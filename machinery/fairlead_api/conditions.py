"""
Conditions, in kcp's (cluster-api) style and in Kubernetes' own (metav1) style.

Lists of JSON objects go in and new lists come out; time comes in as text. ``lastTransitionTime`` moves only when
``status`` does, so that writing the same condition twice changes nothing.

Source: kcp third_party/conditions; k8s.io/apimachinery/pkg/api/meta/conditions.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
ERROR, WARNING, INFO = "Error", "Warning", "Info"
READY = "Ready"
_SEVERITIES = (ERROR, WARNING, INFO)


def get(conditions: Sequence[JsonObject] | None, type_: str) -> JsonObject | None:
    """Return the condition of that type, or None."""
    return next((condition for condition in conditions or () if condition.get("type") == type_), None)


def is_true(conditions: Sequence[JsonObject] | None, type_: str) -> bool:
    """Tell whether a condition is there and True."""
    return (get(conditions, type_) or {}).get("status") == TRUE


def is_false(conditions: Sequence[JsonObject] | None, type_: str) -> bool:
    """Tell whether a condition is there and False."""
    return (get(conditions, type_) or {}).get("status") == FALSE


def true(type_: str) -> JsonObject:
    """Return a True condition; it needs no reason."""
    return {"type": type_, "status": TRUE}


def false(type_: str, reason: str, severity: str, message: str) -> JsonObject:
    """Return a False condition; ``severity`` is one of Error, Warning, Info."""
    return {"type": type_, "status": FALSE, "severity": severity, "reason": reason, "message": message}


def unknown(type_: str, reason: str, message: str) -> JsonObject:
    """Return an Unknown condition."""
    return {"type": type_, "status": UNKNOWN, "reason": reason, "message": message}


def set_condition(conditions: Sequence[JsonObject] | None, new: JsonObject, now: str) -> list[JsonObject]:
    """
    Put a cluster-api style condition in its place: ``Ready`` first, the others by type.

    Args:
        conditions: What is there; not changed.
        new: Without ``lastTransitionTime``, or with one that is then replaced.
        now: RFC 3339 text, used when the status changes.
    """
    old = get(conditions, new["type"])
    stamp = (old or {}).get("lastTransitionTime") if old and old.get("status") == new["status"] else None
    stamped = {**new, "lastTransitionTime": stamp or now}
    others = [condition for condition in conditions or () if condition.get("type") != new["type"]]
    return sorted([*others, stamped], key=lambda one: (one.get("type") != READY, one.get("type", "")))


def remove(conditions: Sequence[JsonObject] | None, type_: str) -> list[JsonObject]:
    """Return the list without that type."""
    return [condition for condition in conditions or () if condition.get("type") != type_]


def summary(conditions: Sequence[JsonObject] | None, types: Iterable[str] | None = None) -> JsonObject | None:
    """
    Return the ``Ready`` condition that sums up others, or None when none of them is there.

    Args:
        conditions: All there are.
        types: Those that count, most important first; all but ``Ready`` when None.

    False beats True beats Unknown; among False, Error beats Warning beats Info; among equals the earlier type wins
    and lends its reason and message.
    """
    names = [c["type"] for c in conditions or () if c["type"] != READY] if types is None else list(types)
    counted = [condition for name in names if (condition := get(conditions, name)) is not None]
    if not counted:
        return None
    decisive = min(counted, key=_rank)
    if decisive["status"] == TRUE:
        return true(READY)
    kept = {key: decisive[key] for key in ("status", "severity", "reason", "message") if decisive.get(key)}
    return {"type": READY, **kept}


def _rank(condition: JsonObject) -> tuple[int, int]:
    order = (FALSE, TRUE, UNKNOWN).index(condition["status"])
    severity = condition.get("severity")
    return order, _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def set_meta_condition(conditions: Sequence[JsonObject] | None, new: JsonObject, now: str) -> list[JsonObject]:
    """
    Put a metav1 condition in its place: where the old one stood, else at the end.

    Args:
        conditions: What is there; not changed.
        new: ``type``, ``status``, ``reason``, ``message`` and perhaps ``observedGeneration``.
        now: RFC 3339 text, used when the status changes.
    """
    result, placed = [], False
    for old in conditions or ():
        if old.get("type") != new["type"]:
            result.append(old)
            continue
        same = old.get("status") == new["status"]
        result.append({**new, "lastTransitionTime": old.get("lastTransitionTime", now) if same else now})
        placed = True
    return result if placed else [*result, {**new, "lastTransitionTime": now}]
