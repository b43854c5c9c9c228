"""
One of several copies leads, by a Lease of ``coordination.k8s.io``.

The fencing token is the Lease's ``leaseTransitions``: it grows with each new leader, so that a late write of an old one
can be told. A leader that cannot renew stops leading before anybody else may start.

Source: k8s.io/client-go/tools/leaderelection. Times of other machines are never compared with ours: a lease counts as
abandoned when we have seen it unchanged for its whole duration.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, Conflict, NotFound
from fairlead_machinery.client import Client, Gvr, Unreachable

LEASES = Gvr("coordination.k8s.io", "v1", "leases")
log = structlog.get_logger(__name__)


class Lease:
    """
    One contender for a lease.

    Args:
        client: Of the workspace or cluster the lease is in.
        namespace, name: Of the lease.
        identity: Of this contender; unique, for example host name and process id.
        duration_s: For how long a leader that went silent keeps others waiting.
        now: Wall clock for the times written into the lease.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration_s: int = 15,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration_s = duration_s
        self._now = now
        self._seen: tuple[str, float] = ("", 0.0)
        self.token = 0

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._release()

    async def lead(self, work: Callable[[int], Coroutine[None, None, None]]) -> None:
        """
        Wait for the lease, run ``work(fencing token)`` while it is held, and cancel it when it is lost.

        Returns when work returns; starts over when the lease is lost. The lease is given back at the end.
        """
        while True:
            if not await self._attempt():
                await asyncio.sleep(self._duration_s / 5)
                continue
            log.info("leading", lease=self._name, token=self.token)
            async with self._held():
                if await self._lead_once(work):
                    return

    async def _lead_once(self, work: Callable[[int], Coroutine[None, None, None]]) -> bool:
        working = asyncio.create_task(work(self.token), name=f"leader-{self._name}")
        renewing = asyncio.create_task(self._renew(), name=f"lease-{self._name}")
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
                return True
            log.warning("lost the lease", lease=self._name)
            return False
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.wait([working, renewing])

    async def _renew(self) -> None:
        """Renew until that has failed for two thirds of the duration."""
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while loop.time() - last_s < self._duration_s * 2 / 3:
            await asyncio.sleep(self._duration_s / 5)
            started_s = loop.time()
            try:
                async with asyncio.timeout(self._duration_s / 3):
                    held = await self._attempt()
            except TimeoutError:
                continue
            if held:
                last_s = started_s
            elif self._seen[0]:  # somebody else's
                return

    async def _attempt(self) -> bool:
        """Take or renew the lease; False when it is another's or cannot be written."""
        try:
            lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except NotFound:
            return await self._write(self._spec(1), None)
        except (ApiError, Unreachable) as error:
            log.warning("cannot read the lease", lease=self._name, error=str(error))
            return False
        spec = lease.get("spec") or {}
        holder, version = spec.get("holderIdentity") or "", lease["metadata"]["resourceVersion"]
        transitions = int(spec.get("leaseTransitions") or 0)
        now_s = asyncio.get_running_loop().time()
        if holder == self._identity and self.token == transitions:
            renewed = {**spec, "renewTime": self._time()}
            return await self._write(renewed, lease)
        if self._seen[0] != version:
            self._seen = (version, now_s)
        if holder and now_s - self._seen[1] < float(spec.get("leaseDurationSeconds") or self._duration_s):
            return False
        return await self._write(self._spec(transitions + 1), lease)

    def _spec(self, transitions: int) -> JsonObject:
        now = self._time()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._duration_s,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def _write(self, spec: JsonObject, old: JsonObject | None) -> bool:
        """Write with the old resourceVersion as precondition: of several contenders one wins."""
        body: JsonObject = old or {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
        }
        body = {**body, "spec": spec}
        try:
            if old is None:
                await self._client.create(LEASES, body, namespace=self._namespace)
            else:
                await self._client.update(LEASES, body, namespace=self._namespace)
        except (AlreadyExists, Conflict):
            return False
        except (ApiError, Unreachable) as error:
            log.warning("cannot write the lease", lease=self._name, error=str(error))
            return False
        self.token = int(spec["leaseTransitions"])
        self._seen = ("", 0.0)
        return True

    async def _release(self) -> None:
        """Give the lease back, so that the next leader need not wait; failing to is no harm."""
        try:
            async with asyncio.timeout(self._duration_s / 3):
                lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
                if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                    await self._write({**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}, lease)
        except (ApiError, Unreachable, TimeoutError) as error:
            log.info("could not release the lease", lease=self._name, error=str(error))
