"""
ResourceQuotas and LimitRanges.

Source: k8s.io/kubernetes pkg/apis/core/{v1/defaults.go,validation/validation.go}, pkg/registry/core/resourcequota.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity
from fairlead_control_plane.kinds.record import Subresource
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE
from fairlead_control_plane.kinds.strategies.resource_names import (
    check_amount,
    check_container_resource_name,
    check_quota_resource_name,
    check_resource_name,
    is_quota_resource,
    may_be_overcommitted,
    read_amount,
)

_POD_COUNT = frozenset({"pods"})
_POD_RESOURCES = _POD_COUNT | {"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
_CLAIM_RESOURCES = frozenset({"persistentvolumeclaims", "requests.storage"})
_SCOPES: Mapping[str, frozenset[str]] = {
    "Terminating": _POD_RESOURCES,
    "NotTerminating": _POD_RESOURCES,
    "BestEffort": _POD_COUNT,
    "NotBestEffort": _POD_RESOURCES,
    "PriorityClass": _POD_RESOURCES,
    "CrossNamespacePodAffinity": _POD_RESOURCES,
    "VolumeAttributesClass": _CLAIM_RESOURCES,
}
"""Which of the resources that quotas know each scope is about."""

_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_ONLY_EXISTS = frozenset({"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity"})
_EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_AMOUNTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_LIMIT_TYPES = frozenset({"Pod", "Container", "PersistentVolumeClaim"})
_MAX_MILLI_VALUE = ((1 << 63) - 1) // 1000


def _hard(amounts: Mapping[str, Any] | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for name, text in (amounts or {}).items():
        at = f"{path}[{name}]"
        causes += check_quota_resource_name(name, at) + check_amount(name, text, at)
    return causes


def _validate_quota(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    hard, scopes = sorted(spec.get("hard") or ()), spec.get("scopes") or []
    causes = _hard(spec.get("hard"), "spec.hard")
    for scope in scopes:
        causes += _scope(scope, hard, "spec.scopes", "spec.scopes", scopes)
    causes += _opposites(scopes, spec)
    selector = spec.get("scopeSelector")
    return causes if selector is None else causes + _selector(spec, selector, hard)


def _scope(scope: str, hard: Sequence[str], at: str, path: str, shown: object) -> list[Cause]:
    known = _SCOPES.get(scope)
    if known is None:
        return [wrong.invalid(at, scope if at != path else shown, "unsupported scope")]
    text = "unsupported scope applied to resource"
    return [wrong.invalid(path, shown, text) for name in hard if is_quota_resource(name) and name not in known]


def _opposites(scopes: Sequence[str], spec: JsonObject) -> list[Cause]:
    shown = spec.get("scopes")
    found = [pair for pair in _OPPOSITES if set(pair) <= set(scopes)]
    return [wrong.invalid("spec.scopes", shown, "conflicting scopes") for _ in found]


def _selector(spec: JsonObject, selector: JsonObject, hard: Sequence[str]) -> list[Cause]:
    requirements, path = selector.get("matchExpressions") or (), "spec.scopeSelector.matchExpressions"
    # Kubernetes shows its internal structs here, not the user's.
    shown = {
        "MatchExpressions": [
            {"Operator": one.get("operator", ""), "ScopeName": one.get("scopeName", ""), "Values": one.get("values")}
            for one in requirements
        ]
    }
    causes: list[Cause] = []
    for one in requirements:
        causes += _scope(one.get("scopeName") or "", hard, f"{path}.scopeName", path, shown)
        causes += _requirement(one, path)
    return causes + _opposites([one.get("scopeName") or "" for one in requirements], spec)


def _requirement(requirement: JsonObject, path: str) -> list[Cause]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    causes: list[Cause] = []
    if requirement.get("scopeName") in _ONLY_EXISTS and operator != "Exists":
        causes.append(wrong.invalid(f"{path}.operator", operator, _EXISTS))
    if operator in {"In", "NotIn"}:
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        return causes if values else [*causes, wrong.required(f"{path}.values", text)]
    if operator in {"Exists", "DoesNotExist"}:
        text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        return [*causes, wrong.invalid(f"{path}.values", values, text)] if values else causes
    return [*causes, wrong.invalid(f"{path}.operator", operator, "not a valid selector operator")]


def _quota_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    scopes, before = ((one.get("spec") or {}).get("scopes") for one in (new, old))
    causes = _validate_quota(new)
    if set(scopes or ()) != set(before or ()):
        causes.append(wrong.invalid("spec.scopes", scopes, IMMUTABLE))
    return causes


def _quota_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    del old
    status = new.get("status") or {}
    return _hard(status.get("hard"), "status.hard") + _hard(status.get("used"), "status.used")


def _warn_of_quota(new: JsonObject, old: JsonObject | None) -> list[str]:
    if old is not None:
        return []
    hard = (new.get("spec") or {}).get("hard") or {}
    found = []
    for name in ("cpu", "memory", "storage", "ephemeral-storage"):
        asked = f"requests.{name}"
        if asked not in hard and name in {"cpu", "memory"}:
            asked = name
        request, limit = read_amount(hard.get(asked)), read_amount(hard.get(f"limits.{name}"))
        if request is not None and limit is not None and request > limit:
            found.append(f"ResourceQuota {asked} ({request}) should be less than limits.{name} ({limit})")
    return found


def _default_limits(obj: JsonObject) -> None:
    """Derive what a container gets by default from its bounds."""
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        item |= {"default": default, "defaultRequest": request}
    normalise(obj)


def _validate_limits(obj: JsonObject) -> list[Cause]:
    seen: set[str] = set()
    causes: list[Cause] = []
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        causes += _limit_type(kind, f"{path}.type")
        if kind in seen:
            causes.append(wrong.duplicate(f"{path}.type", kind))
        seen.add(kind)
        causes += _item(item, kind, path)
    return causes


def _limit_type(kind: str, path: str) -> list[Cause]:
    if texts := validation.qualified_name(kind):
        return [wrong.invalid(path, kind, text) for text in texts]
    if "/" in kind or kind in _LIMIT_TYPES:
        return []
    return [wrong.invalid(path, kind, "must be a standard limit type or fully qualified")]


def _item(item: JsonObject, kind: str, path: str) -> list[Cause]:
    check: Callable[[str, str], list[Cause]]
    check = check_container_resource_name if kind in {"Pod", "Container"} else check_resource_name
    amounts: dict[str, dict[str, Quantity]] = {}
    causes: list[Cause] = []
    for field in _AMOUNTS:
        if kind == "Pod" and field in {"default", "defaultRequest"}:
            if item.get(field):
                causes.append(wrong.forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'"))
            continue
        for name, text in (item.get(field) or {}).items():
            causes += check(name, f"{path}.{field}[{name}]")
            amount = read_amount(text)
            if amount is not None:
                amounts.setdefault(name, {})[field] = amount
    bounds = amounts.get("storage", {})
    if kind == "PersistentVolumeClaim" and "min" not in bounds and "max" not in bounds:
        text = "either minimum or maximum storage value is required, but neither was provided"
        causes.append(wrong.required(f"{path}.limits", text))
    return causes + [cause for name in amounts for cause in _bounds(name, amounts[name], path)]


_REQUEST = "defaultRequest"
_ORDER = (
    # The smaller, the greater, where it is told, which of them is shown, and what they are called.
    ("min", "max", "min", "min", "min", "max"),
    ("min", _REQUEST, _REQUEST, _REQUEST, "min", "default request"),
    (_REQUEST, "max", _REQUEST, _REQUEST, "default request", "max"),
    (_REQUEST, "default", _REQUEST, _REQUEST, "default request", "default limit"),
    ("min", "default", "default", "min", "min", "default"),
    ("default", "max", "default", "max", "default", "max"),
)


def _bounds(name: str, amounts: Mapping[str, Quantity], path: str) -> list[Cause]:
    """Compare what one resource has in the lists of an item."""
    causes: list[Cause] = []
    for small, great, field, shown, one, other in _ORDER:
        low, high = amounts.get(small), amounts.get(great)
        if low is not None and high is not None and low > high:
            text = f"{one} value {low} is greater than {other} value {high}"
            causes.append(wrong.invalid(f"{path}.{field}[{name}]", str(amounts[shown]), text))
    causes += _ratio(name, amounts, path)
    default, request = amounts.get("default"), amounts.get("defaultRequest")
    if default is not None and request is not None and default != request and not may_be_overcommitted(name):
        text = f"default value {default} must equal to defaultRequest value {request} in {name}"
        causes.append(wrong.invalid(f"{path}.defaultRequest[{name}]", str(request), text))
    return causes


def _ratio(name: str, amounts: Mapping[str, Quantity], path: str) -> list[Cause]:
    ratio, low, high = (amounts.get(field) for field in ("maxLimitRequestRatio", "min", "max"))
    if ratio is None:
        return []
    at = f"{path}.maxLimitRequestRatio[{name}]"
    causes = [wrong.invalid(at, str(ratio), f"ratio {ratio} is less than 1")] if ratio < Quantity(1) else []
    if low is None or high is None or not low.rounded_up(-3):
        return causes
    is_small = max(one.rounded_up() for one in (ratio, low, high)) < _MAX_MILLI_VALUE
    scale = -3 if is_small else 0
    most = high.rounded_up(scale) / low.rounded_up(scale)
    if ratio.rounded_up(scale) / (1000 if is_small else 1) > most:
        causes.append(wrong.invalid(at, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}"))
    return causes


def _prepare_limits(obj: JsonObject) -> None:
    _default_limits(obj)
    if not obj["metadata"].get("name") and obj["metadata"].get("uid"):
        obj["metadata"]["name"] = obj["metadata"]["uid"]  # alone among kinds it needs no name


LIMIT_RANGE = replace(
    generic_strategy("", "limitranges", has_status=False),
    prepare_create=_prepare_limits,
    prepare_update=lambda new, old: _default_limits(new),
    validate=_validate_limits,
)
RESOURCE_QUOTA = replace(
    generic_strategy("", "resourcequotas", has_status=True),
    validate=_validate_quota,
    validate_change=_quota_change,
    warn=_warn_of_quota,
    subresources={"status": Subresource(validate=_quota_status)},
)
