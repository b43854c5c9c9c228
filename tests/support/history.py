"""
What happened on several clusters, in the order in which it was seen: merged watch histories.

Polling would miss a moment; a watch does not. Each event is stamped with this process's clock as it arrives, so events
of different clusters are ordered up to the time the network takes on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.kubeconfig import load
from tests.support.clusters import Cluster

DEPLOYMENTS = Gvr("apps", "v1", "deployments")


@dataclass(frozen=True, slots=True)
class Seen:
    """One watch event: ``at_s`` is monotonic."""

    at_s: float
    cluster: str
    type: str
    object: JsonObject


@dataclass(slots=True)
class History:
    """Everything seen so far, in order of arrival."""

    events: list[Seen] = field(default_factory=list)

    def ready_replicas(self, name: str) -> list[tuple[float, int]]:
        """Return (time, ready replicas over all clusters) after each event of Deployments of that name."""
        ready: dict[str, int] = {}
        found = []
        for event in list(self.events):
            if event.object["metadata"]["name"] != name:
                continue
            status = event.object.get("status") or {}
            ready[event.cluster] = 0 if event.type == "DELETED" else int(status.get("readyReplicas") or 0)
            found.append((event.at_s, sum(ready.values())))
        return found

    def least_ready(self, name: str, *, since_s: float) -> int:
        """Return the fewest ready replicas at any moment since a time, the state at that time included."""
        steps = self.ready_replicas(name)
        before = [count for at_s, count in steps if at_s <= since_s]
        after = [count for at_s, count in steps if at_s > since_s]
        return min([*before[-1:], *after])


@contextlib.contextmanager
def watch_deployments(clusters: Sequence[Cluster]) -> Iterator[History]:
    """Watch all Deployments of some clusters for the length of a ``with`` block, in a thread of its own."""
    history = History()
    loop = asyncio.new_event_loop()
    started = threading.Barrier(2)

    async def follow(cluster: Cluster, synced: asyncio.Event) -> None:
        async with Client(load([Path(cluster.kubeconfig)]).credentials("")) as client:
            items, version = await client.list(DEPLOYMENTS)
            history.events += [Seen(time.monotonic(), cluster.name, "ADDED", item) for item in items]
            synced.set()
            while True:
                async with aclosing(client.watch(DEPLOYMENTS, resource_version=version)) as stream:
                    async for event in stream:
                        version = event.object["metadata"]["resourceVersion"]
                        if event.type != "BOOKMARK":
                            history.events.append(Seen(time.monotonic(), cluster.name, event.type, event.object))

    async def follow_all() -> None:
        marks = [asyncio.Event() for _ in clusters]
        async with asyncio.TaskGroup() as group:
            for cluster, synced in zip(clusters, marks, strict=True):
                group.create_task(follow(cluster, synced))
            for synced in marks:
                await synced.wait()
            await asyncio.to_thread(started.wait, 30)

    work = loop.create_task(follow_all())

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(work)

    thread = threading.Thread(target=run, name="watch histories", daemon=True)
    thread.start()
    started.wait(30)
    try:
        yield history
    finally:
        loop.call_soon_threadsafe(work.cancel)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
