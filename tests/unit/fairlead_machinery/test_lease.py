"""Of several contenders one leads, in virtual time, on a lease kept by optimistic concurrency."""

import asyncio
from collections.abc import Coroutine
from copy import deepcopy
from typing import Any, cast

import looptime
from structlog.testing import capture_logs

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, Conflict, NotFound
from fairlead_machinery.client import Client, Gvr, Unreachable
from fairlead_machinery.lease import Lease


def run(main: Coroutine[Any, Any, None]) -> None:
    with capture_logs(), asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main)


class LeaseServer:
    """One lease with resourceVersions."""

    def __init__(self) -> None:
        self.object: JsonObject | None = None
        self.version = 0

    def store(self, body: JsonObject) -> None:
        self.version += 1
        self.object = deepcopy(body)
        self.object["metadata"]["resourceVersion"] = str(self.version)


class LeaseClient:
    """One contender's way to the server, which may be cut."""

    def __init__(self, server: LeaseServer) -> None:
        self.server = server
        self.cut = False

    async def _reach(self) -> None:
        await asyncio.sleep(0.01)
        if self.cut:
            raise Unreachable("cut")

    async def get(self, gvr: Gvr, name: str, *, namespace: str) -> JsonObject:
        await self._reach()
        if self.server.object is None:
            raise NotFound("no lease")
        return deepcopy(self.server.object)

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str) -> None:
        await self._reach()
        if self.server.object is not None:
            raise AlreadyExists("there")
        self.server.store(body)

    async def update(self, gvr: Gvr, body: JsonObject, *, namespace: str) -> None:
        await self._reach()
        assert self.server.object is not None
        if body["metadata"]["resourceVersion"] != self.server.object["metadata"]["resourceVersion"]:
            raise Conflict("modified")
        self.server.store(body)


class Group:
    """Contenders, and a check that never two of them work at a time."""

    def __init__(self, size: int) -> None:
        server = LeaseServer()
        self.clients = [LeaseClient(server) for _ in range(size)]
        self.leading: list[int] = []
        self.history: list[tuple[int, int]] = []
        self.tasks = [
            asyncio.create_task(self._contend(number, Lease(cast(Client, client), "n", "l", f"c{number}")))
            for number, client in enumerate(self.clients)
        ]

    async def _contend(self, number: int, lease: Lease) -> None:
        async def work(token: int) -> None:
            assert not self.leading, "two leaders"
            self.leading.append(number)
            self.history.append((number, token))
            try:
                await asyncio.Event().wait()
            finally:
                self.leading.remove(number)

        await lease.lead(work)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        for task in self.tasks:
            assert task.cancelled()


def test_one_leads_and_a_cut_leader_stops_before_the_next_begins() -> None:
    async def main() -> None:
        group = Group(3)
        await asyncio.sleep(60)
        assert len(group.history) == 1
        first = group.leading[0]
        group.clients[first].cut = True
        await asyncio.sleep(60)
        assert group.leading != [first]
        assert len(group.leading) == 1
        group.clients[first].cut = False
        await asyncio.sleep(60)
        tokens = [token for _, token in group.history]
        assert tokens == sorted(set(tokens))
        assert len(group.history) == 2
        await group.stop()

    run(main())


def test_a_leader_that_stops_gives_the_lease_back() -> None:
    async def main() -> None:
        group = Group(2)
        await asyncio.sleep(20)
        first = group.leading[0]
        group.tasks[first].cancel()
        await asyncio.sleep(4)
        assert group.leading == [1 - first]
        await group.stop()

    run(main())
