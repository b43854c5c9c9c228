"""
Validation of ``resources`` of containers: names, amounts, requests within limits.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateResourceRequirements), core/helper.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity, QuantityError, parse
from fairlead_control_plane.kinds.strategies.metadata import NEGATIVE

_HUGE_PAGES = "hugepages-"
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_NATIVE_PREFIX = "kubernetes.io/"
ZERO = Quantity(0)


def validate_resources(requirements: JsonObject | None, path: str) -> list[Cause]:
    """Return what is wrong with a ``ResourceRequirements`` of a container."""
    if not requirements:
        return []
    limits: Mapping[str, str] = requirements.get("limits") or {}
    requests: Mapping[str, str] = requirements.get("requests") or {}
    causes: list[Cause] = []
    for name, text in limits.items():
        at = f"{path}.limits"
        causes += _name(name, f"{at}[{name}]") + validate_amount(name, text, f"{at}[{name}]")
    for name, text in requests.items():
        at = f"{path}.requests"
        causes += _name(name, f"{at}[{name}]") + validate_amount(name, text, f"{at}[{name}]")
        causes += _within_limit(name, text, limits, at)
    return causes


def validate_amount(name: str, text: str, path: str) -> list[Cause]:
    """Check one amount: not negative, whole for extended resources."""
    try:
        amount = parse(text)
    except QuantityError:
        return []  # decoding refuses what is no quantity
    causes: list[Cause] = []
    if amount < ZERO:
        causes.append(wrong.invalid(path, str(amount), NEGATIVE))
    if "/" in name and not _is_native(name) and not amount.is_integer:
        causes.append(wrong.invalid(path, str(amount), "must be an integer"))
    return causes


def _within_limit(name: str, text: str, limits: Mapping[str, str], path: str) -> list[Cause]:
    may_exceed = _is_overcommit_allowed(name)
    if name not in limits:
        at = path.removesuffix("requests") + "limits"
        return [] if may_exceed else [wrong.required(at, "Limit must be set for non overcommitable resources")]
    try:
        asked, limit = parse(text), parse(limits[name])
    except QuantityError:
        return []
    if asked == limit or (may_exceed and asked < limit):
        return []
    relation = "less than or equal to" if may_exceed else "equal to"
    return [wrong.invalid(path, str(asked), f"must be {relation} {name} limit of {limit}")]


def _is_native(name: str) -> bool:
    return "/" not in name or _NATIVE_PREFIX in name


def _is_overcommit_allowed(name: str) -> bool:
    return _is_native(name) and not name.startswith(_HUGE_PAGES)


def _name(name: str, path: str) -> list[Cause]:
    messages = validation.qualified_name(name)
    if messages:
        return [wrong.invalid(path, name, text) for text in messages]
    if "/" not in name:
        if name in _STANDARD or name.startswith(_HUGE_PAGES):
            return []
        return [
            wrong.invalid(path, name, "must be a standard resource type or fully qualified"),
            wrong.invalid(path, name, "must be a standard resource for containers"),
        ]
    if not _is_native(name) and name.startswith("requests."):
        return [wrong.invalid(path, name, "doesn't follow extended resource name standard")]
    return []
