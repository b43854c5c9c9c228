"""
Says that the scheduler works, in a Lease of ``root`` that anybody with rights there can read.

It is a sign of life, no lock: whether another scheduler runs is not asked. What is written costs as much as the
heartbeat of one more cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, NotFound
from fairlead_machinery.client import Client, Unreachable
from fairlead_machinery.lease import LEASES
from fairlead_scheduler.plane import ROOT

NAMESPACE, NAME = "kcp-system", "fairlead-scheduler"
EVERY_S, DURATION_S = 15.0, 60
_LOOK_S = 0.5
log = structlog.get_logger(__name__)


class Living:
    """
    Renews the Lease while there is reason to.

    Args:
        plane: All workspaces.
        identity: Of this scheduler, for people.
        is_working: Tells whether everything was read and decisions are made.
        now_s: Seconds since the epoch.
    """

    def __init__(
        self, plane: Client, identity: str, is_working: Callable[[], bool], now_s: Callable[[], float]
    ) -> None:
        self._root = plane.at(ROOT)
        self._identity = identity
        self._is_working = is_working
        self._now_s = now_s

    async def run(self) -> None:
        """Renew until cancelled; a failure is tried again at the next turn."""
        while True:
            if not self._is_working():
                await asyncio.sleep(_LOOK_S)
                continue
            try:
                await self.renew()
            except (ApiError, Unreachable) as error:
                log.warning("the sign of life could not be written", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def renew(self) -> None:
        """
        Write the Lease.

        Raises:
            ApiError, Unreachable: As the client has it.
        """
        now = datetime.fromtimestamp(self._now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: JsonObject = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_S,
            "renewTime": now,
        }
        try:
            await self._root.patch(LEASES, NAME, {"spec": spec}, namespace=NAMESPACE)
        except NotFound:
            metadata = {"name": NAME, "namespace": NAMESPACE}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
            try:
                await self._root.create(LEASES, {**body, "spec": {**spec, "acquireTime": now}}, namespace=NAMESPACE)
            except AlreadyExists:
                log.debug("another scheduler wrote the first sign of life")
