"""
Endpoints and EndpointSlices: the addresses behind a Service.

Source: k8s.io/kubernetes pkg/apis/core/validation (ValidateEndpoints), pkg/apis/discovery/validation,
pkg/registry/core/endpoint and pkg/registry/discovery/endpointslice (strategy.go).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise, show_unset
from fairlead_control_plane.kinds.strategies.cidr_fields import check_canonical_ip, check_endpoint_ip
from fairlead_control_plane.kinds.strategies.containers import PROTOCOLS
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip, ip_warnings
from fairlead_control_plane.kinds.strategies.metadata import immutable, validate_again, validate_labels
from fairlead_control_plane.kinds.strategies.services import check_app_protocol

_TYPES = ("FQDN", "IPv4", "IPv6")
_MAX_ENDPOINTS, _MAX_ADDRESSES, _MAX_PORTS, _MAX_LABELS, _MAX_HINTS = 1000, 100, 20000, 16, 8
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata"})
_MIRROR_LABEL, _SLICE_LABEL = "endpoints.kubernetes.io/managed-by", "endpointslice.kubernetes.io/managed-by"
_MIRROR = "endpoint-controller"
_SLICE_LISTS = ("endpoints", "ports")
_SLICERS = frozenset({"endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"})


def _prepare(obj: JsonObject) -> None:
    normalise(obj)
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _validate(obj: JsonObject) -> list[Cause]:
    return [cause for i, subset in enumerate(obj.get("subsets") or ()) for cause in _subset(subset, f"subsets[{i}]")]


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Older rules may have let through what has not been changed."""
    causes = validate_again(new)
    return causes if new.get("subsets") == old.get("subsets") else causes + _validate(new)


def _subset(subset: JsonObject, path: str) -> list[Cause]:
    ready, others = subset.get("addresses") or (), subset.get("notReadyAddresses") or ()
    ports = subset.get("ports") or ()
    causes: list[Cause] = []
    if not ready and not others:
        causes.append(wrong.required(path, "must specify `addresses` or `notReadyAddresses`"))
    for index, address in enumerate(ready):
        causes += _address(address, f"{path}.addresses[{index}]")
    for index, address in enumerate(others):
        causes += _address(address, f"{path}.notReadyAddresses[{index}]")
    for index, port in enumerate(ports):
        causes += _port(port, f"{path}.ports[{index}]", needs_name=len(ports) > 1)
    return causes


def _address(address: JsonObject, path: str) -> list[Cause]:
    value, host, node = address.get("ip") or "", address.get("hostname"), address.get("nodeName")
    causes = check_ip(value, f"{path}.ip")
    if host:
        causes += [wrong.invalid(f"{path}.hostname", host, text) for text in validation.dns1123_label(host)]
    if node is not None:
        causes += [wrong.invalid(f"{path}.nodeName", node, text) for text in validation.dns1123_subdomain(node)]
    return causes + check_endpoint_ip(value, f"{path}.ip")


def _port(port: JsonObject, path: str, *, needs_name: bool) -> list[Cause]:
    name, number, protocol = port.get("name") or "", port.get("port") or 0, port.get("protocol") or ""
    causes = [wrong.required(f"{path}.name")] if needs_name and not name else []
    if name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_label(name)]
    causes += [wrong.invalid(f"{path}.port", number, text) for text in validation.port_number(number)]
    if protocol not in PROTOCOLS:
        causes.append(wrong.not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    return causes + check_app_protocol(port, path)


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    if (new["metadata"].get("labels") or {}).get(_MIRROR_LABEL) == _MIRROR:
        return []
    return [
        text
        for i, subset in enumerate(new.get("subsets") or ())
        for field in ("addresses", "notReadyAddresses")
        for j, address in enumerate(subset.get(field) or ())
        for text in ip_warnings(address.get("ip") or "", f"subsets[{i}].{field}[{j}].ip")
    ]


def _prepare_slice(obj: JsonObject) -> None:
    normalise(obj, keeps_empty=True)
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
    for endpoint in obj.get("endpoints") or ():
        # Written by the first version of slices only.
        endpoint.pop("deprecatedTopology", None)


def _settle_slice(new: JsonObject, old: JsonObject | None) -> None:
    del old
    show_unset(new, *_SLICE_LISTS)


def _generation_of(obj: JsonObject) -> object:
    content = {key: value for key, value in obj.items() if key not in _NOT_CONTENT}
    return content, obj["metadata"].get("labels") or {}


def _validate_slice(obj: JsonObject) -> list[Cause]:
    return [*_slice_head(obj), *_endpoints(obj.get("endpoints") or (), obj.get("addressType") or "")]


def _validate_slice_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes = validate_again(new) + _slice_head(new)
    if new.get("endpoints") != old.get("endpoints"):
        causes += _endpoints(new.get("endpoints") or (), new.get("addressType") or "")
    return causes + immutable(new.get("addressType") or "", old.get("addressType"), "addressType")


def _slice_head(obj: JsonObject) -> list[Cause]:
    kind, ports = obj.get("addressType") or "", obj.get("ports") or ()
    causes: list[Cause] = []
    if kind not in _TYPES:
        causes.append(wrong.not_supported("addressType", kind, _TYPES) if kind else wrong.required("addressType"))
    if len(ports) > _MAX_PORTS:
        return [*causes, wrong.too_many("ports", len(ports), _MAX_PORTS)]
    names: set[str] = set()
    for index, port in enumerate(ports):
        causes += _slice_port(port, f"ports[{index}]", names)
    return causes


def _slice_port(port: JsonObject, path: str, names: set[str]) -> list[Cause]:
    name, protocol = port.get("name") or "", port.get("protocol")
    causes: list[Cause] = []
    if name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_label(name)]
    if name in names:
        causes.append(wrong.duplicate(f"{path}.name", name))
    names.add(name)
    if protocol not in PROTOCOLS:
        causes.append(wrong.not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    return causes + check_app_protocol(port, path)


def _endpoints(endpoints: Sequence[JsonObject], kind: str) -> list[Cause]:
    if len(endpoints) > _MAX_ENDPOINTS:
        return [wrong.too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
    return [cause for i, one in enumerate(endpoints) for cause in _endpoint(one, kind, f"endpoints[{i}]")]


def _endpoint(endpoint: JsonObject, kind: str, path: str) -> list[Cause]:
    addresses, topology = endpoint.get("addresses") or (), endpoint.get("deprecatedTopology") or {}
    causes: list[Cause] = []
    if not addresses:
        causes.append(wrong.required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        causes.append(wrong.too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        causes += _slice_address(address or "", kind, f"{path}.addresses", index)
    node, host = endpoint.get("nodeName"), endpoint.get("hostname")
    if node is not None:
        causes += [wrong.invalid(f"{path}.nodeName", node, text) for text in validation.dns1123_subdomain(node)]
    if len(topology) > _MAX_LABELS:
        causes.append(wrong.too_many(f"{path}.deprecatedTopology", len(topology), _MAX_LABELS))
    causes += validate_labels(topology, f"{path}.deprecatedTopology")
    if host is not None:
        causes += [wrong.invalid(f"{path}.hostname", host, text) for text in validation.dns1123_label(host)]
    return causes + _hints(endpoint.get("hints") or {}, f"{path}.hints")


def _slice_address(address: str, kind: str, path: str, index: int) -> list[Cause]:
    at = f"{path}[{index}]"
    if kind == "FQDN":
        return _domain(address, at)
    if kind not in _TYPES:
        return []
    causes = check_ip(address, at) if kind == "IPv4" else check_canonical_ip(address, at)
    if causes:
        return causes
    if (":" in address) != (kind == "IPv6"):
        causes.append(wrong.invalid(path, address, f"must be an {kind} address"))
    return causes + check_endpoint_ip(address, at)


def _domain(name: str, path: str) -> list[Cause]:
    if not name:
        return [wrong.required(path)]
    name = name.removesuffix(".")
    if texts := validation.dns1123_subdomain(name):
        return [wrong.invalid(path, name, ",".join(texts))]
    labels = name.split(".")
    if len(labels) < 2:
        return [wrong.invalid(path, name, "should be a domain with at least two segments separated by dots")]
    wrong_labels = ((label, validation.dns1123_label(label)) for label in labels)
    return next(([wrong.invalid(path, label, ",".join(texts))] for label, texts in wrong_labels if texts), [])


def _hints(hints: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, check in (("forZones", validation.label_value), ("forNodes", validation.dns1123_subdomain)):
        listed = hints.get(field) or ()
        if len(listed) > _MAX_HINTS:
            return [*causes, wrong.too_many(f"{path}.{field}", len(listed), _MAX_HINTS)]
        seen: set[str] = set()
        for index, hint in enumerate(listed):
            name, at = hint.get("name") or "", f"{path}.{field}[{index}].name"
            if name in seen:
                causes.append(wrong.duplicate(at, name))
            seen.add(name)
            causes += [wrong.invalid(at, name, text) for text in check(name)]
    return causes


def _warn_of_slice(new: JsonObject, old: JsonObject | None) -> list[str]:
    found = []
    if old is None and new.get("addressType") == "FQDN":
        found.append("spec.addressType: FQDN endpoints are deprecated")
    if (new["metadata"].get("labels") or {}).get(_SLICE_LABEL) in _SLICERS:
        return found
    return found + [
        text
        for i, endpoint in enumerate(new.get("endpoints") or ())
        for j, address in enumerate(endpoint.get("addresses") or ())
        for text in ip_warnings(address or "", f"endpoints[{i}].addresses[{j}]")
    ]


ENDPOINTS = Strategy(
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    warn=_warn,
    validate=_validate,
    validate_change=_validate_change,
    create_on_update=True,
)
ENDPOINT_SLICE = Strategy(
    prepare_create=_prepare_slice,
    prepare_update=lambda new, old: _prepare_slice(new),
    settle=_settle_slice,
    warn=_warn_of_slice,
    validate=_validate_slice,
    validate_change=_validate_slice_change,
    generation_of=_generation_of,
)
