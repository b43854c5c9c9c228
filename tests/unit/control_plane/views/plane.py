"""A registry with views over a store in memory: one SyncTarget, one namespace that is assigned to it, no agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from fairlead_api import JsonObject
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.controllers.views import ViewController
from fairlead_control_plane.http.syncer_status import StatusWriter
from fairlead_control_plane.kinds.change import Change, Effect
from fairlead_control_plane.kinds.own import own_resource
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Compare, CompareFailed, Event, Put, prefix_end
from fairlead_control_plane.store.sqlite import SqliteStore
from fairlead_control_plane.views import rows
from fairlead_control_plane.views.assignment import Assignments
from fairlead_control_plane.views.effects import AcceptanceEffects, AssignmentEffects, ViewEffects
from fairlead_control_plane.views.targets import TargetIndex
from fairlead_control_plane.watch.hub import Hub
from tests.unit.control_plane.in_process import NAMESPACES, known

CLUSTER, NAMESPACE = "root", "default"
SYNC_TARGETS = own_resource("workload.kcp.io", "synctargets")
ASSIGNMENTS = own_resource("scheduling.fairlead.io", "assignments")
API = ("", "serviceaccounts")
ONE = replace(known(*API), identity="one")
"""The API that comes and goes in these tests, as its first provider has it."""
OTHER = replace(ONE, identity="other")


@dataclass(slots=True)
class Bound:
    """A catalog in which a name can come to mean another provider's API."""

    api: Resource | None = ONE
    others: tuple[Resource, ...] = ()

    async def lookup(self, cluster: str, group: str, plural: str, identity: str = "") -> Resource | None:
        """See Catalog."""
        del cluster, identity
        others = (NAMESPACES, SYNC_TARGETS, ASSIGNMENTS, *self.others)
        found = (*others, self.api) if self.api else others
        return next((one for one in found if (one.group, one.plural) == (group, plural)), None)

    async def resources(self, cluster: str) -> Sequence[Resource]:
        """See Catalog."""
        del cluster
        return ()


@dataclass(slots=True)
class Plane:
    """
    What the tests ask and do.

    Attributes:
        meanwhile: Called once, between the moment a write has decided on its rows and its commit.
        due: What the controller has been asked to look at and has not yet.
    """

    store: SqliteStore
    bound: Bound
    targets: TargetIndex
    assignments: Assignments
    registry: Registry
    controller: ViewController
    statuses: StatusWriter
    views: ViewEffects
    meanwhile: list[Callable[[], object]]
    uid: str = ""
    due: dict[Key, None] = field(default_factory=dict)

    async def add_target(self) -> None:
        """Create the SyncTarget; it accepts nothing yet but what every target does."""
        made = await self.registry.create(
            SYNC_TARGETS, CLUSTER, _named("workload.kcp.io/v1alpha1", "SyncTarget", "east")
        )
        self.uid = made["metadata"]["uid"]

    async def accept(self, *identities: str, state: str = "Accepted") -> None:
        """Let the target's ``syncedResources`` be this API under these identities; none when it left the list."""
        synced = [
            {"group": API[0], "resource": API[1], "versions": ["v1"], "identityHash": one, "state": state}
            for one in identities
        ]

        def change(obj: JsonObject) -> JsonObject:
            obj["status"] = {"syncedResources": synced}
            return obj

        await self.registry.modify(SYNC_TARGETS, CLUSTER, "", "east", change, subresource="status")

    async def assign(self, state: str = "Sync", reason: str = "") -> None:
        """Record that the namespace runs on the target."""
        entry = {"uid": self.uid, "key": "k", "cluster": CLUSTER, "name": "east", "state": state, "reason": reason}
        await self.set_targets([entry])

    async def set_targets(self, entries: list[JsonObject]) -> None:
        """Write the Assignment's targets."""
        spec = {"namespaceUID": "n1", "targets": entries}
        if (await self.assignments.get(CLUSTER, NAMESPACE)).compare.mod_revision:
            await self.registry.modify(ASSIGNMENTS, CLUSTER, "", NAMESPACE, lambda obj: {**obj, "spec": spec})
            return
        obj = _named("scheduling.fairlead.io/v1alpha1", "Assignment", NAMESPACE)
        await self.registry.create(ASSIGNMENTS, CLUSTER, {**obj, "spec": spec})

    async def create(self, name: str, resource: Resource = ONE) -> JsonObject:
        """Create an object of the API."""
        obj = _named("v1", resource.kind, name)
        obj["metadata"]["namespace"] = NAMESPACE
        return await self.registry.create(resource, CLUSTER, obj)

    async def delete(self, name: str, resource: Resource = ONE) -> None:
        """Delete one."""
        await self.registry.delete(resource, CLUSTER, NAMESPACE, name)

    async def settle(self) -> None:
        """Let the controller do all it has been asked to, as its runner would."""
        for _ in range(50):
            if not self.due:
                return
            key = next(iter(self.due))
            del self.due[key]
            try:
                if await self.controller.reconcile(key) is not None:
                    self.due[key] = None
            except CompareFailed:
                self.due[key] = None
        raise AssertionError(f"never settles: {self.due}")

    def hear(self, events: Sequence[Event], revision: int) -> None:
        """Take note of what the controller would be asked."""
        del revision
        for event in events:
            self.due.update(dict.fromkeys(self.controller.keys(event)))

    async def rows(self) -> dict[str, rows.View]:
        """Return the target's rows of the API, by object name."""
        prefix = rows.target_prefix(self.uid, *API)
        found = await self.store.range(prefix, prefix_end(prefix))
        assert len({row.key.rpartition("/")[2] for row in found.rows}) == len(found.rows), "one row for a name"
        return {row.key.rpartition("/")[2]: rows.decode(row) for row in found.rows}

    async def made(self, name: str, downstream_uid: str) -> None:
        """Report that the target has made an object."""
        key = rows.namespace_prefix(self.uid, *API, CLUSTER, NAMESPACE) + name
        row = await self.store.get(key)
        assert row is not None
        view = rows.decode(row)
        report = {"synced": True, "appliedHash": view.hash, "downstreamUID": downstream_uid}
        await self.store.commit([Put(key, replace(view, report=report).encode())], [Compare(key, row.mod_revision)])

    async def progress(self) -> JsonObject:
        """Return what the Assignment says of the target."""
        found = await self.registry.get(ASSIGNMENTS, CLUSTER, "", NAMESPACE)
        [entry] = found["status"]["targets"]
        return dict(entry)


def _named(api_version: str, kind: str, name: str) -> JsonObject:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


@asynccontextmanager
async def plane() -> AsyncIterator[Plane]:
    """Run one, with its SyncTarget made and nothing assigned."""
    store = await SqliteStore.open(":memory:")
    hub = Hub(store)
    bound = Bound()
    targets, assignments = TargetIndex(store, SYNC_TARGETS), Assignments(store, ASSIGNMENTS)
    await targets.start()
    views = ViewEffects(store, targets, assignments, lambda: "now")
    meanwhile: list[Callable[[], object]] = []

    async def interleave(change: Change) -> Effect:
        if change.resource.plural == API[1] and meanwhile:
            await meanwhile.pop()()  # type: ignore[misc]  # an awaitable
        return Effect()

    effects = (
        AcceptanceEffects(targets),
        views,
        AssignmentEffects(store, targets, assignments, lambda: "now"),
        interleave,
    )
    registry = Registry(store, bound, hub, admission=Chain([]), effects=effects)
    statuses = StatusWriter(store, registry, bound, assignments, _silent)
    controller = ViewController(
        store, registry, bound, targets, assignments, drop=statuses.drop, now=lambda: "now", clock_s=_ticks()
    )
    made = Plane(store, bound, targets, assignments, registry, controller, statuses, views, meanwhile)
    leave = store.listen(made.hear)
    try:
        await registry.create(NAMESPACES, CLUSTER, _named("v1", "Namespace", NAMESPACE))
        await made.add_target()
        yield made
    finally:
        leave()
        hub.close()
        await store.close()


async def _silent(obj: JsonObject, kind: str, reason: str, message: str) -> None:
    del obj, kind, reason, message


def _ticks() -> Callable[[], float]:
    """Return a clock by which a second and more has passed whenever it is asked."""
    now_s = [0.0]

    def clock_s() -> float:
        now_s[0] += 100.0
        return now_s[0]

    return clock_s
