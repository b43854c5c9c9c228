"""
ResourceSlices: the devices that drivers offer.

Source: k8s.io/kubernetes pkg/apis/resource/validation/validation.go, pkg/registry/resource/resourceslice/strategy.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.quantity import Quantity
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.strategies.device_parts import (
    bindings,
    each,
    each_once,
    label,
    of_map,
    pool_name,
    qualified_name,
    taint,
)
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import immutable
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of
from fairlead_control_plane.kinds.strategies.scheduling import validate_node_selector
from fairlead_control_plane.kinds.strategies.volumes import driver_name

_MOST_DEVICES, _MOST_SPECIAL_DEVICES = 128, 64
_MOST_SETS, _MOST_COUNTERS, _MOST_CONSUMED, _MOST_TAINTS, _MOST_OPTIONS = 8, 32, 2, 16, 10
_MOST_ENTRIES, _MOST_VALUES, _LONGEST_VALUE = 32, 48, 64
_LISTS = ("bools", "ints", "strings", "versions")
_NUMBER, _WORD = r"(0|[1-9]\d*)", r"[0-9a-zA-Z-]+"
_PRE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+{_WORD}(\.{_WORD})*)?", re.ASCII)
_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_DEVICE_WHERE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true"
    " in the ResourceSlice spec"
)
_UNSET_OR_TRUE = "must be either unset or set to true"


def _validate(obj: JsonObject, old: JsonObject | None = None) -> list[Cause]:
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    pool = spec.get("pool") or {}
    causes = driver_name(spec.get("driver") or "", "spec.driver") + _pool(pool, "spec.pool")
    if old is not None:
        name_before = (before.get("pool") or {}).get("name") or ""
        causes += immutable(pool.get("name") or "", name_before, "spec.pool.name")
        causes += immutable(spec.get("driver") or "", before.get("driver") or "", "spec.driver")
        causes += immutable(spec.get("nodeName"), before.get("nodeName"), "spec.nodeName")
    causes += _where(spec, "spec", has_own=True)
    devices, counters = spec.get("devices") or [], spec.get("sharedCounters") or []
    if devices and counters:
        causes.append(wrong.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    known = {device.get("name"): device.get("taints") for device in before.get("devices") or ()}
    is_apart = bool(spec.get("perDeviceNodeSelection"))
    is_special = any(device.get("taints") or device.get("consumesCounters") for device in devices)

    def check(device: JsonObject, path: str) -> list[Cause]:
        is_tainted_anew = device.get("name") not in known or device.get("taints") != known[device.get("name")]
        return _device(device, path, is_apart=is_apart, checks_taints=is_tainted_anew)

    most = _MOST_SPECIAL_DEVICES if is_special else _MOST_DEVICES
    causes += each_once(devices, most, check, "spec.devices", key=lambda one: one.get("name") or "")
    return causes + each_once(
        counters, _MOST_SETS, _counter_set, "spec.sharedCounters", key=lambda one: one.get("name") or ""
    )


def _pool(pool: JsonObject, path: str) -> list[Cause]:
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    causes = pool_name(pool.get("name") or "", f"{path}.name")
    if count <= 0:
        causes.append(wrong.invalid(f"{path}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        causes.append(wrong.invalid(f"{path}.generation", generation, "must be greater than or equal to zero"))
    return causes


def _where(item: JsonObject, path: str, *, has_own: bool) -> list[Cause]:
    """Check on which nodes all devices of a slice are, or one device (``has_own`` is false)."""
    causes: list[Cause] = []
    given: list[str] = []
    node, selector = item.get("nodeName"), item.get("nodeSelector")
    if node:
        given.append("`nodeName`")
        causes += [wrong.invalid(f"{path}.nodeName", node, text) for text in validation.dns1123_subdomain(node)]
    elif node is not None:
        text = "must be either unset or set to a non-empty string" if has_own else "must not be empty"
        causes.append(wrong.invalid(f"{path}.nodeName", node, text))
    if selector is not None:
        given.append("`nodeSelector`")
        causes += validate_node_selector(selector, f"{path}.nodeSelector")
        terms = selector.get("nodeSelectorTerms")
        if has_own and len(terms or ()) != 1:
            at, text = f"{path}.nodeSelector.nodeSelectorTerms", "must have exactly one node selector term"
            shown = shown_as("core.NodeSelector", selector).partition(":")[2][:-1]
            causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {text}", at))
    for field in ("allNodes", *(("perDeviceNodeSelection",) if has_own else ())):
        if item.get(field):
            given.append(f"`{field}`")
        elif item.get(field) is not None:
            causes.append(wrong.invalid(f"{path}.{field}", False, _UNSET_OR_TRUE))
    text = _WHERE if has_own else _DEVICE_WHERE
    if not given:
        causes.append(wrong.required(path, text))
    elif len(given) > 1:
        several = f"{text}, but multiple fields are set" if has_own else text
        causes.append(wrong.invalid(path, f"{{{', '.join(given)}}}", several))
    return causes


def _device(device: JsonObject, path: str, *, is_apart: bool, checks_taints: bool) -> list[Cause]:
    causes = label(device.get("name") or "", f"{path}.name")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    entries = len(attributes) + len(capacity)
    if entries > _MOST_ENTRIES:
        text = f"the total number of attributes and capacities must not exceed {_MOST_ENTRIES}"
        causes.append(wrong.invalid(path, entries, text))
    values = sum(max(1, sum(len(one.get(kind) or ()) for kind in _LISTS)) for one in attributes.values())
    if values > _MOST_VALUES:
        text = f"the total number of attribute values must not exceed {_MOST_VALUES}"
        causes.append(wrong.invalid(path, values, text))
    causes += of_map(attributes, -1, qualified_name, _attribute, f"{path}.attributes")
    check = _shared_capacity if device.get("allowMultipleAllocations") else _whole_capacity
    causes += of_map(capacity, -1, qualified_name, check, f"{path}.capacity")
    if checks_taints:
        causes += each(device.get("taints") or (), _MOST_TAINTS, taint, f"{path}.taints")
    at = f"{path}.consumesCounters"
    causes += each_once(
        device.get("consumesCounters") or (), _MOST_CONSUMED, _consumed, at, key=lambda one: one.get("counterSet") or ""
    )
    if is_apart:
        causes += _where(device, path, has_own=False)
    elif any(device.get(field) is not None for field in ("nodeName", "nodeSelector", "allNodes")):
        text = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in "
            "the ResourceSlice spec"
        )
        causes.append(wrong.invalid(path, None, text))
    return causes + bindings(device, path)


def _attribute(attribute: JsonObject, path: str) -> list[Cause]:
    given = [kind for kind in ("bool", "int", "string", "version") if attribute.get(kind) is not None]
    causes: list[Cause] = []
    if "string" in given and len(attribute["string"].encode()) > _LONGEST_VALUE:
        causes.append(wrong.too_long(f"{path}.string", _LONGEST_VALUE))
    if "version" in given:
        causes += _version(attribute["version"], f"{path}.version")
    if not given:
        causes.append(wrong.invalid(path, "", "exactly one value must be specified"))
    elif len(given) > 1:
        shown = shown_as("resource.DeviceAttribute", attribute)
        text = f"Invalid value: {shown}: exactly one value must be specified"
        causes.append(Cause("FieldValueInvalid", text, path))
    return causes


def _version(text: str, path: str) -> list[Cause]:
    rule = "must be a string compatible with semver.org spec 2.0.0"
    causes = [] if _VERSION.fullmatch(text) else [wrong.invalid(path, text, rule)]
    return [*causes, wrong.too_long(path, _LONGEST_VALUE)] if len(text.encode()) > _LONGEST_VALUE else causes


def _whole_capacity(capacity: JsonObject, path: str) -> list[Cause]:
    if capacity.get("requestPolicy") is None:
        return []
    return [wrong.forbidden(f"{path}.requestPolicy", "allowMultipleAllocations must be true")]


def _shared_capacity(capacity: JsonObject, path: str) -> list[Cause]:
    policy, at = capacity.get("requestPolicy"), f"{path}.requestPolicy"
    if policy is None:
        return []
    most, values, bounds = _amount(capacity.get("value")), policy.get("validValues") or (), policy.get("validRange")
    if values and bounds is not None:
        text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [wrong.forbidden(at, text)]
    if not values and bounds is None:
        return []
    if policy.get("default") is None:
        kind = "validValues" if values else "validRange"
        return [wrong.required(f"{at}.default", f"required when {kind} is defined")]
    default = _amount(policy["default"])
    if values:
        return _options([_amount(one) for one in values], default, most, f"{at}.validValues")
    return _range(bounds, default, most, f"{at}.validRange")


def _amount(text: str | None) -> Quantity:
    return amount_of(text or "0") or ZERO


def _options(options: Sequence[Quantity], default: Quantity, most: Quantity, path: str) -> list[Cause]:
    text = "values must be sorted in ascending order"
    causes = [
        wrong.invalid(f"{path}[{index + 1}]", str(pair[1]), text)
        for index, pair in enumerate(pairwise(options))
        if pair[1] < pair[0]
    ]

    def check(option: Quantity, at: str) -> list[Cause]:
        larger = f"option is larger than capacity value: {most}"
        return [wrong.invalid(at, str(option), larger)] if most < option else []

    causes += each_once(options, _MOST_OPTIONS, check, path, key=lambda one: str(one.rounded_up()))
    if default not in options:
        text = "default value is not valid according to the requestPolicy"
        causes.append(wrong.invalid(path, str(default), text))
    return causes


def _range(bounds: JsonObject, default: Quantity, most: Quantity, path: str) -> list[Cause]:
    if bounds.get("min") is None:
        return [wrong.required(f"{path}.min", "required when validRange is defined")]
    low, causes = _amount(bounds["min"]), []
    if most < low:
        causes.append(wrong.invalid(f"{path}.min", str(low), f"min is larger than capacity value: {most}"))
    if default < low:
        causes.append(wrong.invalid(f"{path}.min", str(default), f"default is less than min: {low}"))
    high = None if bounds.get("max") is None else _amount(bounds["max"])
    causes += [] if high is None else _upper(low, high, default, most, f"{path}.max")
    if bounds.get("step") is None:
        return causes
    stepped = [default] if high is None else [default, high]
    return causes + _step(_amount(bounds["step"]), low, stepped, most, f"{path}.step")


def _upper(low: Quantity, high: Quantity, default: Quantity, most: Quantity, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if high < low:
        causes.append(wrong.invalid(path, str(low), f"min is larger than max: {high}"))
    if most < high:
        causes.append(wrong.invalid(path, str(high), f"max is larger than capacity value: {most}"))
    if high < default:
        causes.append(wrong.invalid(path, str(default), f"default is more than max: {high}"))
    return causes


def _step(step: Quantity, low: Quantity, values: Sequence[Quantity], most: Quantity, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if most < low + step:
        text = f"one step {low + step} is larger than capacity value: {most}"
        causes.append(wrong.invalid(path, str(step), text))
    if step == ZERO:
        return causes
    text = f"value is not a multiple of a given step ({step}) from ({low})"
    return causes + [
        wrong.invalid(path, str(value), text)
        for value in values
        if (value.rounded_up() - low.rounded_up()) % step.rounded_up()
    ]


def _counter_set(item: JsonObject, path: str) -> list[Cause]:
    return _counters(item, path, "name")


def _consumed(item: JsonObject, path: str) -> list[Cause]:
    return _counters(item, path, "counterSet")


def _counters(item: JsonObject, path: str, field: str) -> list[Cause]:
    name, counters = item.get(field) or "", item.get("counters") or {}
    causes = label(name, f"{path}.{field}") if name else [wrong.required(f"{path}.{field}")]
    if not counters:
        return [*causes, wrong.required(f"{path}.counters")]
    return causes + of_map(counters, _MOST_COUNTERS, label, lambda one, where: [], f"{path}.counters")


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    driver = (new.get("spec") or {}).get("driver") or ""
    if driver == driver.lower():
        return []
    return [f"spec.driver: driver names should be lowercase; {wrong.quoted(driver)} contains uppercase characters"]


def _sign(obj: JsonObject, writer: Writer) -> None:
    """Say since when the devices are tainted."""
    for device in (obj.get("spec") or {}).get("devices") or ():
        for one in device.get("taints") or ():
            one.setdefault("timeAdded", writer.now)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Drop what is off by default: lists as attributes, and resources of nodes; no amount is zero."""
    del old
    spec = new.get("spec") or {}
    for counters in spec.get("sharedCounters") or ():
        _fill(counters.get("counters"))
    for device in spec.get("devices") or ():
        _fill(device.get("capacity"))
        for consumed in device.get("consumesCounters") or ():
            _fill(consumed.get("counters"))
        device.pop("nodeAllocatableResourceMappings", None)
        for attribute in (device.get("attributes") or {}).values():
            for kind in _LISTS:
                attribute.pop(kind, None)


def _fill(amounts: Mapping[str, JsonObject] | None) -> None:
    for amount in (amounts or {}).values():
        amount.setdefault("value", "0")


RESOURCE_SLICE = replace(
    generic_strategy("resource.k8s.io", "resourceslices", has_status=False),
    sign=_sign,
    settle=_settle,
    validate=_validate,
    validate_change=_validate,
    warn=_warn,
)
