"""What the metrics read."""

from __future__ import annotations

import asyncio
import resource

from fairlead_api import JsonObject
from fairlead_control_plane.controllers.heartbeats import Heartbeats
from fairlead_control_plane.controllers.queue import Queue
from fairlead_control_plane.controllers.runner import Runner
from fairlead_control_plane.http.listener import Listener
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.own import own_resource
from fairlead_control_plane.kinds.reader import put
from fairlead_control_plane.main.readings import Agents, readings
from fairlead_control_plane.store.contract import Delete
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore
from fairlead_control_plane.views.targets import TargetIndex
from fairlead_control_plane.watch.hub import Hub
from fairlead_machinery.web import Request, Response

TARGETS = own_resource("workload.kcp.io", "synctargets")


async def nobody(request: Request) -> Response:
    raise AssertionError(request)


def target(name: str, **conditions: str) -> JsonObject:
    return {
        "apiVersion": "workload.kcp.io/v1alpha1",
        "kind": "SyncTarget",
        "metadata": {"name": name, "uid": f"uid-{name}", "annotations": {"kcp.io/cluster": "root"}},
        "status": {"conditions": [{"type": kind, "status": status} for kind, status in conditions.items()]},
    }


async def test_they_follow_what_happens() -> None:
    """SyncTargets by their condition Ready, heartbeats, revision."""
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    hub = Hub(store)
    index = TargetIndex(store, TARGETS)
    await index.start()
    beats = Heartbeats(lambda: 0.0)
    found = readings(store, Listener(nobody), Runner(store, hub, []), Agents(beats, index))
    assert found.synctargets is not None
    assert found.synctargets_ready is not None
    assert found.synctargets_inconsistent is not None
    assert found.heartbeats is not None
    try:
        for one in (
            target("a", Ready="True"),
            target("b", HeartbeatHealthy="True", Ready="False"),
            target("c", SyncerAuthorized="True", InventoryConsistent="False"),
        ):
            await store.commit([put(TARGETS, "root", one)])
        assert (found.synctargets(), found.synctargets_ready()) == (3, 1)
        assert found.synctargets_inconsistent() == 1
        await store.commit([Delete(keys.object_key(TARGETS, "root", "", "a"))])
        assert (found.synctargets(), found.synctargets_ready()) == (2, 0)
        beats.beat("uid-a")
        beats.beat("uid-a")
        assert found.heartbeats() == 2
        assert found.revision() == store.revision
        assert (found.queue_ready(), found.queue_pending(), found.connections()) == (0, 0, 0)
    finally:
        hub.close()
        await store.close()


async def test_memory_is_that_of_this_process() -> None:
    """At most what the kernel has seen of it at once, and some megabytes at least."""
    store = await SqliteStore.open(":memory:", SqliteSettings(history_s=0))
    hub = Hub(store)
    try:
        found = readings(store, Listener(nobody), Runner(store, hub, []), None)
        assert found.synctargets is None
        assert found.resident_bytes is not None
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert 10e6 < await asyncio.to_thread(found.resident_bytes) <= most * 1.1
    finally:
        hub.close()
        await store.close()


async def test_a_key_under_work_waits_no_longer() -> None:
    """It is pending until it is done."""
    queue: Queue[str] = Queue()
    queue.add("a", 1)
    queue.add("b", 2)
    assert (queue.ready, len(queue)) == (2, 2)
    await queue.take()
    assert (queue.ready, len(queue)) == (1, 2)
    queue.done("a")
    assert (queue.ready, len(queue)) == (1, 1)
