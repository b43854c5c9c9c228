"""
Node ports of a Service: those it names, and free ones for the rest.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go (initNodePorts, updateNodePorts,
allocHealthCheckNodePort).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause, InternalError
from fairlead_control_plane.allocation import ranges
from fairlead_control_plane.kinds.strategies.service_types import needs_health_port

NODE_PORT_TYPES = frozenset({"NodePort", "LoadBalancer"})


class PortTaker:
    """
    Takes ports for one Service.

    Args:
        taken: Ports that some Service has.
        own: Those that this one has.
        choose: See :data:`ranges.Choose`.
    """

    def __init__(self, taken: frozenset[int], own: frozenset[int], choose: ranges.Choose) -> None:
        self._taken = taken
        self._own = own
        self._choose = choose
        self._gained: set[int] = set()

    def has(self, port: int) -> bool:
        """Tell whether the Service has had a port before."""
        return port in self._own

    def take(self, port: int) -> str:
        """Take a port and return ``""``, or why that cannot be."""
        if not ranges.FIRST_PORT <= port <= ranges.LAST_PORT:
            return ranges.OTHER_PORT
        if port in self._gained or port in self._taken:
            return ranges.TAKEN_PORT
        self._gained.add(port)
        return ""

    def next(self, what: str) -> int:
        """
        Take any free port.

        Args:
            what: For the message.

        Raises:
            InternalError: There is none.
        """
        port = ranges.free_port(self._taken | self._gained | self._own, self._choose)
        if port is None:
            raise InternalError(f"Internal error occurred: failed to allocate a {what}: {ranges.FULL}")
        self._gained.add(port)
        return port


def assign_ports(spec: JsonObject, before: JsonObject | None, taker: PortTaker) -> list[Cause]:
    """
    Give a Service the node ports that its type asks for.

    Args:
        spec: Of one of :data:`NODE_PORT_TYPES`; changed in place.
        before: The spec as stored; None for a create.
        taker: Knows which ports are free.

    Returns:
        What is wrong with the ports that it names.

    Raises:
        InternalError: No port is left, or not the one for health checks that it names.
    """
    causes = _created(spec, taker) if before is None else _updated(spec, taker)
    if not causes and needs_health_port(spec) and not (before is not None and needs_health_port(before)):
        _give_health_port(spec, taker)
    return causes


def _gives_ports(spec: JsonObject) -> bool:
    return spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False


def _created(spec: JsonObject, taker: PortTaker) -> list[Cause]:
    """Give each port of a new Service its node port; two of one number, as of TCP and UDP, share it."""
    ports = spec.get("ports") or []
    given: dict[int, int] = {}
    for index, port in enumerate(ports):
        if not port.get("nodePort") and not _gives_ports(spec):
            continue
        shared = given.get(port["port"])
        if shared is None:
            named = next((one["nodePort"] for one in ports if one["port"] == port["port"] and one.get("nodePort")), 0)
            why = taker.take(named) if named else ""
            if why:
                return [wrong.invalid(f"spec.ports[{index}].nodePort", named, why)]
            port["nodePort"] = given[port["port"]] = named or taker.next("nodePort")
        elif not port.get("nodePort"):
            port["nodePort"] = shared
        elif port["nodePort"] != shared and (why := taker.take(port["nodePort"])):
            return [wrong.invalid(f"spec.ports[{index}].nodePort", port["nodePort"], why)]
    return []


def _updated(spec: JsonObject, taker: PortTaker) -> list[Cause]:
    """Give the ports without one a node port; those it had are its own."""
    seen: set[int] = set()
    for index, port in enumerate(spec.get("ports") or ()):
        named = port.get("nodePort")
        if not named:
            if _gives_ports(spec):
                port["nodePort"] = taker.next("nodePort")
        elif not taker.has(named) and named not in seen:
            if why := taker.take(named):
                return [wrong.invalid(f"spec.ports[{index}].nodePort", named, why)]
            seen.add(named)
    return []


def _give_health_port(spec: JsonObject, taker: PortTaker) -> None:
    named = spec.get("healthCheckNodePort")
    if not named:
        spec["healthCheckNodePort"] = taker.next("HealthCheck NodePort 0")
    elif why := taker.take(named):
        text = f"failed to allocate requested HealthCheck NodePort {named}: {why}"
        raise InternalError(f"Internal error occurred: {text}")
