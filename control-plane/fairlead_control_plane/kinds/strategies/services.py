"""
Services and Endpoints. Addresses and node ports are given out elsewhere, where there is something to give.

Source: k8s.io/kubernetes/pkg/apis/core/validation (validateService), pkg/registry/core/service/strategy.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.containers import PROTOCOLS
from fairlead_control_plane.kinds.strategies.metadata import validate_labels
from fairlead_control_plane.kinds.strategies.pod_spec import validate_ip, validate_network
from fairlead_control_plane.kinds.strategies.probes import validate_port
from fairlead_control_plane.kinds.strategies.service_types import ADDRESSED_TYPES, NODE_PORT_TYPES, is_reachable, settle

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_TRAFFIC = ("Cluster", "Local")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_MAX_AFFINITY_S = 86400
_MODES = ("Proxy", "VIP")
_FIXED = "may not change once set"
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def _default(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", 10800)
    elif spec.get("sessionAffinity") == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port")
    if kind in ADDRESSED_TYPES:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if is_reachable(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    normalise(obj)


def _prepare_status(obj: JsonObject) -> None:
    for entry in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
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
    settle(new["spec"], before)
    if before is not None and before.get("type") == "LoadBalancer" != new["spec"].get("type"):
        new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}


def _ingress(obj: JsonObject) -> list[Cause]:
    """Check the addresses of a load balancer, which only a Service of that type has."""
    path = "status.loadBalancer.ingress"
    listed = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if listed and (obj.get("spec") or {}).get("type") != "LoadBalancer":
        return [wrong.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    causes: list[Cause] = []
    for index, entry in enumerate(listed):
        causes += _ingress_entry(entry, f"{path}[{index}]")
    return causes


def _ingress_entry(entry: JsonObject, path: str) -> list[Cause]:
    address, host, mode = entry.get("ip"), entry.get("hostname"), entry.get("ipMode")
    causes = validate_ip(address, f"{path}.ip") if address else []
    if address and mode is None:
        causes.append(wrong.required(f"{path}.ipMode", "must be specified when `ip` is set"))
    elif mode is not None and not address:
        causes.append(wrong.forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None and mode not in _MODES:
        causes.append(wrong.not_supported(f"{path}.ipMode", mode, _MODES))
    if host:
        causes += [wrong.invalid(f"{path}.hostname", host, text) for text in validation.dns1123_subdomain(host)]
        if not validate_ip(host, ""):
            causes.append(wrong.invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
    return causes


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    """Return what Kubernetes says of settings that do nothing.  Source: pkg/api/service/warnings.go."""
    del old
    spec = new["spec"]
    is_external, has_addresses = spec.get("type") == "ExternalName", bool(spec.get("externalIPs"))
    is_headless = not is_external and spec.get("clusterIP") == "None"
    found = []
    if spec.get("externalName") and not is_external:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if has_addresses and is_external:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if is_headless:
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if has_addresses:
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") not in {None, "", "None"}:
            found.append("spec.SessionAffinity is ignored for headless services")
    elif has_addresses and not is_external:
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    return found


def _validate(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    kind, headless = spec.get("type") or "", spec.get("clusterIP") == "None"
    ports = spec.get("ports") or ()
    families = _families(spec) if kind != "ExternalName" else []
    if families:
        return families  # addresses are looked at first, and nothing after them
    causes: list[Cause] = []
    if not ports and not headless and kind != "ExternalName":
        causes.append(wrong.required("spec.ports"))
    causes += _external_name(spec) if kind == "ExternalName" else _addresses(spec, kind, headless=headless)
    names: set[str] = set()
    for index, port in enumerate(ports):
        causes += _port(port, f"spec.ports[{index}]", names, needs_name=len(ports) > 1)
    causes += validate_labels(spec.get("selector"), "spec.selector")
    causes += _affinity(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        causes += validate_ip(address, f"spec.externalIPs[{index}]")
    if kind not in _TYPES:
        causes.append(wrong.not_supported("spec.type", kind, _TYPES) if kind else wrong.required("spec.type"))
    causes += _port_conflicts(ports, kind)
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        causes += validate_network(text.strip(), f"spec.LoadBalancerSourceRanges[{index}]")
    return causes + _load_balancer(spec, kind) + _traffic(spec)


def _external_name(spec: JsonObject) -> list[Cause]:
    text = "may not be set for ExternalName services"
    causes = [wrong.forbidden(f"spec.{f}", text) for f in ("clusterIPs", "ipFamilies", "ipFamilyPolicy") if spec.get(f)]
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*causes, wrong.required("spec.externalName")]
    return causes + [wrong.invalid("spec.externalName", name, text) for text in validation.dns1123_subdomain(name)]


def _addresses(spec: JsonObject, kind: str, *, headless: bool) -> list[Cause]:
    causes: list[Cause] = []
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if headless and kind in NODE_PORT_TYPES:
        causes.append(wrong.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if address and not addresses:
        causes.append(wrong.required("spec.clusterIPs"))
    elif address and addresses[0] != address:
        causes.append(wrong.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif not address and addresses:
        text = "must be empty when `clusterIP` is not specified"
        causes.append(wrong.invalid("spec.clusterIPs", addresses, text))
    return causes + _address_list(addresses, () if headless else spec.get("ipFamilies") or ())


def _address_list(addresses: Sequence[str], families: Sequence[str]) -> list[Cause]:
    """Check addresses by themselves, and only when each is one, how they go together."""
    path = "spec.clusterIPs"
    causes: list[Cause] = []
    if len(addresses) > 1 and addresses[0] == "None":
        causes.append(wrong.invalid(path, addresses, "'None' must be the first and only value"))
    for index, one in enumerate(addresses):
        if index or one != "None":
            causes += validate_ip(one, f"{path}[{index}]")
    if len(addresses) > 2:
        causes.append(wrong.invalid(path, addresses, "may only hold up to 2 values"))
    if causes:
        return causes
    found = ["IPv6" if ":" in one else "IPv4" for one in addresses]
    if len(set(found)) < len(found):
        return [wrong.invalid(path, addresses, "may specify no more than one IP for each IP family")]
    return [
        wrong.invalid(f"{path}[{index}]", one, f"expected an {family} value as indicated by `ipFamilies[{index}]`")
        for index, (one, family) in enumerate(zip(addresses, families, strict=False))
        if one != "None" and found[index] != family
    ]


def _families(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in _FAMILIES:
            causes.append(wrong.not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if family in seen:
            causes.append(wrong.duplicate(f"spec.ipFamilies[{index}]", family))
        seen.add(family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        causes.append(wrong.not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    if not causes and policy == "SingleStack" and len(seen) > 1:
        text = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        causes.append(wrong.invalid("spec.ipFamilyPolicy", policy, text))
    return causes


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
    if protocol_name := port.get("appProtocol"):
        at = f"{path}.appProtocol"
        causes += [wrong.invalid(at, protocol_name, text) for text in validation.qualified_name(protocol_name)]
    return causes


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


def _load_balancer(spec: JsonObject, kind: str) -> list[Cause]:
    if kind == "LoadBalancer":
        return []
    causes: list[Cause] = []
    if spec.get("loadBalancerSourceRanges"):
        causes.append(wrong.forbidden("spec.LoadBalancerSourceRanges", _ONLY_LOAD_BALANCER))
    if spec.get("allocateLoadBalancerNodePorts") is not None:
        causes.append(wrong.forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    if spec.get("loadBalancerClass") is not None:
        causes.append(wrong.forbidden("spec.loadBalancerClass", _ONLY_LOAD_BALANCER))
    return causes


def _traffic(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    external = spec.get("externalTrafficPolicy")
    if external and not is_reachable(spec):
        text = "may only be set for externally-accessible services"
        causes.append(wrong.invalid("spec.externalTrafficPolicy", external, text))
    elif external and external not in _TRAFFIC:
        causes.append(wrong.not_supported("spec.externalTrafficPolicy", external, _TRAFFIC))
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in _TRAFFIC:
        causes.append(wrong.not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC))
    return causes


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    """
    Refuse to change an address, unless the type changed from or to ExternalName.

    A Service without one has none here, but has been given one in each cluster that it runs in.
    """
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    causes = _ingress(new) if new.get("status") != old.get("status") else []
    if "ExternalName" in {spec.get("type"), before.get("type")}:
        return causes
    if spec.get("clusterIP") != before.get("clusterIP"):
        causes.append(wrong.invalid("spec.clusterIPs[0]", spec.get("clusterIPs"), _FIXED))
    if spec.get("type") == before.get("type") == "LoadBalancer":
        wanted = spec.get("loadBalancerClass")
        if wanted != before.get("loadBalancerClass"):
            causes.append(wrong.invalid("spec.loadBalancerClass", wanted, _FIXED))
    return causes


def _prepare_endpoints(obj: JsonObject) -> None:
    normalise(obj)


SERVICE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    settle=_settle,
    warn=_warn,
    validate=_validate,
    validate_update=_validate_update,
    validate_name=validation.dns1123_label,
    create_on_update=True,
)
ENDPOINTS = Strategy(
    prepare_create=_prepare_endpoints,
    prepare_update=lambda new, old: _prepare_endpoints(new),
    create_on_update=True,
)
