"""
The scheduler at work: feeds into the picture, keys into queues, decisions into writes.

Three queues: workspaces whose namespaces are to be decided, workspaces whose Locations are to be counted, and
SyncTargets for which time alone will change something (a drain that begins later, a grace that ends).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from fairlead_api.errors import AlreadyExists, NotFound
from fairlead_machinery.component import Program
from fairlead_machinery.controller import Controller
from fairlead_machinery.reflector import Delta, Reflector
from fairlead_scheduler.asking import Asking
from fairlead_scheduler.engine import Writes, decide
from fairlead_scheduler.locations import DEFAULT, LABELS_ANNOTATION, default_location, shown
from fairlead_scheduler.namespaces import Namespaces
from fairlead_scheduler.picture import Picture, Touched
from fairlead_scheduler.plane import (
    ASSIGNMENTS,
    BINDINGS,
    BOUND,
    EVERYWHERE,
    LOCATIONS,
    PLACEMENTS,
    SYNC_TARGETS,
    Plane,
    everywhere,
)
from fairlead_scheduler.snapshot import changes_of
from fairlead_scheduler.world import Name
from fairlead_scheduler.writing import Writer

GRACE_S = 300.0
"""How long a lost SyncTarget keeps what runs there: a cluster that is merely slow is not left at once."""
SETTLE_S = 0.02
"""Changes that come together are decided together."""
_LONGEST_WAIT_S = 3600.0
_KINDS = {SYNC_TARGETS: "targets", LOCATIONS: "locations", PLACEMENTS: "placements"}
log = structlog.get_logger(__name__)


class Scheduler:
    """
    Everything between the control plane and the engine.

    Args:
        plane: The control plane.
        identities: Identity hash of the export behind each group of :data:`plane.BOUND`.
        now_s: Seconds since the epoch.
        grace_s: See :data:`GRACE_S`.

    Attributes:
        picture: What is known; the feeds write it.
        ready: Set once every feed was read completely; nothing is decided before.
    """

    def __init__(
        self, plane: Plane, identities: dict[str, str], now_s: Callable[[], float], *, grace_s: float = GRACE_S
    ) -> None:
        self.picture = Picture()
        self.ready = asyncio.Event()
        self._plane = plane
        self._now_s = now_s
        self._grace_s = grace_s
        self._asking = Asking(plane, self.picture, now_s)
        self._writer = Writer(plane, self.picture, self._name_of_event)
        self._namespaces = Namespaces(plane, self.picture, self.touch)
        self._workloads: Controller[str] = Controller("workloads", self._decide, workers=8)
        self._homes: Controller[str] = Controller("locations", self._count, workers=2)
        self._times: Controller[Name] = Controller("times", self._look_at_time, workers=1)
        all_of = plane.at(EVERYWHERE)
        followed = [(everywhere(gvr, identities[gvr.group]), _KINDS[gvr]) for gvr in BOUND]
        followed += [(ASSIGNMENTS, "assignments"), (BINDINGS, "bindings")]
        self._reflectors = [Reflector(all_of, gvr, self._into(kind)) for gvr, kind in followed]

    def start(self, program: Program) -> None:
        """Start the feeds and the workers."""
        for number, reflector in enumerate(self._reflectors):
            program.spawn(f"feed-{number}", reflector.run())
        program.spawn("namespaces", self._namespaces.run())
        program.spawn("begin", self._begin())
        for controller in (self._workloads, self._homes, self._times):
            program.spawn(controller.name, controller.run())

    @property
    def is_idle(self) -> bool:
        """True when nothing is to be done now or after a settling pause; what waits for a time does not count."""
        return self.ready.is_set() and not any(
            len(controller.queue) for controller in (self._workloads, self._homes, self._times)
        )

    def touch(self, touched: Touched) -> None:
        """Ask for everybody concerned to be looked at."""
        if not self.ready.is_set():
            return
        for cluster in touched.workloads:
            self._workloads.queue.add_after(cluster, SETTLE_S)
        for cluster in touched.homes:
            self._homes.queue.add_after(cluster, SETTLE_S)
        for target in touched.targets:
            self._times.queue.add_after(target, SETTLE_S)

    def _into(self, kind: str) -> Callable[[Delta], None]:
        """Return what takes the changes of one kind into the picture."""

        def take(delta: Delta) -> None:
            if delta.key is None:
                return
            key = (delta.key.cluster, delta.key.name)
            if delta.kind == "deleted" or delta.object is None:
                self.touch(self.picture.remove(kind, key, delta.object))
            else:
                self.touch(self.picture.put(kind, key, delta.object))

        return take

    async def _begin(self) -> None:
        """Wait for the feeds, then have everybody looked at once."""
        for reflector in self._reflectors:
            await reflector.synced.wait()
        await self._namespaces.following.wait()
        self.ready.set()
        world = self.picture.world
        homes = {*world.targets.clusters(), *world.locations.clusters()}
        log.info("scheduling", sync_targets=len(world.targets), workspaces=len(self.picture.workloads()))
        self.touch(Touched(self.picture.workloads(), homes, set(world.targets)))
        await asyncio.Event().wait()

    async def _decide(self, cluster: str) -> float | None:
        """Decide one workspace and write what comes out of it."""
        await self._namespaces.ensure(cluster)
        if not self._namespaces.is_listed(cluster):
            return None
        again_s = await self._asking.refresh(cluster)
        now_s = self._now_s()
        now = _text(now_s)
        world = self.picture.world
        writes = decide(world, cluster, world.snapshot(now_s, self._grace_s), now)
        if writes != Writes():
            log.info(
                "placed",
                cluster=cluster,
                assignments=len(writes.assignments),
                namespaces=len(writes.namespaces),
                placements=len(writes.placement_status),
            )
            await self._writer.write(cluster, writes, now)
            return SETTLE_S  # a decision may follow from what was just written
        return again_s

    async def _count(self, cluster: str) -> None:
        """Bring the Locations of one workspace up to date."""
        world, place = self.picture.world, self._plane.at(cluster)
        targets = {name: world.target((cluster, name)) for name in world.targets.of(cluster)}
        if targets and DEFAULT not in world.locations.of(cluster) and not self._skips(cluster):
            try:
                made = await place.create(LOCATIONS, default_location())
                self.touch(self.picture.put("locations", (cluster, DEFAULT), made))
            except AlreadyExists:
                log.debug("the default location is there already", cluster=cluster)
        for name, location in list(world.locations.of(cluster).items()):
            wanted = shown(location, targets)
            try:
                if wanted.annotation is not None:
                    marks = {"metadata": {"annotations": {LABELS_ANNOTATION: wanted.annotation}}}
                    self.picture.put("locations", (cluster, name), await place.patch(LOCATIONS, name, marks))
                if wanted.status is not None:
                    made = await place.patch(LOCATIONS, name, {"status": wanted.status}, subresource="status")
                    self.picture.put("locations", (cluster, name), made)
            except NotFound:
                log.debug("the location is gone", cluster=cluster, location=name)

    def _skips(self, cluster: str) -> bool:
        return any(where == cluster for where, _ in self.picture.skips)

    async def _look_at_time(self, key: Name) -> float | None:
        """Have everybody concerned by a SyncTarget looked at; return when to do so again."""
        obj = self.picture.world.targets.get(key)
        if obj is None:
            return None
        now_s = self._now_s()
        moments = changes_of(self.picture.world.target(key), self._grace_s)
        if any(moment <= now_s for moment in moments):
            self.touch(Touched(workloads=self.picture.touched_by_target(key, obj)))
        next_s = min((moment for moment in moments if moment > now_s), default=None)
        return None if next_s is None else min(max(next_s - now_s, 0.001), _LONGEST_WAIT_S)

    def _name_of_event(self, namespace: str) -> str:
        return f"{namespace}.{int(self._now_s() * 1e9):x}"


def _text(seconds: float) -> str:
    """Return a moment as RFC 3339 in UTC, in whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
