"""
Classes of storage, and what CSI drivers say of themselves, of their nodes and of what is left.

Source: k8s.io/kubernetes pkg/apis/storage/validation/validation.go, pkg/registry/storage/*/strategy.go,
pkg/api/storage/util.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.strategies.generic import generic_strategy, with_default
from fairlead_control_plane.kinds.strategies.metadata import (
    IMMUTABLE,
    NEGATIVE,
    immutable,
    validate_again,
)
from fairlead_control_plane.kinds.strategies.node_labels import DEPRECATED, validate_topologies, warn_of_selector
from fairlead_control_plane.kinds.strategies.resources import ZERO, amount_of
from fairlead_control_plane.kinds.strategies.selectors import selector_cause, validate_selector
from fairlead_control_plane.kinds.strategies.volumes import driver_name

GROUP = "storage.k8s.io"
_MOST_PARAMETERS, _MOST_BYTES = 512, 256 << 10
_LONGEST_NODE_ID = 256
_FEWEST_SECONDS = 10
_TOKEN_S = (600, 1 << 32)
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_RECLAIM_POLICIES = ("Delete", "Retain")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLES = ("Persistent", "Ephemeral")
_TOKENS_IN_CONTEXT = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)

Check = Callable[[JsonObject], list[Cause]]
Compare = Callable[[JsonObject, JsonObject], list[Cause]]


def _strategy(plural: str, check: Check, compare: Compare) -> Strategy:
    """Return the strategy of a kind that is checked as a whole whenever it is written, and compared with before."""

    def change(new: JsonObject, old: JsonObject) -> list[Cause]:
        return [*validate_again(new), *check(new), *compare(new, old)]

    return replace(generic_strategy(GROUP, plural, has_status=False), validate=check, validate_change=change)


def _provisioner(name: str, path: str) -> list[Cause]:
    if not name:
        return [wrong.required(path)]
    shown = name.lower()
    return [wrong.invalid(path, shown, text) for text in validation.qualified_name(shown)]


def _parameters(parameters: Mapping[str, str]) -> list[Cause]:
    if len(parameters) > _MOST_PARAMETERS:
        return [wrong.too_long("parameters", _MOST_PARAMETERS)]
    causes = [wrong.invalid("parameters", "", "field can not be empty.")] if "" in parameters else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    return [*causes, wrong.too_long("parameters", _MOST_BYTES)] if size > _MOST_BYTES else causes


def _check_class(obj: JsonObject) -> list[Cause]:
    causes = _provisioner(obj.get("provisioner") or "", "provisioner") + _parameters(obj.get("parameters") or {})
    policy, mode = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    if policy and policy not in _RECLAIM_POLICIES:
        causes.append(wrong.not_supported("reclaimPolicy", policy, _RECLAIM_POLICIES))
    if mode is not None and mode not in _BINDING_MODES:
        causes.append(wrong.not_supported("volumeBindingMode", mode, _BINDING_MODES))
    return causes + validate_topologies(obj.get("allowedTopologies") or (), "allowedTopologies")


def _compare_classes(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = immutable(new.get("parameters"), old.get("parameters"), "parameters")
    causes += immutable(new.get("provisioner") or "", old.get("provisioner") or "", "provisioner")
    for field in ("reclaimPolicy", "volumeBindingMode"):
        causes += immutable(new.get(field), old.get(field), field)
    return causes


def _warn_of_class(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    return [
        f"allowedTopologies[{index}].matchLabelExpressions[{position}].key: {DEPRECATED[expression['key']]}"
        for index, term in enumerate(new.get("allowedTopologies") or ())
        for position, expression in enumerate(term.get("matchLabelExpressions") or ())
        if expression.get("key") in DEPRECATED
    ]


def _check_attributes_class(obj: JsonObject) -> list[Cause]:
    parameters = obj.get("parameters") or {}
    causes = _provisioner(obj.get("driverName") or "", "driverName") + _parameters(parameters)
    return causes if parameters else [*causes, wrong.required("parameters", "must contain at least one key/value pair")]


def _compare_attributes_classes(new: JsonObject, old: JsonObject) -> list[Cause]:
    return [
        wrong.forbidden(field, f"updates to {field} are forbidden.")
        for field in ("driverName", "parameters")
        if new.get(field) != old.get(field)
    ]


def _check_driver(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    policy, requests = spec.get("fsGroupPolicy"), spec.get("tokenRequests") or []
    if policy is not None and policy not in _GROUP_POLICIES:
        causes.append(wrong.not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
    causes += _token_requests(requests, "spec.tokenRequests")
    causes += [
        wrong.not_supported("spec.volumeLifecycleModes", mode or "", _LIFECYCLES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in _LIFECYCLES
    ]
    seconds = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if seconds is not None and seconds < _FEWEST_SECONDS:
        text = "must be greater than or equal to 10 seconds"
        causes.append(wrong.invalid("spec.nodeAllocatableUpdatePeriodSeconds", seconds, text))
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not requests:
        text = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        causes.append(wrong.invalid("spec.serviceAccountTokenInSecrets", in_secrets, text))
    return causes


def _token_requests(requests: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        audience, seconds = request.get("audience") or "", request.get("expirationSeconds")
        if audience in seen:
            causes.append(wrong.duplicate(f"{path}[{index}].audience", audience))
            continue
        seen.add(audience)
        at = f"{path}[{index}].expirationSeconds"
        if seconds is not None and seconds < _TOKEN_S[0]:
            causes.append(wrong.invalid(at, seconds, "may not specify a duration less than 10 minutes"))
        if seconds is not None and seconds > _TOKEN_S[1]:
            causes.append(wrong.invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    return causes


def _compare_drivers(new: JsonObject, old: JsonObject) -> list[Cause]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    causes = immutable(spec.get("attachRequired"), before.get("attachRequired"), "spec.attachedRequired")
    path = "spec.volumeLifecycleModes"
    return causes + immutable(spec.get("volumeLifecycleModes"), before.get("volumeLifecycleModes"), path)


def _default_driver(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _settle_driver(new: JsonObject, old: JsonObject | None) -> None:
    new["spec"].pop("preventPodSchedulingIfMissing", None)  # VolumeLimitScaling is off by default
    if old is not None and new["spec"] != old["spec"]:  # counted from the first change on
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def _warn_of_driver(new: JsonObject, old: JsonObject | None) -> list[str]:
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    requests = spec.get("tokenRequests")
    is_new = requests and requests != before.get("tokenRequests")
    return [_TOKENS_IN_CONTEXT] if is_new and spec.get("serviceAccountTokenInSecrets") is None else []


def _check_node(obj: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
        at, name, node = f"spec.drivers[{index}]", driver.get("name") or "", driver.get("nodeID") or ""
        causes += driver_name(name, f"{at}.name")
        if not node:
            causes.append(wrong.required(f"{at}.nodeID"))
        if len(node.encode()) > _LONGEST_NODE_ID:
            causes.append(wrong.invalid(f"{at}.nodeID", node, f"must be {_LONGEST_NODE_ID} characters or less"))
        count = (driver.get("allocatable") or {}).get("count") or 0
        if count < 0:
            causes.append(wrong.invalid(f"{at}.allocatable.count", count, NEGATIVE))
        if name in names:
            causes.append(wrong.duplicate(f"{at}.name", name))
        names.add(name)
        causes += _topology_keys([key or "" for key in driver.get("topologyKeys") or ()], at)
    return causes


def _topology_keys(keys: Sequence[str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, key in enumerate(keys):
        if not key:
            causes.append(wrong.required(path))
        if key in keys[:index]:
            causes.append(wrong.duplicate(path, key))
        causes += [wrong.invalid(path, key, text) for text in validation.qualified_name(key)]
    return causes


def _compare_nodes(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Let drivers come and go, and change how many volumes they take; nothing else of them."""
    causes: list[Cause] = []
    for before in (old.get("spec") or {}).get("drivers") or ():
        for driver in (new.get("spec") or {}).get("drivers") or ():
            rest, rest_before = ({**one, "allocatable": None} for one in (driver, before))
            if driver.get("name") == before.get("name") and rest != rest_before:
                shown = shown_as("storage.CSINodeDriver", rest)
                causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {IMMUTABLE}", "spec.drivers"))
    return causes


def _check_capacity(obj: JsonObject) -> list[Cause]:
    name, capacity = obj.get("storageClassName") or "", obj.get("capacity")
    causes = validate_selector(obj.get("nodeTopology"), "nodeTopology")
    causes += [wrong.invalid("storageClassName", name, text) for text in validation.dns1123_subdomain(name)]
    amount = None if capacity is None else amount_of(capacity)
    return causes if amount is None or amount >= ZERO else [*causes, wrong.invalid("capacity", str(amount), NEGATIVE)]


def _compare_capacities(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = []
    if new.get("nodeTopology") != old.get("nodeTopology"):
        causes.append(selector_cause("nodeTopology", new.get("nodeTopology"), IMMUTABLE))
    return causes + immutable(new.get("storageClassName") or "", old.get("storageClassName") or "", "storageClassName")


STORAGE_CLASS = replace(_strategy("storageclasses", _check_class, _compare_classes), warn=_warn_of_class)
ATTRIBUTES_CLASS = _strategy("volumeattributesclasses", _check_attributes_class, _compare_attributes_classes)
CSI_DRIVER = replace(
    with_default(_strategy("csidrivers", _check_driver, _compare_drivers), _default_driver),
    settle=_settle_driver,
    warn=_warn_of_driver,
)
CSI_NODE = _strategy("csinodes", _check_node, _compare_nodes)
CSI_CAPACITY = replace(
    _strategy("csistoragecapacities", _check_capacity, _compare_capacities),
    warn=lambda new, old: warn_of_selector(new.get("nodeTopology"), "nodeTopology"),
)
