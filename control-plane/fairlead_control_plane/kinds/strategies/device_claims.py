"""
Claims to devices, their templates, and classes of devices.

Source: k8s.io/kubernetes pkg/apis/resource/validation/validation.go, pkg/registry/resource/*/strategy.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_interface

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.strategies.claim_specs import validate_template_metadata
from fairlead_control_plane.kinds.strategies.conditions import validate_conditions
from fairlead_control_plane.kinds.strategies.device_parts import (
    EFFECTS,
    bindings,
    configuration,
    each,
    each_once,
    full_name,
    label,
    pool_name,
    raw,
    uid,
)
from fairlead_control_plane.kinds.strategies.generic import generic_strategy, with_default
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE, validate_again
from fairlead_control_plane.kinds.strategies.resource_names import is_extended
from fairlead_control_plane.kinds.strategies.scheduling import label_name, validate_node_selector
from fairlead_control_plane.kinds.strategies.status_writes import BUT_STATUS, keep_metadata
from fairlead_control_plane.kinds.strategies.volumes import driver_name
from fairlead_schema.device_expressions import problem_of

GROUP = "resource.k8s.io"
_MOST, _MOST_ALTERNATIVES, _MOST_USERS, _MOST_ADDRESSES, _MOST_CONDITIONS = 32, 8, 256, 16, 8
_LONGEST_EXPRESSION = 10 << 10
_MODES = ("All", "ExactCount")
_EITHER = "exactly one of `exactly` or `firstAvailable` is required"
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

Requests = Mapping[str, frozenset[str]]
"""Names of requests, each with those of its alternatives."""
Device = tuple[str, str, str, str]


def validate_claim_spec(spec: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the ``spec`` of a ResourceClaim."""
    devices, at = spec.get("devices") or {}, f"{path}.devices"
    names = _names(devices)
    requests = devices.get("requests") or ()
    causes = each_once(requests, _MOST, _request, f"{at}.requests", key=lambda one: one.get("name") or "")
    causes += each(
        devices.get("constraints") or (), _MOST, lambda one, where: _constraint(one, where, names), f"{at}.constraints"
    )
    return causes + each(
        devices.get("config") or (), _MOST, lambda one, where: _config(one, where, names), f"{at}.config"
    )


def _names(devices: JsonObject) -> Requests:
    return {
        request.get("name") or "": frozenset(one.get("name") or "" for one in request.get("firstAvailable") or ())
        for request in devices.get("requests") or ()
    }


def _request(request: JsonObject, path: str) -> list[Cause]:
    causes = label(request.get("name") or "", f"{path}.name")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or ()
    if exactly is None and not alternatives:
        return [*causes, wrong.required(path, _EITHER)]
    if exactly is not None and alternatives:
        return [*causes, wrong.invalid(path, None, f"{_EITHER}, but multiple fields are set")]
    if exactly is not None:
        return causes + _exact(exactly, f"{path}.exactly")
    at = f"{path}.firstAvailable"
    return causes + each_once(alternatives, _MOST_ALTERNATIVES, _alternative, at, key=lambda one: one.get("name") or "")


def _alternative(request: JsonObject, path: str) -> list[Cause]:
    return label(request.get("name") or "", f"{path}.name") + _exact(request, path)


def _exact(request: JsonObject, path: str) -> list[Cause]:
    name, at = request.get("deviceClassName") or "", f"{path}.deviceClassName"
    causes = [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name) if name]
    causes += [] if name else [wrong.required(at)]
    causes += each(request.get("selectors") or (), _MOST, _selector, f"{path}.selectors")
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode not in _MODES:
        causes.append(wrong.not_supported(f"{path}.allocationMode", mode, _MODES))
    elif mode == "All" and count:
        causes.append(wrong.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        causes.append(wrong.invalid(f"{path}.count", count, "must be greater than zero"))
    return causes + each(request.get("tolerations") or (), -1, _toleration, f"{path}.tolerations")


def _selector(selector: JsonObject, path: str) -> list[Cause]:
    expression = selector.get("cel")
    if expression is None:
        return [wrong.required(f"{path}.cel")]
    text, at = expression.get("expression") or "", f"{path}.cel.expression"
    if len(text.encode()) > _LONGEST_EXPRESSION:
        return [wrong.too_long(at, _LONGEST_EXPRESSION)]
    problem = problem_of(text)
    return [wrong.invalid(at, text, problem)] if problem else []


def _toleration(toleration: JsonObject, path: str) -> list[Cause]:
    key, value = toleration.get("key") or "", toleration.get("value") or ""
    operator, effect = toleration.get("operator") or "", toleration.get("effect") or ""
    causes = label_name(key, f"{path}.key") if key else []
    if operator == "Exists":
        if value:
            causes.append(wrong.invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        causes += [wrong.invalid(f"{path}.value", value, text) for text in validation.label_value(value)]
    elif operator:
        causes.append(wrong.not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    else:
        causes.append(wrong.required(f"{path}.operator"))
    return (
        causes if not effect or effect in EFFECTS else [*causes, wrong.not_supported(f"{path}.effect", effect, EFFECTS)]
    )


def _constraint(constraint: JsonObject, path: str, names: Requests) -> list[Cause]:
    causes = _references(constraint, path, names)
    for field in ("matchAttribute", "distinctAttribute"):
        if constraint.get(field) is not None:
            return causes + full_name(constraint[field], f"{path}.{field}")
    text = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*causes, wrong.required(path, text)]


def _config(config: JsonObject, path: str, names: Requests) -> list[Cause]:
    return _references(config, path, names) + configuration(config, path)


def _references(item: JsonObject, path: str, names: Requests) -> list[Cause]:
    given, at = item.get("requests") or (), f"{path}.requests"
    return each_once(given, _MOST, lambda one, where: _reference(one, where, names), at, key=str)


def _reference(name: str, path: str, names: Requests) -> list[Cause]:
    segments = name.split("/")
    if len(segments) > 2:
        return [wrong.invalid(path, name, _REFERENCE)]
    causes = [cause for segment in segments for cause in label(segment, path)]
    alternatives = names.get(segments[0])
    is_known = alternatives is not None and (len(segments) == 1 or segments[1] in alternatives)
    return causes if is_known else [*causes, wrong.invalid(path, name, _REFERENCE)]


def _validate_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    status, before = new.get("status") or {}, old.get("status") or {}
    names = _names((new.get("spec") or {}).get("devices") or {})
    allocation, users = status.get("allocation"), status.get("reservedFor") or []
    path = "status.reservedFor"
    causes = each_once(users, _MOST_USERS, _user, path, key=lambda one: one.get("uid") or "")
    known = {_device(one) for one in _results(allocation)}
    causes += _each_device(status.get("devices") or [], known)
    if users and allocation is None:
        causes.append(wrong.forbidden(path, "may not be specified when `allocated` is not set"))
    elif new["metadata"].get("deletionTimestamp") and any(
        one not in (before.get("reservedFor") or ()) for one in users
    ):
        text = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        causes.append(wrong.forbidden(path, text))
    if allocation is None:
        return causes
    if before.get("allocation") is None:
        return causes + _allocation(allocation, "status.allocation", names)
    if allocation != before["allocation"]:
        shown = shown_as("resource.AllocationResult", allocation)
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {IMMUTABLE}", "status.allocation"))
    return causes


def _user(user: JsonObject, path: str) -> list[Cause]:
    return [wrong.required(f"{path}.{field}") for field in ("resource", "name", "uid") if not user.get(field)]


def _results(allocation: JsonObject | None) -> list[JsonObject]:
    return list(((allocation or {}).get("devices") or {}).get("results") or ())


def _device(item: JsonObject) -> Device:
    driver, pool, device, share = (item.get(field) or "" for field in ("driver", "pool", "device", "shareID"))
    return driver, pool, device, share


def _each_device(devices: list[JsonObject], known: set[Device]) -> list[Cause]:
    causes: list[Cause] = []
    for index, device in enumerate(devices):
        path, name = f"status.devices[{index}]", _device(device)
        causes += driver_name(name[0], f"{path}.driver") + pool_name(name[1], f"{path}.pool")
        causes += label(name[2], f"{path}.device")
        if device.get("shareID") is not None:
            causes += uid(device["shareID"], f"{path}.shareID")
        shown = dict(zip(("Driver", "Pool", "Device", "ShareID"), name, strict=True))
        if name not in known:
            causes.append(_of_device(path, "FieldValueInvalid", shown, "must be an allocated device in the claim"))
        conditions = device.get("conditions") or ()
        if len(conditions) > _MOST_CONDITIONS:
            causes.append(wrong.too_many(f"{path}.conditions", len(conditions), _MOST_CONDITIONS))
        causes += validate_conditions(conditions, f"{path}.conditions")
        if device.get("data") is not None:
            causes += raw(device["data"], f"{path}.data")
        causes += _network(device.get("networkData") or {}, f"{path}.networkData")
        if any(_device(other) == name for other in devices[:index]):
            causes.append(_of_device(path, "FieldValueDuplicate", shown, ""))
    return causes


def _of_device(path: str, reason: str, shown: Mapping[str, str], text: str) -> Cause:
    """Return a cause that shows the whole name of a device."""
    title = "Duplicate value" if reason == "FieldValueDuplicate" else "Invalid value"
    named = ",".join(f"{wrong.quoted(key)}:{wrong.quoted(value)}" for key, value in shown.items())
    return Cause(reason, f"{title}: {{{named}}}" + (f": {text}" if text else ""), path)


def _network(data: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, longest in (("interfaceName", 256), ("hardwareAddress", 128)):
        if len((data.get(field) or "").encode()) > longest:
            causes.append(wrong.too_long(f"{path}.{field}", longest))
    return causes + each_once(data.get("ips") or (), _MOST_ADDRESSES, _interface, f"{path}.ips", key=str)


def _interface(address: str, path: str) -> list[Cause]:
    try:
        found = ip_interface(address if "/" in address else "")
    except ValueError:
        message = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        return [wrong.invalid(path, address, message)]
    return [] if str(found) == address else [wrong.invalid(path, address, f'must be in canonical form ("{found}")')]


def _allocation(allocation: JsonObject, path: str, names: Requests) -> list[Cause]:
    devices, at = allocation.get("devices") or {}, f"{path}.devices"
    causes = each(devices.get("results") or (), _MOST, lambda one, where: _result(one, where, names), f"{at}.results")
    causes += each(
        devices.get("config") or (), 2 * _MOST, lambda one, where: _allocated(one, where, names), f"{at}.config"
    )
    selector = allocation.get("nodeSelector")
    return causes if selector is None else causes + validate_node_selector(selector, f"{path}.nodeSelector")


def _result(result: JsonObject, path: str, names: Requests) -> list[Cause]:
    driver, pool, device, _ = _device(result)
    causes = _reference(result.get("request") or "", f"{path}.request", names)
    causes += driver_name(driver, f"{path}.driver") + pool_name(pool, f"{path}.pool")
    causes += label(device, f"{path}.device") + bindings(result, path)
    share = result.get("shareID")
    return causes if share is None else causes + uid(share, f"{path}.shareID")


def _allocated(config: JsonObject, path: str, names: Requests) -> list[Cause]:
    source, at = config.get("source") or "", f"{path}.source"
    known = ("FromClaim", "FromClass")
    causes = [] if source else [wrong.required(at)]
    if source and source not in known:
        causes.append(wrong.not_supported(at, source, known))
    return causes + _config(config, path, names)


def _settle_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Drop what is said of devices that are not allocated any more."""
    keep_metadata(new, old, writer)
    status = new.get("status") or {}
    now = {_device(one) for one in _results(status.get("allocation"))}
    gone = {_device(one) for one in _results((old.get("status") or {}).get("allocation"))} - now
    kept = [device for device in status.get("devices") or () if _device(device) not in gone]
    if kept:
        status["devices"] = kept
    else:
        status.pop("devices", None)


def _stays(new: JsonObject, old: JsonObject, struct: str) -> list[Cause]:
    if new.get("spec") == old.get("spec"):
        return []
    return [
        Cause("FieldValueInvalid", f"Invalid value: {shown_as(struct, new.get('spec') or {})}: {IMMUTABLE}", "spec")
    ]


def _change_claim(new: JsonObject, old: JsonObject) -> list[Cause]:
    return [*validate_again(new), *_stays(new, old, "resource.ResourceClaimSpec")]


def _check_template(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_template_metadata(spec.get("metadata") or {}, "spec.metadata")
    return causes + validate_claim_spec(spec.get("spec") or {}, "spec.spec")


def _change_template(new: JsonObject, old: JsonObject) -> list[Cause]:
    stays = _stays(new, old, "resource.ResourceClaimTemplateSpec")
    return [*validate_again(new), *_check_template(new), *stays]


def _check_class(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = each(spec.get("selectors") or (), _MOST, _selector, "spec.selectors")
    causes += each(spec.get("config") or (), _MOST, configuration, "spec.config")
    name = spec.get("extendedResourceName")
    if name is None or is_extended(name):
        return causes
    return [*causes, wrong.invalid("spec.extendedResourceName", name, "must be a valid extended resource name")]


def _default(spec: JsonObject) -> None:
    """Say of each request how many devices it is about."""
    devices = spec.setdefault("devices", {})
    for request in devices.get("requests") or ():
        for one in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if one is None:
                continue
            mode = one["allocationMode"] = one.get("allocationMode") or "ExactCount"
            if mode == "ExactCount" and not one.get("count"):
                one["count"] = 1
            for toleration in one.get("tolerations") or ():
                toleration["operator"] = toleration.get("operator") or "Equal"


def _disown(obj: JsonObject) -> None:
    """Leave out that nothing is requested, until it is noted who manages what."""
    devices = obj["spec"].get("devices") or {}
    if devices.get("requests") is None:
        devices.pop("requests", None)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    del old
    new["spec"].setdefault("devices", {}).setdefault("requests", None)


def _claims() -> Strategy:
    found = with_default(
        generic_strategy(GROUP, "resourceclaims", has_status=True), lambda obj: _default(obj.setdefault("spec", {}))
    )
    create, update = found.prepare_create, found.prepare_update

    def prepare_create(obj: JsonObject) -> None:
        if create is not None:
            create(obj)
        _disown(obj)

    def prepare_update(new: JsonObject, old: JsonObject) -> None:
        if update is not None:
            update(new, old)
        _disown(new)

    return replace(found, prepare_create=prepare_create, prepare_update=prepare_update, settle=_settle)


RESOURCE_CLAIM = replace(
    _claims(),
    validate=lambda obj: validate_claim_spec(obj.get("spec") or {}, "spec"),
    validate_change=_change_claim,
    subresources={"status": Subresource(validate=_validate_status, resets=BUT_STATUS, settle=_settle_status)},
)
CLAIM_TEMPLATE = replace(
    with_default(
        generic_strategy(GROUP, "resourceclaimtemplates", has_status=False),
        lambda obj: _default(obj.setdefault("spec", {}).setdefault("spec", {})),
    ),
    validate=_check_template,
    validate_change=_change_template,
)
DEVICE_CLASS = replace(
    generic_strategy(GROUP, "deviceclasses", has_status=False),
    validate=_check_class,
    validate_change=lambda new, old: [*validate_again(new), *_check_class(new)],
)
