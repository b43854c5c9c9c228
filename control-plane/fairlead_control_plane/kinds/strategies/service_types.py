"""
What a Service's type gives it and takes from it: addresses, families, node ports, and fields of one type only.

Fields that the server has given out stay as they are when a client leaves them out; what the new type has no use for
goes, unless the client has just set it.

Source: k8s.io/kubernetes/pkg/registry/core/service (strategy.go: patchAllocatedValues, dropTypeDependentFields;
storage/alloc.go: initIPFamilyFields, normalizeClusterIPs).
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.service_addresses import check_addresses

ADDRESSED_TYPES = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
NODE_PORT_TYPES = frozenset({"NodePort", "LoadBalancer"})


def settle(spec: JsonObject, before: JsonObject | None) -> list[Cause]:
    """
    Make a Service's spec what its type asks for, in place.

    Args:
        spec: With the defaults of its kind.
        before: The stored spec; None for a create.

    Returns:
        What is wrong with its addresses and families; the rest of it is not to be looked at then.
    """
    if before is not None:
        _keep_given(spec, before)
        _align_addresses(spec, before)
    elif spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec.get("type") != "ExternalName":
        _name_policy(spec, before or {})
        if causes := check_addresses(spec, before or {}):
            return causes
        _name_families(spec, before or {})
    if before is not None:
        _drop_unused(spec, before)
    return []


def is_reachable(spec: JsonObject) -> bool:
    """Tell whether a Service can be reached from outside, so that it has an external traffic policy."""
    kind = spec.get("type")
    return kind in NODE_PORT_TYPES or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _has_address(spec: JsonObject) -> bool:
    return spec.get("type") in ADDRESSED_TYPES


def _has_node_ports(spec: JsonObject) -> bool:
    return spec.get("type") in NODE_PORT_TYPES


def _gets_node_ports(spec: JsonObject) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def needs_health_port(spec: JsonObject) -> bool:
    """Tell whether nodes are asked on a port of its own whether they have pods of a Service."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _is_load_balancer(spec: JsonObject) -> bool:
    return spec.get("type") == "LoadBalancer"


def _keep_given(spec: JsonObject, before: JsonObject) -> None:
    """Fill in what the server has given out and the client left out."""
    if _has_address(spec) and _has_address(before):
        for field in ("clusterIP", "clusterIPs"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]
    if _gets_node_ports(spec) and _gets_node_ports(before):
        _keep_node_ports(spec, before)
    if needs_health_port(spec) and needs_health_port(before) and before.get("healthCheckNodePort"):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])


def _keep_node_ports(spec: JsonObject, before: JsonObject) -> None:
    """Give ports of the same name their old node ports, unless another port has taken them."""
    used = set(_node_ports(spec)) & set(_node_ports(before))
    given = {port.get("name", ""): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        known = given.get(port.get("name", ""))
        if known and not port.get("nodePort") and known not in used:
            port["nodePort"] = known
            used.add(known)


def _align_addresses(spec: JsonObject, before: JsonObject) -> None:
    """Let the list follow when a client changes only the single address, which older ones know alone."""
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if address == (before.get("clusterIP") or "") or addresses != (before.get("clusterIPs") or []):
        return
    if not address:
        spec.pop("clusterIPs", None)
    else:
        spec["clusterIPs"] = [address]


def _name_policy(spec: JsonObject, before: JsonObject) -> None:
    if spec.get("ipFamilyPolicy") is not None:
        return
    needs_none = spec.get("clusterIP") == "None" and not spec.get("selector")
    spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy") or ("RequireDualStack" if needs_none else "SingleStack")


def _name_families(spec: JsonObject, before: JsonObject) -> None:
    """Name the address families as a single-stack cluster does."""
    is_single = spec["ipFamilyPolicy"] == "SingleStack"
    if is_single:
        # Only lists that are as they were are longer here; others have been refused.
        for field in ("clusterIPs", "ipFamilies"):
            if len(spec.get(field) or ()) > 1:
                spec[field] = spec[field][:1]
    addresses, families = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ())
    if addresses != ["None"]:
        families += ["IPv6" if ":" in one else "IPv4" for one in addresses[len(families) :]]
        if not families and not addresses:
            # Nobody has given an address here, so that none tells the family.
            families = list(before.get("ipFamilies") or ())
    families = families or ["IPv4"]
    if addresses == ["None"] and not spec.get("selector") and not is_single and len(families) < 2:
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    spec["ipFamilies"] = families


_ONE_TYPE_ONLY: tuple[tuple[Callable[[JsonObject], bool], tuple[str, ...]], ...] = (
    (_has_address, ("clusterIP", "clusterIPs")),
    (_has_address, ("ipFamilies",)),
    (_has_address, ("ipFamilyPolicy",)),
    (needs_health_port, ("healthCheckNodePort",)),
    (_is_load_balancer, ("allocateLoadBalancerNodePorts",)),
    (_is_load_balancer, ("loadBalancerClass",)),
    (is_reachable, ("externalTrafficPolicy",)),
)
"""Who has use for which fields; those of one line go or stay together."""


def _drop_unused(spec: JsonObject, before: JsonObject) -> None:
    """Drop what the old type needed and the new one does not, if the client did not change it meanwhile."""
    for is_needed, fields in _ONE_TYPE_ONLY:
        unchanged = all(spec.get(field) == before.get(field) for field in fields)
        if is_needed(before) and not is_needed(spec) and unchanged:
            for field in fields:
                spec.pop(field, None)
    if _has_node_ports(before) and not _has_node_ports(spec) and set(_node_ports(spec)) <= set(_node_ports(before)):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _node_ports(spec: JsonObject) -> list[int]:
    return sorted(port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort"))
