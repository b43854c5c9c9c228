"""
Writes what was decided.

The writes of one workspace go out together, a few at a time. What the server answers is taken into the picture at
once: the next decision need not wait for the watch to bring it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, NotFound
from fairlead_machinery.client import STRATEGIC_PATCH
from fairlead_scheduler.engine import NamespaceWrite, Writes
from fairlead_scheduler.picture import Picture
from fairlead_scheduler.plane import ASSIGNMENTS, EVENTS, NAMESPACES, PLACEMENTS, Place, Plane
from fairlead_scheduler.world import TARGET_ANNOTATION

AT_A_TIME = 16
_COMPONENT = "fairlead-scheduler"
log = structlog.get_logger(__name__)


class Writer:
    """
    Carries out :class:`~fairlead_scheduler.engine.Writes`.

    Args:
        plane: Where to.
        picture: Learns what came of it.
        name_of_event: Returns a name no other Event has, from a namespace's.
    """

    def __init__(self, plane: Plane, picture: Picture, name_of_event: Callable[[str], str]) -> None:
        self._plane = plane
        self._picture = picture
        self._name_of_event = name_of_event

    async def write(self, cluster: str, writes: Writes, now: str) -> None:
        """
        Write everything, then report the first failure.

        Raises:
            Conflict: Somebody wrote first; what is newer arrives by the watch.
            ApiError, Unreachable: As the client has it.
        """
        place = self._plane.at(cluster)
        work: list[Coroutine[Any, Any, None]] = []
        work += [self._assignment(place, cluster, name, spec) for name, spec in writes.assignments.items()]
        work += [self._namespace(place, cluster, name, one, now) for name, one in writes.namespaces.items()]
        placements = sorted({*writes.placement_status, *writes.placement_target})
        work += [self._placement(place, cluster, name, writes) for name in placements]
        await together(work)

    async def _assignment(self, place: Place, cluster: str, name: str, spec: JsonObject | None) -> None:
        stored = self._picture.world.assignments.of(cluster).get(name)
        if spec is None:
            await self._unassign(place, cluster, name, stored)
            return
        if stored is None:
            body = {
                "apiVersion": "scheduling.fairlead.io/v1alpha1",
                "kind": "Assignment",
                "metadata": {"name": name},
                "spec": spec,
            }
            try:
                made = await place.create(ASSIGNMENTS, body)
            except AlreadyExists as error:
                raise Conflict(error.message) from error
        else:
            made = await place.update(ASSIGNMENTS, {**stored, "spec": spec})
        self._picture.put("assignments", (cluster, name), made)

    async def _unassign(self, place: Place, cluster: str, name: str, stored: JsonObject | None) -> None:
        if stored is None:
            return
        metadata = stored["metadata"]
        try:
            await place.delete(
                ASSIGNMENTS,
                name,
                uid=metadata.get("uid", ""),
                resource_version=metadata.get("resourceVersion", ""),
            )
        except NotFound:
            log.debug("assignment is gone already", cluster=cluster, namespace=name)
        self._picture.remove("assignments", (cluster, name))

    async def _namespace(self, place: Place, cluster: str, name: str, write: NamespaceWrite, now: str) -> None:
        stored = self._picture.world.namespaces.of(cluster).get(name)
        if stored is None:
            return
        uid = stored["metadata"]["uid"]  # a namespace made again under the name is another one
        try:
            if write.labels or write.annotations:
                marks = {"uid": uid, "labels": write.labels, "annotations": write.annotations}
                made = await place.patch(NAMESPACES, name, {"metadata": marks})
                self._picture.put("namespaces", (cluster, name), made)
            if write.event is not None:
                body = {"metadata": {"uid": uid}, "status": {"conditions": [write.condition]}}
                made = await place.patch(NAMESPACES, name, body, type_=STRATEGIC_PATCH, subresource="status")
                self._picture.put("namespaces", (cluster, name), made)
        except NotFound:
            return  # the watch will say so
        if write.event is not None:
            await self._event(place, name, uid, write.event, now)

    async def _event(self, place: Place, name: str, uid: str, event: tuple[str, str, str], now: str) -> None:
        """Tell users; a namespace on its way out takes no Events, and nothing depends on them."""
        kind, reason, message = event
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": self._name_of_event(name), "namespace": name},
            "involvedObject": {"apiVersion": "v1", "kind": "Namespace", "namespace": name, "name": name, "uid": uid},
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await place.create(EVENTS, body, namespace=name)
        except ApiError as error:
            log.info("event was refused", namespace=name, error=str(error))

    async def _placement(self, place: Place, cluster: str, name: str, writes: Writes) -> None:
        key = (cluster, name)
        try:
            if name in writes.placement_target:
                marks = {"metadata": {"annotations": {TARGET_ANNOTATION: writes.placement_target[name]}}}
                self._picture.put("placements", key, await place.patch(PLACEMENTS, name, marks))
            if name in writes.placement_status:
                status = {"selectedLocation": None, **writes.placement_status[name]}
                made = await place.patch(PLACEMENTS, name, {"status": status}, subresource="status")
                self._picture.put("placements", key, made)
        except NotFound:
            return  # the watch will say so


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it, a few at a time, to the end; then raise the first failure."""
    slots = asyncio.Semaphore(AT_A_TIME)

    async def one(part: Awaitable[None]) -> None:
        async with slots:
            await part

    results = await asyncio.gather(*(one(part) for part in work), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
