"""
Nodes.

Source: k8s.io/kubernetes pkg/apis/core/validation (ValidateNode, ValidateNodeUpdate), pkg/apis/core/v1 (defaults.go,
conversion.go), pkg/registry/core/node/strategy.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.cidr_fields import check_cidr, cidr_warnings, sloppy_cidr
from fairlead_control_plane.kinds.strategies.metadata import validate_again
from fairlead_control_plane.kinds.strategies.resource_names import check_amount

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ONE_OF_EACH = "may specify no more than one CIDR for each IP family"
_FEATURE = re.compile("[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*")
_MAX_FEATURE = 253


def _default(obj: JsonObject) -> None:
    """Let the list of networks follow the single one, which older clients know alone; all there is can be had."""
    normalise(obj)
    spec, status = obj.setdefault("spec", {}), obj.get("status") or {}
    network = spec.get("podCIDR") or ""
    networks = spec.get("podCIDRs") or []
    if network and (not networks or networks[0] != network):
        spec["podCIDRs"] = [network]
    elif networks and not network:
        spec["podCIDR"] = networks[0]
    if status.get("capacity") and status.get("allocatable") is None:
        status["allocatable"] = dict(status["capacity"])


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    _default(new)
    if not (old.get("spec") or {}).get("configSource"):
        new["spec"].pop("configSource", None)


def _prepare_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    del writer
    _default(new)
    if not (old.get("status") or {}).get("config"):
        (new.get("status") or {}).pop("config", None)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Drop what configured kubelets once, from nodes that do not have it yet."""
    if old is None:
        new["spec"].pop("configSource", None)
        (new.get("status") or {}).pop("config", None)


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    networks = spec.get("podCIDRs") or []
    causes = _taints(spec.get("taints") or ()) + _amounts(obj)
    causes += _features((obj.get("status") or {}).get("declaredFeatures") or ())
    for index, text in enumerate(networks):
        causes += check_cidr(text, f"spec.podCIDRs[{index}]")
    return causes + _stacks(networks) if len(networks) > 1 else causes


def _stacks(networks: Sequence[str]) -> list[Cause]:
    found = [sloppy_cidr(text) for text in networks]
    causes: list[Cause] = []
    for index, (text, one) in enumerate(zip(networks, found, strict=True)):
        if one is None:
            error = f"invalid CIDR[{index}]: <nil> (invalid CIDR address: {text})"
            why = f"invalid PodCIDRs. failed to check with dual stack with error:{error}"
            causes.append(Cause("InternalError", f"Internal error: {why}", "spec.podCIDRs"))
            break
    families = {one.network.version for one in found if one is not None}
    if causes or len(families) < 2 or len(networks) > 2:
        causes.append(wrong.invalid("spec.podCIDRs", networks, _ONE_OF_EACH))
    return causes


def _taints(taints: Sequence[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        path, key, effect = f"metadata.taints[{index}]", taint.get("key") or "", taint.get("effect") or ""
        causes += [wrong.invalid(f"{path}.key", key, text) for text in validation.label_key(key)]
        value = taint.get("value") or ""
        messages = validation.label_value(value)
        causes += [wrong.invalid(f"{path}.value", value, ";".join(messages))] if messages else []
        if effect not in _EFFECTS:
            at = f"{path}.effect"
            causes.append(wrong.not_supported(at, effect, _EFFECTS) if effect else wrong.required(at))
        if (key, effect) in seen:
            causes.append(_same_taint(path, taint))
        seen.add((key, effect))
    return causes


def _same_taint(path: str, taint: JsonObject) -> Cause:
    """Kubernetes shows its internal struct here, not the user's taint."""
    key, value, effect = (wrong.shown(taint.get(field) or "") for field in ("key", "value", "effect"))
    struct = f'{{"Key":{key},"Value":{value},"Effect":{effect},"TimeAdded":{wrong.shown(taint.get("timeAdded"))}}}'
    detail = "taints must be unique by key and effect pair"
    return Cause("FieldValueDuplicate", f"Duplicate value: {struct}: {detail}", path)


def _amounts(obj: JsonObject) -> list[Cause]:
    status = obj.get("status") or {}
    return [
        cause
        for field in ("capacity", "allocatable")
        for name, text in (status.get(field) or {}).items()
        for cause in check_amount(name, text, f"status.{field}.{name}")
    ]


def _features(names: Sequence[str]) -> list[Cause]:
    path = "status.declaredFeatures"
    causes: list[Cause] = []
    for index, name in enumerate(names):
        causes += _feature(name, f"{path}[{index}]")
        if index and names[index - 1] == name:
            causes.append(wrong.duplicate(f"{path}[{index}]", name))
        elif index and names[index - 1] > name:
            causes.append(wrong.invalid(f"{path}[{index}]", name, "list must be sorted alphabetically"))
    return causes


def _feature(name: str, path: str) -> list[Cause]:
    if len(name.encode()) > _MAX_FEATURE:
        why = f"must be no more than {_MAX_FEATURE} characters"
    elif not _FEATURE.fullmatch(name):
        why = (
            "must start with an UpperCamelCase segment, with subsequent segments separated by '/' "
            "(e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
        )
    else:
        return []
    return [wrong.invalid(path, name, f"invalid feature name {wrong.quoted(name)}: {why}")]


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    return [*validate_again(new), *_validate(new), *_change(new, old)]


def _change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with an update of a node, or of its status alone."""
    spec, before, status = new.get("spec") or {}, old.get("spec") or {}, new.get("status") or {}
    causes = _amounts(new) + _features(status.get("declaredFeatures") or ())
    causes += _same_addresses(status.get("addresses") or ())
    text = 'node updates may not change {} except from "" to valid'
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        causes.append(wrong.forbidden("spec.podCIDRs", text.format("podCIDR")))
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        causes.append(wrong.forbidden("spec.providerID", text.format("providerID")))
    if spec.get("configSource") is not None:
        causes += _source(spec["configSource"], "spec.configSource", is_spec=True)
    for field in ("assigned", "active", "lastKnownGood"):
        source = (status.get("config") or {}).get(field)
        causes += [] if source is None else _source(source, f"status.config.{field}", is_spec=False)
    causes += _taints(spec.get("taints") or ())
    if (spec.get("externalID") or "") != (before.get("externalID") or ""):
        causes.append(wrong.forbidden("spec.externalID", "may not be updated"))
    return causes


def _same_addresses(addresses: Sequence[JsonObject]) -> list[Cause]:
    seen: set[tuple[str, str]] = set()
    causes: list[Cause] = []
    for index, address in enumerate(addresses):
        kind, value = address.get("type") or "", address.get("address") or ""
        if (kind, value) in seen:
            shown = f'{{"Type":{wrong.shown(kind)},"Address":{wrong.shown(value)}}}'
            causes.append(Cause("FieldValueDuplicate", f"Duplicate value: {shown}", f"status.addresses[{index}]"))
        seen.add((kind, value))
    return causes


def _source(source: JsonObject, path: str, *, is_spec: bool) -> list[Cause]:
    """Check where kubelets had their settings from; nothing reads it any more."""
    map_, at = source.get("configMap"), f"{path}.configMap"
    if map_ is None:
        return [wrong.invalid(path, {"ConfigMap": None}, "exactly one reference subfield must be non-nil")]
    causes: list[Cause] = []
    for field in ("uid", "resourceVersion"):
        if is_spec and map_.get(field):
            causes.append(wrong.forbidden(f"{at}.{field}", f"{field} must not be set in spec"))
        elif not is_spec and not map_.get(field):
            causes.append(wrong.required(f"{at}.{field}"))
    checks = (
        ("namespace", validation.namespace_name),
        ("name", validation.dns1123_subdomain),
        ("kubeletConfigKey", validation.config_map_key),
    )
    for field, check in checks:
        value = map_.get(field) or ""
        causes += [wrong.invalid(f"{at}.{field}", value, text) for text in check(value)] if value else []
        causes += [] if value else [wrong.required(f"{at}.{field}")]
    return causes


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    spec = new.get("spec") or {}
    found = []
    if spec.get("configSource") is not None:
        found.append("spec.configSource: the feature is removed")
    if spec.get("externalID"):
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for index, text in enumerate(spec.get("podCIDRs") or ()):
        found += cidr_warnings(text, f"spec.podCIDRs[{index}]")
    return found


NODE = Strategy(
    prepare_create=_default,
    prepare_update=_prepare_update,
    settle=_settle,
    warn=_warn,
    validate=_validate,
    validate_change=_validate_change,
    subresources={"status": Subresource(prepare=_prepare_status, validate=_change)},
)
