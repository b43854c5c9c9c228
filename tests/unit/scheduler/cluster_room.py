"""Clusters that obey: a fake control plane with SyncTargets, a workspace that uses them, and who reports progress."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import looptime

from fairlead_api import JsonObject
from fairlead_machinery.component import Program
from fairlead_scheduler.asking import REQUESTED_BY
from fairlead_scheduler.controllers import Scheduler
from fairlead_scheduler.world import COMPUTE_ANNOTATION
from tests.unit.scheduler.plane import FakePlane

INFRA, SHOP = "infra", "shop"
START_S = 1_800_000_000.0
GRACE_S = 300.0


class Room:
    """
    The scheduler over a fake control plane, in virtual time.

    Attributes:
        plane: The control plane.
        broken: What went against the invariant that a namespace keeps a complete target.
    """

    def __init__(self) -> None:
        self.plane = FakePlane()
        self.plane.paths = {"root:infra": INFRA, "root:shop": SHOP}
        self.plane.allowed = {("alice", INFRA)}
        self.complete: dict[str, set[str]] = {}  # namespace -> targets that run all of it
        self.broken: list[str] = []
        self.started_s = START_S
        self.position = 0
        self.excused_until_s = 0.0
        bound = [{"group": "apps", "resource": "deployments", "schema": {"identityHash": "id"}}]
        binding = {"name": "kubernetes", "annotations": {COMPUTE_ANNOTATION: "true"}}
        self.plane.put("apibindings", SHOP, {"metadata": binding, "status": {"boundResources": bound}})

    def now_s(self) -> float:
        return self.started_s + asyncio.get_running_loop().time()

    def now(self) -> str:
        return datetime.fromtimestamp(self.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add_target(self, name: str) -> None:
        if ("synctargets", INFRA, "", name) in self.plane.objects:
            return
        self.plane.put(
            "synctargets",
            INFRA,
            {
                "metadata": {
                    "name": name,
                    "uid": f"u-{name}",
                    "labels": {"internal.workload.kcp.io/key": f"k-{name}"},
                },
                "spec": {},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": self.now()}],
                    "syncedResources": [
                        {"group": "apps", "resource": "deployments", "identityHash": "id", "state": "Accepted"}
                    ],
                },
            },
        )

    def change_target(self, name: str, **spec: Any) -> None:
        obj = self.plane.objects.get(("synctargets", INFRA, "", name))
        if obj is not None:
            self.plane.put("synctargets", INFRA, {**obj, "spec": spec})

    def beat(self, name: str, *, ready: bool) -> None:
        """Let the heartbeat be fresh or stale."""
        obj = self.plane.objects.get(("synctargets", INFRA, "", name))
        if obj is None:
            return
        old = obj["status"]["conditions"][0]
        status = "True" if ready else "False"
        since = old["lastTransitionTime"] if old["status"] == status else self.now()
        ready_condition = {"type": "Ready", "status": status, "lastTransitionTime": since}
        new = {**obj["status"], "conditions": [ready_condition], "lastSyncerHeartbeatTime": self.now()}
        self.plane.put("synctargets", INFRA, {**obj, "status": new})

    def add_placement(self, name: str = "p", *, author: str = "alice") -> None:
        spec = {"locationSelectors": [{}], "namespaceSelector": {}, "locationWorkspace": "root:infra"}
        marks = {REQUESTED_BY: json.dumps({"name": author, "groups": []})}
        self.plane.put("placements", SHOP, {"metadata": {"name": name, "annotations": marks}, "spec": spec})

    def add_namespace(self, name: str, cluster: str = SHOP) -> None:
        self.plane.put("namespaces", cluster, {"metadata": {"name": name}})

    def assignment(self, name: str) -> JsonObject | None:
        return self.plane.objects.get(("assignments", SHOP, "", name))

    def states(self, name: str = "web") -> dict[str, str]:
        obj = self.assignment(name)
        return {one["name"]: one["state"] for one in obj["spec"]["targets"]} if obj else {}

    async def obey(self) -> None:
        """Run and remove what Assignments say, half a second later, and report it; watch over the invariant."""
        while True:
            changed = self.plane.changed
            entries, self.position = self.plane.log[self.position :], len(self.plane.log)
            for _, kind, key, obj in entries:
                if key[0] == "assignments" and kind != "DELETED":
                    self._watch_over(key[3], obj)
            for key in {entry[2] for entry in entries if entry[2][0] == "assignments"}:
                asyncio.get_running_loop().call_later(0.5, self._report, key[3])
            if changed is self.plane.changed:
                await changed.wait()

    def _watch_over(self, name: str, obj: JsonObject) -> None:
        stays = {one["uid"] for one in obj["spec"]["targets"] if one["state"] != "Leaving"}
        complete = self.complete.get(name, set())
        alive = {one["metadata"]["uid"] for key, one in self.plane.objects.items() if key[0] == "synctargets"}
        if complete & alive and not complete & stays and self._is_placed(name):
            self.broken.append(f"{name} left {sorted(complete)} for {sorted(stays)}")
        self.complete[name] = complete & stays

    def take_away(self, resource: str, name: str) -> None:
        """Delete a Placement or a namespace: what is decided now may well take the namespace from its targets."""
        self.excused_until_s = self.now_s() + 1
        self.plane.drop(resource, SHOP, name)

    def _is_placed(self, name: str) -> bool:
        if self.now_s() < self.excused_until_s:
            return False
        there = ("namespaces", SHOP, "", name) in self.plane.objects
        return there and any(key[0] == "placements" for key in self.plane.objects)

    def _report(self, name: str) -> None:
        obj = self.assignment(name)
        if obj is None or obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]:
            return
        ready = {
            one["metadata"]["uid"]: one["status"]["conditions"][0]["status"] == "True"
            for key, one in self.plane.objects.items()
            if key[0] == "synctargets"
        }
        targets, done = [], set()
        for one in obj["spec"]["targets"]:
            runs = one["state"] != "Leaving" and (ready.get(one["uid"], False) or one["uid"] in self.complete[name])
            if runs:
                done.add(one["uid"])
            gone = one["state"] == "Leaving" and ready.get(one["uid"], False)
            targets.append(
                {"uid": one["uid"], "objects": 1, "applied": 1, "ready": int(runs), "remaining": int(not gone)}
            )
        self.complete[name] = done
        status = {"observedGeneration": obj["metadata"]["generation"], "targets": targets}
        self.plane.put("assignments", SHOP, {**obj, "status": status})

    def scheduler(self) -> Scheduler:
        return Scheduler(self.plane, {"workload.kcp.io": "i1", "scheduling.kcp.io": "i2"}, self.now_s, grace_s=GRACE_S)

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run a scheduler and obedient clusters while a story is told, in virtual time."""
        self.plane.changed = asyncio.Event()  # each story has a loop of its own

        async def told() -> None:
            async with Program(signals=False) as program:
                program.spawn("clusters", self.obey())
                self.scheduler().start(program)
                await story()
            self.started_s = self.now_s()  # time goes on with the next story

        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            runner.run(told())
