"""
What a Service holds, and the rows in the store that say so.

An address is held by an ``IPAddress`` object of its name, as in Kubernetes; a node port by a row of its own. Both are
written and removed in the transaction that writes the Service, so they are never given out twice and never lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.kinds.strategies.service_types import needs_health_port
from fairlead_control_plane.store.contract import Row

_NODE_PORTS = "/meta/nodeports/"
_LABELS = {"ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}


@dataclass(frozen=True, slots=True)
class Held:
    """The addresses and node ports of a Service."""

    addresses: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()


NOTHING = Held()


def held_by(service: JsonObject | None) -> Held:
    """Return what a Service holds."""
    if service is None:
        return NOTHING
    spec = service.get("spec") or {}
    ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    if needs_health_port(spec) and spec.get("healthCheckNodePort"):
        ports.add(spec["healthCheckNodePort"])
    return Held(frozenset(addresses_of(spec)), frozenset(ports))


def addresses_of(spec: JsonObject) -> list[str]:
    """Return the addresses of a Service that are of this cluster's range; a headless one has none."""
    if spec.get("type") == "ExternalName":
        return []
    listed = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in listed if address != "None" and ":" not in address]


def address_object(address: str, namespace: str, name: str, *, uid: str, timestamp: str) -> JsonObject:
    """Return the ``IPAddress`` of a Service's address."""
    return {
        "kind": "IPAddress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": address, "uid": uid, "creationTimestamp": timestamp, "labels": dict(_LABELS)},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": name}},
    }


def is_address_of(obj: JsonObject, namespace: str, name: str) -> bool:
    """Tell whether an ``IPAddress`` is a Service's."""
    parent = (obj.get("spec") or {}).get("parentRef") or {}
    named = (parent.get("resource"), parent.get("namespace"), parent.get("name"))
    return named == ("services", namespace, name)


def address_key(addresses: Resource, cluster: str, address: str) -> str:
    """Return where the ``IPAddress`` of an address lies."""
    return keys.object_key(addresses, cluster, "", address)


def ports_prefix(cluster: str) -> str:
    """Return the range of a cluster's node ports."""
    return f"{_NODE_PORTS}{cluster}/"


def port_of(row: Row) -> int:
    """Return the node port that a row is about."""
    return int(row.key.rpartition("/")[2])
