"""
Services. Addresses and node ports are given out elsewhere, where there is something to give.

Source: k8s.io/kubernetes/pkg/apis/core/validation (validateService), pkg/registry/core/service/strategy.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.kinds.record import Strategy, Subresource
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.cidr_fields import check_cidr, check_endpoint_ip, cidr_warnings
from fairlead_control_plane.kinds.strategies.containers import PROTOCOLS
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip, ip_warnings, sloppy_ip
from fairlead_control_plane.kinds.strategies.metadata import validate_labels
from fairlead_control_plane.kinds.strategies.probes import validate_port
from fairlead_control_plane.kinds.strategies.service_addresses import FIXED, check_address_change, is_headless
from fairlead_control_plane.kinds.strategies.service_types import (
    ADDRESSED_TYPES,
    NODE_PORT_TYPES,
    is_reachable,
    needs_health_port,
    settle,
)

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_TRAFFIC = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MAX_AFFINITY_S = 86400
_MODES = ("Proxy", "VIP")
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_HINTS, _TOPOLOGY = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def _default(obj: JsonObject) -> None:
    normalise(obj)
    spec = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    elif affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port") or 0
    if kind in ADDRESSED_TYPES:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if is_reachable(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _prepare_status(obj: JsonObject) -> None:
    status = obj.get("status")
    if not isinstance(status, dict):
        obj["status"] = status = {}
    for entry in (status.setdefault("loadBalancer", {}) or {}).get("ingress") or ():
        if entry.get("ip"):
            entry.setdefault("ipMode", "VIP")


def _prepare_create(obj: JsonObject) -> None:
    _default(obj)
    obj["status"] = {"loadBalancer": {}}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    _default(new)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    before = None if old is None else old.get("spec") or {}
    spec = new["spec"]
    if causes := settle(spec, before):
        raise invalid_object("", "Service", new["metadata"].get("name", ""), causes)
    if spec.get("type") == "ExternalName" and spec.get("internalTrafficPolicy") in _TRAFFIC:
        del spec["internalTrafficPolicy"]
    if before is not None and spec.get("type") != "LoadBalancer":
        new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}


def _validate_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Check the addresses of a load balancer, which only a Service of that type has."""
    path = "status.loadBalancer.ingress"
    listed = _points(new)
    if listed and (new.get("spec") or {}).get("type") != "LoadBalancer":
        return [wrong.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    known = [entry["ip"] for entry in _points(old) if entry.get("ip")]
    return [cause for i, entry in enumerate(listed) for cause in _ingress_entry(entry, f"{path}[{i}]", known)]


def _points(obj: JsonObject) -> Sequence[JsonObject]:
    return ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()


def _ingress_entry(entry: JsonObject, path: str, known: Sequence[str]) -> list[Cause]:
    address, mode = entry.get("ip"), entry.get("ipMode")
    causes = check_ip(address, f"{path}.ip", known) if address else []
    if address and mode is None:
        causes.append(wrong.required(f"{path}.ipMode", "must be specified when `ip` is set"))
    elif mode is not None and not address:
        causes.append(wrong.forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None and mode not in _MODES:
        causes.append(wrong.not_supported(f"{path}.ipMode", mode, _MODES))
    return causes + check_host(entry.get("hostname") or "", f"{path}.hostname")


def check_host(host: str, path: str) -> list[Cause]:
    """Return what is wrong with the name of a load balancer; ``""`` is fine."""
    if not host:
        return []
    causes = [wrong.invalid(path, host, text) for text in validation.dns1123_subdomain(host)]
    if sloppy_ip(host) is not None:
        causes.append(wrong.invalid(path, host, "must be a DNS name, not an IP address"))
    return causes


def warn_of_points(obj: JsonObject) -> list[str]:
    """Warn of addresses in ``status.loadBalancer`` that are not in their standard form."""
    listed = ((entry.get("ip"), f"status.loadBalancer.ingress[{i}]") for i, entry in enumerate(_points(obj)))
    return [text for address, path in listed if address for text in ip_warnings(address, path)]


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    """Return what Kubernetes says of settings that do nothing.  Source: pkg/api/service/warnings.go."""
    del old
    spec = new["spec"]
    kind, outside = spec.get("type"), spec.get("externalIPs") or ()
    has_no_address = kind == "ClusterIP" and spec.get("clusterIP") == "None"
    found = []
    if _HINTS in (new["metadata"].get("annotations") or {}):
        found.append(f"annotation {_HINTS} is deprecated, please use {_TOPOLOGY} instead")
    if spec.get("clusterIP") not in {None, "", "None"}:
        found += _warn_of_addresses(spec.get("clusterIPs") or (), "spec.clusterIPs")
    if has_no_address:
        found += _warn_of_headless(spec)
    found += _warn_of_addresses(outside, "spec.externalIPs")
    if outside and not has_no_address and kind != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("loadBalancerIP"):
        found += ip_warnings(spec["loadBalancerIP"], "spec.loadBalancerIP")
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += cidr_warnings(text, f"spec.loadBalancerSourceRanges[{index}]")
    if kind == "ExternalName" and outside:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def _warn_of_addresses(addresses: Sequence[str], path: str) -> list[str]:
    return [text for i, address in enumerate(addresses) for text in ip_warnings(address, f"{path}[{i}]")]


def _warn_of_headless(spec: JsonObject) -> list[str]:
    found = []
    if spec.get("loadBalancerIP"):
        found.append("spec.loadBalancerIP is ignored for headless services")
    if spec.get("externalIPs"):
        found.append("spec.externalIPs is ignored for headless services")
    if spec.get("sessionAffinity") != "None":
        found.append("spec.SessionAffinity is ignored for headless services")
    return found


def _validate(obj: JsonObject) -> list[Cause]:
    return _check(obj, {})


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Check all of a Service, and that what it was given once stays."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    causes = check_address_change(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        wanted = spec.get("loadBalancerClass")
        if wanted != before.get("loadBalancerClass"):
            causes.append(wrong.invalid("spec.loadBalancerClass", wanted, FIXED))
    port = before.get("healthCheckNodePort")
    if needs_health_port(spec) and needs_health_port(before) and port and spec.get("healthCheckNodePort") != port:
        causes.append(wrong.forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes + _check(new, old)


def _check(obj: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with a Service whose addresses are in order; ``old`` is ``{}`` for a create."""
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    kind, ports = spec.get("type") or "", spec.get("ports") or ()
    causes = _topology(obj["metadata"].get("annotations") or {})
    if not ports and not is_headless(spec) and kind != "ExternalName":
        causes.append(wrong.required("spec.ports"))
    if is_headless(spec) and kind in NODE_PORT_TYPES:
        causes.append(wrong.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        causes += _external_name(spec)
    names: set[str] = set()
    for index, port in enumerate(ports):
        causes += _port(port, f"spec.ports[{index}]", names, needs_name=len(ports) > 1)
    causes += validate_labels(spec.get("selector"), "spec.selector")
    causes += _affinity(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{index}]"
        causes += check_ip(address, path, before.get("externalIPs") or ()) or check_endpoint_ip(address, path)
    if kind not in _TYPES:
        causes.append(wrong.not_supported("spec.type", kind, _TYPES) if kind else wrong.required("spec.type"))
    causes += _port_conflicts(ports, kind)
    return causes + _source_ranges(obj, old) + _load_balancer(spec, kind) + _traffic(spec)


def _topology(annotations: JsonObject) -> list[Cause]:
    mode, hints = annotations.get(_TOPOLOGY), annotations.get(_HINTS)
    if mode is None or hints is None or mode == hints:
        return []
    text = f"must match annotations[{_HINTS}] when both are specified"
    return [wrong.invalid(f"metadata.annotations[{_TOPOLOGY}]", mode, text)]


def _external_name(spec: JsonObject) -> list[Cause]:
    text = "may not be set for ExternalName services"
    fields = [field for field in ("clusterIPs", "ipFamilies") if spec.get(field)]
    fields += ["ipFamilyPolicy"] if spec.get("ipFamilyPolicy") is not None else []
    causes = [wrong.forbidden(f"spec.{field}", text) for field in fields]
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*causes, wrong.required("spec.externalName")]
    return causes + [wrong.invalid("spec.externalName", name, text) for text in validation.dns1123_subdomain(name)]


def _port(port: JsonObject, path: str, names: set[str], *, needs_name: bool) -> list[Cause]:
    causes: list[Cause] = []
    name, number = port.get("name") or "", port.get("port") or 0
    if name:
        causes += [wrong.invalid(f"{path}.name", name, text) for text in validation.dns1123_label(name)]
        if name in names:
            causes.append(wrong.duplicate(f"{path}.name", name))
        names.add(name)
    elif needs_name:
        causes.append(wrong.required(f"{path}.name"))
    causes += [wrong.invalid(f"{path}.port", number, text) for text in validation.port_number(number)]
    protocol = port.get("protocol") or ""
    if protocol not in PROTOCOLS:
        at = f"{path}.protocol"
        causes.append(wrong.not_supported(at, protocol, PROTOCOLS) if protocol else wrong.required(at))
    causes += validate_port(port.get("targetPort", 0), f"{path}.targetPort")
    return causes + check_app_protocol(port, path)


def check_app_protocol(port: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the name of what is spoken on a port."""
    name = port.get("appProtocol")
    texts = validation.qualified_name(name) if name is not None else ()
    return [wrong.invalid(f"{path}.appProtocol", name, text) for text in texts]


def _affinity(spec: JsonObject) -> list[Cause]:
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    path = "spec.sessionAffinityConfig"
    if affinity not in _AFFINITIES:
        at = "spec.sessionAffinity"
        return [wrong.not_supported(at, affinity, _AFFINITIES) if affinity else wrong.required(at)]
    if affinity == "None":
        return [] if config is None else [wrong.forbidden(path, "must not be set when session affinity is None")]
    seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    if seconds is None:
        return [wrong.required(path, "when session affinity type is ClientIP")]
    if not 0 < seconds <= _MAX_AFFINITY_S:
        text = f"must be greater than 0 and less than {_MAX_AFFINITY_S}"
        return [wrong.invalid(f"{path}.clientIP.timeoutSeconds", seconds, text)]
    return []


def _port_conflicts(ports: Sequence[JsonObject], kind: str) -> list[Cause]:
    causes: list[Cause] = []
    node_ports: set[tuple[str, int]] = set()
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        path, protocol, node_port = f"spec.ports[{index}]", port.get("protocol", ""), port.get("nodePort") or 0
        if node_port and kind == "ClusterIP":
            causes.append(wrong.forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        if node_port and (protocol, node_port) in node_ports:
            causes.append(wrong.duplicate(f"{path}.nodePort", node_port))
        node_ports.add((protocol, node_port))
        key = (protocol, port.get("port") or 0)
        if key in seen:
            causes.append(_same_port(path, *key))
        seen.add(key)
    return causes


def _same_port(path: str, protocol: str, number: int) -> Cause:
    """Kubernetes shows its internal struct here, not the user's port."""
    shown = f'{{"Name":"","Protocol":"{protocol}","AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}'
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown}", path)


def _source_ranges(obj: JsonObject, old: JsonObject) -> list[Cause]:
    """Check who may use a load balancer: a list, or else an annotation that older clients know."""
    spec = obj.get("spec") or {}
    is_balanced = spec.get("type") == "LoadBalancer"
    if ranges := spec.get("loadBalancerSourceRanges"):
        path = "spec.LoadBalancerSourceRanges"
        causes = [] if is_balanced else [wrong.forbidden(path, _ONLY_LOAD_BALANCER)]
        known = [text.strip() for text in (old.get("spec") or {}).get("loadBalancerSourceRanges") or ()]
        for index, text in enumerate(ranges):
            causes += check_cidr(text.strip(), f"{path}[{index}]", known)
        return causes
    value = (obj["metadata"].get("annotations") or {}).get(_SOURCE_RANGES)
    if value is None:
        return []
    path = f"metadata.annotations[{_SOURCE_RANGES}]"
    causes = [] if is_balanced else [wrong.forbidden(path, _ONLY_LOAD_BALANCER)]
    was = ((old.get("metadata") or {}).get("annotations") or {}).get(_SOURCE_RANGES)
    if value.strip() and value != was:
        causes += [cause for text in value.split(",") for cause in check_cidr(text.strip(), path)]
    return causes


def _load_balancer(spec: JsonObject, kind: str) -> list[Cause]:
    path, name = "spec.loadBalancerClass", spec.get("loadBalancerClass")
    if kind == "LoadBalancer":
        return [wrong.invalid(path, name, text) for text in validation.qualified_name(name)] if name is not None else []
    causes: list[Cause] = []
    if spec.get("allocateLoadBalancerNodePorts") is not None:
        causes.append(wrong.forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    return causes if name is None else [*causes, wrong.forbidden(path, _ONLY_LOAD_BALANCER)]


def _traffic(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    external = spec.get("externalTrafficPolicy")
    if external and not is_reachable(spec):
        text = "may only be set for externally-accessible services"
        causes.append(wrong.invalid("spec.externalTrafficPolicy", external, text))
    elif external and external not in _TRAFFIC:
        causes.append(wrong.not_supported("spec.externalTrafficPolicy", external, _TRAFFIC))
    if port := spec.get("healthCheckNodePort"):
        texts = validation.port_number(port)
        if not needs_health_port(spec):
            texts = ["may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"]
        causes += [wrong.invalid("spec.healthCheckNodePort", port, text) for text in texts]
    for field, allowed in (("internalTrafficPolicy", _TRAFFIC), ("trafficDistribution", _DISTRIBUTIONS)):
        value = spec.get(field)
        if value is not None and value not in allowed:
            causes.append(wrong.not_supported(f"spec.{field}", value, allowed))
    return causes


SERVICE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    settle=_settle,
    warn=_warn,
    validate=_validate,
    validate_change=_validate_change,
    validate_name=validation.dns1123_label,
    subresources={"status": Subresource(validate=_validate_status, warn=warn_of_points)},
    create_on_update=True,
)
