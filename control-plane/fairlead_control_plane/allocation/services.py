"""
Gives Services their addresses and node ports, and takes them back.

The rows that hold them are part of the transaction that writes the Service: two that want the same meet in the store,
and the later one reads again.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import ApiError, Cause, InternalError
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.allocation import ranges
from fairlead_control_plane.allocation.held import (
    Held,
    address_key,
    address_object,
    addresses_of,
    held_by,
    is_address_of,
    port_of,
    ports_prefix,
)
from fairlead_control_plane.allocation.ports import NODE_PORT_TYPES, PortTaker, assign_ports
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.kinds.strategies.service_addresses import check_configured
from fairlead_control_plane.store.contract import Compare, Delete, Operation, Put, Store, prefix_end

_GUESSES = 16


class ServiceAllocation:
    """
    Gives out, keeps and takes back.

    Args:
        store: Where the holders' rows are read.
        addresses: The resource ``ipaddresses``.
        new_uid, timestamp: For the metadata of ``IPAddress`` objects.
        choose: See :data:`ranges.Choose`.
    """

    def __init__(
        self,
        store: Store,
        addresses: Resource,
        new_uid: Callable[[], str],
        timestamp: Callable[[], str],
        choose: ranges.Choose = secrets.randbelow,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._new_uid = new_uid
        self._timestamp = timestamp
        self._choose = choose

    async def effects(self, change: Change) -> Effect:
        """
        Add what a Service gains and loses to the transaction that writes it.

        Raises:
            Invalid: An address or port that it names is not to be had.
            InternalError: There is none left, or not the port for health checks that it names.
        """
        if change.resource.plural != "services" or change.resource.group:
            return Effect()
        old, new = change.old, change.new
        if old is not None and new is not None and old.get("spec") == new.get("spec"):
            return Effect()
        before = held_by(old)
        if new is not None:
            new = await self._given(change, new, before)
        after = held_by(new)
        gained = Held(after.addresses - before.addresses, after.ports - before.ports)
        lost = Held(before.addresses - after.addresses, before.ports - after.ports)
        operations = [*self.taking(change, gained), *await self._releasing(change, lost)]
        compares = [Compare(one.key, 0) for one in operations if isinstance(one, Put)]
        return Effect(operations, compares, new)

    def taking(self, change: Change, gained: Held) -> list[Put]:
        """Return what writes down that a Service holds addresses and ports."""
        found = []
        for address in sorted(gained.addresses):
            obj = address_object(
                address, change.namespace, change.name, uid=self._new_uid(), timestamp=self._timestamp()
            )
            found.append(Put(address_key(self._addresses, change.cluster, address), encoding.encode(obj)))
        holder = f"{change.namespace}/{change.name}".encode()
        prefix = ports_prefix(change.cluster)
        return found + [Put(f"{prefix}{port}", holder) for port in sorted(gained.ports)]

    async def _releasing(self, change: Change, lost: Held) -> list[Operation]:
        """Return what removes the rows of what a Service held, as far as they are its own."""
        found: list[Operation] = []
        for address in sorted(lost.addresses):
            key = address_key(self._addresses, change.cluster, address)
            row = await self._store.get(key)
            if row is not None and is_address_of(encoding.decode(row), change.namespace, change.name):
                found.append(Delete(key))
        holder = f"{change.namespace}/{change.name}".encode()
        for port in sorted(lost.ports):
            key = f"{ports_prefix(change.cluster)}{port}"
            row = await self._store.get(key)
            if row is not None and row.value == holder:
                found.append(Delete(key))
        return found

    async def _given(self, change: Change, service: JsonObject, before: Held) -> JsonObject:
        """Return a Service with what it asks for."""
        spec = {**service["spec"]}
        if "ports" in spec:
            spec["ports"] = [{**port} for port in spec["ports"]]
        await self._give_address(change, spec, before)
        if spec.get("type") not in NODE_PORT_TYPES:
            return {**service, "spec": spec}
        prefix = ports_prefix(change.cluster)
        rows = (await self._store.range(prefix, prefix_end(prefix))).rows
        taker = PortTaker(frozenset(map(port_of, rows)), before.ports, self._choose)
        causes = assign_ports(spec, (change.old or {}).get("spec"), taker)
        if causes:
            raise _invalid(change, causes)
        return {**service, "spec": spec}

    async def _give_address(self, change: Change, spec: JsonObject, before: Held) -> None:
        if causes := check_configured(spec, (change.old or {}).get("spec") or {}):
            raise _invalid(change, causes)
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
            return
        listed = addresses_of(spec)
        if not listed:
            address = await self._next_address(change)
            spec |= {"clusterIP": address, "clusterIPs": [address]}
        for address in listed:
            why = "" if address in before.addresses else await self._address_error(change, address)
            if why:
                text = f"failed to allocate IP {address}: {why}"
                raise _invalid(change, [wrong.invalid("spec.clusterIPs", spec.get("clusterIPs"), text)])

    async def _address_error(self, change: Change, address: str) -> str:
        if error := ranges.address_error(address):
            return error
        row = await self._store.get(address_key(self._addresses, change.cluster, address))
        return ranges.TAKEN_ADDRESS if row is not None else ""

    async def _next_address(self, change: Change) -> str:
        for _ in range(_GUESSES):
            address = ranges.some_address(self._choose)
            if await self._store.get(address_key(self._addresses, change.cluster, address)) is None:
                return address
        prefix = keys.range_prefix(self._addresses, change.cluster)
        rows = (await self._store.range(prefix, prefix_end(prefix))).rows
        found = ranges.free_address({row.key.rpartition("/")[2] for row in rows}, self._choose)
        if found is None:
            raise InternalError(
                f'Internal error occurred: failed to allocate a serviceIP for Service "{change.name}": {ranges.FULL}'
            )
        return found


def _invalid(change: Change, causes: Iterable[Cause]) -> ApiError:
    return invalid_object("", "Service", change.name, list(causes))
