"""The scheduler's sign of life, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import looptime

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound, ServiceUnavailable
from fairlead_machinery.client import Client, Gvr
from fairlead_scheduler.living import DURATION_S, EVERY_S, NAME, NAMESPACE, Living


class Root:
    """One workspace with room for one Lease; ``failures`` are raised first."""

    def __init__(self) -> None:
        self.lease: JsonObject | None = None
        self.failures: list[Exception] = []
        self.renewed_s: list[float] = []

    def at(self, cluster: str) -> Root:
        assert cluster == "root"
        return self

    async def patch(self, gvr: Gvr, name: str, body: JsonObject, *, namespace: str) -> JsonObject:
        assert (gvr.resource, name, namespace) == ("leases", NAME, NAMESPACE)
        if self.failures:
            raise self.failures.pop()
        if self.lease is None:
            raise NotFound("no such lease")
        self.lease["spec"] |= body["spec"]
        self.renewed_s.append(asyncio.get_running_loop().time())
        return self.lease

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str) -> JsonObject:
        assert (gvr.resource, namespace, body["metadata"]["name"]) == ("leases", NAMESPACE, NAME)
        self.lease = body
        self.renewed_s.append(asyncio.get_running_loop().time())
        return body


def play(root: Root, until_s: float, working: Callable[[], bool] = lambda: True) -> None:
    async def go() -> None:
        clock = asyncio.get_running_loop().time
        task = asyncio.create_task(Living(cast(Client, root), "host_1", working, clock).run())
        await asyncio.sleep(until_s)
        task.cancel()
        await asyncio.wait([task])

    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0)) as runner:
        runner.run(go())


def test_it_is_made_and_renewed() -> None:
    """Made once, then renewed often enough that three lost writes do no harm."""
    root = Root()
    play(root, 3 * EVERY_S + 1)
    assert root.lease is not None
    assert root.lease["spec"] == {
        "holderIdentity": "host_1",
        "leaseDurationSeconds": DURATION_S,
        "acquireTime": "1970-01-01T00:00:00.000000Z",
        "renewTime": "1970-01-01T00:00:45.000000Z",
    }
    assert root.renewed_s == [0, 15, 30, 45]
    assert DURATION_S > 3 * EVERY_S


def test_no_sign_without_work() -> None:
    """A scheduler that has not read everything says nothing."""
    root = Root()
    play(root, 19, lambda: False)
    assert root.lease is None


def test_a_failed_write_is_tried_again() -> None:
    """It does not end the scheduler."""
    root = Root()
    root.failures.append(ServiceUnavailable("starting"))
    play(root, EVERY_S + 1)
    assert root.renewed_s == [15]
