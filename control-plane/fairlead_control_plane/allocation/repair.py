"""
Writes down what Services hold and no row tells: they were made before anything was given out here.

Source: k8s.io/kubernetes pkg/registry/core/service/ipallocator/controller, portallocator/controller.
"""

from __future__ import annotations

from fairlead_api.request import SYSTEM
from fairlead_control_plane.allocation.held import held_by
from fairlead_control_plane.allocation.services import ServiceAllocation
from fairlead_control_plane.kinds.change import Change
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, CompareFailed, Store


async def note_given(store: Store, allocation: ServiceAllocation, services: Resource, cluster: str) -> int:
    """
    Note the addresses and node ports of all Services of a cluster, and return how many were not noted.

    Of two Services that have the same, the first keeps it.
    """
    noted = 0
    for service in await ObjectReader(store).list(services, cluster):
        data = service["metadata"]
        change = Change(services, cluster, data["namespace"], data["name"], None, service, SYSTEM)
        for put in allocation.taking(change, held_by(service)):
            if await store.get(put.key) is not None:
                continue
            try:
                await store.commit([put], [Compare(put.key, 0)])
            except CompareFailed:
                continue
            noted += 1
    return noted
