"""
Hundreds of watches on few connections to a real API server, on a link that breaks.

Aspects: connections are reset; they die without a word; the API server ends and comes again. Each time all watches go
on from where they were, and nothing is listed again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import urlsplit

import pytest

from fairlead_api import JsonObject
from fairlead_machinery import http2, kubeconfig
from fairlead_machinery.client import Client, Event, Gvr
from fairlead_machinery.multiplex import SharedConnections
from fairlead_machinery.reflector import Delta, Reflector
from tests.integration.syncer.joined import BOTH_MODES, Joined
from tests.support.chaos import Link, chaos_link
from tests.support.clusters import Cluster
from tests.support.waiting import wait_until

MAPS = Gvr("", "v1", "configmaps")
WATCHES = 250
CONNECTIONS = 3
"""An API server takes a hundred requests at once on each."""
WAIT_S = 60.0


@dataclass(slots=True)
class Many:
    """
    Reflectors of one namespace, as if of many.

    Attributes:
        client: Through the link.
        lists: How often anything was listed.
        heard: Names of objects, and how many reflectors know each.
    """

    client: Client
    link: Link
    lists: int = 0
    heard: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def list(self, gvr: Gvr, **options: object) -> tuple[list[JsonObject], str]:
        found = await self.client.list(gvr, namespace="default", limit=500)
        self.lists += 1
        return found

    def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        return self.client.watch(gvr, namespace="default", resource_version=resource_version)

    def take(self, delta: Delta) -> None:
        if delta.key is not None:
            self.heard[delta.key.name] = self.heard.get(delta.key.name, 0) + 1
        self.changed.set()

    async def write(self, client: Client, name: str) -> None:
        """Make an object, and wait until all have heard of it."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        await client.create(MAPS, body, namespace="default")
        await self.until(lambda: self.heard.get(name, 0) == WATCHES)

    async def settled(self) -> None:
        """Wait until all watches are open, on as many connections as they need."""
        await self.until(lambda: self.lists == WATCHES)
        await asyncio.to_thread(wait_until, lambda: self._open() == (WATCHES, CONNECTIONS), WAIT_S)

    def _open(self) -> tuple[int, int]:
        shared = cast("SharedConnections", self.client.transport.session)
        usable = [one for one in shared._connections if not one.leaving]
        return sum(len(one._streams) for one in usable), len(usable)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def link(kube_cluster: Cluster) -> Iterator[Link]:
    parts = urlsplit(kube_cluster.server)
    assert parts.hostname is not None
    assert parts.port is not None
    with chaos_link(parts.hostname, parts.port) as made:
        yield made


@asynccontextmanager
async def many(cluster: Cluster, link: Link) -> AsyncIterator[tuple[Many, Client]]:
    """Watch through the link; yields a client that reaches the API server without it, too."""
    direct = await asyncio.to_thread(lambda: kubeconfig.load([cluster.kubeconfig], explicit=True).credentials(""))
    through = replace(direct, server=f"https://127.0.0.1:{link.port}")
    async with Client(direct) as client, Client(through, has_many_watches=True) as watching:
        found = Many(watching, link)
        tasks = [asyncio.create_task(Reflector(found, MAPS, found.take).run()) for _ in range(WATCHES)]
        try:
            await found.settled()
            yield found, client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for name in found.heard:
            if name.startswith("shared-"):
                await client.delete(MAPS, name, namespace="default")


@pytest.mark.parametrize("way", ["reset", "half open"])
async def test_all_watches_go_on_after_a_break(
    kube_cluster: Cluster, link: Link, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many connections as before, and no list more."""
    monkeypatch.setattr(http2, "QUIET_S", 1.0)
    monkeypatch.setattr(http2, "ANSWER_S", 5.0)
    async with many(kube_cluster, link) as (found, client):
        await found.write(client, f"shared-before-{way.replace(' ', '-')}")
        connects = link.connects
        await asyncio.to_thread(link.sever if way == "reset" else link.freeze)
        await found.write(client, f"shared-after-{way.replace(' ', '-')}")
        await found.settled()
        assert found.lists == WATCHES
        assert link.connects - connects == CONNECTIONS


async def test_all_watches_go_on_after_the_api_server_was_stopped(
    start_clusters: Callable[[list[str]], list[Cluster]],
) -> None:
    """Killed, and started again with what it had."""
    [cluster] = await asyncio.to_thread(start_clusters, ["east"])
    parts = urlsplit(cluster.server)
    with chaos_link(parts.hostname or "", parts.port or 0) as link:
        async with many(cluster, link) as (found, client):
            await found.write(client, "shared-before-stop")
            await asyncio.to_thread(cluster.kill_api_server)
            await asyncio.to_thread(cluster.start_api_server)
            await found.write(client, "shared-after-stop")
            await found.settled()
            assert found.lists == WATCHES


@BOTH_MODES
def test_an_agent_shares_them(joined: Joined) -> None:
    """In one namespace or in all: its watches of the cluster are on one connection."""
    joined.write("shared-by-agent")
    joined.wait_value("shared-by-agent", "1")
    assert joined.agent is not None
    connected = [line for line in joined.agent.log.read_text().splitlines() if "connected for watches" in line]
    assert [json.loads(line)["connections"] for line in connected] == [1]
