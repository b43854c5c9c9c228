"""What workspaces leave in memory once they are gone: nothing."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator
from types import MethodType
from typing import Any

from structlog.testing import capture_logs

from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.controllers.garbage import Garbage
from fairlead_control_plane.controllers.namespaces import Namespaces
from fairlead_control_plane.controllers.runner import Runner
from fairlead_control_plane.kinds import facts
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.main.bootstrap_schemas import exported_schemas
from fairlead_control_plane.main.workspaces import WorkspaceRooms, workspace_rooms
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.objects import BINDINGS, CONFIG_MAPS, LOGICAL_CLUSTERS, NAMESPACES, WORKSPACES
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.watch.hub import Hub

WORKSPACES_MADE = 200
CLUSTERS = (f"/{'/'.join(LOGICAL_CLUSTERS)}/", f"/{'/'.join(LOGICAL_CLUSTERS)}0")

# Read from files when first asked for: before any loop runs, as the server does at its start.
builtin_resources("workspaces")
own_resources()
facts.definition_name("", "v1", "Secret")
facts.types()
exported_schemas().compute()
SHARED = shared_policy(workspaces=True)


def sizes(*roots: object) -> Counter[str]:
    """Return how much each attribute of our objects holds, all that can be reached; bounded caches aside."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", root) for root in roots]
    while left:
        where, one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OrderedDict):  # a cache that drops its oldest entry when full
            continue
        if isinstance(one, (dict, set, list)):
            found[where] += len(one)
            left += [(where, value) for value in (one.values() if isinstance(one, dict) else one)]
        elif isinstance(one, (tuple, frozenset)):
            left += [(where, value) for value in one]
        elif isinstance(one, MethodType):
            left.append(("", one.__self__))
        elif type(one).__module__.startswith("fairlead_control_plane."):
            left += [(f"{type(one).__qualname__}.{name}", value) for name, value in attributes(one)]
    return found


def attributes(one: object) -> Iterator[tuple[str, object]]:
    """Yield what an object holds, by name."""
    yield from getattr(one, "__dict__", {}).items()
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(one, name):
                yield name, getattr(one, name)


async def live_and_die(rooms: WorkspaceRooms, registry: Registry, policies: Policies, name: str) -> None:
    """Make a workspace, use it in all ways, and delete it."""
    records = rooms.maker.records
    made = await registry.create(records[WORKSPACES], "root", {"metadata": {"name": name}})
    cluster = made["spec"]["cluster"]
    await registry.create(records[NAMESPACES], cluster, {"metadata": {"name": "n"}})
    await registry.create(records[CONFIG_MAPS], cluster, {"metadata": {"name": "c", "namespace": "n"}})
    await registry.list(records[BINDINGS], cluster)
    await policies.index(cluster)
    await rooms.tenancy.resolve(f"root:{name}")
    await registry.delete(records[NAMESPACES], cluster, "", "n")
    await registry.delete(records[WORKSPACES], "root", "", name)


async def changed(hub: Hub) -> None:
    """Wait for a change of the store, or a moment for what writes nothing."""
    subscription = hub.watch("/", after=hub.revision, frame=lambda _: b".", key=object())
    await subscription.take(0.02)
    await subscription.close()


async def test_workspaces_that_are_gone_hold_no_memory() -> None:
    """After hundreds were made and deleted, everything is as large as after the first, and the store as well."""
    with capture_logs():  # retries are told on standard output, which may block
        await _live_and_die_by_the_hundred()


async def _live_and_die_by_the_hundred() -> None:
    store = await SqliteStore.open(":memory:")
    policies = Policies(store, SHARED)
    rooms = workspace_rooms(store, policies, external_url="https://fairlead.test", root_ca="CA")
    await rooms.begin()
    hub = Hub(store)
    registry = Registry(store, rooms.catalog, hub, admission=Chain(rooms.plugins), effects=rooms.effects)
    controllers = (
        *rooms.controllers(registry),
        Namespaces(registry, rooms.maker.records[NAMESPACES]),
        Garbage(registry),
    )
    runner = Runner(store, hub, controllers, cursor_s=3600)
    running = asyncio.create_task(runner.run())
    at_first = await store.count(*CLUSTERS)
    before: Counter[str] = Counter()
    rows = 0
    for count in (1, WORKSPACES_MADE):
        for number in range(count):
            await live_and_die(rooms, registry, policies, f"w{number}")
        async with asyncio.timeout(60):
            while runner.queue_pending or await store.count(*CLUSTERS) > at_first:
                await changed(hub)
        now = sizes(rooms, registry, policies, hub, runner)
        before, rows = before or now, rows or await store.count("/", "0")
    assert now - before == Counter()
    assert await store.count("/", "0") == rows
    running.cancel()
    await asyncio.wait([running])
    hub.close()
    await store.close()
